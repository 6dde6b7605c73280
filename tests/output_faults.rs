//! Disks that are full or read-only, mounts in the way, calls that fail, signals and kills while
//! files are put in their places: all of them or none, and nothing staged remains.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::harness::{Ended, INJECT, Run, World, needs_root};
use crate::scripted_store::{ScriptedStore, secrets};

pub const NEW: &str = "new s3cr3t\n";

/// Where a process cannot find its own descriptors, no file can be given a name later.
const NAMED: &str = "mount -t tmpfs none /proc";

/// A template, a folder for outputs, and in it `old`, which is to be replaced.
pub fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", "s3cr3t");
    world.write("work/t.txt", "new $DB_KEY\n");
    world.write("work/out/old", "old\n");
    world
}

/// Renders to `old` and to two that are not there yet; the application prints `started`.
pub fn launch(world: &World) -> Run<'_> {
    let folder = world.text("work/out");
    let options = ["old", "first", "last"].map(|name| format!("--render=t.txt:{folder}/{name}"));
    let program = ["--", "echo", "started"].map(str::to_owned);
    world.inject(options.into_iter().chain(program))
}

/// Strace, which changes nothing but what is told: `what` is a list of calls and what they answer.
fn traced<'w>(run: Run<'w>, calls: &str, changes: &[&str]) -> Run<'w> {
    let trace = format!("trace={calls}");
    let run = run.within(["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace]);
    run.within(changes.iter().flat_map(|change| ["-e".to_owned(), format!("inject={change}")]))
}

/// What is in the outputs' folder: each name with its text.
pub fn outputs(world: &World) -> Vec<(String, String)> {
    let entries = fs::read_dir(world.path("work/out")).expect("a folder that is there");
    let mut found: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").display().to_string();
            (name, fs::read_to_string(path).expect("a text"))
        })
        .collect();
    found.sort();
    found
}

pub fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[track_caller]
fn unchanged(world: &World, ended: &Ended) {
    assert_eq!(outputs(world), texts(&[("old", "old\n")]), "{}", ended.whole());
}

#[track_caller]
pub fn all_there(world: &World, ended: &Ended) {
    let expected = texts(&[("first", NEW), ("last", NEW), ("old", NEW)]);
    assert_eq!(outputs(world), expected, "{}", ended.whole());
}

