//! What a program sees of itself is what it would have seen without `inject`. The same probe is
//! started directly and through the launcher, in many situations and three ways; whatever differs
//! is shown as a diff.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::harness::{Ended, INJECT, Run, Terminal, World, probe};
use crate::scripted_store::{ScriptedStore, secrets};

const VALUE: &str = "s3cr3t-of-the-d4tabase";

/// How the launcher gets at its values. What the program sees must not depend on it.
#[derive(Clone, Copy, Debug)]
enum Way {
    NoReference,
    Embedded,
    Loopback,
}

const WAYS: [Way; 3] = [Way::NoReference, Way::Embedded, Way::Loopback];

/// Options of `probe start`, the odd entries among the variables, the probe's further arguments.
#[derive(Clone, Default)]
struct Situation {
    options: Vec<String>,
    entries: Vec<Vec<u8>>,
    arguments: Vec<OsString>,
}

#[test]
fn nothing_special() {
    conforms(&Situation::default());
}

#[test]
fn closed_descriptors() {
    for closed in [&["0"][..], &["1"], &["2"], &["0", "1"], &["1", "2"], &["0", "1", "2"]] {
        conforms(&situation(closed.iter().flat_map(|fd| ["--close", fd])));
    }
}

#[test]
fn ignored_signals() {
    for signal in ["PIPE", "TERM", "INT", "HUP", "CHLD", "RT5", "XFSZ"] {
        conforms(&situation(["--ignore", signal]));
    }
    conforms(&situation(["--ignore", "PIPE", "--ignore", "TERM", "--ignore", "USR1"]));
}

#[test]
fn default_signals() {
    let all = ["PIPE", "TERM", "INT", "QUIT", "CHLD", "WINCH"];
    conforms(&situation(all.iter().flat_map(|signal| ["--default", signal])));
}

#[test]
fn blocked_signals() {
    for signal in ["TERM", "INT", "PIPE", "CHLD", "RT5"] {
        conforms(&situation(["--block", signal]));
    }
    conforms(&situation(["--block", "TERM", "--ignore", "TERM"]));
}

#[test]
fn pending_signals() {
    for signal in ["HUP", "USR1", "PIPE", "RT5"] {
        conforms(&situation(["--pending", signal]));
    }
    // These two end a launcher that waits, blocked or not; one that need not wait leaves them.
    for signal in ["TERM", "INT"] {
        compare(&World::new(), Way::NoReference, &situation(["--pending", signal]));
    }
}

#[test]
fn inherited_descriptors() {
    let hosts = "/proc/self/exe";
    for fd in ["3", "4", "7", "63", "900"] {
        conforms(&situation(["--open", &format!("{fd}:{hosts}")]));
    }
    let several = ["--open", "3:/dev/null", "--open", "5:/dev/zero", "--open", "6:/etc"];
    conforms(&situation(several));
    conforms(&situation(["--open", "5:/dev/zero", "--close", "0", "--close", "2"]));
    conforms(&situation(["--open", "5:/dev/zero", "--close-on-exec", "5"]));
    conforms(&situation(["--open", "5:/dev/zero", "--nonblocking", "5", "--append", "1"]));
}

#[test]
fn resource_limits() {
    // As setrlimit(2) numbers them: CPU, DATA, STACK, CORE, NPROC, NOFILE, MEMLOCK, AS, MSGQUEUE.
    let limits = [
        "0:600:900",
        "2:268435456:536870912",
        "3:262144:1048576",
        "3:-1:-1",
        "4:0:0",
        "4:-1:-1",
        "4:4096:8192",
        "6:400:500",
        "7:24:24",
        "7:64:4096",
        "8:0:0",
        "9:268435456:268435456",
        "12:1000:1000",
    ];
    for limit in limits {
        conforms(&situation(["--limit", limit]));
    }
}

#[test]
fn process_attributes() {
    for mask in ["0", "027", "077", "777"] {
        conforms(&situation(["--umask", mask]));
    }
    for pair in [
        ["--nice", "7"],
        ["--oom", "300"],
        ["--personality", "40000"],
        ["--parent-death", "USR1"],
        ["--timer-slack", "70000"],
        ["--no-new-privileges", "1"],
        ["--subreaper", "1"],
        ["--huge-pages-off", "1"],
        ["--alarm", "600"],
    ] {
        conforms(&situation(pair));
    }
}

#[test]
fn a_working_directory_that_is_gone() {
    let world = World::new();
    for way in WAYS {
        compare(&world, way, &situation(["--gone-directory", &world.text("work/gone")]));
    }
}

#[test]
fn a_controlling_terminal() {
    let world = World::new();
    for way in WAYS {
        let mut views = Vec::new();
        for through in [false, true] {
            let terminal = Terminal::new();
            let options = terminal.situation();
            let options = situation(options.iter().map(String::as_str));
            let view = view(&world, way, &options, through);
            views.push(view.replace(&terminal.path, "[TERMINAL]"));
        }
        same(&views[0], &views[1], &format!("a controlling terminal, {way:?}"));
    }
}

