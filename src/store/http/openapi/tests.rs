//! The description says what the program does: every route, and each limit as it is.

use serde_json::{Value, json};

use super::{SENT, WRITTEN};
use crate::grant::GRANT_PATTERNS_MAX;
use crate::name::{EMAIL_BYTES_MAX, LABEL_BYTES_MAX, SECRET_NAME_BYTES_MAX, TOKEN_ID_BYTES};
use crate::store::http::door::COOKIE_NAME;
use crate::store::http::route::{ROUTES, Route};
use crate::wire::{
    PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, RESOLVE_NAMES_MAX, TOKEN_DAYS_DEFAULT, VALUE_BYTES_MAX,
    WATCH_SECONDS_DEFAULT, WATCH_SECONDS_MAX, problem_type,
};

fn written() -> Value {
    serde_json::from_slice(WRITTEN).expect("it is JSON")
}

/// A method that OpenAPI knows.
fn is_method(key: &str) -> bool {
    ["get", "put", "post", "delete", "patch", "head", "options", "trace"].contains(&key)
}

/// Each operation, with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, _)| {
        let methods = Value::as_object(item).expect("methods").iter();
        let methods = methods.filter(|(key, _)| is_method(key));
        let path = path.clone();
        methods
            .map(move |(method, one)| (method.to_uppercase(), path.clone(), one))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn what_is_sent_is_what_is_written() {
    let sent: Value = serde_json::from_slice(&SENT).expect("it is JSON");
    assert_eq!(sent, written());
    let plain = serde_json::to_vec(&sent).expect("it was JSON");
    assert_eq!(SENT.len(), plain.len());
}

#[test]
fn every_route_and_no_other() {
    let document = written();
    let mut described: Vec<(String, String)> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let mut routes: Vec<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    described.sort();
    routes.sort();
    assert_eq!(described, routes);
}

#[test]
fn each_operation_is_its_route() {
    let (document, routes) = (written(), ROUTES);
    for (method, path, operation) in operations(&document) {
        let is_it = |route: &&Route| route.method == *method && route.path == path;
        let route = routes.iter().find(is_it).expect("a route");
        let id = format!("{:?}", route.to);
        let id = id[..1].to_lowercase() + &id[1..];
        assert_eq!(operation["operationId"], id, "{method} {path}");
        let bytes_max = operation["requestBody"]["x-bytes-max"].as_u64().unwrap_or(0);
        assert_eq!(bytes_max, route.body_max as u64, "{id}");
        for part in path.split('/').filter(|part| part.starts_with('{')) {
            let reference = format!("#/components/parameters/{}", part.trim_matches(['{', '}']));
            let parameters = operation["parameters"].as_array().expect("parameters");
            assert!(parameters.contains(&json!({ "$ref": reference })), "{id} {part}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn follow(document: &Value, at: &Value) {
        match at {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("one within the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                map.values().for_each(|value| follow(document, value));
            }
            Value::Array(list) => list.iter().for_each(|value| follow(document, value)),
            _ => {}
        }
    }
    let document = written();
    follow(&document, &document);
}

#[test]
fn limits_are_those_of_the_program() {
    let document = written();
    let name = |first: &str, rest: &str, bytes_max: usize| {
        json!(format!("^[{first}][{rest}]{{0,{}}}$", bytes_max - 1))
    };
    let token_bytes = TOKEN_ID_BYTES + 32 + 6;
    let base64_bytes = VALUE_BYTES_MAX.div_ceil(3) * 4;
    let secret = "/components/schemas/SecretRequest/oneOf";
    let limits = [
        ("/components/schemas/SecretName/pattern", name("A-Z", "A-Z0-9_", SECRET_NAME_BYTES_MAX)),
        (
            "/components/schemas/NamePattern/pattern",
            name("A-Z*", "A-Z0-9_*", SECRET_NAME_BYTES_MAX),
        ),
        ("/components/schemas/OrgName/pattern", name("a-z", "a-z0-9-", LABEL_BYTES_MAX)),
        ("/components/schemas/WorkloadName/pattern", name("a-z0-9", "a-z0-9._-", LABEL_BYTES_MAX)),
        ("/components/schemas/EmailAddress/maxLength", json!(EMAIL_BYTES_MAX)),
        (
            "/components/schemas/TokenId/pattern",
            json!(format!("^[A-Za-z0-9]{{{TOKEN_ID_BYTES}}}$")),
        ),
        (
            "/components/schemas/TokenText/pattern",
            json!(format!("^inj_[mw]_[A-Za-z0-9]{{{token_bytes}}}$")),
        ),
        ("/components/schemas/Grant/maxItems", json!(GRANT_PATTERNS_MAX)),
        ("/components/schemas/ResolveRequest/properties/names/maxItems", json!(RESOLVE_NAMES_MAX)),
        (
            "/components/schemas/WatchRequest/properties/versions/maxProperties",
            json!(RESOLVE_NAMES_MAX),
        ),
        (
            "/components/schemas/WatchRequest/properties/wait/description",
            json!(format!("seconds; a longer wait is {WATCH_SECONDS_MAX}")),
        ),
        ("/components/schemas/WatchRequest/properties/wait/default", json!(WATCH_SECONDS_DEFAULT)),
        ("/components/parameters/limit/schema/anyOf/0/maximum", json!(PAGE_ROWS_MAX)),
        ("/components/parameters/limit/schema/anyOf/0/default", json!(PAGE_ROWS_DEFAULT)),
        (&format!("{secret}/0/properties/value/maxLength"), json!(VALUE_BYTES_MAX)),
        (&format!("{secret}/1/properties/value_base64/maxLength"), json!(base64_bytes)),
        (
            "/components/schemas/TokenRequest/oneOf/0/properties/expires_at/description",
            json!(format!("left out it is in {TOKEN_DAYS_DEFAULT} days")),
        ),
        ("/components/securitySchemes/session/name", json!(COOKIE_NAME)),
    ];
    for (pointer, limit) in limits {
        assert_eq!(document.pointer(pointer), Some(&limit), "{pointer}");
    }
}

#[test]
fn each_kind_of_problem_is_described() {
    let text = written()["components"]["responses"].to_string();
    for kind in problem_type::ALL {
        assert!(text.contains(kind), "{kind}");
    }
}