#[test]
fn a_full_disk() {
    needs_root();
    let world = world();
    world.write("work/large.txt", "x$DB_KEY".repeat(20_000));
    let script = "mount -t tmpfs -o size=64k none disk; echo old >disk/out; \
        \"$BINARY\" --render t.txt:new --render large.txt:disk/out -- echo started; \
        echo $?; ls -A disk; cat disk/out; test ! -e new";
    fs::create_dir(world.path("work/disk")).expect("a fresh folder");
    let run = world.command("sh", ["-c", script]).env("BINARY", INJECT).with_mounts("true");
    let ended = run.run();
    insta::assert_snapshot!(ended.report(), @"
    exit 0
    --- stdout
    74
    out
    old
    --- stderr
    inject: `echo` was not started
      cannot write `disk/out`: No space left on device
      store: the embedded store in [DIR]/data, organization `default`
    ");
}

/// The limit on a file's size is an error like any other, not the signal that it would be.
#[test]
fn a_file_beyond_the_process_s_limit() {
    let world = World::new();
    world.write("work/large.txt", "x".repeat(100_000));
    world.write("work/out/old", "old\n");
    let launch = |option: &str| {
        let run = world.inject([option, "--", "echo", "started"]);
        run.situation(["--limit", "1:65536:65536"]).run()
    };
    let ended = launch("--render=large.txt:out/old");
    insta::assert_snapshot!(ended.report(), @"
    exit 74
    --- stderr
    inject: `echo` was not started
      cannot write `out/old`: File too large
    ");
    unchanged(&world, &ended);
    launch("--memfd=M=large.txt").code(74);
}

#[test]
fn a_read_only_disk() {
    needs_root();
    let world = world();
    let disk = world.text("work/out");
    let mount = format!("mount --bind {disk} {disk}; mount -o remount,ro,bind {disk}");
    let outputs = ["--render", "t.txt:new", "--render", "t.txt:out/old"];
    let words = [&outputs[..], &["--", "echo", "started"]].concat();
    let ended = world.inject(words).with_mounts(&mount).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 74
    --- stderr
    inject: `echo` was not started
      cannot write `out/old`: Read-only file system
        mount it writable, render to another path, or to memory with `--memfd`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    let checked = world.inject([&["check"], &outputs[..]].concat()).with_mounts(&mount).run();
    checked.code(74);
    unchanged(&world, &ended);
    assert!(!world.path("work/new").exists());
}

/// A container is often given a single file. A kernel that does not say so is asked last: then the
/// rename fails, and the others are put back.
#[test]
fn a_file_that_something_is_mounted_on() {
    needs_root();
    let world = world();
    let first = world.write("work/out/first", "below\n");
    let other = world.write("other", "mounted\n");
    let mount = format!("mount --bind {} {}", other.display(), first.display());
    for kernel in ["new", "old"] {
        let mut run = launch(&world).with_mounts(&mount);
        if kernel == "old" {
            run = traced(run, "statx", &["statx:error=ENOSYS"]);
        }
        let ended = run.run();
        let said = ended.err().replace("[DIR]/work/out/", "");
        insta::allow_duplicates! { insta::assert_snapshot!(said, @"
        inject: `echo` was not started
          cannot replace `first`: something is mounted on it
            mount the folder that it is in, render to another path, or to memory with `--memfd`
          store: the embedded store in [DIR]/data, organization `default`
        "); }
        ended.code(74);
        assert_eq!(ended.out(), "", "not started");
        let expected = texts(&[("first", "below\n"), ("old", "old\n")]);
        assert_eq!(outputs(&world), expected, "{kernel}\n{}", ended.whole());
    }
    let spec = format!("t.txt:{}", first.display());
    world.inject(["check", "--render", &spec]).with_mounts(&mount).run().code(74);
}

/// With and without a file system that can exchange two names: whichever rename fails, those
/// before it are undone.
#[test]
fn a_rename_that_fails() {
    let world = world();
    // `old` is exchanged; `first` and `last` are found to be new, and renamed.
    let plain = "/^rename(at)?$";
    let each = (1..=5).map(|call| vec![format!("renameat2:error=EIO:when={call}")]);
    // Where no names can be exchanged all are renamed.
    let plainly = ["EINVAL", "ENOSYS", "EPERM"].iter().flat_map(|errno| {
        let without = format!("renameat2:error={errno}");
        (1..=3).map(move |call| vec![without.clone(), format!("{plain}:error=EDQUOT:when={call}")])
    });
    for changes in each.chain(plainly) {
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let run = traced(launch(&world), "renameat2,/^rename(at)?$", &changes);
        let ended = run.run();
        assert_eq!(ended.exit(), 74, "{changes:?}\n{}", ended.whole());
        assert_eq!(ended.err().matches("cannot").count(), 1, "{}", ended.whole());
        assert_eq!(ended.out(), "", "not started");
        unchanged(&world, &ended);
    }
}

/// Where putting back fails too, what stood there is not thrown away, and its name is told.
#[test]
fn an_old_file_that_cannot_be_put_back() {
    let world = world();
    let changes = ["renameat2:error=EIO:when=2+"];
    let ended = traced(launch(&world), "renameat2", &changes).run();
    ended.code(74);
    let said = ended.err();
    assert!(said.contains("cannot put back `[DIR]/work/out/.old."), "{}", ended.whole());
    let found = outputs(&world);
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["old\n", NEW], "{found:?}");
}

/// What every kind of file system can and cannot do: files without a name, names that change
/// places, second names.
#[test]
fn file_systems_that_can_less() {
    needs_root();
    for (named, changes) in [
        (true, &[][..]),
        (false, &["renameat2:error=EINVAL"]),
        (false, &["renameat2:error=EOPNOTSUPP", "linkat:error=EPERM:when=4"]),
        (true, &["renameat2:error=EINVAL", "linkat:error=EPERM"]),
        (true, &["renameat2:error=ENOSYS"]),
        // As a filter of system calls answers.
        (false, &["renameat2:error=EPERM"]),
        (false, &["renameat2:error=ENOSYS"]),
        (false, &["linkat:error=EPERM"]),
        (false, &["renameat2:error=EPERM", "linkat:error=EPERM"]),
    ] {
        let world = world();
        let mut run = launch(&world).situation(["--umask", "0"]);
        if named {
            run = run.with_mounts(NAMED);
        }
        let ended = traced(run, "renameat2,linkat", changes).run();
        ended.code(0);
        all_there(&world, &ended);
        for name in ["old", "first"] {
            let mode = fs::metadata(world.path("work/out").join(name)).expect("there").mode();
            assert_eq!(mode & 0o7777, 0o600, "{changes:?}");
        }
    }
    let world = world();
    // The folder is opened twice, to judge it and to stay there; then each file without a name is
    // refused, and one with a name is not.
    let run = traced(launch(&world), "openat", &["openat:error=EOPNOTSUPP:when=3+2"]);
    let ended = run.within(["-P", &world.text("work/out")]).run();
    ended.code(0);
    all_there(&world, &ended);
}

#[test]
fn a_staged_file_with_a_name_goes_too() {
    needs_root();
    let world = world();
    for change in ["fchmod:error=EIO:when=1", "fchmod:error=EIO:when=3", "renameat2:error=EIO"] {
        let call = change.split(':').next().expect("a call");
        let ended = traced(launch(&world).with_mounts(NAMED), call, &[change]).run();
        ended.code(74);
        unchanged(&world, &ended);
    }
}

/// Until all are staged none has a name, so that nothing remains however the process ends.
#[test]
fn a_kill_while_staging_leaves_nothing() {
    for change in ["fchmod:signal=KILL:when=1", "fchmod:signal=KILL:when=3", "linkat:signal=KILL"] {
        let world = world();
        let call = change.split(':').next().expect("a call");
        let ended = traced(launch(&world), call, &[change]).run();
        assert_eq!(ended.exit(), -9, "{change}\n{}", ended.whole());
        unchanged(&world, &ended);
    }
}

/// SIGTERM and SIGINT wait from the first staging to the last rename: then they end the launcher.
#[test]
fn a_signal_waits_for_the_last_rename() {
    let store = ScriptedStore::tcp([secrets([("DB_KEY", "s3cr3t")])]);
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        for call in ["fchmod", "linkat", "renameat2"] {
            for remote in [false, true] {
                let world = world();
                let change = format!("{call}:signal={signal}:when=1");
                let mut run = traced(launch(&world), call, &[&change]);
                if remote {
                    run = run.env("INJECT_STORE", &store.url).env("INJECT_ORG", "acme");
                    run = run.env("INJECT_TOKEN", "inj_w_token");
                }
                let ended = run.run();
                assert_eq!(ended.exit(), code, "{change}\n{}", ended.whole());
                assert_eq!(ended.out(), "", "not started");
                all_there(&world, &ended);
            }
        }
    }
}

/// So does every other that would end the process in between, or stop it.
#[test]
fn no_signal_comes_in_between() {
    for (name, number) in
        [("HUP", 1), ("QUIT", 3), ("USR1", 10), ("ALRM", 14), ("XCPU", 24), ("RTMIN+5", 39)]
    {
        for call in ["fchmod", "linkat", "renameat2"] {
            let world = world();
            let change = format!("{call}:signal={number}:when=1");
            let ended = traced(launch(&world), call, &[&change]).run();
            assert_eq!(ended.exit(), -number, "{name} in {call}\n{}", ended.whole());
            assert_eq!(ended.out(), "", "not started");
            all_there(&world, &ended);
        }
    }
}

/// A name that stays is told: what it holds may be secret.
#[test]
fn a_staged_file_that_cannot_be_removed() {
    let world = world();
    let changes = ["renameat2:error=EIO:when=2", "unlinkat:error=EPERM"];
    let ended = traced(launch(&world), "renameat2,unlinkat", &changes).run();
    ended.code(74);
    for name in outputs(&world).iter().map(|(name, _)| name).filter(|name| *name != "old") {
        let said = format!("cannot remove `[DIR]/work/out/{name}`: Operation not permitted");
        assert!(ended.err().contains(&said), "{name}\n{}", ended.whole());
    }
    assert_eq!(ended.err().matches("cannot remove").count(), 3, "{}", ended.whole());
    assert!(ended.err().contains("it may hold values: remove it yourself"), "{}", ended.whole());
}

#[test]
fn a_signal_that_is_ignored_or_blocked_stays_so() {
    for situation in [["--ignore", "TERM"], ["--ignore", "INT"]] {
        let world = world();
        let change = format!("linkat:signal={}:when=1", situation[1]);
        let run = traced(launch(&world), "linkat", &[&change]).situation(situation);
        let ended = run.run();
        ended.code(0);
        assert_eq!(ended.out(), "started\n");
        all_there(&world, &ended);
    }
}

/// `inject render -o` is held by the same.
#[test]
fn a_signal_waits_for_a_single_file_too() {
    let world = world();
    let run = world.inject(["render", "t.txt", "-o", "out/old"]);
    let ended = traced(run, "linkat", &["linkat:signal=TERM:when=1"]).run();
    assert_eq!(ended.exit(), 143, "{}", ended.whole());
    assert_eq!(outputs(&world), texts(&[("old", NEW)]));
}
