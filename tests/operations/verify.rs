//! Verify: whole means whole, and whatever somebody with an editor for SQLite does is named.

use std::collections::BTreeMap;

use crate::harness::{Ended, World};
use crate::operations::{by_hand, copy, store, with_secrets};

/// A world in which a secret was updated, one deleted and one added.
fn world() -> World {
    let world = with_secrets(&["A_KEY", "B_KEY", "GONE_KEY"]);
    world.set("A_KEY", "a_key");
    world.inject(["secret", "rm", "GONE_KEY", "--yes"]).run().code(0);
    world.set("C_KEY", "c_key");
    world
}

fn verify(world: &World, folder: &str, args: &[&str]) -> Ended {
    let folder = world.text(folder);
    let args: Vec<&str> = ["verify", "--data", &folder].iter().chain(args).copied().collect();
    store(world, &args).run()
}

#[test]
fn what_is_whole_is_said_to_be() {
    let world = world();
    let ended = verify(&world, "data", &[]);
    ended.code(0);
    let out = ended.out();
    assert!(out.contains("everything is as it was written: 1 organization, 3 secrets, 6 records"));
    assert!(out.contains("  default: 3 secrets, 6 records, the last of "), "{out}");
}

/// What somebody does by hand, and what is said of it.
const CHANGES: &[(&str, &str)] = &[
    ("UPDATE organization SET created_by = 'os:mallory'", "organization `default` is not as"),
    ("UPDATE organization SET created_at = 5", "organization `default` is not as"),
    ("DELETE FROM organization", "organization `default` is missing"),
    ("DELETE FROM organization", "rows of `secret` belong to no row of `organization`"),
    ("DELETE FROM secret WHERE name = 'A_KEY'", "secret `A_KEY` of `default` is missing"),
    ("UPDATE secret SET updated_by = '' WHERE name = 'B_KEY'", "secret `B_KEY` of `default` is"),
    ("UPDATE secret SET sealed = x'00' WHERE name = 'B_KEY'", "secret `B_KEY` of `default` is"),
    ("UPDATE secret SET slot = 1 WHERE name = 'B_KEY'", "secret `B_KEY` of `default` is not"),
    ("UPDATE secret SET key_id = x'00112233'", "sealed under a master key (id 00112233)"),
    ("UPDATE secret SET name = 'GONE_KEY' WHERE name = 'B_KEY'", "secret `GONE_KEY` of"),
    (
        "UPDATE secret SET name = 'X_KEY' WHERE name = 'B_KEY'",
        "secret `X_KEY` of `default` is there",
    ),
    (
        "UPDATE secret SET name = 'X_KEY' WHERE name = 'B_KEY'",
        "secret `B_KEY` of `default` is missing",
    ),
    ("UPDATE secret SET name = CAST(x'ff' AS TEXT) WHERE name = 'C_KEY'", "secret `\u{fffd}` of"),
    ("UPDATE salt SET salt = zeroblob(32) WHERE slot = 1", "secret `A_KEY` of `default` is not"),
    ("UPDATE salt SET free = 1 WHERE slot = 2", "salt 2 is given back, and holds something"),
    ("UPDATE audit SET actor = 'os:mallory' WHERE sequence = 3", "record 3 of `default` is not"),
    ("UPDATE audit SET subject = NULL WHERE sequence = 3", "record 3 of `default` is not as"),
    ("UPDATE audit SET code = zeroblob(32) WHERE sequence = 1", "record 1 of `default` is not"),
    ("DELETE FROM audit WHERE sequence = 4", "record 4 of `default` is missing"),
    ("DELETE FROM audit WHERE sequence = 6", "secret `C_KEY` of `default` is there, though"),
    ("DELETE FROM audit WHERE sequence > 3", "secret `A_KEY` of `default` is not as"),
    ("UPDATE audit SET sequence = -1 WHERE sequence = 1", "record -1 of `default` is not as"),
    ("UPDATE audit SET organization = 'acme'", "organization `acme` is missing, and its"),
    (
        "INSERT INTO keyring SELECT 'more', 1, 1, key_id, salt, sealed FROM keyring LIMIT 1",
        "there are other keys in the ring",
    ),
    (
        "CREATE TRIGGER planted AFTER INSERT ON audit BEGIN DELETE FROM audit; END",
        "trigger `planted` is there, which no `inject` made",
    ),
    ("CREATE VIEW planted AS SELECT * FROM secret", "view `planted` is there"),
    ("CREATE TABLE planted (x)", "table `planted` is there, which no `inject` made"),
    ("CREATE INDEX planted ON secret (name)", "index `planted` is there"),
    ("DROP INDEX secret_updated", "index `secret_updated` is missing"),
    (
        "DROP INDEX secret_updated; CREATE INDEX secret_updated ON secret (name)",
        "index `secret_updated` is not as it was made",
    ),
    ("DROP TABLE unpurged", "table `unpurged` is missing"),
    ("ALTER TABLE audit ADD COLUMN more TEXT", "table `audit` is not as it was made"),
];

