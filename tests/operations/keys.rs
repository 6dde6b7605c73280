//! Where the master key comes from: a file, a systemd credential, a command, a variable; one key or
//! several; and what is said of each that is no good.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Ended, Run, Terminal, World, eventually};
use crate::operations::{AWAY, store, with_secrets, write_key};

const NEW: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";

/// Each way to give a key, with what errors call it. The file holds the text, the program gets it.
struct Source {
    shown: &'static str,
    set: for<'w> fn(Run<'w>, &str, &str) -> Run<'w>,
}

const SOURCES: [Source; 4] = [
    Source {
        shown: "[DIR]/given/inject-master-key`",
        set: |run, path, _| run.env("INJECT_MASTER_KEY_FILE", path),
    },
    Source {
        shown: "[DIR]/given/inject-master-key`",
        set: |run, path, _| {
            run.env("CREDENTIALS_DIRECTORY", path.trim_end_matches("/inject-master-key"))
        },
    },
    Source {
        shown: "the output of `--master-key-command`",
        set: |run, path, _| run.env("INJECT_MASTER_KEY_COMMAND", format!("cat '{path}'")),
    },
    Source {
        shown: "the value of `INJECT_MASTER_KEY`",
        set: |run, _, text| run.env("INJECT_MASTER_KEY", text),
    },
];

/// A world whose key is not beside the data.
fn world() -> (World, String) {
    let world = with_secrets(&["A_KEY"]);
    let key = fs::read_to_string(world.path("data/master.key")).expect("it is there");
    fs::remove_file(world.path("data/master.key")).expect("it is ours");
    (world, key)
}

impl Source {
    fn give<'w>(&self, world: &World, run: Run<'w>, text: &str) -> Run<'w> {
        write_key(world, "given/inject-master-key", text);
        (self.set)(run, &world.text("given/inject-master-key"), text)
    }

    fn launch(&self, world: &World, text: &str) -> Ended {
        self.give(world, world.launch(["--export", "A_KEY"]), text).run()
    }

    fn store(&self, world: &World, args: &[&str], text: &str) -> Ended {
        self.give(world, store(world, args), text).run()
    }
}

#[test]
fn every_source_with_one_key_and_with_several() {
    for source in SOURCES {
        let (world, key) = world();
        for text in [key.clone(), format!("{NEW}{key}"), format!("\n{key}\n\n{NEW}")] {
            assert_eq!(source.launch(&world, &text).seen().text("A_KEY"), "a_key");
            source.store(&world, &["verify"], &text).code(0);
        }
    }
}

#[test]
fn what_is_no_good_is_told_and_changes_nothing() {
    for source in SOURCES {
        let (world, key) = world();
        let before = fs::read(world.path("data/store.db")).expect("it is there");
        let many: String = (10..30).map(|n| format!("{n}{}\n", &NEW.trim_end()[2..])).collect();
        let cases = [
            (NEW.to_owned(), "is not the one of"),
            ("short".to_owned(), "is not 32 bytes in base64"),
            (format!("{NEW}{}", &key[..20]), "the master key in line 2 of"),
            (format!("{key}{key}"), "the same master key in two lines"),
            (many, "more than 16 master keys"),
        ];
        for (text, says) in cases {
            for ended in [
                source.launch(&world, &text),
                source.store(&world, &["verify"], &text),
                source.store(&world, &["rekey"], &text),
                source.store(&world, &["backup", "../b"], &text),
            ] {
                ended.code(74);
                assert!(ended.err().contains(says), "{}", ended.whole());
                assert!(ended.err().contains(source.shown), "{}", ended.whole());
                assert!(!ended.err().contains(text.trim()), "it says the key");
            }
        }
        assert_eq!(fs::read(world.path("data/store.db")).expect("it is there"), before);
        assert!(!world.path("data/master.key").exists() && !world.path("b").exists());
    }
}

#[test]
fn a_source_that_gives_nothing() {
    let (world, _) = world();
    let verify = |variable, value: &str| store(&world, &["verify"]).env(variable, value).run();
    let missing = verify("INJECT_MASTER_KEY_FILE", &world.text("nothing"));
    assert!(missing.code(74).err().contains("nothing` is missing"), "{}", missing.whole());
    let failing = verify("INJECT_MASTER_KEY_COMMAND", "echo why >&2; exit 3");
    assert!(failing.code(74).err().contains("exit status: 3"), "{}", failing.whole());
    assert!(failing.err().starts_with("why\n"), "{}", failing.err());
    let silent = verify("INJECT_MASTER_KEY_COMMAND", "true");
    assert!(silent.code(74).err().contains("is not 32 bytes"), "{}", silent.whole());
    let none = store(&world, &["verify"]).run();
    assert!(none.code(74).err().contains("master.key` is missing"), "{}", none.whole());
}

/// The processes whose arguments hold this word.
fn running(word: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("it is mounted").flatten();
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(word)).collect()
}

/// A signal ends what waits for the command, and the command with all that it started.
#[test]
fn a_command_ends_with_who_waits_for_it() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        let (world, _) = world();
        let mark = format!("86400.{}{}", std::process::id(), signal as i32);
        let command = format!("sleep {mark} & sleep {mark}; exit 1");
        for run in [store(&world, &["verify"]), world.launch(["--export", "A_KEY"])] {
            let run = run.situation(AWAY).env("INJECT_MASTER_KEY_COMMAND", &command);
            let started = run.start();
            eventually(|| (running(&mark).len() == 3).then_some(())).expect("they run");
            started.signal(signal);
            started.end().code(128 + signal as i32);
            eventually(|| running(&mark).is_empty().then_some(())).expect("they are killed");
        }
    }
}

