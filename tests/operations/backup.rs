//! Backups: made while the store is used, whole or not at all, and holding nothing but what is
//! there, sealed as it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::harness::{INJECT, World, contains, eventually, files, needs_root};
use crate::operations::{
    AWAY, by_hand, copy, found, has_values, names, only_key, sealed_pieces, store, with_secrets,
};

#[test]
fn what_is_backed_up_is_restored() {
    let world = with_secrets(&["A_KEY", "B_KEY"]);
    let made = store(&world, &["backup", "../b"]).situation(["--umask", "000"]).run();
    made.code(0);
    let out = made.out();
    assert!(out.contains("backed up to ../b"), "{out}");
    assert!(out.contains("1 organization, 2 secrets, 2 records"), "{out}");
    assert!(out.contains("which it does not hold"), "{out}");
    let mode = fs::metadata(world.path("b")).expect("it is made").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    only_key(&world, "other");
    store(&world, &["restore", "../b", "--data", "../other"]).run().code(0);
    has_values(&world, "other", &["A_KEY", "B_KEY"]);
    assert_eq!(names(&world.path("other"))[..2], ["master.key", "store.db"]);
    let key = fs::read(world.path("data/master.key")).expect("it is there");
    let backup = fs::read(world.path("b")).expect("it is there");
    for secret in [key.trim_ascii(), b"a_key", b"b_key"] {
        assert!(!contains(&backup, secret), "a value or the key is in it");
    }
}

#[test]
fn nothing_is_written_over() {
    let world = with_secrets(&["A_KEY"]);
    world.write("taken", "mine");
    symlink("nowhere", world.path("link")).expect("a fresh name");
    for name in ["../taken", "../link"] {
        store(&world, &["backup", name]).run().code(64);
    }
    assert_eq!(fs::read(world.path("taken")).expect("it is ours"), b"mine");
    assert!(!world.path("nowhere").exists() && !world.path("work/nowhere").exists());
    store(&world, &["backup", "../no/such/b"]).run().code(74);
}

#[test]
fn through_a_pipe() {
    let world = with_secrets(&["A_KEY"]);
    only_key(&world, "other");
    let script = "\"$BINARY\" store backup - | \"$BINARY\" store restore - --data ../other";
    world.command("sh", ["-c", script]).env("BINARY", INJECT).run().code(0);
    has_values(&world, "other", &["A_KEY"]);
    let left = names(&world.path("data"));
    assert!(!left.iter().any(|name| name.contains("new")), "{left:?}");
}

/// Also where the old value still stands in the journal, because somebody reads it.
#[test]
fn what_is_gone_is_not_in_it() {
    let world = with_secrets(&["A_KEY"]);
    world.set("B_KEY", "x".repeat(20_000));
    world.set("C_KEY", "x".repeat(3000));
    let gone = sealed_pieces(&world, "data");
    let still = |world: &World| found(&world.path("data"), &gone).is_some();
    assert!(still(&world), "the search finds what is there");
    let reader = by_hand(&world, "data");
    reader.execute_batch("BEGIN; SELECT * FROM secret").expect("it can be read");
    for name in ["A_KEY", "B_KEY", "C_KEY"] {
        let rm = world.inject(["secret", "rm", name, "--yes", "--timeout", "100ms"]).run();
        assert_ne!(rm.exit(), 0, "{}", rm.whole());
    }
    assert!(still(&world), "the journal holds it for the reader");
    store(&world, &["backup", "../backups/b"]).run().code(74);
    fs::create_dir(world.path("backups")).expect("a fresh name");
    store(&world, &["backup", "../backups/b"]).run().code(0);
    let secrets: Vec<_> = gone.iter().filter(|piece| !is_of_keyring(&world, piece)).collect();
    let backup = fs::read(world.path("backups/b")).expect("it is made");
    assert!(secrets.len() > 1000, "{}", secrets.len());
    assert!(secrets.iter().all(|piece| !contains(&backup, piece)), "it holds what is gone");
    drop(reader);
}

/// The keys are not gone.
fn is_of_keyring(world: &World, piece: &[u8]) -> bool {
    let connection = by_hand(world, "data");
    let sql = "SELECT count(*) FROM keyring WHERE instr(salt, ?1) OR instr(sealed, ?1)";
    connection.query_row(sql, [piece], |row| row.get::<_, i64>(0)).expect("a number") > 0
}

