//! Config files that are odd, large, endless, or no files, and values that are: right output or a
//! clear error, in bounded time and memory.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::harness::{Ended, Run, World, eventually};

fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", "s3cr3t");
    world
}

fn render<'w>(world: &'w World, template: &str) -> Run<'w> {
    world.inject(["render", template])
}

/// The same with so much memory at most, in MiB.
fn within<'w>(run: Run<'w>, mebibytes: u64) -> Run<'w> {
    let bytes = mebibytes << 20;
    run.situation(["--limit", &format!("9:{bytes}:{bytes}")])
}

#[track_caller]
fn says(ended: &Ended, code: i32, said: &str) {
    assert!(ended.exit() == code && ended.err().contains(said), "{said}\n{}", ended.whole());
}

#[test]
fn what_is_not_utf_8() {
    let world = world();
    let text = b"{\"a\": \"caf\xe9 $DB_KEY\"}\n";
    for (name, format) in [("a.json", "json"), ("a.env", "env")] {
        let _ = world.write(&format!("work/{name}"), text);
        says(&render(&world, name).run(), 65, &format!("this is no {format}"));
    }
    world.write("work/a.txt", text);
    assert_eq!(render(&world, "a.txt").run().stdout, b"{\"a\": \"caf\xe9 s3cr3t\"}\n");
    let ended = world.inject(["render", "a.json", "--report", "json"]).run();
    let report: serde_json::Value = serde_json::from_slice(&ended.stderr).expect("one object");
    let place = serde_json::json!([{"file": "a.json", "line": 1, "column": 11}]);
    assert_eq!(report["problems"][0]["places"], place, "{report:#}");
}

#[test]
fn other_encodings() {
    let world = world();
    let text = "{\"a\": \"$DB_KEY\"}\n";
    let wide = |bytes: [&[u8]; 2], big: bool| {
        let units = text.encode_utf16();
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        [bytes.concat(), units.flat_map(unit).collect()].concat()
    };
    // Not one reference in it could be seen: it must not go out as it is.
    for bytes in [wide([b"\xff", b"\xfe"], false), wide([b"\xfe", b"\xff"], true)] {
        for name in ["a.json", "a.txt"] {
            world.write(&format!("work/{name}"), &bytes);
            says(&render(&world, name).run(), 65, "this file is UTF-16");
        }
    }
}

#[test]
fn line_ends_and_marks_stay() {
    let world = world();
    for (name, text) in [
        ("a.txt", "\u{feff}a\r\nb $DB_KEY\rc\n\r\n"),
        ("a.env", "A=\"$DB_KEY\"\r\n\r\n# c\r\nB=1\r\n"),
        ("a.json", "{\r\n\t\"a\" : \"$DB_KEY\"\r\n}\r\n"),
        ("b.json", "\n\n {\"a\":\"$DB_KEY\"}"),
    ] {
        world.write(&format!("work/{name}"), text);
        let expected = text.replace("$DB_KEY", "s3cr3t");
        assert_eq!(render(&world, name).run().out(), expected, "{name}");
    }
}

/// 50 MB with a reference every 200 bytes, in a few times as much memory.
#[test]
fn large_files() {
    let world = world();
    let value = format!("{}$DB_KEY", "x".repeat(190));
    let line = format!("{value}\n");
    let lines = line.repeat(50_000_000 / line.len());
    world.write("work/a.txt", &lines);
    let ended = within(render(&world, "a.txt"), 400).run();
    assert_eq!(ended.code(0).stdout, lines.replace("$DB_KEY", "s3cr3t").into_bytes());
    let list = format!("[{}1]", format!("\"{value}\",\n").repeat(50_000_000 / (line.len() + 3)));
    world.write("work/a.json", &list);
    let ended = within(render(&world, "a.json"), 400).run();
    assert_eq!(ended.code(0).stdout, list.replace("$DB_KEY", "s3cr3t").into_bytes());
}

#[test]
fn deep_ones() {
    let world = world();
    for levels in [100, 100_000] {
        let text = format!("{}\"$DB_KEY\"{}", "[".repeat(levels), "]".repeat(levels));
        world.write("work/deep.json", &text);
        let ended = render(&world, "deep.json").run();
        if levels == 100 || ended.exit() == 0 {
            assert_eq!(ended.code(0).out(), text.replace("$DB_KEY", "s3cr3t"));
        } else {
            says(&ended, 65, "this is no json");
        }
    }
}

#[test]
fn what_is_no_file() {
    let world = world();
    fs::create_dir(world.path("work/folder.json")).expect("a fresh folder");
    for (name, why) in [
        ("folder.json", "Is a directory"),
        ("nowhere.json", "No such file or directory"),
        ("", "No such file or directory"),
    ] {
        let ended = world.launch(["--memfd", &format!("M=./{name}")]).run();
        assert_eq!(ended.exit(), 74, "{name}\n{}", ended.whole());
        let why = if name.is_empty() { "Is a directory" } else { why };
        says(&ended, 74, &format!("cannot read `./{name}`: {why}"));
    }
}

