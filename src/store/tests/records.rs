//! The audit trail as the API shows it: filters, pages, checkpoints, and what they bring to light.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::tests::Reply;
use crate::store::tests::served::{Caller, Served};

const AUDIT: &str = "/api/v1/orgs/acme/audit";

/// Eight records: three of the organization's beginning, two of secrets, one of a token, two of a
/// workload.
fn acme() -> (Served, Caller) {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    for name in ["DB_PASSWORD", "API_KEY"] {
        let path = format!("/api/v1/orgs/acme/secrets/{name}");
        served.ask(&alice, "PUT", &path, r#"{"value":"x"}"#).is(201);
    }
    let body = r#"{"workload":"billing","names":["DB_*"]}"#;
    let made = served.ask(&alice, "POST", "/api/v1/orgs/acme/tokens", body).is(201);
    served.resolve(&made.caller(), "acme", &["DB_PASSWORD"]).is(200);
    served.resolve(&made.caller(), "acme", &["DB_PASSWORD", "API_KEY"]).is(404);
    (served, made.caller())
}

fn get(served: &Served, query: &str) -> Reply {
    served.operator("GET", &format!("{AUDIT}?{query}"), &Value::Null)
}

fn sequences(served: &Served, query: &str) -> Vec<i64> {
    let list = get(served, query).is(200).json();
    let records = list["records"].as_array().unwrap().iter();
    records.map(|record| record["sequence"].as_i64().unwrap()).collect()
}

fn checkpoint(served: &Served, org: &str) -> Value {
    let path = format!("/api/v1/orgs/{org}/audit/checkpoint");
    served.operator("GET", &path, &Value::Null).is(200).json()
}

fn verify(served: &Served, checkpoint: &Value) -> Value {
    let body = json!({ "checkpoint": checkpoint });
    served.operator("POST", &format!("{AUDIT}/verify"), &body).is(200).json()
}

#[test]
fn one_record() {
    let (served, _) = acme();
    let mut last = get(&served, "limit=1").is(200).json()["records"][0].clone();
    let at: Timestamp = last["at"].as_str().unwrap().parse().unwrap();
    assert!(at <= Timestamp::now());
    let actor = last["actor"].as_str().unwrap().to_owned();
    assert!(actor.starts_with("token:") && actor.len() == 18, "{actor}");
    last["at"].take();
    last["actor"].take();
    let secrets = json!([{ "name": "API_KEY" }, { "name": "DB_PASSWORD", "version": 1 }]);
    let expected = json!({
        "sequence": 8, "at": null, "organization": "acme", "actor": null, "action": "resolve",
        "secrets": secrets, "workload": "billing", "client": "192.0.2.7", "outcome": "forbidden",
    });
    assert_eq!(last, expected);
    let made = get(&served, "limit=3").is(200).json()["records"][2].clone();
    assert_eq!(made["subject"], actor.as_str());
    assert_eq!(made["detail"]["names"], json!(["DB_*"]));
    assert!(made["detail"]["expires_at"].is_string());
    assert!(!made.to_string().contains("inj_"));
}

#[test]
fn filters() {
    let (served, _) = acme();
    assert_eq!(sequences(&served, ""), [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(sequences(&served, "name=API_KEY"), [8, 5]);
    assert_eq!(sequences(&served, "name=DB_PASSWORD"), [8, 7, 4]);
    assert_eq!(sequences(&served, "name=DB_PASS"), [0; 0]);
    assert_eq!(sequences(&served, "workload=billing"), [8, 7, 6]);
    assert_eq!(sequences(&served, "actor=os:alice"), [3, 2, 1]);
    assert_eq!(sequences(&served, "actor=alice%40acme.com"), [6, 5, 4]);
    assert_eq!(sequences(&served, "actor=alice@acme.com&name=API_KEY"), [5]);
    assert_eq!(sequences(&served, "actor=*&name=&workload="), [0; 0]);
    assert_eq!(sequences(&served, "since=2999-01-01T00:00:00Z"), [0; 0]);
    assert_eq!(sequences(&served, "until=2020-01-01T00:00:00Z"), [0; 0]);
    let record = get(&served, "limit=4").is(200).json()["records"][3].clone();
    let at = record["at"].as_str().unwrap();
    // From a moment on, and before it, are two halves of everything.
    let (since, until) =
        (sequences(&served, &format!("since={at}")), sequences(&served, &format!("until={at}")));
    assert!(since.contains(&5) && !until.contains(&5));
    assert_eq!([since, until].concat(), [8, 7, 6, 5, 4, 3, 2, 1]);
    for bad in ["name=lower", "name=*", "workload=Not+One"] {
        get(&served, bad).is(422);
    }
    for bad in ["since=yesterday", "until=2020", "limit=0", "q=x", "sort=name", "since=1&since=2"] {
        get(&served, bad).is(400);
    }
}

#[test]
fn pages() {
    let (served, _) = acme();
    for (query, expected) in
        [("", vec![8, 7, 6, 5, 4, 3, 2, 1]), ("name=DB_PASSWORD", vec![8, 7, 4])]
    {
        for limit in 1..=9 {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = format!("{query}&limit={limit}&cursor={cursor}");
                let rows = sequences(&served, &page);
                assert!(rows.len() <= limit);
                seen.extend(rows);
                // Nobody who comes in between moves what is behind.
                served.operator("GET", AUDIT, &Value::Null).is(200);
                match get(&served, &page).is(200).json()["next"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen, expected, "{query} {limit}");
        }
    }
}

/// A cursor is of its own list.
#[test]
fn cursors_of_other_lists() {
    let (served, _) = acme();
    let base = "/api/v1/orgs/acme";
    let add = json!({ "email": "bob@acme.com", "role": "reader" });
    served.operator("POST", &format!("{base}/members"), &add).is(201);
    served.resolve(&Caller::operator(), "acme", &["DB_PASSWORD"]).is(200);
    let lists = [
        "/api/v1/orgs".to_owned(),
        format!("{base}/secrets"),
        format!("{base}/members"),
        format!("{base}/tokens"),
        format!("{base}/audit"),
        format!("{base}/workloads"),
    ];
    let page =
        |list: &str, query: &str| served.operator("GET", &format!("{list}?{query}"), &Value::Null);
    for list in &lists {
        let next = page(list, "limit=1").is(200).text("next");
        for other in &lists {
            let status = if list == other { 200 } else { 400 };
            page(other, &format!("cursor={next}")).is(status);
        }
        for bad in ["x", "%00", "bWVtYmVycw", "YXVkaXQgeA", "dG9rZW5zIA", "dG9rZW5zIHggeQ"] {
            page(list, &format!("cursor={bad}")).is(400);
        }
        // `audit +5`, `tokens 007 A`, and the same JSON with a blank: no list writes these.
        for other in
            ["YXVkaXQgKzU", "dG9rZW5zIDAwNyBB", "eyAic29ydCI6Im5hbWUiLCJhdCI6MSwibmFtZSI6IkEifQ"]
        {
            page(list, &format!("cursor={other}")).is(400);
        }
        for bad in ["limit=0", "limit=1001", "limit=%2B5", "limit=1e2", "limit=-1", "x=", "x=1"] {
            page(list, bad).is(400);
        }
        page(list, "limit=1000&cursor=").is(200);
    }
}

#[test]
fn a_checkpoint_shows_a_cut_tail() {
    let (served, workload) = acme();
    let seen = checkpoint(&served, "acme");
    assert_eq!(seen["sequence"], 8);
    assert_eq!(verify(&served, &seen), json!({ "records": 8 }));
    served.resolve(&workload, "acme", &["DB_PASSWORD"]).is(200);
    assert_eq!(verify(&served, &seen), json!({ "records": 9 }));
    let by_hand = served.by_hand();
    by_hand.execute("DELETE FROM audit WHERE organization = 'acme' AND sequence > 6", []).unwrap();
    let short = json!({ "records": 6 });
    assert_eq!(verify(&served, &Value::Null), short, "without a checkpoint nobody can tell");
    let cut = json!({ "records": 6, "broken": { "sequence": 7, "what": "cut" } });
    assert_eq!(verify(&served, &seen), cut);
    // What is written behind the cut is a good chain, and not the one that was seen.
    for _ in 0..2 {
        served.resolve(&workload, "acme", &["API_KEY"]).is(404);
    }
    assert_eq!(verify(&served, &Value::Null), json!({ "records": 8 }));
    let other = json!({ "records": 8, "broken": { "sequence": 8, "what": "other" } });
    assert_eq!(verify(&served, &seen), other);
}

#[test]
fn checkpoints_that_are_none() {
    let (served, _) = acme();
    served.org("globex", "gina@globex.com");
    let seen = checkpoint(&served, "acme");
    let changed = |key: &str, value: Value| {
        let mut changed = seen.clone();
        changed[key] = value;
        changed
    };
    let broken = |sequence: i64, records: i64, what: &str| {
        let broken = json!({ "sequence": sequence, "what": what });
        json!({ "records": records, "broken": broken })
    };
    let altered = verify(&served, &changed("code", json!("00".repeat(32))));
    assert_eq!(altered, broken(8, 8, "other"));
    let moved = verify(&served, &changed("at", json!("2026-01-01T00:00:00Z")));
    assert_eq!(moved, broken(8, 8, "other"));
    let mut of_globex = checkpoint(&served, "globex");
    let body = json!({ "checkpoint": of_globex });
    served.operator("POST", &format!("{AUDIT}/verify"), &body).is(422);
    of_globex["organization"] = json!("acme");
    assert_eq!(verify(&served, &of_globex), broken(3, 3, "other"));
    let far = verify(&served, &changed("sequence", json!(i64::MAX)));
    assert_eq!(far, broken(9, 8, "cut"));
    for impossible in [0, -1, i64::MIN] {
        let body = json!({ "checkpoint": changed("sequence", json!(impossible)) });
        served.operator("POST", &format!("{AUDIT}/verify"), &body).is(422);
    }
    for code in ["", "00", &"0g".repeat(32), &"00".repeat(33)] {
        let body = json!({ "checkpoint": changed("code", json!(code)) });
        served.operator("POST", &format!("{AUDIT}/verify"), &body).is(422);
    }
    let empty = checkpoint(&served, "default");
    assert_eq!((&empty["sequence"], &empty["code"]), (&json!(0), &json!("00".repeat(32))));
    let path = "/api/v1/orgs/default/audit/verify";
    let found = served.operator("POST", path, &json!({ "checkpoint": empty })).is(200).json();
    assert_eq!(found, json!({ "records": 0 }));
}

/// A record whose time is the last there is does not end the request.
#[test]
fn a_time_beyond_all() {
    let (served, _) = acme();
    served.by_hand().execute("UPDATE audit SET at = ?1 WHERE sequence = 8", [i64::MAX]).unwrap();
    assert_eq!(sequences(&served, "since=2999-01-01T00:00:00Z"), [8]);
}
