//! `inject render`: the exact bytes on standard output or in one file, its exit codes, and what
//! becomes of an output that nobody takes.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::harness::{INJECT, World, needs_root};
use crate::scripted_store::{Answer, ScriptedStore};

fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", "s3cr3t \"x\"\n\n");
    world.write("work/t.txt", "a $DB_KEY|$$DB_KEY\r\nno newline at the end");
    world.write("work/t.json", "{\"a\":\"$DB_KEY\"}\n");
    world
}

#[test]
fn the_exact_bytes() {
    let world = world();
    let ended = world.inject(["render", "t.txt"]).run();
    ended.code(0);
    assert_eq!(ended.out(), "a s3cr3t \"x\"\n|$DB_KEY\r\nno newline at the end");
    assert_eq!(ended.err(), "", "nothing is said where nothing is wrong");
    let ended = world.inject(["render", "t.json"]).run();
    assert_eq!(ended.code(0).out(), "{\"a\":\"s3cr3t \\\"x\\\"\\u000a\"}\n");
    let every: Vec<u8> = (0..=255).collect();
    world.set("BYTES_KEY", [&every[..], b"\n"].concat());
    world.write("work/b", [b"\xff$BYTES_KEY", &every[..]].concat());
    assert_eq!(world.inject(["render", "b"]).run().stdout, [b"\xff", &every[..], &every].concat());
    world.write("work/empty", "");
    assert_eq!(world.inject(["render", "empty"]).run().code(0).out(), "");
}

#[test]
fn standard_input() {
    let world = world();
    let run = |options: &[&str]| {
        let words = [&["render", "-"], options].concat();
        world.inject(words).stdin("{\"a\":\"$DB_KEY\"}").run()
    };
    assert_eq!(run(&[]).code(0).out(), "{\"a\":\"s3cr3t \"x\"\n\"}");
    assert_eq!(run(&["--format", "json"]).code(0).out(), "{\"a\":\"s3cr3t \\\"x\\\"\\u000a\"}");
    assert_eq!(run(&["-o", "-"]).code(0).out(), "{\"a\":\"s3cr3t \"x\"\n\"}");
    run(&["-o", "out.json"]).code(0);
    let out = fs::read_to_string(world.path("work/out.json")).expect("it is there");
    assert_eq!(out, "{\"a\":\"s3cr3t \\\"x\\\"\\u000a\"}");
    let ended = world.inject(["render", "-"]).stdin("x\n  é$NO_KEY").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 78
    --- stderr
    inject: `NO_KEY` is missing
        in <stdin>:2:4
        set it with `inject secret set NO_KEY`, or keep the text with `--literal NO_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    world.inject(["render", "-"]).situation(["--close", "0"]).run().code(74);
    world.inject(["render", "-"]).situation(["--open", "0:/"]).run().code(74);
}

#[test]
fn one_file() {
    let world = world();
    fs::create_dir(world.path("work/folder")).expect("a fresh folder");
    let victim = world.write("victim", "untouched\n");
    symlink(&victim, world.path("work/out.json")).expect("a fresh name");
    let render = |output: &str| world.inject(["render", "t.json", "-o", output]).run();
    let ended = render("out.json");
    assert_eq!((ended.exit(), ended.out(), ended.err()), (0, String::new(), String::new()));
    let out = fs::symlink_metadata(world.path("work/out.json")).expect("it is there");
    assert!(out.is_file() && out.mode() & 0o7777 == 0o600, "{out:?}");
    assert_eq!(fs::read_to_string(victim).expect("it stays"), "untouched\n");
    render("folder").code(64);
    render("t.json").code(64);
    render("/dev/stdout").code(64);
    render("nowhere/out").code(74);
    assert!(!world.path("work/nowhere").exists());
}

/// What the manifest says of the file holds here too: its format, and what is literal.
#[test]
fn as_the_manifest_has_it() {
    let world = world();
    world.write("work/t.tpl", "\"$DB_KEY $HOME\"");
    let manifest =
        "[[render]]\ntemplate = \"t.tpl\"\noutput = \"app.json\"\nliteral = [\"HOME\"]\n";
    world.write("work/inject.toml", manifest);
    let render = |options: &[&str]| {
        world.inject([&["render", "t.tpl"], options].concat()).run().code(0).out()
    };
    let plain = "\"s3cr3t \"x\"\n $HOME\"";
    assert_eq!(render(&[]), "\"s3cr3t \\\"x\\\"\\u000a $HOME\"");
    assert_eq!(render(&["--format", "text"]), plain);
    render(&["-o", "app.conf"]);
    assert_eq!(fs::read_to_string(world.path("work/app.conf")).expect("it is there"), plain);
    assert!(!world.path("work/app.json").exists(), "what it names is not written");
}

/// A launch requires names of all that it is made of; of one file, only who renders it does.
#[test]
fn what_a_launch_requires_is_nothing_to_one_file() {
    let world = world();
    world.write("work/inject.toml", "require = [\"OTHER_KEY\"]\n");
    let render = |options: &[&str]| {
        let run = world.inject([&["render", "t.txt"], options].concat());
        run.env("INJECT_REQUIRE", "THIRD_KEY").run()
    };
    render(&[]).code(0);
    render(&["--require", "DB_KEY"]).code(0);
    let ended = render(&["--require", "OTHER_KEY,FOURTH_KEY"]);
    insta::assert_snapshot!(ended.report(), @"
    exit 78
    --- stderr
    inject: 2 problems
      `OTHER_KEY` is required, and nothing refers to it
        a layer before this one may have taken the dollar; where it does, write `$$OTHER_KEY`
      `FOURTH_KEY` is required, and nothing refers to it
        a layer before this one may have taken the dollar; where it does, write `$$FOURTH_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    // Not even where it is no name, or needs an environment.
    world.write("work/inject.toml", "require = [\"low\", \"API_KEY_@\"]\n");
    render(&[]).code(0);
    render(&["--require", "low"]).code(64);
    world.write("work/inject.toml", "require = [\"OTHER_KEY\"]\n");
    world.inject(["check", "t.txt"]).run().code(78);
}

