//! Values, tokens and cookies, planted wherever a request has room for them, come out of the one
//! answer that may have them, and out of nothing else: no other answer, no file, in no encoding.

use std::fs;

use base64::Engine;
use serde_json::{Value, json};

use crate::store::tests::served::{Caller, Served};
use crate::store::tests::{Reply, matrix};

/// Nothing that could pass for a name: what looks like one may be repeated to who sent it.
const VALUE: &str = "c4n4ry/\"Sitting+on<a>wire\"&=%40\u{fc}\\";

/// Answers that were given, less those that may hold what they hold.
struct Heard {
    served: Served,
    answers: Vec<(String, Reply)>,
}

/// The forms of a text in which it may leak.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let url = |one: &u8| match is_plain(one) {
        true => char::from(*one).to_string(),
        false => format!("%{one:02X}"),
    };
    let url: String = bytes.iter().map(url).collect();
    let quoted = serde_json::to_string(text).unwrap();
    let quoted = quoted[1..quoted.len() - 1].to_owned();
    let ascii = quoted.replace('\u{fc}', "\\u00fc");
    let (debug, escaped) = (format!("{bytes:?}"), text.escape_default().to_string());
    let mut forms = vec![text.to_owned(), hex.to_uppercase(), hex, debug, escaped, quoted, ascii];
    forms.push(url.to_lowercase());
    forms.push(url);
    let base64 = base64::engine::general_purpose::STANDARD_NO_PAD;
    // In base64 a text looks different at each of three offsets; its ends depend on neighbours.
    for offset in 0..3 {
        let coded = base64.encode([&b"xxx"[..offset], bytes].concat());
        forms.push(coded[4..coded.len() - 4].to_owned());
        forms.push(coded[4..coded.len() - 4].replace('+', "-").replace('/', "_"));
    }
    forms.into_iter().map(String::into_bytes).collect()
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    memchr::memmem::find(bytes, form).is_some()
}

impl Heard {
    fn ask(&mut self, caller: &Caller, method: &str, path: &str, body: &str) {
        self.ask_with(caller, (method, path), &[], body.as_bytes());
    }