/// What never ends, or says that it is larger than anything, is not read for long.
#[test]
fn what_has_no_end() {
    let world = world();
    let sparse = File::create(world.path("work/sparse")).expect("a fresh file");
    sparse.set_len(1 << 40).expect("the file system has sparse files");
    for (name, mebibytes) in [("sparse", 64), ("/dev/zero", 640)] {
        says(&within(render(&world, name), mebibytes).run(), 74, "file too large");
    }
    assert_eq!(render(&world, "/dev/null").run().code(0).out(), "");
    let ended = render(&world, "/proc/self/status").run();
    assert!(ended.code(0).out().starts_with("Name:\tinject\n"), "{}", ended.whole());
    let sys = "/sys/kernel/mm/transparent_hugepage/enabled";
    let text = fs::read_to_string(sys).expect("sysfs is there");
    assert_eq!(render(&world, sys).run().code(0).out(), text);
}

#[test]
fn a_pipe() {
    let world = world();
    world.command("mkfifo", ["pipe.json"]).run().code(0);
    let started = render(&world, "pipe.json").start();
    let pipe = OpenOptions::new().write(true).open(world.path("work/pipe.json"));
    let mut pipe = pipe.expect("it is read");
    for part in ["{\"a\"", ": \"$DB", "_KEY\"}"] {
        pipe.write_all(part.as_bytes()).expect("it is read");
    }
    drop(pipe);
    assert_eq!(started.end().code(0).out(), "{\"a\": \"s3cr3t\"}");
}

/// Nobody writes to it: a signal ends the wait, and nothing is left.
#[test]
fn a_pipe_that_nobody_writes_to() {
    let world = world();
    world.command("mkfifo", ["pipe"]).run().code(0);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        for words in [
            &["--render", "pipe:out", "--", "true"][..],
            &["--memfd", "M=pipe", "--", "true"],
            &["check", "--memfd", "M=pipe"],
            &["render", "pipe"],
        ] {
            let started = world.inject(words).start();
            // Each is caught from the moment on that it may have to wait.
            let catches = || {
                let status = fs::read_to_string(format!("/proc/{}/status", started.pid())).ok()?;
                let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"))?;
                let caught = u64::from_str_radix(caught, 16).ok()?;
                (caught >> (signal as i32 - 1) & 1 == 1).then_some(())
            };
            eventually(catches).expect("it reads the pipe");
            started.signal(signal);
            assert_eq!(started.end().exit(), code, "{words:?}");
        }
    }
    assert!(!world.path("work/out").exists());
}

/// Half of one text and half of another would be neither.
#[test]
fn a_file_that_grows_while_it_is_read() {
    let world = world();
    let path = world.write("work/a.txt", "x".repeat(1 << 20));
    let done = AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"more\n").expect("the disk has room");
                if file.metadata().expect("its size").len() > 64 << 20 {
                    file.set_len(1 << 20).expect("it is ours");
                }
            }
        });
        let refused = eventually(|| {
            let ended = render(&world, "a.txt").run();
            (ended.exit() != 0).then_some(ended)
        });
        done.store(true, Ordering::Relaxed);
        refused
    });
    let ended = refused.expect("it is seen to change");
    says(&ended, 74, "cannot read `a.txt`: it changed while it was read");
    assert!(ended.stdout.is_empty());
}

/// What each of the formats does with bytes that are no text.
#[test]
fn values_that_are_no_text() {
    let world = world();
    world.write("work/a.json", "[\"$V_KEY\"]");
    world.write("work/a.env", "A=\"$V_KEY\"\n");
    world.write("work/a.txt", "<$V_KEY>");
    let set = |value: &[u8]| world.set("V_KEY", [value, b"\n"].concat());
    set(b"a\0b");
    assert_eq!(render(&world, "a.json").run().out(), "[\"a\\u0000b\"]");
    says(&render(&world, "a.env").run(), 65, "`V_KEY` cannot stand here: it holds a NUL byte");
    assert_eq!(render(&world, "a.txt").run().stdout, b"<a\0b>");
    set(b"\x01\x1b[31m\x7f\t\r\n\xc2\x85\xe2\x80\xa8");
    let json = render(&world, "a.json").run();
    let parsed: Vec<String> = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(parsed, ["\u{1}\u{1b}[31m\u{7f}\t\r\n\u{85}\u{2028}"]);
    set(b"caf\xe9");
    says(&render(&world, "a.json").run(), 65, "its bytes are no UTF-8");
    assert_eq!(render(&world, "a.txt").run().stdout, b"<caf\xe9>");
    set(b"$DB_KEY ${V_KEY} $$X \\0 $1 & <x>");
    assert_eq!(render(&world, "a.txt").run().out(), "<$DB_KEY ${V_KEY} $$X \\0 $1 & <x>>");
}

/// 20,000 times 64 KiB would be 1.3 GB, and six times as much once it is escaped.
#[test]
fn a_small_file_that_would_be_far_too_large() {
    let world = world();
    world.set("BIG_KEY", "\u{1}".repeat(65_536));
    world.write("work/a.txt", "$BIG_KEY".repeat(20_000));
    let limit = "would have more than 1073741824 bytes";
    says(&within(render(&world, "a.txt"), 256).run(), 65, limit);
    world.write("work/a.json", format!("[\"{}\"]", "$BIG_KEY".repeat(20_000)));
    says(&within(render(&world, "a.json"), 256).run(), 65, limit);
    world.write("work/b.json", format!("[\n\"{}\"]", "$BIG_KEY".repeat(2_000)));
    let ended = within(render(&world, "b.json"), 512).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 65
    --- stderr
    inject: `BIG_KEY` cannot stand here: with it this one scalar would have more than 64 MiB
        in b.json:2:2
        refer to it less often, or deliver it as a file with `--as-file`
      store: the embedded store in [DIR]/data, organization `default`
    ");
}