#[test]
fn exit_codes() {
    let world = world();
    world.write("work/missing", "$NO_KEY");
    world.write("work/malformed", "${DB_KEY:-x} $NO_KEY");
    world.write("work/other", "$DB_KEY_DEV");
    for (words, code) in [
        (&["no-such-file"][..], 74),
        (&["."], 74),
        (&["missing"], 78),
        (&["malformed"], 65),
        (&["t.txt", "--format", "yml"], 64),
        (&["t.txt", "--format", "json"], 65),
        (&["t.txt", "--require", "OTHER_KEY"], 78),
        (&["t.txt", "--require", "DB_KEY"], 0),
        (&["missing", "--literal", "NO_KEY"], 0),
        (&["other", "--environment", "PROD"], 65),
        (&["t.txt", "--store", "unix:/nowhere", "--org", "acme", "--timeout", "100ms"], 69),
        (&["t.txt", "t.json"], 64),
        (&[], 64),
    ] {
        let ended = world.inject([&["render"], words].concat()).run();
        assert_eq!(ended.exit(), code, "{words:?}\n{}", ended.whole());
        assert!(code == 0 || ended.stdout.is_empty(), "{words:?}\n{}", ended.whole());
    }
    let store = ScriptedStore::tcp([Answer::Status(401, String::new(), "{}".to_owned())]);
    let run = world.inject(["render", "t.txt", "--store", &store.url, "--org", "acme"]);
    run.env("INJECT_TOKEN", "inj_w_token").run().code(77);
    let report = world.inject(["render", "missing", "--report", "json"]).run();
    let report: serde_json::Value = serde_json::from_slice(&report.stderr).expect("one object");
    assert_eq!((&report["exit"], &report["command"]), (&78.into(), &serde_json::Value::Null));
}

#[test]
fn an_output_that_nobody_takes() {
    let world = world();
    world.write("work/large", "x$DB_KEY".repeat(300_000));
    let sh = |script: &str| {
        let ended = world.command("sh", ["-c", script]).env("BINARY", INJECT).run();
        (ended.out(), ended.err())
    };
    let (out, err) = sh("\"$BINARY\" render t.txt >&-; echo $?");
    insta::assert_snapshot!(out + &err, @"
    74
    inject: cannot write to `standard output`: Bad file number
    ");
    let (out, err) = sh("\"$BINARY\" render t.txt >/dev/full; echo $?");
    insta::assert_snapshot!(out + &err, @"
    74
    inject: cannot write to `standard output`: No space left on device
    ");
    // Whoever read has left: what SIGPIPE would say, whether or not it is ignored.
    for trap in ["", "trap '' PIPE; "] {
        let script = format!("{trap}{{ \"$BINARY\" render large; echo $? >&2; }} | head -c 1");
        assert_eq!(sh(&script), ("x".to_owned(), "141\n".to_owned()));
    }
}

#[test]
fn a_full_disk() {
    needs_root();
    let world = world();
    world.write("work/large", "x$DB_KEY".repeat(30_000));
    fs::create_dir(world.path("work/disk")).expect("a fresh folder");
    let script = "mount -t tmpfs -o size=64k none disk; echo old >disk/out; \
        \"$BINARY\" render large -o disk/out; echo $?; ls -A disk; cat disk/out";
    let run = world.command("sh", ["-c", script]).env("BINARY", INJECT).with_mounts("true");
    insta::assert_snapshot!(run.run().report(), @"
    exit 0
    --- stdout
    74
    out
    old
    --- stderr
    inject: cannot write `disk/out`: No space left on device
      store: the embedded store in [DIR]/data, organization `default`
    ");
}

/// Whoever shares a pipe or a terminal may have made it so (`O_NONBLOCK` is the open file's).
#[test]
fn an_output_that_does_not_wait() {
    let world = world();
    world.write("work/large", "x${DB_KEY}".repeat(300_000));
    let script = "import fcntl, os, struct, subprocess, sys, termios\n\
        r, w = os.pipe()\n\
        os.set_blocking(w, False)\n\
        child = subprocess.Popen([os.environ['BINARY'], 'render', 'large'], stdout=w)\n\
        os.close(w)\n\
        # It is full, or all is over, before anything is taken from it.\n\
        count = lambda: struct.unpack('i', fcntl.ioctl(r, termios.FIONREAD, bytes(4)))[0]\n\
        while child.poll() is None and count() < 65536: pass\n\
        text = b''.join(iter(lambda: os.read(r, 65536), b''))\n\
        print(len(text), child.wait())\n";
    let ended = world.command("python3", ["-c", script]).env("BINARY", INJECT).run();
    assert_eq!(ended.out(), "3600000 0\n", "{}", ended.whole());
}
