//! The store inside the process: made by the first `secret set` and by nothing else, used by
//! several processes at once, and gone for good where it says so. Its files are judged by bytes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::harness::{Ended, World, contains, eventually, files, needs_root};

const VALUE: &str = "c4n4ry-of-the-embedded-store";

#[test]
fn the_first_secret_makes_it() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let mode = |path: PathBuf| fs::metadata(path).expect("it was made").permissions().mode();
    assert_eq!(mode(world.path("data")) & 0o777, 0o700);
    for (path, bytes) in files(&world.path("data")) {
        assert_eq!(mode(path.clone()) & 0o077, 0, "{} is open to others", path.display());
        assert!(!contains(&bytes, VALUE.as_bytes()), "{} holds the value", path.display());
    }
    let seen = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run().seen();
    assert_eq!(seen.text("DB"), VALUE);
}

#[test]
fn file_modes_do_not_depend_on_the_umask() {
    let world = World::new();
    let run = world.inject(["secret", "set", "A_KEY"]).stdin("x").situation(["--umask", "000"]);
    run.run().code(0);
    for (path, _) in files(&world.path("data")) {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
}

#[test]
fn a_launch_or_a_check_never_makes_it() {
    let world = World::new();
    world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run().code(64);
    world.inject(["check"]).env("DB", "$DB_PASSWORD_PROD").run().code(64);
    world.inject(["secret", "list"]).run();
    world.inject(["secret", "rm", "A_KEY", "--yes"]).run();
    assert!(!world.path("data").exists());
}

#[test]
fn it_has_a_place_by_default() {
    let world = World::new();
    let set = || world.inject(["secret", "set", "A_KEY"]).stdin("x").unset("INJECT_DATA");
    set().run().code(0);
    assert!(world.path("home/.local/share/inject").is_dir());
    set().env("XDG_DATA_HOME", world.text("xdg")).run().code(0);
    assert!(world.path("xdg/inject").is_dir());
    set().unset("HOME").run().code(64);
    let launch = world.launch([] as [&str; 0]).unset("INJECT_DATA").unset("HOME");
    launch.env("A", "$A_KEY").run().code(64);
}

#[test]
fn two_processes_race_for_500_names_and_each_has_one_winner() {
    let world = World::new();
    world.set("FIRST", "x");
    let script = "for n in $(seq 500); do \
        if printf %s \"$WHO\" | \"$BINARY\" secret set RACE_$n --if-absent >>\"$WHO.log\" 2>&1; \
        then echo RACE_$n; fi; done";
    let start = |who: &str| {
        let run = world.command("sh", ["-c", script]).env("WHO", who);
        run.env("BINARY", crate::harness::INJECT).start()
    };
    let (one, other) = (start("one"), start("other"));
    let won = |ended: Ended| {
        ended.code(0);
        ended.out().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, other) = (won(one.end()), won(other.end()));
    let mut all: Vec<_> = one.iter().chain(&other).cloned().collect();
    all.sort();
    all.dedup();
    assert_eq!((one.len() + other.len(), all.len()), (500, 500), "each name has one winner");
    let names = all.join(",");
    let seen = world.launch(["--export", &names]).run().seen();
    for (who, names) in [("one", one), ("other", other)] {
        for name in names {
            assert_eq!(seen.text(&name), who, "{name} holds its winner's value");
        }
    }
}

#[test]
fn what_is_removed_is_in_no_file() {
    let world = World::new();
    let value = VALUE.repeat(40);
    world.set("KEPT_KEY", "another value");
    world.set("DB_PASSWORD_PROD", &value);
    world.set("DB_PASSWORD_PROD", format!("{value}, second"));
    let before = sealed_bytes(&world);
    world.inject(["secret", "rm", "DB_PASSWORD_PROD", "--yes"]).run().code(0);
    for (path, bytes) in files(&world.path("data")) {
        assert!(!contains(&bytes, VALUE.as_bytes()), "{} holds the value", path.display());
        for sealed in &before {
            let found = contains(&bytes, sealed);
            assert!(!found, "{} still holds what was sealed", path.display());
        }
    }
    let ended = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run();
    ended.code(78);
    let kept = world.launch([] as [&str; 0]).env("K", "$KEPT_KEY").run().seen();
    assert_eq!(kept.text("K"), "another value");
}

#[test]
fn versions_go_on_after_a_removal() {
    let world = World::new();
    let version = || {
        let shown = world.inject(["secret", "show", "A_KEY", "--json"]).run();
        let shown: serde_json::Value =
            serde_json::from_slice(&shown.code(0).stdout).expect("it is JSON");
        shown["version"].as_u64()
    };
    world.set("A_KEY", "1");
    world.set("A_KEY", "2");
    assert_eq!(version(), Some(2));
    world.inject(["secret", "rm", "A_KEY", "--yes"]).run().code(0);
    world.set("A_KEY", "3");
    assert_eq!(version(), Some(3));
}

#[test]
fn a_damaged_database_is_an_error_and_never_a_wrong_value() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let (path, bytes) = database(&world);
    remove_journals(&path);
    let mut damaged = 0;
    // One bit in each of many places, over the whole file.
    for offset in (0..bytes.len()).step_by(bytes.len() / 97) {
        let mut changed = bytes.clone();
        changed[offset] ^= 0x10;
        fs::write(&path, changed).expect("it is ours");
        let ended = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run();
        if ended.exit() == 0 {
            assert_eq!(ended.seen().text("DB"), VALUE, "a wrong value; bit in byte {offset}");
        } else {
            damaged += 1;
            assert!(!ended.stderr.is_empty(), "it says why");
            assert!(!ended.err().contains("panicked"), "{}", ended.whole());
        }
        remove_journals(&path);
    }
    assert!(damaged > 3, "only {damaged} of the changes were seen");
    fs::write(
        &path,
        "this is no database at all, and longer than a header of SQLite is; ".repeat(9),
    )
    .expect("it is ours");
    let ended = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run();
    ended.code(74);
}

