//! Who can write the database but lacks the key gets an error out of it, never a wrong value.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::Value;

use crate::store::tests::{Handle, OpenMode, Store, open, resolve, secret};

/// Copies a secret's row and its salt, as they stand, into tables of the attacker's own.
fn keep(by_hand: &Connection, name: &str) {
    by_hand
        .execute_batch(&format!(
            "CREATE TABLE kept AS SELECT * FROM secret WHERE name = '{name}';
             CREATE TABLE kept_salt AS SELECT * FROM salt
                 WHERE slot = (SELECT slot FROM kept)"
        ))
        .unwrap();
}

fn put_back(by_hand: &Connection) {
    by_hand
        .execute_batch(
            "INSERT OR REPLACE INTO secret SELECT * FROM kept;
             INSERT OR REPLACE INTO salt SELECT * FROM kept_salt",
        )
        .unwrap();
}

/// A resolve, a look and a list all say that it is damaged, and show nothing of it.
#[track_caller]
fn shows_as_damaged(store: &Store, name: &str) {
    let got = store.get(name).is(500);
    assert_eq!(got.problem(), "damaged");
    assert!(got.json()["detail"].as_str().unwrap().contains(name), "{got:?}");
    assert_eq!(store.call("GET", &secret(name), "").is(500).problem(), "damaged");
    assert_eq!(store.set(name, "x").is(500).problem(), "damaged");
    for sort in ["name", "-name", "updated", "-updated"] {
        let path = format!("/api/v1/orgs/default/secrets?sort={sort}");
        let list = store.call("GET", &path, "").is(200).json();
        let rows = list["secrets"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(*row, serde_json::json!({ "name": name, "damaged": true }), "{sort}");
    }
}

#[test]
fn an_older_row_put_back() {
    let store = Store::new();
    store.set("DB_PASSWORD", "old").is(201);
    let by_hand = store.by_hand();
    keep(&by_hand, "DB_PASSWORD");
    store.set("DB_PASSWORD", "new").is(200);
    put_back(&by_hand);
    shows_as_damaged(&store, "DB_PASSWORD");
}

#[test]
fn a_deleted_row_put_back() {
    let store = Store::new();
    store.set("DB_PASSWORD", "gone").is(201);
    let by_hand = store.by_hand();
    keep(&by_hand, "DB_PASSWORD");
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    put_back(&by_hand);
    shows_as_damaged(&store, "DB_PASSWORD");
}

#[test]
fn a_row_removed_by_hand() {
    let store = Store::new();
    store.set("DB_PASSWORD", "here").is(201);
    store.by_hand().execute("DELETE FROM secret", []).unwrap();
    shows_as_damaged(&store, "DB_PASSWORD");
}

#[test]
fn a_row_moved_to_another_name() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.set("OTHER_PASSWORD", "two").is(201);
    let by_hand = store.by_hand();
    by_hand.execute("DELETE FROM secret WHERE name = 'OTHER_PASSWORD'", []).unwrap();
    by_hand.execute("UPDATE secret SET name = 'OTHER_PASSWORD'", []).unwrap();
    shows_as_damaged(&store, "OTHER_PASSWORD");
    shows_as_damaged(&store, "DB_PASSWORD");
}

#[test]
fn a_row_moved_to_another_organization() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store
        .by_hand()
        .execute_batch(
            "PRAGMA foreign_keys = OFF; UPDATE secret SET organization = 'acme';
         INSERT INTO organization SELECT 'acme', created_at, created_by, code FROM organization",
        )
        .unwrap();
    let got = store.call("POST", "/api/v1/orgs/acme/resolve", r#"{"names":["DB_PASSWORD"]}"#);
    assert_eq!(got.is(500).problem(), "damaged");
    shows_as_damaged(&store, "DB_PASSWORD");
}

#[test]
fn an_organization_removed_or_altered() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let by_hand = store.by_hand();
    by_hand.execute("UPDATE organization SET created_by = 'os:mallory'", []).unwrap();
    assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
    by_hand.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM organization").unwrap();
    assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
}

#[test]
fn what_is_damaged_can_be_deleted_and_set_again() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.by_hand().execute("UPDATE secret SET sealed = zeroblob(30)", []).unwrap();
    shows_as_damaged(&store, "DB_PASSWORD");
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    assert_eq!(store.set("DB_PASSWORD", "two").is(201).json()["version"], 2);
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), "two");
}

#[test]
fn advice_is_only_what_helps() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.set("OTHER_PASSWORD", "two").is(201);
    let by_hand = store.by_hand();
    by_hand.execute("UPDATE secret SET sealed = zeroblob(30)", []).unwrap();
    by_hand.execute("UPDATE audit SET at = 0 WHERE subject = 'OTHER_PASSWORD'", []).unwrap();
    let got = resolve(&store.handle, &["DB_PASSWORD", "OTHER_PASSWORD"]).is(500).json();
    assert_eq!(
        got["detail"],
        "`DB_PASSWORD` is not as it was written; put a backup in its place, or delete it and set \
         it again; `OTHER_PASSWORD` is not as it was written; put a backup of the store in its \
         place"
    );
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    store.call("DELETE", &secret("OTHER_PASSWORD"), "").is(500);
}

#[test]
fn a_slot_that_is_said_to_be_free() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.by_hand().execute("UPDATE salt SET free = 1", []).unwrap();
    store.set("OTHER_PASSWORD", "two").is(201);
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), "one");
}

#[test]
fn a_planted_mark_deletes_nothing() {
    let store = Store::new();
    let plant = "INSERT INTO unpurged VALUES ('default', 'DB_PASSWORD', 0, 1)";
    store.by_hand().execute(plant, []).unwrap();
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(404);
}

