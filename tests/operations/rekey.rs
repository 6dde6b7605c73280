//! A new master key: while the store is used, and so that the old one opens nothing any more.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{INJECT, World, needs_root};
use crate::operations::{
    by_hand, copy, found, has_values, salt_pieces, store, value, with_secrets, write_key,
};

fn key(world: &World) -> String {
    fs::read_to_string(world.path("data/master.key")).expect("it is there")
}

#[test]
fn everything_stays_but_the_key() {
    let world = with_secrets(&["A_KEY", "B_KEY"]);
    world.set("B_KEY", "b_key");
    let list = || world.inject(["secret", "list", "--json"]).run().out();
    let (listed, old) = (list(), key(&world));
    let done = store(&world, &["rekey"]).run();
    done.code(0);
    assert!(done.out().contains("sealed 2 secrets anew"), "{}", done.out());
    let new = key(&world);
    assert_eq!((new.lines().count(), new == old), (1, false));
    assert_eq!(list(), listed, "versions, times and authors stay");
    has_values(&world, "data", &["A_KEY", "B_KEY"]);
    let verified = store(&world, &["verify"]).run();
    assert!(verified.code(0).out().contains("2 secrets, 5 records"), "{}", verified.out());
    let record = "SELECT actor || ' ' || action || ' ' || outcome || ' ' || secrets FROM audit
                  WHERE action = 'rekey'
                  ORDER BY sequence DESC LIMIT 1";
    let connection = by_hand(&world, "data");
    let said: String = connection.query_row(record, [], |row| row.get(0)).expect("a record");
    assert_eq!(said, "os:root rekey ok []");
    write_key(&world, "data/master.key", old);
    let ended = value(&world, "data", "A_KEY").expect_err("the old key opens it");
    assert!(ended.err().contains("is not the one of"), "{}", ended.whole());
}

#[test]
fn nothing_sealed_under_the_old_key_remains() {
    let world = with_secrets(&["A_KEY"]);
    for number in 1..40 {
        world.set(&format!("SECRET_OF_{number}"), "x".repeat(number * 97));
    }
    let old = salt_pieces(&world, "data");
    assert!(found(&world.path("data"), &old).is_some(), "the search finds what is there");
    store(&world, &["rekey"]).run().code(0);
    assert_eq!(found(&world.path("data"), &old), None);
    has_values(&world, "data", &["A_KEY"]);
}

/// Launches and changes that begin, run and end at any moment of it.
#[test]
fn while_the_store_is_used() {
    let world = with_secrets(&["A_KEY"]);
    let fill = "seq 200 | while read n; do \
        printf %s \"$n\" | \"$BINARY\" secret set FILL_$n >/dev/null 2>&1 || exit; done";
    world.command("sh", ["-c", fill]).env("BINARY", INJECT).run().code(0);
    let launches = "n=0; while [ ! -e ../stop ]; do n=$((n + 1)); \
        \"$BINARY\" -e A='$A_KEY$FILL_7' -- sh -c 'test \"$A\" = a_key7' || exit; \
        printf %s \"$n\" | \"$BINARY\" secret set B_KEY 2>&1 || exit; \
        test \"$(\"$BINARY\" -e B='$B_KEY' -- sh -c 'echo \"$B\"')\" = $n || exit 9; \
        \"$BINARY\" secret rm FILL_$((n + 100)) --yes || exit; done";
    let start = || world.command("sh", ["-c", launches]).env("BINARY", INJECT).start();
    let mut used = start();
    used.printed();
    for _ in 0..4 {
        store(&world, &["rekey"]).run().code(0);
    }
    world.write("stop", "");
    used.end().code(0);
    store(&world, &["verify"]).run().code(0);
    has_values(&world, "data", &["A_KEY"]);
}

#[test]
fn two_at_once_wait_for_each_other() {
    let world = with_secrets(&["A_KEY", "B_KEY"]);
    let both = [store(&world, &["rekey"]).start(), store(&world, &["rekey"]).start()];
    for rekey in both {
        rekey.end().code(0);
    }
    assert_eq!(key(&world).lines().count(), 1);
    has_values(&world, "data", &["A_KEY", "B_KEY"]);
    let records = "SELECT count(*) FROM audit WHERE action = 'rekey'";
    let rekeys: i64 =
        by_hand(&world, "data").query_row(records, [], |row| row.get(0)).expect("a number");
    assert_eq!(rekeys, 2);
}

