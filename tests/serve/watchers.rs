//! As many who wait for a change as a large cluster has, all of them from one address: they are in
//! nobody's way, cost little, and hear of the change soon.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::crowd::{address, idle, start};
use super::server::{Server, head, world};
use crate::harness::World;

/// More than there are connections that do not watch. The other ends take as many descriptors of
/// this process, which its other tests need too.
const WATCHERS: usize = 5000;
/// At a time: who has not been let in yet has its address's share alone.
const STEP: usize = 500;
/// What one may cost, built without optimization.
const BYTES_MAX: u64 = 32 << 10;
/// What may be left of all of them when they are gone; a fifth of what they took.
const KEPT_BYTES_MAX: u64 = 24 << 20;
/// Until all have heard: no longer than they took to ask, where the machine has other things to do.
const WOKEN_MAX: Duration = Duration::from_secs(10);
/// Until one who may no longer wait is told so; waiting would take 300 s.
const TOLD_MAX: Duration = Duration::from_secs(20);
const HELD: &str = "inject_watches_held";
const NAME: &str = "DB_PASSWORD_PROD";

/// What the store's own page says of itself.
const SAME_ORIGIN: &str = "sec-fetch-site: same-origin\r\n";

/// The request of one who knows the first version.
fn watch(world: &World) -> String {
    let made = world.inject(["token", "create", "--workload", "web"]).run();
    let token = format!("authorization: Bearer {}\r\n", made.code(0).out().trim());
    let body = format!(r#"{{"versions":{{"{NAME}":1}},"wait":300}}"#);
    head("POST", "/api/v1/orgs/default/watch", &token, body.len()) + &body
}

/// So many more that wait, all from one address.
fn wait(server: &Server, request: &str, held: &mut Vec<TcpStream>, count: usize) {
    for mut stream in idle(address(server), [127, 0, 0, 1], count) {
        stream.set_nonblocking(false).expect("a socket");
        stream.write_all(request.as_bytes()).expect("it reads");
        held.push(stream);
    }
    let all = held.len() as u64;
    server.metric(HELD, |held| held == all);
}

#[test]
fn thousands_wait_behind_one_address_and_hear_of_a_change() {
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 20_000, 20_000)
        .expect("so many sockets need as many descriptors: ulimit -Hn 20000");
    let world = world();
    let request = watch(&world);
    let server = start(&world, &["--limit", "7:20000:20000"], &[]);
    let resident = || server.metric("process_resident_memory_bytes", |_| true);
    let before = resident();
    let begun = Instant::now();
    let mut held = Vec::new();
    while held.len() < WATCHERS {
        wait(&server, &request, &mut held, STEP);
    }
    let woken_max = WOKEN_MAX.max(begun.elapsed());
    let bytes = resident().saturating_sub(before) / WATCHERS as u64;
    assert!(bytes < BYTES_MAX, "{bytes} bytes each");
    // Launches beside them, from the same address and from another.
    let resolve = format!(r#"{{"names":["{NAME}"]}}"#);
    for index in [0, 1] {
        let path = "/api/v1/orgs/default/resolve";
        let reply = server.connect(index).request("POST", path, "", resolve.as_bytes());
        assert_eq!(reply.status, 200);
    }
    let path = format!("/api/v1/orgs/default/secrets/{NAME}");
    let begun = Instant::now();
    let put = server.connect(1).request("PUT", &path, "", br#"{"value":"another"}"#);
    assert_eq!(put.status, 200);
    for stream in &mut held {
        stream.set_read_timeout(Some(woken_max)).expect("a socket");
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).expect("it is told");
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(":2"), "{answer}");
    }
    assert!(begun.elapsed() < woken_max, "{:?}", begun.elapsed());
    drop(held);
    server.metric("inject_connections", |count| count == 1);
    // What they took goes back to the system, but for what any server that worked has.
    server.metric("process_resident_memory_bytes", |bytes| bytes < before + KEPT_BYTES_MAX);
}