#[test]
fn keys_that_are_not_the_key() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let key = key(&world);
    let good = fs::read(&key).expect("it is ours");
    let mut other = good.clone();
    other[3] = if other[3] == b'A' { b'B' } else { b'A' };
    let wrong: [(&str, Vec<u8>); 4] = [
        ("another key", other),
        ("too short", good[..good.len() / 2].to_vec()),
        ("too long", [good.as_slice(), good.as_slice()].concat()),
        ("empty", Vec::new()),
    ];
    let database = database(&world).1;
    for (what, bytes) in wrong {
        fs::write(&key, bytes).expect("it is ours");
        refused(&world, what);
    }
    fs::write(&key, &good).expect("it is ours");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    refused(&world, "a key that others may read");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it is ours");
    needs_root();
    std::os::unix::fs::chown(&key, Some(65534), None).expect("root may");
    refused(&world, "somebody else's key");
    std::os::unix::fs::chown(&key, Some(0), None).expect("root may");
    fs::rename(&key, world.path("aside")).expect("it is ours");
    refused(&world, "no key");
    assert!(!key.exists(), "no second key is made beside a database");
    fs::rename(world.path("aside"), &key).expect("it is ours");
    assert_eq!(self::database(&world).1, database, "the database was not changed");
    let seen = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run().seen();
    assert_eq!(seen.text("DB"), VALUE);
}

/// A launch and a change must both fail, with a reason and without a panic.
#[track_caller]
fn refused(world: &World, what: &str) {
    let launch = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run();
    let set = world.inject(["secret", "set", "OTHER_KEY"]).stdin("x").run();
    for ended in [launch, set] {
        assert!([64, 74].contains(&ended.exit()), "{what}\n{}", ended.whole());
        assert!(ended.err().contains("key"), "{what}: it says what is wrong\n{}", ended.whole());
        assert!(!ended.err().contains("panicked"), "{what}\n{}", ended.whole());
    }
}

#[test]
fn a_locked_database_is_waited_for_and_then_told() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let (path, _) = database(&world);
    let connection = rusqlite::Connection::open(&path).expect("it is a database");
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("free");
    let ended = world.launch(["--timeout", "1"]).env("DB", "$DB_PASSWORD_PROD").run();
    assert!([69, 74].contains(&ended.exit()), "{}", ended.whole());
    assert!(!ended.stderr.is_empty());
    let waiting = world.launch(["--timeout", "60"]).env("DB", "$DB_PASSWORD_PROD").start();
    eventually(|| opened(waiting.pid(), &path).then_some(())).expect("it opens the database");
    connection.execute_batch("ROLLBACK").expect("it was begun");
    drop(connection);
    assert_eq!(waiting.end().seen().text("DB"), VALUE);
}

