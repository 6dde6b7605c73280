//! How a server ends and goes on: what is under way is finished, a second signal does not wait.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::Server;
use super::server::{serve, world};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
const NAMES: &[u8] = br#"{"names":["DB_PASSWORD_PROD"]}"#;

#[test]
fn what_is_under_way_is_finished_and_nobody_else_let_in() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let world = world();
        let server = Server::start(&world, &LISTEN);
        let (mut silent, mut idle, mut busy, mut asking) =
            (server.connect(0), server.connect(0), server.connect(0), server.connect(0));
        assert_eq!(idle.get("/readyz").text(), "ready\n");
        busy.begin_resolve(NAMES.len());
        asking.send("GET /readyz HTTP/1.1\r\nhost: ");
        // Two that hold a place: the resolve, and who asks for this.
        server.metric("inject_requests_under_way", |count| count == 2);
        server.signal(signal);
        server.logs(" ending ");
        silent.is_closed();
        idle.is_closed();
        assert!(super::Connection::to(&server.addresses[0]).is_err(), "nobody listens any more");
        asking.send("store\r\n\r\n");
        let reply = asking.reply();
        assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
        assert_eq!(reply.text(), "draining\n");
        busy.send(NAMES);
        assert_eq!(busy.reply().status, 200);
        busy.is_closed();
        let ended = server.end();
        ended.code(0);
        assert!(ended.err().ends_with(" ended\n"), "{}", ended.whole());
        assert!(!ended.err().contains("requests_cut_off"), "{}", ended.whole());
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    for (first, second, code) in
        [(Signal::SIGTERM, Signal::SIGINT, 130), (Signal::SIGINT, Signal::SIGTERM, 143)]
    {
        let world = world();
        let server = Server::start(&world, &LISTEN);
        let mut busy = server.connect(0);
        busy.begin_resolve(NAMES.len());
        server.metric("inject_requests_under_way", |count| count == 2);
        server.signal(first);
        server.logs(" ending ");
        server.signal(second);
        server.end().code(code);
    }
}

#[test]
fn whoever_takes_too_long_is_cut_off() {
    let world = world();
    let server = Server::start(&world, &LISTEN);
    let mut busy = server.connect(0);
    busy.begin_resolve(NAMES.len());
    server.metric("inject_requests_under_way", |count| count == 2);
    let begun = Instant::now();
    server.signal(Signal::SIGTERM);
    let ended = server.end();
    ended.code(0);
    assert!(begun.elapsed().as_secs() >= 8, "it waited");
    assert!(ended.err().contains("requests_cut_off connections=1"), "{}", ended.whole());
}

#[test]
fn a_hangup_reloads_and_nothing_else() {
    let world = world();
    let server = Server::start(&world, &LISTEN);
    let mut kept = server.connect(0);
    assert_eq!(kept.get("/healthz").status, 200);
    server.signal(Signal::SIGHUP);
    server.logs(" reloaded");
    assert_eq!(kept.get("/healthz").status, 200);
    assert_eq!(server.connect(0).get("/healthz").status, 200);
}

#[test]
fn what_was_inherited_does_not_end_it() {
    let world = world();
    let situation = ["--ignore", "INT", "--ignore", "HUP", "--block", "TERM"];
    let server = Server::of(&world, serve(&world, &LISTEN).situation(situation), 1);
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        server.signal(signal);
    }
    // A client that leaves before its answer: the write fails, and is no signal.
    for _ in 0..20 {
        let mut leaving = server.connect(0);
        leaving.send("GET /metrics HTTP/1.1\r\nhost: store\r\n\r\n".repeat(50));
    }
    assert_eq!(server.connect(0).get("/healthz").status, 200);
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}