#[test]
fn a_column_of_another_kind() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let by_hand = store.by_hand();
    by_hand.execute_batch("UPDATE secret SET created_by = CAST(x'ff' AS TEXT)").unwrap();
    shows_as_damaged(&store, "DB_PASSWORD");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..Default::default() })]

    /// Any bit of any column of a secret's row.
    #[test]
    fn a_changed_bit(column in 0..COLUMNS.len(), place: prop::sample::Index, bit in 0..8_u8) {
        let store = Store::new();
        store.set("DB_PASSWORD", "one").is(201);
        flip(&store.by_hand(), COLUMNS[column], place, bit);
        prop_assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
        let list = store.call("GET", "/api/v1/orgs/default/secrets", "").is(200).json();
        let rows = list["secrets"].as_array().unwrap();
        let says_no_more =
            |row: &Value| row["damaged"] == true && row.as_object().unwrap().len() == 2;
        prop_assert!(rows.iter().all(says_no_more));
        prop_assert!(rows.iter().any(|row| row["name"] == "DB_PASSWORD"));
    }
}

const COLUMNS: [&str; 11] = [
    "format",
    "organization",
    "id",
    "name",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "key_id",
    "slot",
];

/// Flips one bit of a column: of its bytes, or of its number.
fn flip(by_hand: &Connection, column: &str, place: prop::sample::Index, bit: u8) {
    use rusqlite::types::Value as Sql;
    by_hand.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let read = format!("SELECT {column} FROM secret");
    let flipped = |mut bytes: Vec<u8>| {
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        bytes
    };
    let value: Sql = by_hand.query_row(&read, [], |row| row.get(0)).unwrap();
    let (cast, value) = match value {
        Sql::Integer(number) => ("INTEGER", Sql::Integer(number ^ 1 << place.index(63))),
        Sql::Text(text) => ("TEXT", Sql::Blob(flipped(text.into_bytes()))),
        Sql::Blob(bytes) => ("BLOB", Sql::Blob(flipped(bytes))),
        other => panic!("{other:?}"),
    };
    let write = format!("UPDATE secret SET {column} = CAST(?1 AS {cast})");
    by_hand.execute(&write, [value]).unwrap();
}

#[test]
fn each_bit_of_the_salt() {
    let store = Store::new();
    store.set("DB_PASSWORD", "1").is(201);
    let by_hand = store.by_hand();
    let salt: Vec<u8> = by_hand.query_row("SELECT salt FROM salt", [], |row| row.get(0)).unwrap();
    for place in 0..8 * salt.len() {
        let mut changed = salt.clone();
        changed[place / 8] ^= 1 << (place % 8);
        by_hand.execute("UPDATE salt SET salt = ?1", [changed]).unwrap();
        assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
    }
    by_hand.execute("DELETE FROM salt", []).unwrap();
    shows_as_damaged(&store, "DB_PASSWORD");
}

#[test]
fn a_row_that_claims_the_salt_of_another() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.set("OTHER_PASSWORD", "two").is(201);
    store.by_hand().execute("UPDATE secret SET slot = 1", []).unwrap();
    shows_as_damaged(&store, "OTHER_PASSWORD");
    store.call("DELETE", &secret("OTHER_PASSWORD"), "").is(204);
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), "one");
}

#[test]
fn each_bit_of_the_sealed_value() {
    let store = Store::new();
    store.set("DB_PASSWORD", "1").is(201);
    let by_hand = store.by_hand();
    let sealed: Vec<u8> =
        by_hand.query_row("SELECT sealed FROM secret", [], |row| row.get(0)).unwrap();
    for place in 0..8 * sealed.len() {
        let mut changed = sealed.clone();
        changed[place / 8] ^= 1 << (place % 8);
        by_hand.execute("UPDATE secret SET sealed = ?1", [changed]).unwrap();
        assert_eq!(store.get("DB_PASSWORD").is(500).problem(), "damaged");
    }
    by_hand.execute("UPDATE secret SET sealed = ?1", [sealed]).unwrap();
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), "1");
}

/// Bits flipped anywhere in the file: each name gives its value, or an error that is not "there is
/// no such secret".
#[test]
fn random_bits_of_the_file() {
    let store = Store::new();
    let names: Vec<String> = (0..20).map(|number| format!("SECRET_NUMBER_{number}")).collect();
    for name in &names {
        store.set(name, &format!("value of {name}")).is(201);
    }
    store.set(&names[0], &format!("value of {}", names[0])).is(200);
    let whole = std::fs::read(store.database()).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..300 {
        // Xorshift64: the same flips in every run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let copy = tempfile::TempDir::new().unwrap();
        let mut bytes = whole.clone();
        let place = usize::try_from(seed >> 3).unwrap() % bytes.len();
        bytes[place] ^= 1 << (seed & 7);
        std::fs::copy(store.directory.path().join("master.key"), copy.path().join("master.key"))
            .unwrap();
        std::fs::write(copy.path().join("store.db"), bytes).unwrap();
        if let Ok(opened) = open(copy.path(), OpenMode::Existing) {
            never_wrong(&opened.store, &names, place);
        }
    }
}

fn never_wrong(store: &Handle, names: &[String], place: usize) {
    for name in names {
        let got = resolve(store, &[name]);
        match got.status.as_u16() {
            200 => assert_eq!(got.value(name), format!("value of {name}"), "byte {place}"),
            404 => assert_eq!(got.problem(), "no-organization", "byte {place}: {got:?}"),
            _ => {}
        }
    }
}