#[test]
fn whatever_is_changed_is_named() {
    let world = world();
    for (number, (sql, says)) in CHANGES.iter().enumerate() {
        let folder = format!("copy{number}");
        copy(&world, "data", &folder);
        let connection = by_hand(&world, &folder);
        connection.execute_batch("PRAGMA foreign_keys = OFF").expect("a setting");
        connection.execute_batch(sql).expect("it can be written");
        drop(connection);
        let ended = verify(&world, &folder, &[]);
        ended.code(74);
        assert!(ended.err().contains(says), "{sql}\n{}", ended.whole());
        assert!(!ended.err().contains("panicked"), "{}", ended.whole());
    }
}

/// The same for members and tokens: rows that are gone, put back, or older than the last record.
#[test]
fn people_are_there_as_the_trail_says() {
    let world = with_secrets(&["A_KEY"]);
    let does = |command: &[&str]| {
        let ended = world.inject(command).run();
        ended.code(0);
        ended.out()
    };
    does(&["member", "add", "bob@acme.com", "--role", "editor"]);
    does(&["member", "add", "carol@acme.com", "--role", "reader"]);
    does(&["token", "create", "--workload", "web"]);
    copy(&world, "data", "before");
    does(&["member", "set", "bob@acme.com", "--role", "reader"]);
    does(&["member", "rm", "carol@acme.com", "--yes"]);
    verify(&world, "data", &[]).code(0);
    let old = format!("ATTACH '{}' AS old; ", world.text("before/store.db"));
    let cases = [
        ("DELETE FROM member", "member `bob@acme.com` of `default` is missing, though"),
        ("DELETE FROM token WHERE workload = 'web'", " of `default` is missing, though"),
        (
            "INSERT OR REPLACE INTO member SELECT * FROM old.member WHERE email LIKE 'bob%'",
            "member `bob@acme.com` of `default` is not as its last record says",
        ),
        (
            "INSERT INTO member SELECT * FROM old.member WHERE email LIKE 'carol%'",
            "member `carol@acme.com` of `default` is not as its last record says",
        ),
        (
            "INSERT INTO token SELECT * FROM old.token WHERE member LIKE 'carol%'",
            " of `default` is not as its last record says",
        ),
    ];
    for (number, (sql, says)) in cases.iter().enumerate() {
        let folder = format!("copy{number}");
        copy(&world, "data", &folder);
        let connection = by_hand(&world, &folder);
        connection.execute_batch(&format!("{old}{sql}")).expect("it can be written");
        drop(connection);
        let ended = verify(&world, &folder, &[]);
        ended.code(74);
        assert!(ended.err().contains(says), "{sql}\n{}", ended.whole());
    }
}

