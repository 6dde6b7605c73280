//! Every route × everybody × every organization × every object, made from the description that the
//! store itself gives, against a model. So a new route is in it, or fails it.

mod fixture;
mod model;

use std::collections::HashMap;

use serde_json::Value;

use crate::store::tests::Reply;
use crate::store::tests::matrix::fixture::Fixture;
use crate::store::tests::matrix::model::{Cell, Object, Who};

const OBJECTS: [Object; 4] = [Object::Existing, Object::Missing, Object::Foreign, Object::Wildcard];
/// One's own for most, another, none, and one that would fit all.
const ORGS: [&str; 4] = ["acme", "globex", "absent", "*"];
/// Operations whose object is in the body.
const ABOUT_BODY: [&str; 5] = ["resolve", "watch", "makeOrg", "addMember", "makeToken"];

#[test]
fn every_route_for_everybody() {
    let mut fixture = Fixture::new();
    let description = fixture.served.description();
    let by_hand = fixture.served.by_hand();
    let records = || -> i64 {
        by_hand.query_row("SELECT count(*) FROM audit", [], |row| row.get(0)).unwrap()
    };
    let (mut faults, mut cells) = (Vec::new(), 0);
    for (method, path, operation) in operations(&description) {
        for index in 0..fixture.callers.len() {
            let mut answers = HashMap::new();
            for (org, object) in variants(&path, &operation) {
                let (name, who, caller) = fixture.callers[index].clone();
                let id = operation["operationId"].as_str().unwrap();
                let cell = Cell { operation: id, method: &method, path: &path, who, org, object };
                let (target, mut body) = fixture.request(id, &path, org, object);
                if id == "makeOrg" && who == Who::Operator {
                    body["owner"] = "olga@acme.com".into();
                }
                let body = if body.is_null() { String::new() } else { body.to_string() };
                let before = records();
                let reply = fixture.served.ask(&caller, &method, &target, &body);
                let recorded = records() > before;
                cells += 1;
                let judged = judge(&cell, &reply, recorded)
                    .and_then(|()| documented(&description, &operation, &reply));
                if let Err(fault) = judged {
                    faults.push(format!("{name}: {method} {target} {body}: {fault}\n  {reply:?}"));
                }
                fixture.repair(id, &target, org, reply.status);
                answers.insert((org, format!("{object:?}")), comparable(&reply, org));
            }
            for object in OBJECTS.map(|object| format!("{object:?}")) {
                let of = |org| answers.get(&(org, object.clone()));
                let (name, who, _) = &fixture.callers[index];
                if *who != Who::Operator && !is_of(*who, "globex") && of("globex") != of("absent") {
                    faults.push(format!("{name}: {method} {path}: one can tell that globex is"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {cells}\n{}", faults.len(), faults.join("\n"));
    assert!(cells > 3000, "{cells} cells are not all of them");
    nobody_was_recorded_elsewhere(&fixture);
}

/// Each operation of the description, with its method and path.
pub fn operations(description: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

/// The organizations and objects that make a difference to an operation.
fn variants(path: &str, operation: &Value) -> Vec<(&'static str, Object)> {
    let id = operation["operationId"].as_str().unwrap();
    let in_path = ["{name}", "{email}", "{id}"].iter().any(|part| path.contains(part));
    let objects = if in_path || ABOUT_BODY.contains(&id) { &OBJECTS[..] } else { &OBJECTS[..1] };
    let orgs = if path.contains("{org}") { &ORGS[..] } else { &ORGS[..1] };
    orgs.iter().flat_map(|org| objects.iter().map(|object| (*org, *object))).collect()
}

fn judge(cell: &Cell<'_>, reply: &Reply, recorded: bool) -> Result<(), String> {
    let (status, kind) = cell.expected();
    let got = if reply.status.as_u16() >= 400 { reply.problem() } else { String::new() };
    if (reply.status.as_u16(), got.as_str()) != (status, kind) {
        return Err(format!("expected {status} {kind}"));
    }
    if recorded != cell.is_recorded() {
        return Err(format!("it is on record: {recorded}"));
    }
    match (cell.operation, status, kind) {
        ("resolve", 200, _) if reply.value("DB_PASSWORD") != format!("of {}", cell.org) => {
            Err("another's value".to_owned())
        }
        ("resolve", _, "unresolved") => reasons(cell, reply),
        _ => Ok(()),
    }
}

/// Whether a name is there is told to nobody whose list does not cover it.
fn reasons(cell: &Cell<'_>, reply: &Reply) -> Result<(), String> {
    let unresolved = &reply.json()["unresolved"][0];
    let reason = if cell.who.covers() { "missing" } else { "forbidden" };
    let nearest_said = !unresolved["nearest"].is_null();
    if unresolved["reason"] == reason && (cell.who.covers() || !nearest_said) {
        Ok(())
    } else {
        Err(format!("expected {reason}"))
    }
}

/// Whether the description has this answer.
pub fn documented(description: &Value, operation: &Value, reply: &Reply) -> Result<(), String> {
    let status = reply.status.as_u16().to_string();
    let mut answer = operation["responses"].get(&status).ok_or("an answer not described")?;
    if let Some(reference) = answer["$ref"].as_str() {
        answer = description.pointer(&reference[1..]).unwrap();
    }
    let Some(content) = answer.get("content") else {
        return if reply.body.is_empty() { Ok(()) } else { Err("a body not described".to_owned()) };
    };
    let kind = reply.headers["content-type"].to_str().unwrap();
    let kind = kind.split(';').next().unwrap_or(kind);
    let body = content.get(kind).ok_or("a content type not described")?;
    let types = body.pointer("/schema/allOf/1/properties/type/enum");
    let said = types.map(|types| types.as_array().unwrap().contains(&reply.json()["type"]));
    if said == Some(false) { Err("a problem not described".to_owned()) } else { Ok(()) }
}

/// An answer without the names that the request itself said, and without the time.
fn comparable(reply: &Reply, org: &str) -> String {
    let mut headers = reply.headers.clone();
    headers.remove("date");
    let mut body = String::from_utf8_lossy(&reply.body).into_owned();
    // The request's own name, which is another each time.
    if let Some(at) = body.find(",\"instance\":\"urn:inject:request:") {
        let end = at + body[at + 13..].find('"').map_or(0, |end| end + 14);
        body.replace_range(at..end, "");
    }
    let text = format!("{} {headers:?} {body}", reply.status);
    text.replace(&format!("`{org}`"), "`ORG`")
}

fn is_of(who: Who, org: &str) -> bool {
    matches!(who, Who::Of(standing) if standing.org == org)
}

/// The trail of an organization has its own people in it, and no stranger who knocked.
fn nobody_was_recorded_elsewhere(fixture: &Fixture) {
    let by_hand = fixture.served.by_hand();
    let sql = "SELECT DISTINCT actor FROM audit WHERE organization = 'globex' ORDER BY actor";
    let mut statement = by_hand.prepare(sql).unwrap();
    let actors: rusqlite::Result<Vec<String>> =
        statement.query_map([], |row| row.get(0)).unwrap().collect();
    assert_eq!(actors.unwrap(), ["gina@globex.com", "os:alice"]);
    for org in ["acme", "globex", "evil-corp"] {
        fixture.served.verify(org);
    }
}
