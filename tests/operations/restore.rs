//! Restores: only where there is no store, only what is whole and opens, and else nothing changes.

use std::fs;

use crate::harness::World;
use crate::operations::{has_values, names, only_key, store, with_secrets, write_key};

#[track_caller]
fn refused(world: &World, file: &str, code: i32, says: &str) {
    let before = names(&world.path("other"));
    let ended = store(world, &["restore", file, "--data", "../other"]).run();
    ended.code(code);
    assert!(ended.err().contains(says), "{}", ended.whole());
    assert!(!ended.err().contains("store.db.new"), "{}", ended.whole());
    assert_eq!(names(&world.path("other")), before);
}

#[test]
fn a_store_is_never_replaced() {
    let world = with_secrets(&["A_KEY"]);
    store(&world, &["backup", "../b"]).run().code(0);
    world.set("A_KEY", "newer");
    store(&world, &["restore", "../b"]).run().code(64);
    let seen = world.launch(["--export", "A_KEY"]).run().seen();
    assert_eq!(seen.text("A_KEY"), "newer");
    // Nor where only its journal is left.
    only_key(&world, "other");
    fs::copy(world.path("b"), world.path("other/store.db-wal")).expect("it can be copied");
    refused(&world, "../b", 74, "is there without its database");
}

#[test]
fn a_key_that_does_not_fit_changes_nothing() {
    let world = with_secrets(&["A_KEY"]);
    store(&world, &["backup", "../b"]).run().code(0);
    write_key(&world, "other/master.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    refused(&world, "../b", 74, "is not the one of `../b`");
    fs::remove_file(world.path("other/master.key")).expect("it is ours");
    refused(&world, "../b", 74, "is missing; put it back");
    only_key(&world, "other");
    store(&world, &["restore", "../b", "--data", "../other"]).run().code(0);
    has_values(&world, "other", &["A_KEY"]);
}

#[test]
fn what_is_no_backup() {
    let world = with_secrets(&["A_KEY"]);
    store(&world, &["backup", "../b"]).run().code(0);
    only_key(&world, "other");
    let whole = fs::read(world.path("b")).expect("it is there");
    world.write("empty", "");
    world.write("text", "this is no database at all, and longer than a header is; ".repeat(9));
    world.write("cut", &whole[..whole.len() / 2]);
    let mut altered = whole.clone();
    let place = memchr::memmem::find(&whole, b"A_KEY").expect("names are not sealed");
    altered[place] = b'B';
    world.write("altered", altered);
    refused(&world, "../empty", 74, "`../empty` is no backup");
    refused(&world, "../text", 74, "`../text` is no backup");
    refused(&world, "../cut", 74, "`../cut` is");
    refused(&world, "../altered", 74, "the backup `../altered` is damaged");
    refused(&world, "../nothing", 74, "cannot read `../nothing`");
}

/// A copy of the database that somebody made by hand while nothing used it.
#[test]
fn a_plain_copy_is_taken_too() {
    let world = with_secrets(&["A_KEY"]);
    let database = crate::operations::by_hand(&world, "data");
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("nobody uses it");
    drop(database);
    fs::copy(world.path("data/store.db"), world.path("b")).expect("it can be copied");
    only_key(&world, "other");
    store(&world, &["restore", "../b", "--data", "../other"]).run().code(0);
    has_values(&world, "other", &["A_KEY"]);
    assert_eq!(names(&world.path("other"))[..2], ["master.key", "store.db"]);
}
