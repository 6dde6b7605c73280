//! The audit trail: what is on record, and that no edit of it goes unseen.

use std::time::Duration;

use crate::store::audit::Broken;
use crate::store::storage::deadline::Deadline;
use crate::store::storage::sqlite::Sqlite;
use crate::store::tests::{Store, call, resolve, secret, verify};

/// A store with five records.
fn with_trail() -> Store {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.set("DB_PASSWORD", "two").is(200);
    store.get("DB_PASSWORD").is(200);
    store.get("DB_PASSWORT").is(404);
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    assert_eq!(verify(&store), Ok(5));
    store
}

#[test]
fn one_record_a_request() {
    let store = with_trail();
    let check = br#"{"names":["ABSENT_ONE"],"values":false,"workload":"billing"}"#;
    call(&store.handle, "POST", "/api/v1/orgs/default/resolve", &[], check).is(404);
    store.set("EMPTY_ONE", "").is(422);
    let if_match = [("if-match", "\"7\"")];
    call(&store.handle, "PUT", &secret("EMPTY_ONE"), &if_match, br#"{"value":"x"}"#).is(412);
    store.call("DELETE", &secret("EMPTY_ONE"), "").is(404);
    store.call("GET", "/api/v1/orgs/default/secrets", "").is(200);
    let by_hand = store.by_hand();
    let sql = "SELECT actor || ' ' || action || ' ' || coalesce(workload, '-') || ' ' || secrets
               || ' ' || outcome FROM audit ORDER BY sequence";
    let mut statement = by_hand.prepare(sql).unwrap();
    let records: rusqlite::Result<Vec<String>> =
        statement.query_map([], |row| row.get(0)).unwrap().collect();
    assert_eq!(
        records.unwrap(),
        [
            r#"os:alice create - [{"name":"DB_PASSWORD","version":1}] ok"#,
            r#"os:alice update - [{"name":"DB_PASSWORD","version":2}] ok"#,
            r#"os:alice resolve - [{"name":"DB_PASSWORD","version":2}] ok"#,
            r#"os:alice resolve - [{"name":"DB_PASSWORT"}] missing"#,
            r#"os:alice delete - [{"name":"DB_PASSWORD","version":2}] ok"#,
            r#"os:alice check billing [{"name":"ABSENT_ONE"}] missing"#,
            r#"os:alice create - [{"name":"EMPTY_ONE"}] invalid"#,
            r#"os:alice create - [{"name":"EMPTY_ONE"}] precondition"#,
            r#"os:alice delete - [{"name":"EMPTY_ONE"}] missing"#,
        ]
    );
    assert_eq!(verify(&store), Ok(9));
}

#[test]
fn long_records_are_read_some_at_a_time() {
    let store = Store::new();
    let names: Vec<String> = (0..4096).map(|number| format!("{:X<122}_{number:05}", "A")).collect();
    let body = serde_json::json!({ "names": names, "values": false }).to_string();
    for _ in 0..10 {
        store.call("POST", "/api/v1/orgs/default/resolve", &body).is(404);
    }
    let wait = Duration::from_secs(1);
    let mut database = Sqlite::open(&store.database(), Deadline::after(wait), wait).unwrap();
    let counts = database.read(|tx| {
        let (behind, more_behind) = tx.records("default", 0, 1000)?;
        let (before, more_before) = tx.records_before("default", 11, 1000)?;
        Ok([(behind.len(), more_behind), (before.len(), more_before)])
    });
    // Half a megabyte each, so eight of them are four.
    assert_eq!(counts.unwrap(), [(8, true), (8, true)]);
    let rest = database.read(|tx| tx.records("default", 8, 1000));
    assert!(rest.is_ok_and(|(records, more)| records.len() == 2 && !more));
    assert_eq!(verify(&store), Ok(10));
    let mut seen = Vec::new();
    let mut path = "/api/v1/orgs/default/audit".to_owned();
    loop {
        let page = store.call("GET", &path, "").is(200).json();
        let records = page["records"].as_array().unwrap();
        seen.extend(records.iter().map(|record| record["sequence"].as_i64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/orgs/default/audit?cursor={next}");
    }
    assert_eq!(seen, (1..=10).rev().collect::<Vec<_>>());
    // What a token may resolve is named in its record too.
    let names: Vec<String> = (0..256).map(|number| format!("{:X<120}_{number:03}*", "A")).collect();
    let body = serde_json::json!({ "workload": "web", "names": names }).to_string();
    for _ in 0..140 {
        store.call("POST", "/api/v1/orgs/default/tokens", &body).is(201);
    }
    let tokens = database.read(|tx| tx.records("default", 10, 1000));
    assert!(tokens.is_ok_and(|(records, more)| records.len() < 140 && more));
    let page = store.call("GET", "/api/v1/orgs/default/audit?limit=1000", "").is(200);
    assert!(page.body.len() < 5_000_000, "{}", page.body.len());
    let page = store.call("GET", "/api/v1/orgs/default/tokens?limit=1000", "").is(200);
    assert!(page.body.len() < 5_000_000, "{}", page.body.len());
    let first = page.json();
    let next = first["next"].as_str().unwrap();
    let rest =
        store.call("GET", &format!("/api/v1/orgs/default/tokens?cursor={next}"), "").is(200).json();
    let count = |page: &serde_json::Value| page["tokens"].as_array().unwrap().len();
    assert_eq!(count(&first) + count(&rest), 140);
    assert_eq!(verify(&store), Ok(150));
}

#[test]
fn a_request_that_is_ill_formed_is_on_record_too() {
    let store = with_trail();
    store.set("API_KEY", "one").is(201);
    let org = "/api/v1/orgs/default";
    let long = "x".repeat(400_000);
    let ask = |method: &str, path: &str, body: &str, status: u16| {
        call(&store.handle, method, &format!("{org}/{path}"), &[], body.as_bytes()).is(status);
    };
    ask("POST", "resolve", "{", 400);
    ask("POST", "resolve", r#"{"names":[]}"#, 422);
    ask("POST", "resolve", r#"{"names":["hunter2"]}"#, 422);
    ask("POST", "watch", r#"{"versions":[]}"#, 422);
    ask("PUT", "secrets/API_KEY", r#"{"valeu":"x"}"#, 422);
    ask("PUT", "secrets/NEW_KEY", &long, 413);
    ask("PUT", "secrets/password", r#"{"value":"x"}"#, 422);
    ask("POST", "members", "null", 422);
    ask("POST", "tokens", "{}", 422);
    let if_match = [("if-match", "one")];
    call(&store.handle, "DELETE", &secret("API_KEY"), &if_match, b"").is(400);
    // Reads leave none, however they are asked for, nor does what fits no route.
    ask("GET", "secrets?sort=size", "", 400);
    ask("POST", "audit/verify", "[]", 422);
    ask("POST", "secrets/API_KEY", "{}", 405);
    let by_hand = store.by_hand();
    let sql = "SELECT actor || ' ' || action || ' ' || secrets || ' ' || outcome FROM audit
               WHERE sequence > 6 ORDER BY sequence";
    let mut statement = by_hand.prepare(sql).unwrap();
    let records: rusqlite::Result<Vec<String>> =
        statement.query_map([], |row| row.get(0)).unwrap().collect();
    let expected = [
        "resolve []",
        "resolve []",
        "resolve []",
        "watch []",
        r#"update [{"name":"API_KEY","version":1}]"#,
        r#"create [{"name":"NEW_KEY"}]"#,
        "create []",
        "member.add []",
        "token.create []",
        r#"delete [{"name":"API_KEY","version":1}]"#,
    ];
    assert_eq!(records.unwrap(), expected.map(|said| format!("os:alice {said} invalid")));
    assert_eq!(verify(&store), Ok(16));
}

#[test]
fn an_edited_record() {
    let edits = [
        "at = at + 1",
        "actor = 'os:mallory'",
        "action = 'check'",
        "secrets = '[]'",
        "workload = ''",
        "client = '::1'",
        "outcome = 'ok '",
        "subject = 'X'",
        "subject = NULL",
        "code = zeroblob(32)",
        "code = x''",
    ];
    for edit in edits {
        for sequence in 1..=5 {
            let store = with_trail();
            let sql = format!("UPDATE audit SET {edit} WHERE sequence = {sequence}");
            let before = "SELECT quote(subject) || quote(action) FROM audit WHERE sequence = ?1";
            let by_hand = store.by_hand();
            let read =
                || -> String { by_hand.query_row(before, [sequence], |row| row.get(0)).unwrap() };
            let was = read();
            by_hand.execute(&sql, []).unwrap();
            if was == read() && (edit.starts_with("subject") || edit.starts_with("action")) {
                assert_eq!(verify(&store), Ok(5), "{edit} changes nothing in {sequence}");
            } else {
                assert_eq!(verify(&store), Err(Broken::Altered { sequence }), "{edit}");
            }
        }
    }
}

#[test]
fn a_dropped_record() {
    for sequence in 1..=4 {
        let store = with_trail();
        store.by_hand().execute("DELETE FROM audit WHERE sequence = ?1", [sequence]).unwrap();
        assert_eq!(verify(&store), Err(Broken::Absent { sequence }));
    }
}

#[test]
fn a_dropped_record_closed_up() {
    let store = with_trail();
    store
        .by_hand()
        .execute_batch(
            "DELETE FROM audit WHERE sequence = 3;
         UPDATE audit SET sequence = 3 WHERE sequence = 4;
         UPDATE audit SET sequence = 4 WHERE sequence = 5;",
        )
        .unwrap();
    assert_eq!(verify(&store), Err(Broken::Altered { sequence: 3 }));
}

#[test]
fn two_records_exchanged() {
    let store = with_trail();
    store
        .by_hand()
        .execute_batch(
            "UPDATE audit SET sequence = 9 WHERE sequence = 2;
         UPDATE audit SET sequence = 2 WHERE sequence = 3;
         UPDATE audit SET sequence = 3 WHERE sequence = 9;",
        )
        .unwrap();
    assert_eq!(verify(&store), Err(Broken::Altered { sequence: 2 }));
}

#[test]
fn no_record_no_answer() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let refuse = "CREATE UNIQUE INDEX no_second ON audit (organization)";
    store.by_hand().execute_batch(refuse).unwrap();
    let got = resolve(&store.handle, &["DB_PASSWORD"]).is(500);
    assert!(!format!("{got:?}").contains("one"), "{got:?}");
    store.set("DB_PASSWORD", "two").is(500);
    store.by_hand().execute_batch("DROP INDEX no_second").unwrap();
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), "one");
}

#[test]
fn what_is_planted_in_the_schema() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let by_hand = store.by_hand();
    by_hand
        .execute_batch(
            "CREATE TABLE copies (sealed);
             CREATE TRIGGER mute BEFORE INSERT ON audit WHEN NEW.action = 'resolve'
                 BEGIN SELECT raise(IGNORE); END;
             CREATE TRIGGER copy BEFORE DELETE ON secret
                 BEGIN INSERT INTO copies VALUES (OLD.sealed); END;",
        )
        .unwrap();
    let store = Store { handle: store.reopened(), directory: store.directory };
    store.get("DB_PASSWORD").is(200);
    assert_eq!(verify(&store), Ok(2), "the resolve is on record");
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    let count = "SELECT count(*) FROM copies";
    assert_eq!(by_hand.query_row(count, [], |row| row.get::<_, i64>(0)), Ok(0));
}

#[test]
fn a_record_that_is_ignored_is_an_error() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store
        .by_hand()
        .execute_batch(
            "CREATE TABLE other (organization TEXT, sequence INTEGER, at INTEGER, actor TEXT,
                 action TEXT, subject TEXT, secrets TEXT, detail TEXT, workload TEXT, client TEXT,
                 outcome TEXT, code BLOB, PRIMARY KEY (organization) ON CONFLICT IGNORE);
             INSERT INTO other SELECT * FROM audit; DROP TABLE audit;
             ALTER TABLE other RENAME TO audit;
             CREATE INDEX audit_change ON audit (organization, subject, sequence)
                 WHERE subject IS NOT NULL",
        )
        .unwrap();
    assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
}

#[test]
fn a_number_without_a_next_one() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let highest = [("if-match", "\"9223372036854775807\"")];
    let reader = store.by_hand();
    reader.execute_batch("BEGIN; SELECT * FROM secret").unwrap();
    store.set("DB_PASSWORD", "two").is(503);
    let body = br#"{"value":"two"}"#;
    call(&store.handle, "PUT", &secret("DB_PASSWORD"), &highest, body).is(412);
    reader.execute_batch("COMMIT").unwrap();
    let plant =
        "INSERT INTO audit SELECT organization, 9223372036854775807, at, actor, action, NULL,
                 secrets, detail, workload, client, outcome, code FROM audit LIMIT 1";
    store.by_hand().execute(plant, []).unwrap();
    assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
}