#[test]
fn odd_entries_of_the_environment() {
    let odd: [&[&[u8]]; 9] = [
        &[b"LATIN=caf\xe9", b"\xff\xfe=bytes", b"\xc3\x28"],
        &[b"TWICE=first", b"OTHER=x", b"TWICE=second", b"TWICE=first"],
        &[b"no equals sign", b"ALONE", b"$", b" "],
        &[b"=x", b"=", b"==", b"=C:=C:\\dir", b""],
        &[b"EMPTY=", b"NEWLINES=a\nb\n\n", b"TAB=\t", b"ESCAPE=\x1b[31m"],
        &[b"spring.datasource.password=x", b"with space=x", b"BASH_FUNC_f%%=() {  :\n}"],
        &[b"DOLLARS=$$ $$$ a$ $1 $2y$10$N9qo8uLO $host ${lower} ${} ${1} $", b"PS1=\\u$ "],
        &[b"LC_ALL=tr_TR.UTF-8", b"MALLOC_PERTURB_=1", b"GLIBC_TUNABLES=x", b"LD_PRELOAD=/x.so"],
        &[b"RUST_BACKTRACE=full", b"RUST_LOG=trace", b"NO_COLOR=", b"TOKIO_WORKER_THREADS=0"],
    ];
    for entries in odd {
        // `probe start` reads entries that each end in NUL, so that an empty one is one too.
        let entries = entries.iter().map(|entry| entry.to_vec()).collect();
        conforms(&Situation { entries, ..Situation::default() });
    }
}

#[test]
fn a_large_environment() {
    let mut entries = vec![[b"LONGEST=", "x".repeat(131_071 - 8).as_bytes()].concat()];
    entries.extend((0..4000).map(|n| format!("VARIABLE_{n}=value {n}").into_bytes()));
    conforms(&Situation { entries, ..Situation::default() });
}

#[test]
fn odd_arguments() {
    let arguments: Vec<OsString> = [
        &b""[..],
        b"",
        b"--",
        b"-x",
        b"--help",
        b"--env",
        b"A=$DB_PASSWORD_PROD",
        b"${DB_PASSWORD_PROD:-x}",
        b"\xff\xfe",
        b"a b\n",
        b"",
    ]
    .iter()
    .map(|argument| OsStr::from_bytes(argument).to_owned())
    .collect();
    conforms(&Situation { arguments, ..Situation::default() });
    let many = (0..9000).map(|n| format!("argument {n}").into()).collect();
    conforms(&Situation { arguments: many, ..Situation::default() });
}

#[test]
fn the_empty_environment() {
    let world = World::new();
    let file = world.text("view.txt");
    let program = probe().to_str().expect("a text");
    let empty = |run: Run<'_>| looked_at(&world, run.entries(Vec::new()).streams("stream"));
    let direct = empty(world.command(program, ["view", &file]));
    let through = empty(world.inject(["--", program, "view", &file]));
    same(&direct, &through, "the empty environment");
}

#[test]
fn the_name_as_it_was_typed() {
    let world = World::new();
    let file = world.text("view.txt");
    let body = fs::read(probe()).expect("it is compiled");
    copy(&world, "bin/probe", &body);
    copy(&world, "work/near", &body);
    for typed in ["probe", "./near", "../bin/probe", "near"] {
        let path = format!("PATH=/nowhere::{}:/usr/bin", world.text("bin")).into_bytes();
        let home = format!("HOME={}", world.text("home")).into_bytes();
        let seen = |run: Run<'_>| {
            looked_at(&world, run.entries(vec![path.clone(), home.clone()]).streams("stream"))
        };
        // An empty entry of PATH is the working directory; bash writes it out, glibc does not.
        let direct = seen(world.command(typed, ["view", &file]));
        let direct = direct.replace("execfn \"near\"", "execfn \"./near\"");
        let through = seen(world.inject(["--", typed, "view", &file]));
        assert!(direct.contains(&format!("arg 0 \"{typed}\"\n")), "{direct}");
        same(&direct, &through, typed);
    }
}

#[test]
fn the_process_that_was_started_is_the_program() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    let mut started = world
        .inject(["--".as_ref(), probe().as_os_str(), "wait".as_ref()])
        .env("DB", "$DB_PASSWORD_PROD")
        .start();
    let ready = format!("ready {}\n", started.pid());
    assert_eq!(String::from_utf8_lossy(&started.printed()), ready);
    let tasks = fs::read_dir(format!("/proc/{}/task", started.pid())).expect("it runs").count();
    assert_eq!(tasks, 1, "threads of the program");
    let memory = fs::read_to_string(format!("/proc/{}/maps", started.pid())).expect("it runs");
    assert!(!memory.contains(INJECT), "the launcher is still mapped:\n{memory}");
    started.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(started.end().exit(), -15, "the program's own end is what the caller sees");
}

/// Compares in each of the three ways.
#[track_caller]
fn conforms(situation: &Situation) {
    let world = World::new();
    for way in WAYS {
        compare(&world, way, situation);
    }
}

#[track_caller]
fn compare(world: &World, way: Way, situation: &Situation) {
    let direct = view(world, way, situation, false);
    let through = view(world, way, situation, true);
    same(&direct, &through, &format!("{way:?}, {:?}", situation.options));
}