/// A hangup that is ignored, as under nohup(1), stays so.
#[test]
fn an_ignored_hangup_ends_nothing() {
    let (world, _) = world();
    let run = store(&world, &["verify"]).situation(AWAY).situation(["--ignore", "HUP"]);
    let command = "touch ../runs; exec sleep 86400";
    let started = run.env("INJECT_MASTER_KEY_COMMAND", command).start();
    eventually(|| world.path("runs").exists().then_some(())).expect("it runs");
    // Of two that wait, the lower number comes first (signal(7)).
    started.signal(Signal::SIGHUP);
    started.signal(Signal::SIGTERM);
    started.end().code(143);
}

#[test]
fn a_command_may_ask_on_the_terminal() {
    let (world, key) = world();
    let command = "printf 'key? ' >/dev/tty; read key </dev/tty; echo $key";
    for run in [store(&world, &["verify"]), world.launch(["--export", "A_KEY"])] {
        let mut terminal = Terminal::new();
        let run = run.situation(terminal.situation()).env("INJECT_MASTER_KEY_COMMAND", command);
        let started = run.start();
        terminal.shows("key? ");
        terminal.types(&key);
        started.end().code(0);
    }
}

/// Whether it is ended by a key or from elsewhere, the command is not left at the terminal.
#[test]
fn a_command_that_asks_ends_with_who_waits_for_it() {
    for (typed, code) in [("\u{3}", 130), ("\u{1c}", 131), ("", 143)] {
        let (world, _) = world();
        let mark = format!("86402.{}{code}", std::process::id());
        let command = format!("printf 'key? ' >/dev/tty; exec sleep {mark}");
        let mut terminal = Terminal::new();
        let run = store(&world, &["verify"]).situation(terminal.situation());
        let started = run.env("INJECT_MASTER_KEY_COMMAND", command).start();
        terminal.shows("key? ");
        match typed {
            "" => started.signal(Signal::SIGTERM),
            keys => terminal.types(keys),
        }
        started.end().code(code);
        eventually(|| running(&mark).is_empty().then_some(())).expect("it ends");
    }
}

/// One that prints too much is ended with all that it started.
#[test]
fn a_command_without_an_end_is_killed() {
    let (world, _) = world();
    let mark = format!("86401.{}", std::process::id());
    let command = format!("sleep {mark} & yes");
    let run = store(&world, &["verify"]).situation(AWAY);
    let ended = run.env("INJECT_MASTER_KEY_COMMAND", command).run();
    assert!(ended.code(74).err().contains("more than 4096 bytes"), "{}", ended.whole());
    eventually(|| running(&mark).is_empty().then_some(())).expect("it is killed");
}

/// A source that is not this program's to write gives both keys, the new one first.
#[test]
fn a_rekey_from_a_source_that_cannot_be_written() {
    for source in &SOURCES[1..] {
        let (world, key) = world();
        let alone = source.store(&world, &["rekey"], &key);
        assert!(alone.code(64).err().contains("gives one master key"), "{}", alone.whole());
        let both = format!("{NEW}{key}");
        let done = source.store(&world, &["rekey"], &both);
        assert!(done.code(0).out().contains("needs the keys behind the first in"));
        for text in [NEW, &both] {
            assert_eq!(source.launch(&world, text).seen().text("A_KEY"), "a_key");
        }
        let old = source.launch(&world, &key);
        assert!(old.code(74).err().contains("is not the one of"), "{}", old.whole());
        let again = source.store(&world, &["rekey"], &both);
        assert!(again.code(0).out().contains("sealed 0 secrets anew"), "{}", again.whole());
    }
}

#[test]
fn options_go_before_variables() {
    let (world, key) = world();
    write_key(&world, "good", &key);
    let verify = |options: &[&str]| {
        let args: Vec<&str> = ["verify"].iter().chain(options).copied().collect();
        store(&world, &args).env("INJECT_MASTER_KEY", NEW).run().exit()
    };
    assert_eq!(verify(&[]), 74);
    assert_eq!(verify(&["--master-key-file", "../good"]), 0);
    assert_eq!(verify(&["--master-key-command", "cat ../good"]), 0);
}

/// Then the system takes away what has ended, unless it is asked not to; and the application gets
/// the ignore as it was.
#[test]
fn a_command_is_waited_for_where_ended_children_are_ignored() {
    let (world, key) = world();
    write_key(&world, "given", &key);
    let command = format!("sh -c true; cat '{}'", world.text("given"));
    let words = ["--export", "A_KEY", "--", "grep", "SigIgn", "/proc/self/status"];
    let run = world.inject(words).situation(["--ignore", "CHLD"]);
    let ended = run.env("INJECT_MASTER_KEY_COMMAND", command).run();
    let ignored = ended.code(0).out();
    let ignored = ignored.strip_prefix("SigIgn:\t").expect("the kernel's line").trim();
    let ignored = u64::from_str_radix(ignored, 16).expect("a mask");
    assert_ne!(ignored & 1 << (Signal::SIGCHLD as i32 - 1), 0, "{}", ended.whole());
}
