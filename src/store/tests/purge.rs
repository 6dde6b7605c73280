//! Deleted means gone: what no file of the directory holds any more, and who is waited for.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::store::OpenMode;
use crate::store::tests::{Handle, Store, call, key_of, open, resolve, secret};

/// Salt and sealed value of a secret, as they stand in the database.
fn sealed(store: &Store, name: &str) -> [Vec<u8>; 2] {
    let sql = "SELECT salt, sealed FROM secret JOIN salt USING (slot) WHERE name = ?1";
    let row = store.by_hand().query_row(sql, [name], |row| Ok([row.get(0)?, row.get(1)?]));
    row.unwrap()
}

/// Whether a piece of these bytes, as long as half a salt, stands in any file of the directory.
fn found(directory: &Path, bytes: &[u8]) -> Option<String> {
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let content = fs::read(&path).unwrap();
        for piece in bytes.chunks_exact(16) {
            if memchr::memmem::find(&content, piece).is_some() {
                return Some(path.display().to_string());
            }
        }
    }
    None
}

#[track_caller]
fn is_gone(store: &Store, parts: &[Vec<u8>; 2]) {
    for part in parts {
        assert_eq!(found(store.directory.path(), part), None);
    }
}

#[test]
fn nothing_of_a_deleted_value_remains() {
    let store = Store::new();
    store.set("OTHER_ONE", &"y".repeat(3000)).is(201);
    store.set("DB_PASSWORD", &"x".repeat(20_000)).is(201);
    let old = sealed(&store, "DB_PASSWORD");
    assert!(found(store.directory.path(), &old[0]).is_some(), "the search finds what is there");
    assert!(found(store.directory.path(), &old[1]).is_some(), "the search finds what is there");
    store.set("DB_PASSWORD", &"z".repeat(300)).is(200);
    is_gone(&store, &old);
    let new = sealed(&store, "DB_PASSWORD");
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    is_gone(&store, &new);
    store.get("OTHER_ONE").is(200);
}

/// Pages are split, joined and rebuilt as rows of all sizes come and go, and copies of cells stay
/// behind in the unused parts of pages. None may be of a salt, without which a value is noise.
#[test]
fn no_salt_remains_in_rebuilt_pages() {
    let store = Store::new();
    let mut seed = 7_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let mut retired = Vec::new();
    for _ in 0..400 {
        let name = format!("SECRET_OF_{}", random(40));
        let kept = store.call("GET", &secret(&name), "").status == 200;
        if kept {
            retired.push(sealed(&store, &name));
        }
        if kept && random(2) == 0 {
            store.call("DELETE", &secret(&name), "").is(204);
        } else {
            let bytes = if random(8) == 0 { 6000 } else { 900 };
            let value = "v".repeat(1 + random(bytes) as usize);
            assert!(store.set(&name, &value).status.is_success());
        }
    }
    assert!(retired.len() > 100);
    for [salt, _] in &retired {
        assert_eq!(found(store.directory.path(), salt), None);
    }
}

#[test]
fn a_reader_is_waited_for_and_a_retry_finishes() {
    let store = Store::new();
    store.set("DB_PASSWORD", "old value").is(201);
    let old = sealed(&store, "DB_PASSWORD");
    let reader = store.by_hand();
    reader.execute_batch("BEGIN; SELECT * FROM secret").unwrap();
    let held = store.call("DELETE", &secret("DB_PASSWORD"), "").is(503);
    assert_eq!(held.headers["retry-after"], "1");
    assert_eq!(held.problem(), "unpurged");
    store.get("DB_PASSWORD").is(404);
    // Still held: the retry says so, too.
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(503);
    reader.execute_batch("COMMIT").unwrap();
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    is_gone(&store, &old);
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(404);
}

