//! The operations ended by SIGKILL, or failed by the disk, at each step that reaches it: what was
//! there still is, nothing is half made, and the same command goes on or begins anew.

use std::fs;

use crate::harness::{Ended, World};
use crate::operations::{
    copy, found, has_values, names, only_key, salt_pieces, store, with_secrets,
};

const NAMES: [&str; 3] = ["A_KEY", "B_KEY", "C_KEY"];
/// What reaches a disk.
const CALLS: [&str; 7] =
    ["fsync", "fdatasync", "pwrite64", "write", "ftruncate", "rename", "unlink"];
/// More of one call than any operation here makes.
const TIMES_MAX: usize = 200;

/// Runs `command` with the fault at each call in turn, on a fresh copy of `data` each time, and
/// hands over how it ended.
fn at_each(
    world: &World,
    calls: &[&str],
    fault: &str,
    command: &[&str],
    mut judge: impl FnMut(&str, &Ended, &str),
) -> usize {
    let mut met = 0;
    for call in calls {
        // `rename` and `unlink` have newer forms, which programs use by now.
        let all = match *call {
            "rename" => "rename,renameat,renameat2",
            "unlink" => "unlink,unlinkat",
            call => call,
        };
        for when in 1..TIMES_MAX {
            let folder = format!("{call}{when}");
            copy(world, "data", &folder);
            let trace = format!("trace={all}");
            let inject = format!("inject={all}:{fault}:when={when}");
            let log = world.text("trace");
            let strace = ["strace", "-f", "-qq", "-o", &log, "-e", &trace, "-e", &inject];
            let run = store(world, command).env("INJECT_DATA", world.text(&folder));
            let ended = run.within(strace).run();
            let log = fs::read_to_string(world.path("trace")).expect("strace writes it");
            let was_met = log.contains("(INJECTED)") || log.contains("killed by SIGKILL");
            judge(&folder, &ended, &inject);
            fs::remove_dir_all(world.path(&folder)).expect("it is ours");
            if !was_met {
                break;
            }
            met += 1;
        }
    }
    met
}

#[test]
fn a_rekey_that_is_killed_goes_on() {
    let world = with_secrets(&NAMES);
    let old = salt_pieces(&world, "data");
    let met = at_each(&world, &CALLS, "signal=SIGKILL", &["rekey"], |folder, _, context| {
        has_values(&world, folder, &NAMES);
        let verify = || store(&world, &["verify", "--data", &world.text(folder)]).run();
        verify().code(0);
        let again = store(&world, &["rekey", "--data", &world.text(folder)]).run();
        again.code(0);
        let key = fs::read_to_string(world.path(&format!("{folder}/master.key")));
        assert_eq!(key.expect("it is there").lines().count(), 1, "{context}");
        assert_eq!(found(&world.path(folder), &old), None, "{context}");
        has_values(&world, folder, &NAMES);
        verify().code(0);
        let left = names(&world.path(folder));
        assert!(!left.iter().any(|name| name.contains("new")), "{context}: {left:?}");
    });
    assert!(met > 20, "only {met} calls were met");
}

#[test]
fn a_rekey_on_a_failing_disk_loses_nothing() {
    let world = with_secrets(&NAMES);
    let calls = ["fsync", "fdatasync", "rename"];
    let met = at_each(&world, &calls, "error=EIO", &["rekey"], |folder, ended, context| {
        assert!([0, 74].contains(&ended.exit()), "{context}\n{}", ended.whole());
        has_values(&world, folder, &NAMES);
        store(&world, &["rekey", "--data", &world.text(folder)]).run().code(0);
        has_values(&world, folder, &NAMES);
        store(&world, &["verify", "--data", &world.text(folder)]).run().code(0);
    });
    assert!(met > 5, "only {met} calls were met");
}

#[test]
fn a_backup_that_is_killed_leaves_none() {
    let world = with_secrets(&NAMES);
    only_key(&world, "key");
    let command = ["backup", "../b"];
    let met = at_each(&world, &CALLS, "signal=SIGKILL", &command, |folder, _, context| {
        // The name is there only when all of it is.
        if world.path("b").exists() {
            copy(&world, "key", "other");
            store(&world, &["restore", "../b", "--data", "../other"]).run().code(0);
            has_values(&world, "other", &["A_KEY"]);
            fs::remove_dir_all(world.path("other")).expect("it is ours");
            fs::remove_file(world.path("b")).expect("it is ours");
        }
        store(&world, &["backup", "../b", "--data", &world.text(folder)]).run().code(0);
        fs::remove_file(world.path("b")).unwrap_or_else(|error| panic!("{context}: {error}"));
        let beside = fs::read_dir(world.path("")).expect("it is there");
        let left: Vec<_> = beside.map(|entry| entry.expect("an entry").file_name()).collect();
        let is_left = |name: &std::ffi::OsString| name.to_string_lossy().contains("inject-new");
        assert!(!left.iter().any(is_left), "{context}: {left:?}");
    });
    assert!(met > 10, "only {met} calls were met");
}

#[test]
fn a_restore_that_is_killed_leaves_no_store() {
    let world = with_secrets(&NAMES);
    store(&world, &["backup", "../b"]).run().code(0);
    let key = world.path("data/master.key");
    for (path, _) in crate::harness::files(&world.path("data")) {
        if path != key {
            fs::remove_file(path).expect("it is ours");
        }
    }
    let command = ["restore", "../b"];
    let met = at_each(&world, &CALLS, "signal=SIGKILL", &command, |folder, _, context| {
        let database = world.path(&format!("{folder}/store.db"));
        if !database.exists() {
            store(&world, &["restore", "../b", "--data", &world.text(folder)]).run().code(0);
        }
        has_values(&world, folder, &["B_KEY"]);
        store(&world, &["verify", "--data", &world.text(folder)]).run().code(0);
        let left = names(&world.path(folder));
        assert!(!left.iter().any(|name| name.contains("new")), "{context}: {left:?}");
    });
    assert!(met > 5, "only {met} calls were met");
}