/// Whoever still reads the old rows keeps them in the journal: so the old key stays, too.
#[test]
fn a_reader_is_waited_for() {
    let world = with_secrets(&["A_KEY"]);
    let old = salt_pieces(&world, "data");
    let reader = by_hand(&world, "data");
    let id = reader.query_row("SELECT key_id FROM keyring", [], |row| row.get::<_, Vec<u8>>(0));
    let id = id.expect("there are keys");
    reader.execute_batch("BEGIN; SELECT * FROM secret").expect("it can be read");
    let rekey = store(&world, &["rekey"]).start();
    let resealed = || {
        let sql = "SELECT count(*) FROM secret WHERE key_id = ?1";
        let left = by_hand(&world, "data").query_row(sql, [&id], |row| row.get::<_, i64>(0));
        (left.expect("a number") == 0).then_some(())
    };
    crate::harness::eventually(resealed).expect("everything is sealed anew");
    assert_eq!(key(&world).lines().count(), 2);
    // Nobody else waits for it meanwhile.
    has_values(&world, "data", &["A_KEY"]);
    reader.execute_batch("COMMIT").expect("it was begun");
    rekey.end().code(0);
    assert_eq!(key(&world).lines().count(), 1);
    assert_eq!(found(&world.path("data"), &old), None);
}

/// What cannot be opened cannot be sealed anew, and so the old key stays, in case.
#[test]
fn a_damaged_secret_keeps_the_old_key() {
    let world = with_secrets(&["A_KEY", "B_KEY", "C_KEY"]);
    by_hand(&world, "data")
        .execute("UPDATE secret SET updated_at = 1 WHERE name = 'B_KEY'", [])
        .expect("it can be written");
    let ended = store(&world, &["rekey"]).run();
    ended.code(74);
    assert!(ended.err().contains("`B_KEY` of `default` cannot be opened"), "{}", ended.err());
    assert_eq!(key(&world).lines().count(), 2);
    has_values(&world, "data", &["A_KEY", "C_KEY"]);
    world.inject(["secret", "rm", "B_KEY", "--yes"]).run().code(0);
    let again = store(&world, &["rekey"]).run();
    assert!(again.code(0).out().contains("sealed 0 secrets anew"), "{}", again.out());
    assert_eq!(key(&world).lines().count(), 1);
    has_values(&world, "data", &["A_KEY", "C_KEY"]);
}

#[test]
fn secrets_under_a_key_that_is_not_given() {
    let world = with_secrets(&["A_KEY", "B_KEY"]);
    by_hand(&world, "data")
        .execute("UPDATE secret SET key_id = x'0123456789abcdef' WHERE name = 'B_KEY'", [])
        .expect("it can be written");
    let old = key(&world);
    let ended = store(&world, &["rekey"]).run();
    ended.code(74);
    assert!(ended.err().contains("1 secret is sealed under"), "{}", ended.err());
    assert!(ended.err().contains("id 01234567"), "{}", ended.err());
    assert_eq!(key(&world), old, "nothing was begun");
}

#[test]
fn links_to_the_key_stay() {
    let world = with_secrets(&["A_KEY"]);
    copy(&world, "data", "elsewhere");
    fs::remove_file(world.path("data/master.key")).expect("it is ours");
    symlink("../elsewhere/master.key", world.path("data/master.key")).expect("a free name");
    store(&world, &["rekey"]).run().code(0);
    let link = fs::symlink_metadata(world.path("data/master.key")).expect("it is there");
    assert!(link.is_symlink());
    has_values(&world, "data", &["A_KEY"]);
}

/// Where the key's file cannot be written, its owner puts both keys there.
#[test]
fn a_key_file_that_is_read_only() {
    needs_root();
    let world = with_secrets(&["A_KEY"]);
    let old = key(&world);
    fs::remove_file(world.path("data/master.key")).expect("it is ours");
    write_key(&world, "keys/key", &old);
    let keys = world.text("keys");
    let mounts = format!("mount --bind {keys} {keys}; mount -o remount,bind,ro {keys}");
    let rekey = || {
        let run = store(&world, &["rekey"]).env("INJECT_MASTER_KEY_FILE", world.text("keys/key"));
        run.with_mounts(&mounts).run()
    };
    let ended = rekey();
    ended.code(74);
    assert!(ended.err().contains("put a new key into a line before"), "{}", ended.err());
    let new = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
    write_key(&world, "keys/key", format!("{new}{old}"));
    let ended = rekey();
    ended.code(74);
    assert!(ended.err().contains("leave only its first line"), "{}", ended.err());
    write_key(&world, "data/master.key", new);
    has_values(&world, "data", &["A_KEY"]);
}
