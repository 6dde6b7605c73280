//! The store inside the process, where something else uses its files or a disk fails: what is
//! acknowledged is so, once, and what was not finished is finished by whoever comes next.

use std::fs::{self, File, OpenOptions};

use nix::fcntl::{FcntlArg, fcntl};

use crate::harness::{INJECT, World, eventually, needs_root};

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

/// From no room for anything to room for nearly all: whatever fails, the next one begins anew.
#[test]
fn a_full_disk_at_first_use_leaves_no_half_store() {
    needs_root();
    let world = World::new();
    fs::create_dir(world.path("data")).expect("a fresh directory");
    let script = "for size in 4 8 16 40 64 72 80 88 96 100 104 108 112 116 120 128; do \
        mount -t tmpfs -o size=${size}k,mode=700 none \"$INJECT_DATA\"; \
        printf first | \"$BINARY\" secret set A_KEY >/dev/null 2>>\"$1\" || echo \"$size full\"; \
        mount -o remount,size=4m \"$INJECT_DATA\"; \
        printf second | \"$BINARY\" secret set A_KEY >/dev/null 2>>\"$1\" \
            || echo \"$size broken\"; \
        \"$BINARY\" -e A='$A_KEY' -- sh -c 'test \"$A\" = second' || echo \"$size lost\"; \
        umount \"$INJECT_DATA\"; done";
    let run = world.command("sh", ["-c", script, "sh", &world.text("said")]);
    let ended = run.env("BINARY", INJECT).with_mounts("true").run();
    ended.code(0);
    let out = ended.out();
    assert!(out.lines().count() > 8, "these are too small for a store\n{}", ended.whole());
    assert!(out.lines().all(|line| line.ends_with("full")), "{}", ended.whole());
    let said = fs::read_to_string(world.path("said")).expect("it says why");
    let failures = said.lines().filter(|line| line.starts_with("inject: "));
    let reasons: Vec<_> = failures.filter(|line| !line.contains("no room is left")).collect();
    assert!(reasons.is_empty(), "{reasons:#?}");
}

/// A log with something in it has a name on the disk: it is synced before the first commit, also
/// where a look at the store has made the log, and where the store is behind a link.
#[test]
fn the_name_of_a_new_log_is_synced_before_the_commit() {
    let world = World::new();
    world.set("A_KEY", "first");
    fs::create_dir(world.path("linked")).expect("a fresh directory");
    for part in ["master.key", "store.db"] {
        let link = world.path("linked").join(part);
        std::os::unix::fs::symlink(world.path("data").join(part), link).expect("a fresh name");
    }
    for data in ["data", "linked"] {
        let tool = rusqlite::Connection::open(world.path("data/store.db")).expect("a database");
        tool.execute_batch("SELECT * FROM secret").expect("it can be read");
        tool.close().expect("it closes");
        assert!(!world.path("data/store.db-wal").exists(), "the last to close removes it");
        world.inject(["secret", "list"]).env("INJECT_DATA", world.text(data)).run().code(0);
        let trace = world.text("trace");
        let strace = ["strace", "-f", "-y", "-qq", "-o", &trace, "-e", "trace=fsync,fdatasync"];
        let set = world.inject(["secret", "set", "A_KEY"]).env("INJECT_DATA", world.text(data));
        set.stdin(data).within(strace).run().code(0);
        let trace = fs::read_to_string(trace).expect("strace wrote it");
        let of = |path: &str| trace.find(&format!("<{}>", world.text(path)));
        let (directory, log) = (of("data"), of("data/store.db-wal"));
        assert!(directory.is_some() && directory < log, "{data}\n{trace}");
    }
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