#[test]
fn all_of_it_at_once_and_not_without_end() {
    let world = with_secrets(&["A_KEY"]);
    let script = "seq 120 | while read n; do \
        printf x | \"$BINARY\" secret set FILL_$n >/dev/null 2>&1 || exit; done";
    let fill = world.command("sh", ["-c", script]).env("BINARY", crate::harness::INJECT);
    fill.run().code(0);
    let connection = by_hand(&world, "data");
    connection.execute_batch("UPDATE secret SET updated_at = 1").expect("it can be written");
    let ended = verify(&world, "data", &["--report", "json"]);
    ended.code(74);
    let report: serde_json::Value = serde_json::from_slice(&ended.stderr).expect("it is JSON");
    let problems = report["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100]["message"], "and 21 more");
    assert_eq!(report["exit"], 74);
}

#[test]
fn against_a_checkpoint() {
    let world = world();
    let code = |sequence: i64| -> String {
        let sql = "SELECT lower(hex(code)) FROM audit WHERE sequence = ?1";
        by_hand(&world, "data").query_row(sql, [sequence], |row| row.get(0)).expect("a record")
    };
    let sql = "SELECT sequence, at FROM audit ORDER BY sequence";
    let connection = by_hand(&world, "data");
    let mut statement = connection.prepare(sql).expect("columns that are there");
    let times = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let times: BTreeMap<i64, i64> = times.map(|row| row.expect("two numbers")).collect();
    let line = |organization: &str, sequence: i64, code: &str| {
        let at = times.get(&sequence).copied().unwrap_or(0);
        let at = jiff::Timestamp::from_millisecond(at).expect("a time");
        format!(
            "{{\"organization\":\"{organization}\",\"sequence\":{sequence},\
             \"at\":\"{at}\",\"code\":\"{code}\"}}\n"
        )
    };
    let good = line("default", 2, &code(2)) + "\n" + &line("default", 6, &code(6));
    let cases = [
        (good.clone(), ""),
        (line("default", 0, ""), ""),
        // The same record, but of a thousand years before.
        (
            line("default", 2, &code(2)).replace("\"at\":\"2", "\"at\":\"1"),
            "record 2 of `default` is another than the checkpoint saw",
        ),
        (line("default", 5, &code(4)), "record 5 of `default` is another than the checkpoint saw"),
        (line("default", 9, &code(4)), "end with 6, and a checkpoint saw record 9"),
        (line("acme", 1, &code(4)), "organization `acme`, of a checkpoint, is not there"),
    ];
    for (text, says) in cases {
        let path = world.write("checkpoint", &text).display().to_string();
        let ended = verify(&world, "data", &["--checkpoint", &path]);
        assert_eq!(ended.exit(), if says.is_empty() { 0 } else { 74 }, "{}", ended.whole());
        assert!(ended.err().contains(says), "{}", ended.whole());
    }
    // A whole trail that was cut, with all that came of it: only a checkpoint knows.
    let connection = by_hand(&world, "data");
    connection
        .execute_batch(
            "DELETE FROM secret WHERE name = 'C_KEY'; DELETE FROM audit WHERE sequence = 6;
             UPDATE salt SET free = 1, salt = zeroblob(32) WHERE slot = 3",
        )
        .expect("it can be written");
    verify(&world, "data", &[]).code(0);
    let path = world.write("checkpoint", good).display().to_string();
    let ended = verify(&world, "data", &["--checkpoint", &path]);
    assert!(ended.code(74).err().contains("end with 5, and a checkpoint saw record 6"));
    for text in ["", "no checkpoint", "{\"sequence\":1}"] {
        let path = world.write("checkpoint", text).display().to_string();
        let ended = verify(&world, "data", &["--checkpoint", &path]);
        assert!(ended.code(64).err().contains("line 1: this is no checkpoint"));
    }
}

#[test]
fn it_writes_nothing() {
    let world = world();
    let read = || crate::harness::files(&world.path("data"));
    let bytes = |name: &str| {
        let of = |(path, _): &(std::path::PathBuf, Vec<u8>)| path.ends_with(name);
        read().into_iter().find(of).map(|(_, bytes)| bytes)
    };
    let before = (bytes("store.db"), bytes("store.db-wal"), bytes("master.key"));
    verify(&world, "data", &[]).code(0);
    assert!(before == (bytes("store.db"), bytes("store.db-wal"), bytes("master.key")));
}
