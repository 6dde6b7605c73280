//! What must not slip through: names that are ours, other environments' secrets, texts that are too
//! long, files that are no text, commands that `check` looks up.

use std::fs;

use crate::harness::{World, eventually, needs_root};

fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", "value");
    world.set("INJECT_FOO", "value");
    world
}

#[test]
fn no_way_leads_an_own_variable_to_the_application() {
    let world = world();
    world.write("work/own.env", "INJECT_BAR=hello\nOTHER=$NOPE\n");
    world.write("work/own.txt", "$INJECT_FOO");
    let ended = world.launch(["--env-file", "own.env"]).run();
    ended.code(65);
    assert!(ended.err().contains("own.env:1:1"), "{}", ended.whole());
    // The faulty line hides nothing of the others.
    assert!(ended.err().contains("`NOPE` is missing"), "{}", ended.whole());
    let ended = world.launch(["--export-from", "own.txt"]).run();
    ended.code(64);
    assert!(ended.err().contains("never gets a variable `INJECT_FOO`"), "{}", ended.whole());
}

#[test]
fn a_longer_suffix_owns_the_name() {
    let world = world();
    world.set("DB_EU_PROD", "value");
    world.write("work/m.toml", "environments = [\"PROD\", \"EU_PROD\"]\nenvironment = \"PROD\"\n");
    let ended = world.launch(["--config", "m.toml"]).env("X", "$DB_EU_PROD").run();
    ended.code(65);
    assert!(ended.err().contains("`DB_EU_PROD` belongs to `EU_PROD`"), "{}", ended.whole());
}

#[test]
fn a_crossed_export_is_told_once_and_not_asked_for() {
    let world = world();
    let ended = world.launch(["--environment", "PROD", "--export", "X_DEV"]).run();
    ended.code(65);
    assert_eq!(ended.err().matches("X_DEV").count(), 2, "{}", ended.whole());
    assert!(!ended.err().contains("missing"), "{}", ended.whole());
}