#[test]
fn a_full_disk_is_told_and_leaves_the_store_whole() {
    needs_root();
    let world = World::new();
    fs::create_dir(world.path("data")).expect("a fresh directory");
    let script = "set -e; \"$BINARY\" secret set A_KEY <\"$1\" >&2; \
        head -c 9000000 /dev/zero >\"$INJECT_DATA/filler\" 2>&1 || true; \
        if head -c 60000 /dev/zero | tr '\\0' x | \"$BINARY\" secret set BIG_KEY 2>\"$2\"; \
        then exit 99; else code=$?; fi; rm \"$INJECT_DATA/filler\"; \
        \"$BINARY\" -e A='$A_KEY' -- sh -c 'printf %s \"$A\"'; exit $code";
    let value = world.write("value", VALUE);
    let ended = world
        .command(
            "sh",
            ["-c", script, "sh"]
                .map(str::to_owned)
                .into_iter()
                .chain([value.display().to_string(), world.text("said")]),
        )
        .env("BINARY", crate::harness::INJECT)
        .with_mounts(&format!("mount -t tmpfs -o size=1m,mode=700 none {}", world.text("data")))
        .run();
    ended.code(74);
    assert_eq!(ended.out(), VALUE, "what was there still is");
    let said = fs::read_to_string(world.path("said")).expect("it says why");
    assert!(!said.is_empty() && !said.contains("panicked"), "{said}");
}

#[test]
fn a_read_only_directory_is_told() {
    needs_root();
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let data = world.text("data");
    let setup = format!("mount --bind {data} {data}; mount -o remount,bind,ro {data}");
    let set = world.inject(["secret", "set", "B_KEY"]).stdin("x").with_mounts(&setup).run();
    set.code(74);
    // No answer without its audit record, and that cannot be written.
    let launch = world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD");
    launch.with_mounts(&setup).run().code(74);
}

#[test]
fn a_launch_writes_its_audit_record_or_fails() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let size = || files(&world.path("data")).iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let (before, content) = (size(), database(&world).1);
    for _ in 0..50 {
        world.launch([] as [&str; 0]).env("DB", "$DB_PASSWORD_PROD").run().code(0);
    }
    assert!(size() != before || database(&world).1 != content, "50 launches left no trace");
}

/// The main file of the database, found by SQLite's own header.
fn database(world: &World) -> (PathBuf, Vec<u8>) {
    let header = b"SQLite format 3\0";
    let all = files(&world.path("data"));
    all.into_iter().find(|(_, bytes)| bytes.starts_with(header)).expect("there is a database")
}

/// The master key's file: what is neither the database nor one of its journals.
fn key(world: &World) -> PathBuf {
    let (database, _) = database(world);
    let database = database.to_str().expect("a text").to_owned();
    let paths = files(&world.path("data")).into_iter().map(|(path, _)| path);
    let other = |path: &PathBuf| !path.to_str().expect("a text").starts_with(&database);
    let keys: Vec<_> =
        paths.filter(other).filter(|path| path.to_string_lossy().contains("key")).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.into_iter().next().expect("there is one")
}

/// Leaves the main file of the database alone: what a log beside it holds would mend a changed bit.
fn remove_journals(database: &Path) {
    for end in ["-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        // There is none where the last process to close the database has removed it.
        let _ = fs::remove_file(path);
    }
}

/// Every stretch of long blobs that the database holds, as it lies in the file.
fn sealed_bytes(world: &World) -> Vec<Vec<u8>> {
    let connection = rusqlite::Connection::open(database(world).0).expect("it is a database");
    let mut tables = connection
        .prepare(
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c \
                  WHERE m.type = 'table' AND c.type = 'BLOB'",
        )
        .expect("SQLite's own tables");
    let columns = tables
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect::<Vec<_>>();
    let mut blobs = Vec::new();
    for (table, column) in columns {
        let query =
            format!("SELECT \"{column}\" FROM \"{table}\" WHERE length(\"{column}\") > 500");
        let mut statement = connection.prepare(&query).expect("a column that is there");
        let found = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
        blobs.extend(found.map(|blob| blob.expect("a blob")));
    }
    assert!(!blobs.is_empty(), "no sealed value of this size was found");
    // What lies on overflow pages is not in one piece: any 32 bytes of it tell.
    blobs.iter().flat_map(|blob| blob.chunks_exact(32).map(<[u8]>::to_vec)).collect()
}

/// Whether a process has a file open.
fn opened(pid: u32, path: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut descriptors = descriptors.into_iter().flatten().flatten();
    descriptors.any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == path))
}
