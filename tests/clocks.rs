//! Clocks that are wrong, jump, or have just begun: between commands, under a sidecar, a session
//! and a launcher that waits; and a machine's time since its start. A wall clock says when
//! something was and when a token ends, and nothing else; deadlines go by the time that passed.
//!
//! The system sets no clock of one process: a time namespace shifts only the time since the start,
//! and only before a process begins. So what a process is told is changed, see
//! `serve_faults/wall_clock.rs`; the kernel is not, and who waits for an absolute time since the
//! start waits by the kernel's: a sidecar over which the machine stood still cannot be tested so.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::{Ended, INJECT, Run, World, needs_root};
use crate::scripted_store::{Answer, ScriptedStore};
use crate::serve_faults::{Clock, Kind, Organization};
use crate::service::served::Day;
use crate::sidecar::{Scene, Side};

const DAY: i64 = 24 * 60 * 60;
/// To 1970, to before anything here was made, and to 2232, the last year that Linux can be set to.
const JUMPS: [i64; 5] = [-400 * DAY, 400 * DAY, i64::MIN, 200 * 365 * DAY, 0];

/// So many seconds from now; the earliest is the first day of 1970.
fn from_now(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("it is later than 1970").as_secs().cast_signed();
    seconds.max(60 - now)
}

#[track_caller]
fn at(seconds: i64, run: Run<'_>) -> Ended {
    let ended = Clock::start(run, from_now(seconds)).end();
    assert!(!ended.err().contains("panicked"), "{seconds}: {}", ended.whole());
    ended
}

#[test]
fn between_commands_it_may_be_any_time() {
    let organization = Organization::new();
    let world = &organization.world;
    let value = |seconds: i64| format!("at {seconds}");
    // What is on record of one time: two that are set, and one that is resolved.
    const EACH: usize = 3;
    for seconds in JUMPS {
        let local = |words: &str| organization.local(words);
        at(seconds, local("secret set A_KEY").stdin(value(seconds))).code(0);
        at(seconds, local("secret set B_KEY").stdin("x")).code(0);
        at(DAY, local("secret rm B_KEY --yes")).code(0);
        for words in ["secret list --stale 90d", "audit list", "workload list", "audit verify"] {
            at(seconds, local(words)).code(0);
        }
        let launch = world.launch(["--export", "A_KEY"]).env("INJECT_ORG", "acme");
        assert_eq!(at(seconds, launch).seen().text("A_KEY"), value(seconds));
        at(seconds, world.inject(["store", "verify"])).code(0);
        at(-DAY, local("audit checkpoint -o ../mark")).code(0);
    }
    // Also those before a record of 1970.
    let count = |words: &str| organization.local(words).run().out().matches("\"sequence\"").count();
    let since = "2001-01-01";
    let later = format!("audit list --json --limit 1000 --since {since}");
    assert_eq!(count(&later), count("audit list --json --limit 1000") - EACH);
    organization.verify();
    organization.local("audit verify --checkpoint ../mark").run().code(0);
    let list = organization.local("secret list --json").run();
    let list: serde_json::Value = serde_json::from_slice(&list.code(0).stdout).expect("JSON");
    assert_eq!(list["secrets"][0]["version"], json!(JUMPS.len()));
}

/// What was made under a wrong clock ends by what it says, as soon as the clock is right.
#[test]
fn a_token_ends_by_what_was_written_when_it_was_made() {
    let organization = Organization::new();
    organization.local("secret set A_KEY").stdin("x").run().code(0);
    let token = |seconds| {
        let create = organization.local("token create --workload web --expires 1h");
        at(seconds, create).code(0).out().trim().to_owned()
    };
    let made = [token(-2 * 60 * 60), token(0), token(400 * DAY)];
    let server = organization.serve();
    let status = |token: &String| {
        let headers = format!("authorization: Bearer {token}\r\n");
        let body = br#"{"names":["A_KEY"]}"#;
        server.connect(0).request("POST", "/api/v1/orgs/acme/resolve", &headers, body).status
    };
    assert_eq!(made.each_ref().map(status), [401, 200, 200]);
    Clock::of(server.pid(), Kind::Wall).set(2 * 60 * 60);
    assert_eq!(made.each_ref().map(status), [401, 401, 200]);
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}

/// A pin says by itself whom to trust: a machine whose clock has stood still can be started.
#[test]
fn a_launch_needs_no_right_clock() {
    let day = Day::new();
    day.owner().set("A_KEY", "x");
    let token = day.token("web", &[]);
    for seconds in JUMPS {
        let ended = at(seconds, day.with(&token).launch(&["--export", "A_KEY"]));
        assert_eq!(ended.seen().text("A_KEY"), "x", "{seconds}");
    }
}