#[test]
fn what_is_malformed_alike_is_one_problem_with_its_places() {
    let world = world();
    let ended = world.launch(["--report", "json"]).env("A", "${X").env("B", "${X").run();
    ended.code(65);
    let report: serde_json::Value = serde_json::from_str(&ended.err()).expect("one object");
    let problems = report["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 1, "{report}");
    assert_eq!(problems[0]["places"].as_array().expect("a list").len(), 2, "{report}");
}

/// 25,000 times 64 KiB would be 1.6 GB: it is judged before it is made.
#[test]
fn what_is_far_too_long_is_not_made() {
    let world = world();
    world.set("BIG", "x".repeat(65_536));
    let ended = world
        .launch([] as [&str; 0])
        .env("V", "$BIG".repeat(25_000))
        .situation(["--limit", "9:536870912:536870912"])
        .run();
    ended.code(65);
    assert!(ended.err().contains("`V` would have 1638400002 bytes"), "{}", ended.whole());
}

/// 200,000 places in one long line, each counted from the start, would take minutes.
#[test]
fn places_are_counted_once() {
    let world = world();
    world.write("work/one-line.txt", "$DB_KEY text ".repeat(200_000));
    let ended = world.inject(["check", "--offline", "one-line.txt"]).run();
    ended.code(0);
    assert!(ended.out().contains("one-line.txt:1:2599988"), "the last place is missing");
}

#[test]
fn check_looks_the_command_up() {
    let world = world();
    world.inject(["check", "--", "sh", "-c", "exit"]).env("X", "$DB_KEY").run().code(0);
    let ended = world.inject(["check", "--", "no-such-command"]).env("X", "$NOPE").run();
    ended.code(127);
    assert!(ended.err().contains("`no-such-command` is not found"), "{}", ended.whole());
}

/// As process 1, where a signal without a handler is dropped.
#[test]
fn what_reads_a_pipe_ends_at_a_signal() {
    needs_root();
    let world = world();
    world.command("mkfifo", ["pipe"]).run().code(0);
    for words in ["check pipe", "audit verify --checkpoint pipe"] {
        let started = world
            .inject(words.split(' '))
            .within(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .start();
        let child = eventually(|| {
            let pid = started.pid();
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
            let child: i32 = children.split_whitespace().next()?.parse().ok()?;
            // SIGTERM is caught from the moment on that it may have to wait.
            let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"))?;
            let caught = u64::from_str_radix(caught, 16).ok()?;
            (caught >> (libc::SIGTERM - 1) & 1 == 1).then_some(child)
        });
        let child = nix::unistd::Pid::from_raw(child.expect("it opens the pipe"));
        nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGTERM).expect("it is there");
        started.end().code(143);
    }
}

#[test]
fn a_directory_that_may_not_be_read_is_no_missing_store() {
    needs_root();
    let world = world();
    let ended = world
        .launch([] as [&str; 0])
        .env("X", "$DB_KEY")
        .within(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        .run();
    ended.code(74);
    assert!(ended.err().contains("cannot look for a store in"), "{}", ended.whole());
}

#[test]
fn json_is_one_object_whatever_else_there_is_to_say() {
    let world = world();
    let key = fs::read_to_string(world.path("data/master.key")).expect("the store is made");
    let ended = world
        .launch(["--report", "json"])
        .env("INJECT_MASTER_KEY", key.trim())
        .env("X", "$NOPE")
        .run();
    ended.code(78);
    serde_json::from_str::<serde_json::Value>(&ended.err()).expect("one object");
}

#[test]
fn the_syntax_is_checked_without_a_token() {
    let world = world();
    let check = |options: &[&str]| {
        let options = [&["check", "--token-file", "no-such-file"], options].concat();
        let run = world.inject(options).env("INJECT_ORG", "acme");
        run.env("INJECT_STORE", "unix:/nowhere").env("A", "$DB_KEY").run()
    };
    check(&[]).code(64);
    check(&["--offline"]).code(0);
    check(&["--offline", "--org", "No Slug"]).code(64);
}

#[test]
fn a_manifest_that_another_user_put_in_a_folder_for_everybody_is_refused() {
    needs_root();
    let world = world();
    world.write("all/inject.toml", "[env]\nA = \"$DB_KEY\"\n");
    world.write("all/mine/file", "");
    let shell = |script: &str| world.command("sh", ["-c", script]).run().code(0).out();
    let manifest = world.text("all/inject.toml");
    let launch = |options: &[&str]| {
        let program = ["--", "sh", "-c", "echo $A"];
        let run = world.inject(options.iter().chain(&program));
        run.situation(["--directory", &world.text("all/mine")]).run()
    };
    shell("chmod 1777 ../all; chown 65534 ../all/inject.toml");
    let ended = launch(&[]);
    ended.code(64);
    let says = "another user put the manifest `[DIR]/all/inject.toml` in a folder that everybody";
    assert!(ended.err().contains(says), "{}", ended.whole());
    // One that is named, one's own, or in a folder of its user's alone.
    assert_eq!(launch(&["--config", &manifest]).code(0).out(), "value\n");
    shell("chown 0 ../all/inject.toml");
    assert_eq!(launch(&[]).code(0).out(), "value\n");
    shell("chown 65534 ../all ../all/inject.toml; chmod 755 ../all");
    assert_eq!(launch(&[]).code(0).out(), "value\n");
}

/// As some that start others leave it: the kernel then keeps nothing of a child for its parent.
#[test]
fn the_key_s_command_is_waited_for_where_ends_of_children_are_ignored() {
    let world = world();
    let command = format!("cat '{}'", world.text("data/master.key"));
    let program = ["--", "grep", "SigIgn", "/proc/self/status"];
    let options = ["--master-key-command", &command];
    let run = world.inject(options.into_iter().chain(program)).env("A", "$DB_KEY");
    let out = run.situation(["--ignore", "CHLD"]).run().code(0).out();
    let ignored = out.split_whitespace().last().expect("a mask");
    let ignored = u64::from_str_radix(ignored, 16).expect("in hexadecimal");
    let its_bit = 1 << (nix::sys::signal::Signal::SIGCHLD as u64 - 1);
    assert_eq!(ignored & its_bit, its_bit, "the program has it as it was: {out}");
}