    fn ask_with(
        &mut self,
        caller: &Caller,
        target: (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let reply = self.served.ask_with(&self.served.handle, caller, target, headers, body);
        let asked = format!("{target:?} {headers:?} {}", String::from_utf8_lossy(body));
        self.answers.push((asked, reply));
    }

    /// Nothing of this in any answer or file.
    fn is_silent(&self, canaries: &[(&str, &str)]) {
        for (what, text) in canaries {
            for form in forms(text) {
                for (asked, reply) in &self.answers {
                    let said = format!("{} {:?}", reply.status, reply.headers);
                    let found = contains(&reply.body, &form) || contains(said.as_bytes(), &form);
                    assert!(!found, "the {what} is in an answer to {asked}: {reply:?}");
                }
                for file in fs::read_dir(self.served.directory.path()).unwrap() {
                    let path = file.unwrap().path();
                    let found = contains(&fs::read(&path).unwrap(), &form);
                    assert!(!found, "the {what} is in {}", path.display());
                }
            }
        }
    }
}

/// A token, whole and in its parts: the random one alone is as good as all of it.
fn parts(token: &str) -> [&str; 2] {
    [token, &token[18..50]]
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Each route, with a canary in its path, in its query, in its headers and in its body.
fn plant(heard: &mut Heard, caller: &Caller, canary: &str) {
    let description = heard.served.description();
    let quoted = serde_json::to_string(canary).unwrap();
    let bodies = [
        canary.to_owned(),
        quoted.clone(),
        format!("[{quoted}]"),
        format!("{{\"value\":{quoted},\"names\":[{quoted}]}}"),
        format!("{{{quoted}:{quoted}}}"),
        json!({ "names": [canary, "DB_PASSWORD"], "workload": canary }).to_string(),
        json!({ "names": ["DB_PASSWORD"], "values": canary }).to_string(),
        json!({ "value": { "value": canary } }).to_string(),
        json!({ "value": canary, "value_base64": canary }).to_string(),
        json!({ "value_base64": canary }).to_string(),
        json!({ "name": canary, "owner": canary }).to_string(),
        json!({ "email": canary, "role": canary }).to_string(),
        json!({ "email": "bob@acme.com", "role": "reader", "names": [canary] }).to_string(),
        json!({ "role": canary }).to_string(),
        json!({ "workload": canary }).to_string(),
        json!({ "member": canary }).to_string(),
        json!({ "workload": "b", "network": canary, "expires_at": canary }).to_string(),
        json!({ "workload": "b", "names": [canary] }).to_string(),
        json!({ "checkpoint": canary }).to_string(),
        json!({ "token": canary, "extra": canary }).to_string(),
        json!({ "versions": { canary: 1 }, "wait": 0 }).to_string(),
        format!("{{\"token\":{quoted}"),
    ];
    let segment = encoded(canary);
    for (method, path, operation) in matrix::operations(&description) {
        let at = |org: &str, other: &str| {
            let path = path.replace("{org}", org).replace("{name}", other);
            path.replace("{email}", other).replace("{id}", other)
        };
        let good = at("acme", "DB_ABSENT");
        let mut targets =
            vec![at("acme", &segment), at(&segment, "DB_ABSENT"), at(canary_word(canary), "x")];
        for key in ["q", "cursor", "limit", "sort", "name", "actor", "workload", "since", "token"] {
            targets.push(format!("{good}?{key}={segment}"));
        }
        targets.push(format!("{good}?{segment}={segment}"));
        for target in targets {
            heard.ask(caller, &method, &target, r#"{"value":"x"}"#);
        }
        if operation.get("requestBody").is_some() {
            bodies.iter().for_each(|body| heard.ask(caller, &method, &good, body));
        }
        let line = canary.replace('\u{fc}', "");
        for header in ["if-match", "if-none-match", "x-request-id", "referer", "content-type"] {
            heard.ask_with(caller, (&method, &good), &[(header, &line)], b"{}");
        }
        for (header, scheme) in [("authorization", "Bearer "), ("cookie", "__Host-inject=")] {
            let value = format!("{scheme}{line}");
            let nobody = Caller::nobody();
            heard.ask_with(&nobody, (&method, &good), &[(header, &value)], b"{}");
        }
    }
}

/// What of it can stand in a path as it is.
fn canary_word(canary: &str) -> &str {
    if canary.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        canary
    } else {
        "x"
    }
}

#[test]
fn canaries() {
    let served = Served::new();
    let owner = served.org("acme", "alice@acme.com");
    let path = "/api/v1/orgs/acme/members/alice@acme.com";
    served.ask(&owner, "PATCH", path, r#"{"names":["*"]}"#).is(200);
    let tokens = "/api/v1/orgs/acme/tokens";
    let mint = |body: Value| served.ask(&owner, "POST", tokens, &body.to_string()).is(201);
    let workload = mint(json!({ "workload": "billing" })).text("token");
    let second = mint(json!({ "member": "alice@acme.com" })).text("token");
    let cookie = served.sign_in(&second);
    let mut heard = Heard { served, answers: Vec::new() };
    let put = json!({ "value": VALUE }).to_string();
    for name in ["DB_PASSWORD", "OLD_PASSWORD"] {
        heard.ask(&owner, "PUT", &format!("/api/v1/orgs/acme/secrets/{name}"), &put);
        heard.ask(&owner, "PUT", &format!("/api/v1/orgs/acme/secrets/{name}"), &put);
    }
    heard.ask(&owner, "DELETE", "/api/v1/orgs/acme/secrets/OLD_PASSWORD", "");
    let page = Caller::session(&cookie, true);
    for canary in [VALUE, &workload, &second, &cookie] {
        plant(&mut heard, &owner, canary);
    }
    plant(&mut heard, &page, VALUE);
    plant(&mut heard, &Caller::nobody(), VALUE);
    for path in ["secrets/DB_PASSWORD", "secrets", "members", "tokens", "audit", "workloads"] {
        heard.ask(&owner, "GET", &format!("/api/v1/orgs/acme/{path}?limit=1000"), "");
    }
    // The one answer that may have it has it; a check has not, nor one for a name too many.
    let got = heard.served.resolve(&Caller::bearer(&workload), "acme", &["DB_PASSWORD"]);
    assert_eq!(got.is(200).value("DB_PASSWORD"), VALUE);
    let check = r#"{"names":["DB_PASSWORD"],"values":false}"#;
    let bearer = Caller::bearer(&workload);
    heard.ask(&bearer, "POST", "/api/v1/orgs/acme/resolve", check);
    let missing = r#"{"names":["DB_PASSWORD","DB_PASSWORT"]}"#;
    heard.ask(&bearer, "POST", "/api/v1/orgs/acme/resolve", missing);
    assert!(heard.answers.len() > 2000, "{}", heard.answers.len());
    assert!(heard.answers.iter().all(|(_, reply)| reply.status.as_u16() < 500));

    let mut canaries = vec![("value", VALUE), ("cookie", &cookie)];
    canaries.extend(parts(&workload).map(|part| ("workload's token", part)));
    canaries.extend(parts(&second).map(|part| ("member's token", part)));
    heard.is_silent(&canaries);
}

/// The search finds what is there.
#[test]
fn the_search_finds() {
    let coded = base64::engine::general_purpose::STANDARD.encode(format!("a{VALUE}"));
    let json = serde_json::to_string(&json!({ "a": VALUE })).unwrap();
    for text in [VALUE, &coded, &json, &format!("{VALUE:?}"), &encoded("x"), "no"] {
        let found = forms(VALUE).iter().any(|form| contains(text.as_bytes(), form));
        assert_eq!(found, text.len() > 10, "{text}");
    }
}
