//! How a server ends and goes on: what is under way is finished, a second signal does not wait.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::server::{serve, world};
use super::{Connection, Server};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
const NAMES: &[u8] = br#"{"names":["DB_PASSWORD_PROD"]}"#;

/// Begins a resolve that ends with the names; it is seen to be there by what its body takes.
fn begin(server: &Server, busy: &mut Connection) {
    const BEFORE: usize = 20_000;
    busy.begin_resolve(BEFORE + NAMES.len());
    busy.send(" ".repeat(BEFORE));
    server.metric("inject_request_body_bytes", |bytes| bytes == BEFORE as u64);
}

#[test]
fn what_is_under_way_is_finished_and_nobody_else_let_in() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let world = world();
        let server = Server::start(&world, &LISTEN);
        let (mut silent, mut idle, mut busy, mut asking) =
            (server.connect(0), server.connect(0), server.connect(0), server.connect(0));
        assert_eq!(idle.get("/readyz").text(), "ready\n");
        asking.send("GET /readyz HTTP/1.1\r\nhost: ");
        begin(&server, &mut busy);
        server.signal(signal);
        server.logs(" ending ");
        silent.is_closed();
        idle.is_closed();
        assert!(Connection::to(&server.addresses[0]).is_err(), "nobody listens any more");
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
        begin(&server, &mut busy);
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
    begin(&server, &mut busy);
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
