//! Those who leave before they are answered: what they began takes no more than if they had stayed,
//! and what they announced takes nothing.

use std::fs;

use nix::sys::resource::{Resource, setrlimit};

use super::crowd::{peak, start};
use super::server::world;
use super::{Connection, Server};
use crate::harness::World;

const SECRETS: &str = "/api/v1/orgs/default/secrets";
const RESIDENT: &str = "process_resident_memory_bytes";
const CONNECTIONS: &str = "inject_connections";

/// A view of the database, or a write, of somebody else.
fn by_hand(world: &World, statement: &str) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(world.path("data/store.db")).expect("it is there");
    database.execute_batch(statement).expect("nobody keeps it");
    database
}

/// Puts a value under this name, over loopback; the answer is still to come.
fn put(server: &Server, name: &str, length: usize) -> Connection {
    let mut line = server.connect(0);
    let body = format!("{{\"value\":\"{}\"}}", "x".repeat(length));
    line.begin_put(&format!("{SECRETS}/{name}"), body.len());
    // Who is told that there is no room may stop in the middle.
    line.try_send(body);
    line
}

#[test]
fn what_is_announced_takes_no_memory() {
    const ANNOUNCED: usize = 500_000;
    const SENT: usize = (16 << 10) + 1;
    const SENDERS: usize = 600;
    const GROWTH_MAX: u64 = 96 << 20;
    setrlimit(Resource::RLIMIT_NOFILE, 20_000, 20_000)
        .expect("hundreds of sockets need as many descriptors: ulimit -Hn 20000");
    let world = world();
    let server = start(&world, &["--limit", "7:20000:20000"], &[]);
    let send = || {
        let mut line = server.connect(0);
        line.begin_resolve(ANNOUNCED);
        line.send(vec![b' '; SENT]);
        line
    };
    // From then on the allocator keeps what is as long as this.
    drop(send());
    server.metric(CONNECTIONS, |count| count == 1);
    let before = peak(&server);
    let senders: Vec<_> = (0..SENDERS).map(|_| send()).collect();
    server.metric("inject_request_body_bytes", |bytes| bytes == (SENDERS * SENT) as u64);
    drop(senders);
    server.metric(CONNECTIONS, |count| count == 1);
    let grown = peak(&server) - before;
    assert!(grown < GROWTH_MAX, "{grown} bytes for {SENDERS} of {SENT}");
}

#[test]
fn readers_are_no_more_for_those_who_left() {
    /// The writer, four who read, and two for what takes no time.
    const CONNECTIONS_MAX: usize = 7;
    let world = world();
    let server = start(&world, &[], &[]);
    let mut line = server.connect(1);
    for number in 0..300 {
        let path = format!("{SECRETS}/SOME_NAME_{number}");
        assert_eq!(line.request("PUT", &path, "", br#"{"value":"x"}"#).status, 201);
    }
    let whole = format!("{SECRETS}?limit=1000");
    for _ in 0..100 {
        server.connect(0).begin_get(&whole);
    }
    server.metric(CONNECTIONS, |count| count == 2);
    assert_eq!(line.get(&whole).status, 200);
    let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs");
    let open = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let open = open.filter(|file| file.ends_with("store.db")).count();
    assert!((2..=CONNECTIONS_MAX).contains(&open), "{open} connections to the database");
}

/// As many come as there is room for the bodies of, and leave; others come.
#[test]
fn what_waits_for_the_writer_is_counted_also_for_those_who_left() {
    const GROWTH_MAX: u64 = 96 << 20;
    const AT_ONCE: u64 = 60;
    const ROUNDS: u64 = 6;
    /// What the writer took from the queue before it was kept waiting.
    const IN_HAND: u64 = 20;
    let world = world();
    let server = start(&world, &[], &[]);
    let before = server.metric(RESIDENT, |_| true);
    let writer = by_hand(&world, "BEGIN IMMEDIATE");
    let refused = "inject_requests_refused_total{limit=\"body_bytes\"}";
    for round in 1..=ROUNDS {
        // Too long: that is for the writer to say.
        let lines: Vec<_> = (0..AT_ONCE).map(|_| put(&server, "LONG_VALUE", 390_000)).collect();
        server.metric("inject_queue_depth", |waiting| {
            waiting + IN_HAND + server.metric(refused, |_| true) >= round * AT_ONCE
        });
        drop(lines);
        server.metric(CONNECTIONS, |count| count == 1);
    }
    let bytes = "inject_request_body_bytes";
    let taken = server.metric(bytes, |_| true);
    assert!((16 << 20..33 << 20).contains(&taken), "{taken} bytes are counted");
    let grown = server.metric(RESIDENT, |_| true).saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes");
    writer.execute_batch("ROLLBACK").expect("it was begun");
    server.metric(bytes, |bytes| bytes == 0);
}

#[test]
fn what_waits_for_a_reader_keeps_no_value() {
    const GROWTH_MAX: u64 = 20 << 20;
    const AT_ONCE: u64 = 40;
    const ROUNDS: u64 = 12;
    let world = world();
    world.set("A_KEY", "x");
    let server = start(&world, &[], &[]);
    let before = server.metric(RESIDENT, |_| true);
    let reader = by_hand(&world, "BEGIN; SELECT count(*) FROM secret");
    for round in 1..=ROUNDS {
        let lines: Vec<_> = (0..AT_ONCE).map(|_| put(&server, "A_KEY", 65_000)).collect();
        server.metric("inject_audit_records_total", |records| records == round * AT_ONCE);
        drop(lines);
    }
    let grown = server.metric(RESIDENT, |_| true).saturating_sub(before);
    assert!(grown < GROWTH_MAX, "{grown} bytes");
    reader.execute_batch("COMMIT").expect("it was begun");
    let last = format!("{SECRETS}/A_KEY");
    assert_eq!(server.connect(1).request("PUT", &last, "", br#"{"value":"y"}"#).status, 200);
}
