//! `inject secret …` and `inject check`, as a person at a terminal and a script see them.

use serde_json::Value;

use crate::harness::{Ended, Terminal, World};

const VALUE: &str = "c4n4ry-typed-by-hand";

fn json(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.code(0).stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}", ended.whole()))
}

/// What a launch would get.
fn value(world: &World, name: &str) -> Vec<u8> {
    let seen = world.launch(["--export", name]).run().seen();
    seen.var(name).expect("it was exported").to_vec()
}

#[test]
fn a_value_is_read_exactly_less_one_newline() {
    let world = World::new();
    for (given, kept) in [
        (&b"x"[..], &b"x"[..]),
        (b"x\n", b"x"),
        (b"x\n\n", b"x\n"),
        (b"a\nb\n", b"a\nb"),
        (b"\xff\xfe", b"\xff\xfe"),
        (b" x ", b" x "),
        (b"x\r\n", b"x\r"),
        (b"\n\n", b"\n"),
    ] {
        world.set("A_KEY", given);
        assert_eq!(value(&world, "A_KEY"), kept, "{given:?}");
    }
}

#[test]
fn what_it_says() {
    let world = World::new();
    let set = |name: &str, text: &str| world.inject(["secret", "set", name]).stdin(text).run();
    insta::assert_snapshot!(set("DB_PASSWORD_PROD", "x").report(), @"
    exit 0
    --- stdout
    created DB_PASSWORD_PROD (version 1)
    --- stderr
    a new store is in `[DIR]/data`; keep a copy of `[DIR]/data/master.key`, without which no value can be read
    ");
    insta::assert_snapshot!(set("DB_PASSWORD_PROD", "y").report(), @"
    exit 0
    --- stdout
    updated DB_PASSWORD_PROD (version 2)
    ");
    insta::assert_snapshot!(set("PASSWORD", "x").report(), @"
    exit 0
    --- stdout
    created PASSWORD (version 1)
    --- stderr
    hint: `PASSWORD` says little; a name that says what the secret is for, such as `DB_PASSWORD_PROD`, is easier to rotate
    ");
    insta::assert_snapshot!(set("password", "x").report(), @"
    exit 64
    --- stderr
    inject: `password` is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
    ");
}

#[test]
fn an_empty_value_is_meant() {
    let world = World::new();
    world.inject(["secret", "set", "A_KEY"]).run().code(64);
    world.inject(["secret", "set", "A_KEY"]).stdin("\n").run().code(64);
    world.inject(["secret", "set", "A_KEY"]).stdin("x".repeat(65_537)).run().code(65);
    assert!(!world.path("data").exists(), "what is refused makes no store");
    world.inject(["secret", "set", "A_KEY", "--allow-empty"]).run().code(0);
    // What is closed is not empty.
    let closed = world.inject(["secret", "set", "A_KEY", "--allow-empty"]);
    let closed = closed.situation(["--close", "0"]).run();
    assert!(closed.code(74).err().contains("stdin cannot be read"), "{}", closed.whole());
    assert_eq!(value(&world, "A_KEY"), b"");
}

#[test]
fn a_value_has_a_limit() {
    let world = World::new();
    world.set("A_KEY", "x".repeat(65_536));
    let ended = world.inject(["secret", "set", "A_KEY"]).stdin("x".repeat(65_537)).run();
    assert_ne!(ended.exit(), 0, "{}", ended.whole());
    assert_eq!(value(&world, "A_KEY").len(), 65_536);
}

#[test]
fn a_value_is_never_an_argument() {
    let world = World::new();
    for args in [
        &["A_KEY", VALUE][..],
        &[&format!("A_KEY={VALUE}")],
        &["A_KEY", "--", VALUE],
        &["A_KEY", "--if-version", VALUE],
        &["A_KEY", &format!("--if-version={VALUE}")],
        &["A_KEY", &format!("--if-version{VALUE}")],
        &["A_KEY", &format!("--allow-empty={VALUE}")],
        &["A_KEY", &format!("--if-absent={VALUE}")],
        &["A_KEY", &format!("--value={VALUE}")],
        &["A_KEY", "--value", VALUE],
        &["A_KEY", &format!("-p{VALUE}")],
        &[&format!("--{VALUE}"), "A_KEY"],
        &[&format!("--value={VALUE}"), "A_KEY"],
        &[&format!("-{VALUE}"), "A_KEY"],
        &["--allow-empty", &format!("--if-version={VALUE}"), "A_KEY"],
    ] {
        let ended = world.inject([&["secret", "set"], args].concat()).stdin("x").run();
        ended.code(64);
        assert!(!ended.err().contains(VALUE), "{}", ended.whole());
    }
    insta::assert_snapshot!(
        world.inject(["secret", "set", "A_KEY", "--if-version", VALUE]).run().report(), @"
    exit 64
    --- stderr
    inject: invalid value '…' for '--if-version <VERSION>': invalid digit found in string
        see `inject secret set --help`
    ");
    insta::assert_snapshot!(
        world.inject(["secret", "set", "A_KEY", "--if-version"]).run().report(), @"
    exit 64
    --- stderr
    inject: a value is required for '--if-version <VERSION>' but none was supplied
        see `inject secret set --help`
    ");
    assert!(!world.path("data").exists(), "nothing was set");
}

#[test]
fn a_prompt_does_not_echo() {
    let world = World::new();
    let mut terminal = Terminal::new();
    let started = world
        .command("sh", ["-c", "exec <&9 \"$BINARY\" secret set A_KEY"])
        .env("BINARY", crate::harness::INJECT)
        .situation(terminal.situation())
        .start();
    let asked = terminal.shows("A_KEY");
    assert!(!asked.contains(VALUE));
    crate::harness::eventually(|| echo_is_off(&terminal.path).then_some(())).expect("no echo");
    terminal.types(&format!("{VALUE}\n"));
    let ended = started.end();
    ended.code(0);
    let screen = terminal.rest();
    assert!(!screen.contains(VALUE), "the screen shows the value: {screen}");
    assert!(!ended.out().contains(VALUE) && !ended.err().contains(VALUE));
    assert_eq!(value(&world, "A_KEY"), VALUE.as_bytes());
}

#[test]
fn an_interrupted_prompt_gives_the_echo_back() {
    let world = World::new();
    let mut terminal = Terminal::new();
    let started = world
        .command("sh", ["-c", "exec <&9 \"$BINARY\" secret set A_KEY"])
        .env("BINARY", crate::harness::INJECT)
        .situation(terminal.situation())
        .start();
    terminal.shows("A_KEY");
    crate::harness::eventually(|| echo_is_off(&terminal.path).then_some(())).expect("no echo");
    terminal.types("\u{3}");
    let ended = started.end();
    assert!([130, -2].contains(&ended.exit()), "{}", ended.whole());
    assert!(!echo_is_off(&terminal.path), "the terminal was left without echo");
    assert!(!world.path("data").exists(), "nothing was set, so no store is made");
}

#[test]
fn keys_that_edit_a_line_are_no_part_of_a_value() {
    for (keys, code) in [("wrong\u{17}right\n", 0), ("right\u{1b}[D\n", 74)] {
        let world = World::new();
        let mut terminal = Terminal::new();
        let started = world
            .command("sh", ["-c", "exec <&9 \"$BINARY\" secret set A_KEY"])
            .env("BINARY", crate::harness::INJECT)
            .situation(terminal.situation())
            .start();
        terminal.shows("A_KEY");
        crate::harness::eventually(|| echo_is_off(&terminal.path).then_some(())).expect("no echo");
        terminal.types(keys);
        let ended = started.end();
        ended.code(code);
        assert!(!terminal.rest().contains("right"), "{}", ended.whole());
        if code == 0 {
            assert_eq!(value(&world, "A_KEY"), b"right");
        } else {
            assert!(ended.err().contains("a control character was typed"), "{}", ended.whole());
            assert!(!world.path("data").exists(), "what is refused makes no store");
        }
    }
}

pub fn echo_is_off(path: &str) -> bool {
    let terminal = std::fs::File::options().read(true).open(path).expect("it is there");
    let modes = nix::sys::termios::tcgetattr(&terminal).expect("it is a terminal");
    !modes.local_flags.contains(nix::sys::termios::LocalFlags::ECHO)
}

#[test]
fn a_change_that_was_made_is_never_hidden() {
    let world = World::new();
    let run = |words: &str| {
        let script = format!("printf x | \"$BINARY\" secret {words}");
        world.command("sh", ["-c", &script]).env("BINARY", crate::harness::INJECT).run()
    };
    run("set A_KEY").code(0);
    insta::assert_snapshot!(run("set A_KEY >&-").report(), @"
    exit 74
    --- stderr
    inject: the output cannot be written: Bad file descriptor (os error 9); but `A_KEY` is updated (version 2)
      store: the embedded store in [DIR]/data, organization `default`
    ");
    insta::assert_snapshot!(run("set A_KEY >/dev/full").report(), @"
    exit 74
    --- stderr
    inject: the output cannot be written: No space left on device (os error 28); but `A_KEY` is updated (version 3)
      store: the embedded store in [DIR]/data, organization `default`
    ");
    insta::assert_snapshot!(run("rm --yes A_KEY >/dev/full").report(), @"
    exit 74
    --- stderr
    inject: the output cannot be written: No space left on device (os error 28); but `A_KEY` is deleted
      store: the embedded store in [DIR]/data, organization `default`
    ");
    // A hint that nobody hears changes nothing: it is done, and stdout says so.
    for closed in ["2>&-", "2>/dev/full"] {
        let ended = run(&format!("set KEY1 {closed}"));
        assert!(ended.code(0).out().contains("KEY1 (version "), "{}", ended.whole());
        assert_eq!(run(&format!("rm --yes KEY1 {closed}")).code(0).out(), "deleted KEY1\n");
    }
}

#[test]
fn create_only_and_guarded_updates() {
    let world = World::new();
    let set = |option: &[&str], text: &str| {
        let words = [&["secret", "set", "A_KEY"], option].concat();
        world.inject(words).stdin(text).run().exit()
    };
    assert_eq!(set(&["--if-absent"], "1"), 0);
    assert_ne!(set(&["--if-absent"], "2"), 0);
    assert_eq!(set(&["--if-version", "1"], "3"), 0);
    assert_ne!(set(&["--if-version", "1"], "4"), 0);
    assert_eq!(value(&world, "A_KEY"), b"3");
    let rm = |version: &str| {
        world.inject(["secret", "rm", "A_KEY", "--yes", "--if-version", version]).run().exit()
    };
    assert_ne!(rm("1"), 0);
    assert_eq!(rm("2"), 0);
    assert_ne!(rm("2"), 0, "it is gone");
}

#[test]
fn a_list() {
    let world = World::new();
    for name in ["STRIPE_API_KEY_PROD", "DB_PASSWORD_PROD", "DB_PASSWORD_DEV"] {
        world.set(name, VALUE);
    }
    let list = |options: &[&str]| world.inject([&["secret", "list"], options].concat()).run();
    let names = |options: &[&str]| {
        let listed = json(&list(&[options, &["--json"]].concat()));
        let secrets = listed["secrets"].as_array().expect("a list").clone();
        secrets.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    let names: &dyn Fn(&[&str]) -> Vec<String> = &names;
    assert_eq!(names(&[]), ["DB_PASSWORD_DEV", "DB_PASSWORD_PROD", "STRIPE_API_KEY_PROD"]);
    assert_eq!(names(&["--sort", "-name"])[0], "STRIPE_API_KEY_PROD");
    assert_eq!(names(&["--sort", "updated"])[0], "STRIPE_API_KEY_PROD");
    assert_eq!(names(&["--search", "password"]), ["DB_PASSWORD_DEV", "DB_PASSWORD_PROD"]);
    assert_eq!(names(&["--search", "nothing"]), [""; 0]);
    assert_eq!(names(&["--stale", "90d"]), [""; 0]);
    list(&["--sort", "colour"]).code(64);
    insta::assert_snapshot!(list(&["--search", &"x".repeat(129)]).report(), @"
    exit 64
    --- stderr
    inject: `--search`: the text is longer than a name, which has at most 128 bytes
    ");
    let table = list(&[]);
    table.code(0);
    for name in ["STRIPE_API_KEY_PROD", "DB_PASSWORD_PROD", "DB_PASSWORD_DEV"] {
        assert!(table.out().contains(name), "{}", table.whole());
    }
    assert!(!table.out().contains(VALUE) && !table.out().contains('\u{1b}'), "{}", table.whole());
}

#[test]
fn times_are_rfc_3339_in_json_and_local_in_tables() {
    let world = World::new();
    world.set("A_KEY", "x");
    let show = |zone: &str, json: &[&str]| {
        let words = [&["secret", "show", "A_KEY"], json].concat();
        world.inject(words).env("TZ", zone).run()
    };
    let shown = json(&show("Asia/Tokyo", &["--json"]));
    let created = shown["created_at"].as_str().expect("a time");
    let parsed: jiff::Timestamp = created.parse().expect("RFC 3339");
    assert_eq!(shown["version"], 1);
    assert!(shown["created_by"].as_str().is_some_and(|who| who.starts_with("os:")), "{shown}");
    let tokyo = parsed.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let local = tokyo.strftime("%H:%M").to_string();
    let text = String::from_utf8(show("Asia/Tokyo", &[]).code(0).stdout.clone()).expect("text");
    assert!(text.contains(&local), "{local} in {text}");
}

#[test]
fn a_table_fits_the_terminal() {
    let world = World::new();
    world.set(&format!("LONG_{}", "X".repeat(100)), "x");
    world.set("SHORT_KEY", "x");
    let terminal = |columns: u16, extra: &str| {
        let mut terminal = Terminal::new();
        let script = format!("stty -F \"$T\" cols {columns}; exec >&9 \"$BINARY\" secret list");
        // Opened for writing too: a table is for a terminal only where stdout is one.
        let script = script.replace(">&9", ">\"$T\"");
        let run = world.command("sh", ["-c", &script]).env("T", &terminal.path);
        let run = run.env("BINARY", crate::harness::INJECT).env("TERM", "xterm-256color");
        let run = if extra.is_empty() { run } else { run.env(extra, "1") };
        let options = terminal.situation();
        run.situation(options).run().code(0);
        terminal.rest()
    };
    for columns in [40, 80, 200] {
        let screen = terminal(columns, "NO_COLOR");
        assert!(!screen.contains('\u{1b}'), "NO_COLOR: {screen:?}");
        assert!(screen.contains("SHORT_KEY"), "{screen}");
        for line in screen.lines() {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
        }
    }
}

#[test]
fn removal_asks_or_is_told_yes() {
    let world = World::new();
    world.set("A_KEY", "x");
    let ended = world.inject(["secret", "rm", "A_KEY"]).stdin("").run();
    assert_ne!(ended.exit(), 0, "nobody said yes\n{}", ended.whole());
    assert_eq!(value(&world, "A_KEY"), b"x");
    world.inject(["secret", "rm", "A_KEY", "--yes"]).run().code(0);
    world.inject(["secret", "show", "A_KEY"]).run().code(78);
}

#[test]
fn check_tells_what_a_launch_would_find() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    world.write("work/app.yaml", "a: $DB_PASSWORD_PROD\nb: ${MISSING_KEY}\n");
    let ended = world.inject(["check", "app.yaml"]).env("DB", "$DB_PASSWORD_PROD").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 78
    --- stdout
    REFERENCE         PLACE          FOUND    VERSION  LAST UPDATED
    DB_PASSWORD_PROD  variable `DB`  yes      1        [TIME]
                      app.yaml:1:4
    MISSING_KEY       app.yaml:2:4   missing
    --- stderr
    inject: `MISSING_KEY` is missing
        in app.yaml:2:4
        set it with `inject secret set MISSING_KEY`, or keep the text with `--literal MISSING_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    ended.code(78);
    let ended = world.inject(["check"]).env("DB", "$DB_PASSWORD_PROD").run();
    ended.code(0);
    assert!(!ended.out().contains(VALUE));
    let found =
        json(&world.inject(["check", "--report", "json"]).env("DB", "$DB_PASSWORD_PROD").run());
    assert!(found.to_string().contains("DB_PASSWORD_PROD"), "{found}");
}

#[test]
fn check_offline_asks_nobody() {
    let world = World::new();
    world.write("work/app.yaml", "a: ${A_KEY}\n");
    world.inject(["check", "--offline", "app.yaml"]).run().code(0);
    world.write("work/app.yaml", "a: ${A_KEY:-x}\n");
    world.inject(["check", "--offline", "app.yaml"]).run().code(65);
    assert!(!world.path("data").exists());
}
