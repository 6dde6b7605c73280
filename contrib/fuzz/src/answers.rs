//! Answers as the client takes them: whatever comes, what is said of it shows neither what was sent
//! nor what steers a terminal; and what is understood says the same when it is written again.

use std::collections::BTreeSet;
use std::fmt::Debug;

use inject::client::fuzzing::{judged, parse};
use inject::name::{OrgName, SecretName};
use inject::wire;
use serde_json::{Map, Value};

/// What was sent along with the request. No fault may repeat it.
const HIDDEN: &str = "hunter2-hunter2";
const STATUSES: [u16; 20] = [
    200, 201, 204, 206, 301, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 422, 429, 500, 503,
    507,
];
/// All that is said of an answer: a few sentences, and once more as `Debug` has it.
const SHOWN_CHARS_MAX: usize = 16 << 10;

pub fn check(which: u8, rest: &[u8]) {
    match which {
        b'R' => resolve(rest),
        b'M' => again::<wire::Metadata>(rest),
        b'L' => again::<wire::SecretList>(rest),
        b'O' => again::<wire::OrgList>(rest),
        b'P' => again::<wire::MemberList>(rest),
        b'T' => again::<wire::TokenList>(rest),
        b'A' => again::<wire::AuditList>(rest),
        b'C' => again::<wire::Checkpoint>(rest),
        b'V' => again::<wire::VerifyAnswer>(rest),
        b'W' => again::<wire::WorkloadList>(rest),
        b'N' => again::<wire::WatchAnswer>(rest),
        b'E' => again::<wire::Problem>(rest),
        b'I' => issued(rest),
        b'J' => judge(rest),
        _ => {}
    }
}

/// A status, two headers, each up to a line's end, and the body.
fn judge(rest: &[u8]) {
    let Some((status, rest)) = rest.split_first() else { return };
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let mut parts = rest.splitn(3, |b| *b == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let (headers, body) = ([next(), next()], next());
    let org = OrgName::parse("acme").expect("a slug");
    let name = SecretName::parse("DB_PASSWORD").expect("a name");
    let names = BTreeSet::from([&name]);
    let judged = judged(status, headers, body, (&org, &names), HIDDEN.as_bytes());
    let shown = &judged.shown;
    let fail = |why: &str| -> ! { panic!("{why}: {status} {}\n{shown:?}", rest.escape_ascii()) };
    if judged.is_done != (matches!(status, 200 | 201 | 204) && shown.is_empty()) {
        fail("it is taken for another status");
    }
    if shown.contains(HIDDEN) {
        fail("it repeats what was sent");
    }
    // What `Debug` makes of them is two signs.
    if shown.chars().any(|c| c.is_control() && c != '\n') {
        fail("it could steer a terminal");
    }
    if shown.chars().count() > SHOWN_CHARS_MAX {
        fail("it is long");
    }
}

fn again<T>(body: &[u8])
where
    T: for<'de> serde::Deserialize<'de> + serde::Serialize + Debug,
{
    let Some(first) = parsed::<T>(body) else { return };
    let written = serde_json::to_vec(&first).expect("what was JSON is JSON");
    let second: T = parse(&written).unwrap_or_else(|fault| panic!("{fault}: {first:?}"));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
}

/// What is understood; else what is said about it repeats nothing.
fn parsed<T: for<'de> serde::Deserialize<'de>>(body: &[u8]) -> Option<T> {
    match parse(body) {
        Ok(parsed) => Some(parsed),
        Err(fault) => {
            let said = format!("{fault} {fault:?}");
            assert!(!said.contains(HIDDEN), "{said}");
            assert!(said.len() < 400, "{said}");
            None
        }
    }
}

fn resolve(body: &[u8]) {
    let Some(first) = parsed::<wire::ResolveAnswer>(body) else { return };
    let mut written = b"{\"secrets\":{".to_vec();
    for (index, (name, secret)) in first.secrets.iter().enumerate() {
        written.extend_from_slice(if index > 0 { b"," } else { b"" });
        written
            .extend_from_slice(format!("\"{name}\":{{\"version\":{}", secret.version).as_bytes());
        if let Some(at) = secret.updated_at {
            written.extend_from_slice(format!(",\"updated_at\":\"{at}\"").as_bytes());
        }
        if let Some(value) = &secret.value {
            written.push(b',');
            wire::write_value_member(&mut written, value);
        }
        written.push(b'}');
    }
    written.extend_from_slice(b"}}");
    let second: wire::ResolveAnswer = parse(&written).expect("it was one");
    assert_eq!(first.secrets.len(), second.secrets.len());
    for (name, one) in &first.secrets {
        let other = &second.secrets[name];
        let value = |secret: &wire::Resolved| {
            secret.value.as_ref().map(|value| value.expose_secret().to_vec())
        };
        assert_eq!(value(one), value(other), "{name}");
        assert_eq!((one.version, one.updated_at), (other.version, other.updated_at), "{name}");
    }
}

/// A token that a terminal would obey is none.
fn issued(body: &[u8]) {
    let tokens = [
        parsed::<wire::Issued<wire::Organization>>(body).map(|issued| issued.token),
        parsed::<wire::Issued<wire::Member>>(body).map(|issued| issued.token),
        parsed::<wire::IssuedToken>(body).map(|issued| issued.token),
    ];
    let Ok(Value::Object(said)) = serde_json::from_slice::<Value>(body) else {
        assert!(tokens.iter().all(Option::is_none));
        return;
    };
    let said: &Map<String, Value> = &said;
    for token in tokens.iter().flatten() {
        assert!(token.expose_secret().iter().all(u8::is_ascii_graphic));
        let text = said.get("token").and_then(Value::as_str);
        assert_eq!(text.map(str::as_bytes), Some(token.expose_secret()));
    }
}