/// One view: direct, the environment is what the launcher is to make of it.
#[track_caller]
fn view(world: &World, way: Way, situation: &Situation, through: bool) -> String {
    let program = probe().as_os_str().to_owned();
    let mut command = vec![program, "view".into(), world.path("view.txt").into()];
    command.extend(situation.arguments.iter().cloned());
    let store = through.then(|| prepared(world, way)).flatten();
    let run = match through {
        true => world.inject([OsString::from("--")].into_iter().chain(command)),
        false => world.command(&command[0], &command[1..]),
    };
    let entries = entries(world, way, &situation.entries, through, store.as_ref());
    let run = run.entries(entries).situation(&situation.options).streams("stream");
    let seen = looked_at(world, run);
    let requests = store.map_or(0, |store| store.requests().len());
    let expected = usize::from(through && matches!(way, Way::Loopback));
    assert_eq!(requests, expected, "requests to the store");
    seen
}

/// The store that the launcher is to use.
fn prepared(world: &World, way: Way) -> Option<ScriptedStore> {
    match way {
        Way::NoReference => None,
        Way::Embedded => {
            if !world.path("data").exists() {
                world.set("DB_PASSWORD_PROD", VALUE);
            }
            None
        }
        Way::Loopback => Some(ScriptedStore::tcp([secrets([("DB_PASSWORD_PROD", VALUE)])])),
    }
}

/// Odd entries in the midst of ordinary ones. Through the launcher there are references and
/// settings; directly there are the values, and no settings.
fn entries(
    world: &World,
    way: Way,
    odd: &[Vec<u8>],
    through: bool,
    store: Option<&ScriptedStore>,
) -> Vec<Vec<u8>> {
    let mut entries = vec![b"PATH=/usr/bin:/bin".to_vec()];
    let home = format!("HOME={}", world.text("home")).into_bytes();
    match (through, way) {
        (_, Way::NoReference) => entries.extend([home, b"PLAIN=value".to_vec()]),
        (false, _) => {
            entries.extend([home, format!("DB=a{VALUE}b").into()]);
            entries.extend([b"TEXT=$DB_PASSWORD_PROD".to_vec(), b"Z=26".to_vec()]);
        }
        (true, _) => {
            entries.push(format!("INJECT_DATA={}", world.text("data")).into());
            entries.extend([home, b"DB=a${DB_PASSWORD_PROD}b".to_vec()]);
            entries.push(b"INJECT_PORT=tcp://10.0.0.1:80".to_vec());
            entries.extend([b"TEXT=$$DB_PASSWORD_PROD".to_vec(), b"Z=26".to_vec()]);
        }
    }
    let half = entries.len() / 2;
    entries.splice(half..half, odd.iter().cloned());
    if let Some(store) = store {
        entries.push(format!("INJECT_STORE={}", store.url).into());
        entries.push(b"INJECT_ORG=acme".to_vec());
        entries.push(b"INJECT_TOKEN=inj_w_test".to_vec());
    }
    entries
}

/// Runs a probe, and gives what it saw with the process ids told by their roles.
#[track_caller]
fn looked_at(world: &World, run: Run<'_>) -> String {
    let file = world.path("view.txt");
    // What an earlier probe saw must not be taken for this one's.
    let _ = fs::remove_file(&file);
    let ended: Ended = run.run();
    ended.code(0);
    let text = fs::read_to_string(file).unwrap_or_else(|_| panic!("no view\n{}", ended.whole()));
    let own = format!(" {}", ended.pid);
    let roles = |line: &str| match line.split_once(' ') {
        Some((what @ ("pid" | "group" | "session"), _)) if line.ends_with(&own) => {
            format!("{what} [STARTED]\n")
        }
        _ => format!("{line}\n"),
    };
    let text: String = text.lines().map(roles).collect();
    assert!(text.contains("\npid [STARTED]\n"), "another process than was started\n{text}");
    text
}

fn copy(world: &World, relative: &str, body: &[u8]) {
    let from = world.write(&format!("{relative}.source"), body);
    let status = Command::new("install").arg("-D").args([from, world.path(relative)]).status();
    assert!(status.expect("install(1) of coreutils is there").success());
}

fn situation<'a>(options: impl IntoIterator<Item = &'a str>) -> Situation {
    let options = options.into_iter().map(str::to_owned).collect();
    Situation { options, ..Situation::default() }
}

/// Fails with the lines that are in one view only.
#[track_caller]
fn same(direct: &str, through: &str, situation: &str) {
    if direct == through {
        return;
    }
    let mut diff = String::new();
    let (before, after): (Vec<_>, Vec<_>) = (direct.lines().collect(), through.lines().collect());
    for line in before.iter().filter(|line| !after.contains(line)) {
        writeln!(diff, "- {line}").expect("a string takes every write");
    }
    for line in after.iter().filter(|line| !before.contains(line)) {
        writeln!(diff, "+ {line}").expect("a string takes every write");
    }
    panic!("{situation}\n- directly, + through inject\n{diff}");
}