#[test]
fn beside_a_writer_that_does_not_stop() {
    let world = with_secrets(&["A_KEY"]);
    let script = "n=0; while [ ! -e ../stop ]; do n=$((n + 1)); \
        printf %s \"$n\" | \"$BINARY\" secret set B_KEY 2>&1 || exit; \
        printf %s \"$n\" | \"$BINARY\" secret set C_KEY_$((n % 7)) 2>&1 || exit; done";
    let mut writer = world.command("sh", ["-c", script]).env("BINARY", INJECT).start();
    writer.printed();
    for number in 0..6 {
        let name = format!("../b{number}");
        // It answers 0 only if the copy was read again, every row and every record.
        store(&world, &["backup", &name]).run().code(0);
    }
    world.write("stop", "");
    writer.end().code(0);
    for number in [0, 5] {
        let (name, folder) = (format!("../b{number}"), format!("other{number}"));
        only_key(&world, &folder);
        store(&world, &["restore", &name, "--data", &world.text(&folder)]).run().code(0);
        has_values(&world, &folder, &["A_KEY"]);
    }
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    needs_root();
    let world = with_secrets(&["A_KEY"]);
    world.set("B_KEY", "x".repeat(60_000));
    fs::create_dir(world.path("small")).expect("a fresh name");
    let script = "for size in 4 16 40 64 88 100; do \
        mount -t tmpfs -o size=${size}k none ../small; \
        \"$BINARY\" store backup ../small/b >/dev/null 2>>../said && echo \"$size done\"; \
        ls -A ../small; umount ../small; done";
    let run = world.command("sh", ["-c", script]).env("BINARY", INJECT).with_mounts("true").run();
    run.code(0);
    assert_eq!(run.out(), "", "{}", run.whole());
    let said = fs::read_to_string(world.path("said")).expect("it says why");
    assert_eq!(said.matches("no room is left").count(), 6, "{said}");
    has_values(&world, "data", &["A_KEY"]);
}

#[test]
fn what_a_killed_one_left_goes() {
    let world = with_secrets(&["A_KEY"]);
    world.write("b.inject-new", "half of one");
    world.write("b.inject-new-journal", "half of one");
    store(&world, &["backup", "../b"]).run().code(0);
    assert!(!world.path("b.inject-new").exists());
    assert!(!world.path("b.inject-new-journal").exists());
}

/// A row under a key that is not known has the key's source read again: a moment that can be held.
#[test]
fn what_a_signal_ends_leaves_nothing() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        for target in ["../b", "-"] {
            ends_without_a_trace(signal, target);
        }
    }
}

fn ends_without_a_trace(signal: Signal, target: &str) {
    let world = with_secrets(&["A_KEY"]);
    let key = fs::read_to_string(world.path("data/master.key")).expect("it is there");
    let sql = "UPDATE secret SET key_id = zeroblob(16)";
    by_hand(&world, "data").execute(sql, []).expect("it can be written");
    let command = "[ -e ../once ] && touch ../again && sleep 86400; touch ../once; \
                   printf '%s' \"$KEY\"";
    let run = store(&world, &["backup", target]).situation(AWAY).env("KEY", key);
    let started = run.env("INJECT_MASTER_KEY_COMMAND", command).start();
    eventually(|| world.path("again").exists().then_some(())).expect("it is asked again");
    let staged = if target == "-" { "data/store.db.inject-new" } else { "b.inject-new" };
    assert!(world.path(staged).exists(), "{:?}", names(&world.path("data")));
    started.signal(signal);
    started.end().code(128 + signal as i32);
    let left: Vec<_> = files(&world.path("")).into_iter().map(|(path, _)| path).collect();
    let is_new = |path: &PathBuf| path.to_string_lossy().contains("inject-new");
    assert!(!left.iter().any(is_new), "{left:?}");
}

#[test]
fn damage_is_copied_and_told() {
    let world = with_secrets(&["A_KEY", "B_KEY"]);
    by_hand(&world, "data")
        .execute("UPDATE secret SET version = 7 WHERE name = 'A_KEY'", [])
        .expect("it can be written");
    let made = store(&world, &["backup", "../b"]).run();
    made.code(74);
    assert!(made.err().contains("secret `A_KEY` of `default` is not as it was written"));
    assert!(made.err().contains("the backup is made"), "{}", made.err());
    only_key(&world, "other");
    let restored = store(&world, &["restore", "../b", "--data", "../other"]).run();
    restored.code(74);
    assert!(restored.err().contains("secret `A_KEY` of `default`"), "{}", restored.whole());
    assert_eq!(names(&world.path("other")), ["master.key"]);
    // As the message says, for whoever has nothing better.
    copy(&world, "other", "third");
    fs::copy(world.path("b"), world.path("third/store.db")).expect("it can be copied");
    has_values(&world, "third", &["B_KEY"]);
}

#[test]
fn it_needs_a_store() {
    let world = World::new();
    store(&world, &["backup", "../b"]).run().code(64);
    assert!(!world.path("data").exists() && !world.path("b").exists());
}