/// Whatever the wall clock does, it waits as long as it was told; and where the machine stood still
/// for longer than that, no longer.
#[test]
fn a_launcher_waits_as_long_as_it_was_told() {
    let world = World::new();
    for (kind, seconds) in [(Kind::Wall, DAY), (Kind::Wall, -DAY), (Kind::Monotonic, 3600)] {
        let store = ScriptedStore::unix(&world.path("silent.sock"), [Answer::Hang]);
        let run = world.inject(["--timeout", "1s", "--", "true"]).env("A", "$A_KEY");
        let run = run.env("INJECT_STORE", &store.url).env("INJECT_ORG", "acme");
        let begun = Instant::now();
        let started = run.start();
        store.arrival();
        Clock::of(started.pid(), kind).set(seconds);
        let ended = started.end();
        ended.code(69);
        let waited = matches!(kind, Kind::Monotonic) || begun.elapsed() >= Duration::from_secs(1);
        assert!(waited, "{seconds}: {}", ended.whole());
        drop(store);
        std::fs::remove_file(world.path("silent.sock")).expect("it is ours");
    }
}

#[test]
fn a_sidecar_goes_on_whatever_time_it_is() {
    let scene = Scene::new();
    let side: Side = scene.start(&["--into=out", "--render=key.txt:key", "--listen=127.0.0.1:0"]);
    let pids = [side.pid(), scene.day.served.pid()];
    let clocks = pids.map(|pid| Clock::of(pid, Kind::Wall));
    // The last but one is still less than the token lasts.
    for (number, seconds) in (2..).zip([-400 * DAY, i64::MIN, 60 * DAY, 0]) {
        clocks.iter().for_each(|clock| clock.set(from_now(seconds)));
        scene.set("DB_KEY", &format!("key-{number}"));
        scene.becomes("out/key", &format!("key key-{number}\n"));
        side.is_ready(true);
    }
    let ended = side.end();
    assert!(!ended.code(0).err().contains("panicked"), "{}", ended.whole());
}

/// It ends an hour after its last use, by the time that passed.
#[test]
fn a_session_ends_by_the_time_that_passed() {
    let organization = Organization::new();
    let token = organization.member("ann");
    let after = |kind, seconds| {
        let server = organization.serve();
        let body = json!({"token": token}).to_string();
        let signed = server.connect(0).request("POST", "/api/v1/session", "", body.as_bytes());
        let cookie = signed.header("set-cookie").expect("it is signed in").to_owned();
        let cookie = cookie.split(';').next().expect("split gives one").to_owned();
        let clock = Clock::of(server.pid(), kind);
        clock.set(seconds);
        let headers = format!("cookie: {cookie}\r\n");
        let status = server.connect(0).request("GET", "/api/v1/orgs", &headers, b"").status;
        server.signal(Signal::SIGTERM);
        server.end().code(0);
        status
    };
    for (kind, seconds, expected) in [
        (Kind::Wall, 400 * DAY, 200),
        (Kind::Wall, -400 * DAY, 200),
        (Kind::Monotonic, 59 * 60, 200),
        (Kind::Monotonic, 61 * 60, 401),
    ] {
        assert_eq!(after(kind, seconds), expected, "{seconds}");
    }
}

/// A machine that was just started, and one that has run for a hundred years.
#[test]
fn a_machine_may_run_for_any_time() {
    needs_root();
    let uptime = std::fs::read_to_string("/proc/uptime").expect("Linux tells it");
    let uptime: u64 = uptime.split('.').next().and_then(|text| text.parse().ok()).expect("seconds");
    let script = r#"set -e; printf one | "$B" secret set A_KEY; "$B" --export A_KEY -- true
        TOKEN=$("$B" token create --workload web --names '*')
        "$B" store serve --listen "unix:$S" & until [ -S "$S" ]; do :; done
        printf two | "$B" secret set A_KEY
        export INJECT_TOKEN="$TOKEN" INJECT_STORE="unix:$S"
        "$B" -e 'A=$A_KEY' -- sh -c 'test "$A" = two'; cut -d. -f1 /proc/uptime
        kill -TERM $!; wait $!"#;
    for seconds in [format!("-{uptime}"), (100 * 365 * DAY).to_string()] {
        let world = World::new();
        let shift = [format!("--monotonic={seconds}"), format!("--boottime={seconds}")];
        let namespace = ["unshare", "--time", "--fork"].map(str::to_owned);
        let run = world.command("sh", ["-c", script]).env("B", INJECT);
        let run = run.env("S", world.text("s")).env("INJECT_ORG", "default");
        let ended = run.within(namespace.into_iter().chain(shift)).run();
        ended.code(0);
        let shown = ended.out();
        let shown: u64 = shown.lines().rev().find_map(|line| line.parse().ok()).expect("seconds");
        assert!(!(600..1_000_000_000).contains(&shown), "{}", ended.whole());
    }
}
