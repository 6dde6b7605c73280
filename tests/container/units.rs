//! The units of contrib/systemd: that systemd reads them, how much they leave open, and that what
//! they forbid is nothing that the store does.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::harness::{Started, World, eventually};

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/systemd");
/// Each with the most that `systemd-analyze security` may hold against it, from 0.0 to 10.0: what
/// is left is the network, and for the sidecar that it sees and signals its user's other processes.
const EXPOSURE: [(&str, f32); 3] =
    [("inject-store.service", 1.2), ("inject-sidecar.service", 1.6), ("app.service", 1.4)];

fn analyze(args: &[&str]) -> String {
    let output = Command::new("systemd-analyze").args(args).stdin(Stdio::null()).output();
    let output = output.expect("systemd-analyze is needed: tests/run installs systemd");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn unit(name: &str) -> String {
    fs::read_to_string(format!("{UNITS}/{name}")).expect("it is there")
}

#[test]
fn systemd_reads_every_line() {
    let world = World::new();
    for (name, _) in EXPOSURE {
        // What it starts is not installed here; everything else is as it stands.
        let text = unit(name).replace("/usr/local/bin/inject", "/bin/true");
        let path = world.write(name, text);
        let path = path.to_str().expect("temporary paths are UTF-8");
        assert_eq!(analyze(&["verify", "--man=no", path]), "", "{name}");
    }
}

#[test]
fn little_is_left_open() {
    for (name, most) in EXPOSURE {
        let said = analyze(&["security", "--offline=true", &format!("{UNITS}/{name}")]);
        let level = said.split("Overall exposure level for").nth(1);
        let level = level.and_then(|rest| rest.split_whitespace().nth(1)?.parse::<f32>().ok());
        let level = level.unwrap_or_else(|| panic!("{said}"));
        assert!(level <= most, "{name}: {level}\n{said}");
    }
}

/// What a unit's SystemCallFilter= lets through.
fn allowed(unit: &str) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (groups, denies) = match line.strip_prefix('~') {
            Some(groups) => (groups, true),
            None => (line, false),
        };
        for group in groups.split_whitespace() {
            for call in members(group) {
                if denies {
                    allowed.remove(&call)
                } else {
                    allowed.insert(call)
                };
            }
        }
    }
    allowed
}

/// The system calls of a group, with those of the groups that it names.
fn members(group: &str) -> BTreeSet<String> {
    let said = analyze(&["syscall-filter", group]);
    let listed = said.lines().filter(|line| line.starts_with(' ')).map(str::trim);
    let listed: Vec<&str> = listed.filter(|word| !word.starts_with('#')).collect();
    assert!(!listed.is_empty(), "{group}: {said}");
    let of = |word: &&str| match word.starts_with('@') {
        true => members(word),
        false => BTreeSet::from([(*word).to_owned()]),
    };
    listed.iter().flat_map(of).collect()
}

/// A server under strace, which writes down all its system calls. It runs as who is not root: for
/// root SQLite does more.
fn traced(world: &World) -> Started {
    let given = Command::new("chown").args(["-R", "65534:65534"]).arg(world.path("")).status();
    assert!(given.expect("chown(1) of coreutils is there").success());
    let serve = ["store", "serve", "--plaintext", "--listen", "127.0.0.1:0"];
    let trace = ["strace", "-f", "-qq", "-e", "signal=none", "-o", &world.text("trace")];
    let run = world.inject(serve).situation(["--user", "65534"]);
    run.streams("server").within(trace).start()
}

#[test]
fn the_store_s_filter_lets_through_all_that_it_does() {
    let world = World::new();
    world.set("A_KEY", "a value");
    let mut started = traced(&world);
    started.printed();
    let out = world.path("server.out");
    let address = || {
        let text = fs::read_to_string(&out).expect("made at the start");
        let line = text.split_once('\n')?.0.to_owned();
        line.strip_prefix("INJECT_STORE=http://").map(str::to_owned)
    };
    let address = eventually(address).expect("it prints where it listens");
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The signal is for who is traced: strace holds such back from itself.
    let served = fs::read_to_string(world.path("trace")).expect("strace writes it");
    let pid = served.lines().find(|line| line.contains("listen(")).expect("it listens");
    let pid: i32 = pid.split(' ').next().and_then(|pid| pid.parse().ok()).expect("strace -f");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
    started.end().code(0);

    let trace = fs::read_to_string(world.path("trace")).expect("strace wrote it");
    // `PID name(…` begins a call; the probe's own come before the store's execve.
    let (_, store) = trace.rsplit_once("execve(").expect("it was started");
    let call = |line: &str| {
        let rest = line.split_once(' ')?.1.trim_start();
        let name = rest.split_once('(')?.0;
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then(|| name.to_owned())
    };
    let calls: BTreeSet<String> = store.lines().skip(1).filter_map(call).collect();
    assert!(calls.contains("accept4") && calls.len() > 30, "{calls:?}");
    let allowed = allowed(&unit("inject-store.service"));
    let denied: Vec<_> = calls.difference(&allowed).collect();
    assert!(denied.is_empty(), "{denied:?}");
}