#[test]
fn a_guarded_update_is_finished_by_its_retry() {
    let store = Store::new();
    store.set("DB_PASSWORD", "old value").is(201);
    let old = sealed(&store, "DB_PASSWORD");
    let reader = store.by_hand();
    reader.execute_batch("BEGIN; SELECT * FROM secret").unwrap();
    let guard = [("if-match", "\"1\"")];
    let update = |body: &[u8]| call(&store.handle, "PUT", &secret("DB_PASSWORD"), &guard, body);
    update(br#"{"value":"new value"}"#).is(503);
    update(br#"{"value":"another"}"#).is(412);
    reader.execute_batch("COMMIT").unwrap();
    let finished = update(br#"{"value":"new value"}"#).is(200);
    assert_eq!(finished.json()["version"], 2);
    is_gone(&store, &old);
    update(br#"{"value":"new value"}"#).is(412);
}

#[test]
fn the_next_write_finishes_what_a_crash_left() {
    let store = Store::new();
    store.set("DB_PASSWORD", "old value").is(201);
    let old = sealed(&store, "DB_PASSWORD");
    let reader = store.by_hand();
    reader.execute_batch("BEGIN; SELECT * FROM secret").unwrap();
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(503);
    // A write that retires nothing does not fail for it.
    store.set("OTHER_ONE", "x").is(201);
    reader.execute_batch("COMMIT").unwrap();
    assert!(found(store.directory.path(), &old[0]).is_some(), "nothing has finished it yet");
    let again = Store { handle: store.reopened(), directory: store.directory };
    again.set("THIRD_ONE", "x").is(201);
    is_gone(&again, &old);
}

#[test]
fn a_launch_finishes_what_a_crash_left() {
    let store = Store::new();
    store.set("DB_PASSWORD", "old value").is(201);
    let old = sealed(&store, "DB_PASSWORD");
    let reader = store.by_hand();
    reader.execute_batch("BEGIN; SELECT * FROM secret").unwrap();
    store.set("DB_PASSWORD", "new value").is(503);
    // A launch does not fail for it, nor wait.
    store.get("DB_PASSWORD").is(200);
    reader.execute_batch("COMMIT").unwrap();
    let again = Store { handle: store.reopened(), directory: store.directory };
    again.get("DB_PASSWORD").is(200);
    is_gone(&again, &old);
}

/// A crash may leave the mark of a deletion that was finished, and answered.
#[test]
fn a_server_begins_with_what_a_crash_left() {
    let store = Store::new();
    let path = secret("DB_PASSWORD");
    store.set("DB_PASSWORD", "old value").is(201);
    store.call("DELETE", &path, "").is(204);
    store.call("DELETE", &path, "").is(404);
    let by_hand = store.by_hand();
    let mark = || {
        let sql = "INSERT INTO unpurged VALUES ('default', 'DB_PASSWORD', 1, 1)";
        by_hand.execute(sql, []).unwrap();
    };
    mark();
    store.call("DELETE", &path, "").is(204);
    mark();
    let (directory, wait) = (store.directory.path(), Duration::from_secs(5));
    let server = Handle::open_to_serve(directory, &key_of(directory), "alice", wait).unwrap();
    call(&server, "DELETE", &path, &[], b"").is(404);
    let marks: i64 =
        by_hand.query_row("SELECT count(*) FROM unpurged", [], |row| row.get(0)).unwrap();
    assert_eq!(marks, 0);
}

/// A tool that takes the database out of WAL leaves old values in no journal of its own mode.
#[test]
fn a_database_taken_out_of_wal_is_put_back() {
    let store = Store::new();
    store.set("DB_PASSWORD", "old value").is(201);
    let old = sealed(&store, "DB_PASSWORD");
    let Store { directory, handle } = store;
    drop(handle);
    let mode = |sql| -> String {
        let by_hand = rusqlite::Connection::open(directory.path().join("store.db")).unwrap();
        by_hand.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(mode("PRAGMA journal_mode = DELETE"), "delete");
    assert_eq!(mode("PRAGMA journal_mode"), "delete");
    let handle = open(directory.path(), OpenMode::Existing).unwrap().store;
    let body = br#"{"value":"new value"}"#;
    call(&handle, "PUT", &secret("DB_PASSWORD"), &[], body).is(200);
    assert_eq!(mode("PRAGMA journal_mode"), "wal");
    let store = Store { directory, handle };
    is_gone(&store, &old);
}

/// Each launch opens alone, adds a record and is gone without closing.
#[test]
fn the_log_of_many_launches_stays_short() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let Store { directory, handle } = store;
    drop(handle);
    for _ in 0..200 {
        let handle = open(directory.path(), OpenMode::Existing).unwrap().store;
        resolve(&handle, &["DB_PASSWORD"]).is(200);
    }
    let log = fs::metadata(directory.path().join("store.db-wal")).unwrap();
    assert!(log.len() < 200_000, "{} bytes", log.len());
}