#[test]
fn with_few_descriptors_it_says_so_and_watches_are_as_any_other() {
    let world = world();
    let request = watch(&world);
    // 32 connections, 8 from one address, and none beside them.
    let server = start(&world, &["--limit", "7:96:96"], &[]);
    let line = server.logs("few_descriptors");
    assert!(
        line.contains("warn few_descriptors descriptors=96 connections=32 watching=0"),
        "{line}"
    );
    let mut held = Vec::new();
    wait(&server, &request, &mut held, 8);
    for mut over in idle(address(&server), [127, 0, 0, 1], 4) {
        over.set_nonblocking(false).expect("a socket");
        assert!(matches!(over.read(&mut [0]), Ok(0) | Err(_)), "it is closed at once");
    }
    assert_eq!(server.connect(1).get("/healthz").status, 200);
}

#[test]
fn who_may_no_longer_watch_loses_the_place_of_one_who_does() {
    let world = world();
    let made = world.inject(["token", "create", "--workload", "web", "--json"]).run();
    let made: serde_json::Value = serde_json::from_slice(&made.code(0).stdout).expect("JSON");
    let (token, id) =
        (made["token"].as_str().expect("a text"), made["id"].as_str().expect("a text"));
    let server = start(&world, &[], &[]);
    let body = format!(r#"{{"versions":{{"{NAME}":1}},"wait":300}}"#);
    let token = format!("authorization: Bearer {token}\r\n");
    let mut line = server.connect(0);
    line.send(head("POST", "/api/v1/orgs/default/watch", &token, body.len()) + &body);
    server.metric(HELD, |held| held == 1);
    world.inject(["token", "revoke", id]).run().code(0);
    let begun = Instant::now();
    let reply = line.reply();
    assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
    assert!(begun.elapsed() < TOLD_MAX, "{:?}", begun.elapsed());
    line.is_closed();
}

#[test]
fn who_signs_out_waits_no_more_by_that_session_and_no_other_does() {
    let world = world();
    let server = start(&world, &[], &[]);
    let path = "/api/v1/session";
    let token = std::fs::read_to_string(world.path("token")).expect("it was written");
    let signed_in = || {
        let body = format!(r#"{{"token":"{token}"}}"#);
        let reply = server.connect(0).request("POST", path, SAME_ORIGIN, body.as_bytes());
        assert_eq!(reply.status, 200);
        let cookie = reply.header("set-cookie").expect("a session").split(';').next();
        format!("cookie: {}\r\n{SAME_ORIGIN}", cookie.expect("split gives one"))
    };
    let (session, other) = (signed_in(), signed_in());
    let body = format!(r#"{{"versions":{{"{NAME}":1}},"wait":300}}"#);
    let held = |session: &str| {
        let mut line = super::Connection::to(&server.addresses[0]).expect("it listens");
        line.send(head("POST", "/api/v1/orgs/default/watch", session, body.len()) + &body);
        line
    };
    let (mut line, mut others) = (held(&session), held(&other));
    let mut by_token = server.connect(0);
    by_token.begin("/api/v1/orgs/default/watch", body.len());
    by_token.send(&body);
    server.metric(HELD, |held| held == 3);
    let begun = Instant::now();
    let mut bare = super::Connection::to(&server.addresses[0]).expect("it listens");
    assert_eq!(bare.request("DELETE", path, &session, b"").status, 204);
    let reply = line.reply();
    assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
    assert!(begun.elapsed() < TOLD_MAX, "{:?}", begun.elapsed());
    line.is_closed();
    server.metric(HELD, |held| held == 2);
    let changed = format!("/api/v1/orgs/default/secrets/{NAME}");
    assert_eq!(
        server.connect(1).request("PUT", &changed, "", br#"{"value":"another"}"#).status,
        200
    );
    assert_eq!((others.reply().status, by_token.reply().status), (200, 200));
}
