//! What a server says of itself, and what it never says.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use super::server::{serve, world};
use super::{Reply, Server};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
const ORG: &str = "/api/v1/orgs/default";

#[test]
fn each_line_is_one_event_in_text_or_json() {
    for format in ["text", "json"] {
        let world = world();
        let options = [&LISTEN[..], &["--log-format", format, "--log-level", "debug"]].concat();
        let server = Server::start(&world, &options);
        assert_eq!(server.connect(0).get("/healthz").status, 200);
        server.signal(Signal::SIGTERM);
        let ended = server.end();
        ended.code(0);
        let log = ended.err();
        let event = |line: &str| match format {
            "json" => {
                let line: Value = serde_json::from_str(line).expect("JSON");
                line["event"].as_str().expect("each has one").to_owned()
            }
            _ => line.split(' ').nth(2).expect("the third word").to_owned(),
        };
        let events: Vec<_> = log.lines().map(event).collect();
        assert_eq!(events, ["listening", "request", "ending", "ended"], "{log}");
    }
}

#[test]
fn a_request_has_one_name_in_log_answer_and_problem() {
    let world = world();
    let options = [&LISTEN[..], &["--log-format", "json", "--log-level", "debug"]].concat();
    let server = Server::start(&world, &options);
    let mut connection = server.connect(0);
    let reply = connection.get(&format!("{ORG}/secrets/NO_SUCH_KEY"));
    let id = reply.header("x-request-id").expect("each answer has one").to_owned();
    assert_eq!((id.len(), reply.status), (16, 404));
    let problem: Value = serde_json::from_slice(&reply.body).expect("a problem");
    assert_eq!(problem["instance"], format!("urn:inject:request:{id}"));
    let line: Value = serde_json::from_str(&server.logs(&id)).expect("JSON");
    for (key, value) in [
        ("level", "debug"),
        ("event", "request"),
        ("method", "GET"),
        ("route", "/api/v1/orgs/{org}/secrets/{name}"),
        ("client", "127.0.0.1"),
        ("secrets", "NO_SUCH_KEY"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    assert_eq!(line["status"], 404);
    assert!(line["ms"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 60_000.0), "{line}");
    let time = line["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    assert!(time.is_some(), "{line}");
    let another = connection.get(&format!("{ORG}/secrets/NO_SUCH_KEY"));
    assert_ne!(another.header("x-request-id"), Some(&*id));
}

#[test]
fn names_are_said_at_debug_level_alone() {
    let said = |level: &str| {
        let world = world();
        let options = [&LISTEN[..], &["--log-level", level]].concat();
        let server = Server::start(&world, &options);
        let mut connection = server.connect(0);
        connection.get(&format!("{ORG}/secrets/DB_PASSWORD_PROD"));
        connection.request(
            "POST",
            &format!("{ORG}/resolve"),
            "",
            br#"{"names":["DB_PASSWORD_PROD"]}"#,
        );
        server.signal(Signal::SIGTERM);
        let ended = server.end();
        ended.code(0);
        ended.err()
    };
    assert!(said("debug").contains("secrets=DB_PASSWORD_PROD"));
    for level in ["info", "warn", "error"] {
        let log = said(level);
        assert!(!log.contains("DB_PASSWORD_PROD") && !log.contains("debug"), "{level}: {log}");
        assert_eq!(log.contains(" info "), level == "info", "{log}");
    }
}

#[test]
fn what_a_client_sends_is_in_no_line() {
    let world = world();
    let options = [&LISTEN[..], &["--log-level", "debug"]].concat();
    let server = Server::start(&world, &options);
    let canary = "c4n4ry";
    let header = format!("authorization: Bearer {canary}\r\nx-odd: {canary}\r\n");
    let body = format!("{{\"value\":\"{canary}\"}}");
    let mut replies: Vec<Reply> = Vec::new();
    for (method, path) in [
        ("PUT", format!("{ORG}/secrets/A_KEY")),
        ("PUT", format!("{ORG}/secrets/A_KEY?{canary}")),
        ("GET", format!("{ORG}/secrets?q={canary}&cursor={canary}")),
        ("GET", format!("/{canary}")),
        ("GET", format!("{ORG}/secrets/{canary}")),
        (canary, "/healthz".to_owned()),
        (canary, "/".to_owned()),
        ("POST", format!("{ORG}/resolve")),
    ] {
        replies.push(server.connect(0).request(method, &path, &header, body.as_bytes()));
    }
    // What is no HTTP at all.
    let mut odd = server.connect(0);
    odd.send(format!("{canary} {canary}\r\n\r\n"));
    odd.try_reply().ok();
    let ids = replies.iter().map(|reply| reply.header("x-request-id").expect("one").to_owned());
    for id in ids {
        server.logs(&id);
    }
    server.signal(Signal::SIGTERM);
    let ended = server.end();
    ended.code(0);
    assert!(!ended.err().contains(canary), "{}", ended.whole());
    assert!(!ended.out().contains(canary), "{}", ended.whole());
}

#[test]
fn a_master_key_in_the_environment_is_warned_of_and_not_said() {
    let world = world();
    let key = fs::read_to_string(world.path("data/master.key")).expect("it was made");
    fs::remove_file(world.path("data/master.key")).expect("it is ours");
    let run = serve(&world, &LISTEN).env("INJECT_MASTER_KEY", key.trim());
    let server = Server::of(&world, run, 1);
    assert!(server.logs("master_key_exposed").contains(" warn "));
    assert_eq!(server.connect(0).get("/readyz").status, 200);
    assert!(!server.logged().contains(key.trim()));
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    let world = world();
    let pipe = world.path("log");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).expect("a fresh name");
    // Opened so that the writer finds a reader, which reads nothing yet.
    let reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&pipe);
    let reader = reader.expect("it is there");
    let run = serve(&world, &[&LISTEN[..], &["--log-level", "debug"]].concat());
    let script = format!("exec \"$@\" 2>{}", pipe.display());
    let server = Server::of(&world, run.within(["sh", "-c", &script, "sh"]), 1);
    let mut connection = server.connect(0);
    let requests = 8000;
    for _ in 0..requests / 40 {
        connection.send("GET /healthz HTTP/1.1\r\nhost: store\r\n\r\n".repeat(40));
        for _ in 0..40 {
            assert_eq!(connection.reply().status, 200);
        }
    }
    let unread = reader.try_clone().expect("a descriptor is free");
    nix::fcntl::fcntl(&unread, nix::fcntl::FcntlArg::F_SETFL(OFlag::empty())).expect("a pipe");
    let lines = read_until_dropped(unread);
    let whole = lines.iter().filter(|line| line.contains(" request ")).count();
    let last = lines.last().expect("one at least");
    let dropped = last.rsplit_once("lines=").and_then(|(_, count)| count.parse::<usize>().ok());
    let dropped = dropped.expect("a count");
    assert!(dropped > 0 && whole + dropped <= requests, "{whole} lines, {dropped} dropped");
    assert!(lines.iter().all(|line| line.starts_with("20") && line.contains('Z')), "whole lines");
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}

fn read_until_dropped(log: File) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(log).lines() {
        lines.push(line.expect("a text"));
        if lines.last().is_some_and(|line| line.contains("lines_dropped")) {
            break;
        }
    }
    lines
}
