//! `inject install`: the same program at another path, whole or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{INJECT, World, needs_root};

/// It is there, executable by all, and the same.
#[track_caller]
fn is_installed(path: &Path) {
    let mode = fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(fs::read(path).expect("read") == fs::read(INJECT).expect("read"), "another program");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.flatten().map(|entry| entry.file_name().into_string().expect("a text")).collect()
}

#[test]
fn at_a_path_or_in_a_folder() {
    let world = World::new();
    fs::create_dir(world.path("work/shared")).expect("a fresh folder");
    world.inject(["install", "shared/launcher"]).situation(["--umask", "077"]).run().code(0);
    world.inject(["install", "shared"]).run().code(0);
    let shared = world.path("work/shared");
    is_installed(&shared.join("launcher"));
    is_installed(&shared.join("inject"));
    assert_eq!(names(&shared).len(), 2);
    world.command(shared.join("inject"), ["--", "true"]).run().code(0);
}

#[test]
fn over_a_copy_that_runs_and_over_itself() {
    let world = World::new();
    world.inject(["install", "."]).run().code(0);
    let copy = world.path("work/inject");
    world.write("work/t.txt", "plain\n");
    let mut running = world.command(&copy, ["sidecar", "--render=t.txt:out.txt"]).start();
    crate::harness::eventually(|| world.path("work/out.txt").exists().then_some(())).expect("runs");
    world.inject(["install", "inject"]).run().code(0);
    world.command(&copy, ["install", "inject"]).run().code(0);
    is_installed(&copy);
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(running.printed().is_empty());
    running.end().code(0);
}

#[test]
fn what_cannot_be() {
    needs_root();
    let world = World::new();
    for folder in ["small", "fixed", "folder/inject", "closed"] {
        fs::create_dir_all(world.path("work").join(folder)).expect("a fresh folder");
    }
    world.write("work/small/inject", "old");
    let script = r#"mount -t tmpfs -o size=64k none small; echo old >small/inject
        mount -t tmpfs -o ro none fixed; chmod 755 ..; chmod 700 closed
        for path in small fixed/inject none/inject folder
        do "$BINARY" install $path; echo $?; done
        cat small/inject; ls -A small
        setpriv --reuid=65534 --regid=65534 --clear-groups "$BINARY" install closed/inject; echo $?
        ls -A closed"#;
    let run = world.command("sh", ["-c", script]).env("BINARY", INJECT).with_mounts("true");
    insta::assert_snapshot!(run.run().report(), @"
    exit 0
    --- stdout
    74
    74
    74
    74
    old
    inject
    74
    --- stderr
    inject: cannot write `small/inject`: No space left on device
    inject: cannot write `fixed/inject`: Read-only file system
        mount it writable, render to another path, or to memory with `--memfd`
    inject: cannot write `none/inject`: No such file or directory
        make its folder first
    inject: cannot replace `folder/inject`: is a directory
    inject: cannot write `closed/inject`: Permission denied
    ");
}

#[test]
fn a_signal_leaves_nothing_half() {
    let world = World::new();
    fs::create_dir(world.path("work/shared")).expect("a fresh folder");
    for step in ["fchmod", "fsync"] {
        let signal = format!("inject={step}:signal=TERM:when=1");
        let traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e"].map(str::to_owned);
        let trace = format!("trace={step}");
        let run = world.inject(["install", "shared"]).within(traced);
        run.within([trace, "-e".to_owned(), signal]).run().code(143);
        assert_eq!(names(&world.path("work/shared")), [""; 0]);
    }
}

/// Killed before it has a name, it goes with the process.
#[test]
fn nor_does_a_kill() {
    let world = World::new();
    fs::create_dir(world.path("work/shared")).expect("a fresh folder");
    for step in ["fchmod", "fsync"] {
        let kill = format!("inject={step}:signal=KILL:when=1");
        let traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &kill].map(str::to_owned);
        let ended = world.inject(["install", "shared"]).within(traced).run();
        assert_ne!(ended.exit(), 0);
        assert_eq!(names(&world.path("work/shared")), [""; 0], "{step}");
    }
    world.inject(["install", "shared"]).run().code(0);
    is_installed(&world.path("work/shared/inject"));
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let world = World::new();
    nix::unistd::mkfifo(&world.path("work/pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for (link, to) in [("out", "/proc/self/fd/1"), ("null", "/dev/null"), ("piped", "pipe")] {
        std::os::unix::fs::symlink(to, world.path("work").join(link)).expect("a link");
    }
    for path in ["pipe", "out", "null", "piped"] {
        let before = fs::symlink_metadata(world.path("work").join(path)).expect("it is there");
        let ended = world.inject(["install", path]).run();
        let expected = format!("cannot replace `{path}`: it is a pipe, a socket or a device\n");
        assert!(ended.code(74).err().contains(&expected), "{}", ended.whole());
        let after = fs::symlink_metadata(world.path("work").join(path)).expect("it is there");
        assert_eq!(before.file_type(), after.file_type(), "{path}");
    }
    // A link to a file is replaced, and what it leads to is not.
    world.write("work/other", "other");
    std::os::unix::fs::symlink("other", world.path("work/link")).expect("a link");
    world.inject(["install", "link"]).run().code(0);
    is_installed(&world.path("work/link"));
    assert_eq!(fs::read_to_string(world.path("work/other")).expect("it is there"), "other");
}
