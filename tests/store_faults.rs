//! The store inside the process, where something else uses its files or a disk fails: what is
//! acknowledged is so, once, and what was not finished is finished by whoever comes next.

use std::fs::{File, OpenOptions};

use nix::fcntl::{FcntlArg, fcntl};

use crate::harness::{INJECT, World, eventually};

#[test]
fn what_four_processes_change_is_changed_once_each() {
    let world = World::new();
    let script = "for n in $(seq 25); do \
        printf %s \"$WHO $n\" | \"$BINARY\" secret set A_KEY 2>&1 || exit; done";
    let start = |who: &&str| {
        let run = world.command("sh", ["-c", script]).env("WHO", who).env("BINARY", INJECT);
        run.start()
    };
    let started: Vec<_> = ["one", "two", "three", "four"].iter().map(start).collect();
    for started in started {
        started.end().code(0);
    }
    let records = by_hand(&world, "SELECT secrets || outcome FROM audit ORDER BY sequence");
    let each = |n| format!("[{{\"name\":\"A_KEY\",\"version\":{n}}}]ok");
    assert_eq!(records, (1..=100).map(each).collect::<Vec<_>>(), "a record of each, and no other");
    assert_eq!(by_hand(&world, "SELECT CAST(version AS TEXT) FROM secret"), ["100"]);
}

#[test]
fn the_checkpoint_of_another_process_is_waited_for() {
    let world = World::new();
    world.set("A_KEY", "x");
    // A reader keeps the shared memory's file alive.
    let reader = rusqlite::Connection::open(world.path("data/store.db")).expect("a database");
    reader.execute_batch("SELECT * FROM secret").expect("it can be read");
    let lock = checkpoint_lock(&world);
    let removing = world.inject(["secret", "rm", "--yes", "A_KEY"]).start();
    let gone = || by_hand(&world, "SELECT name FROM secret").is_empty().then_some(());
    eventually(gone).expect("it is removed before the log is emptied");
    world.inject(["secret", "set", "A_KEY", "--if-absent"]).stdin("y").run().code(0);
    drop(lock);
    removing.end().code(0);
    let records = by_hand(&world, "SELECT action || outcome FROM audit ORDER BY sequence");
    assert_eq!(records, ["createok", "deleteok", "createok"]);
    let seen = world.launch(["--export", "A_KEY"]).run().seen();
    assert_eq!(seen.text("A_KEY"), "y");
}

/// Holds the lock that SQLite takes while it copies the log (`WAL_CKPT_LOCK` in wal.c), as another
/// process would: until the file is dropped.
fn checkpoint_lock(world: &World) -> File {
    let file = OpenOptions::new().read(true).write(true).open(world.path("data/store.db-shm"));
    let file = file.expect("the reader keeps it");
    let region = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 121,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&region)).expect("nobody holds it");
    file
}

/// The one column of what a query finds, read with SQLite itself.
fn by_hand(world: &World, query: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(world.path("data/store.db")).expect("a database");
    let mut statement = connection.prepare(query).expect("columns that are there");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a text")).collect()
}
