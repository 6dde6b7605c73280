//! More than a server takes: it stays small, and serves the others.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::net::TcpSocket;

use super::server::{serve, world};
use super::{Connection, Server};
use crate::harness::World;

/// So many descriptors make 32 connections, and 8 from one address.
const FEW: [&str; 2] = ["--limit", "7:96:96"];

/// On loopback and on a socket, so that one is asked while the other is full.
pub fn start(world: &World, situation: &[&str], options: &[&str]) -> Server {
    let socket = format!("unix:{}", world.text("s.sock"));
    let options =
        ["--listen", "127.0.0.1:0", "--listen", &socket].into_iter().chain(options.iter().copied());
    let options: Vec<&str> = options.collect();
    Server::of(world, serve(world, &options).situation(situation), 2)
}

pub fn address(server: &Server) -> SocketAddr {
    let address = server.addresses[0].strip_prefix("http://").expect("plain http");
    address.parse().expect("an address")
}

/// Connections from one address of loopback, which say nothing.
pub fn idle(to: SocketAddr, from: [u8; 4], count: usize) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("descriptors are left").block_on(async {
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let socket = TcpSocket::new_v4().expect("descriptors are left");
            socket.bind((from, 0).into()).expect("loopback has this address");
            let stream = socket.connect(to).await.expect("it accepts");
            streams.push(stream.into_std().expect("a socket"));
        }
        streams
    })
}

#[test]
fn an_address_has_its_share_and_others_are_served() {
    let world = world();
    let server = start(&world, &FEW, &[]);
    let mut held = idle(address(&server), [127, 0, 0, 1], 8);
    server.metric("inject_connections", |count| count == 9);
    for mut over in idle(address(&server), [127, 0, 0, 1], 20) {
        over.set_nonblocking(false).expect("a socket");
        assert!(matches!(over.read(&mut [0]), Ok(0) | Err(_)), "it is closed at once");
    }
    for other in 2..10 {
        held.extend(idle(address(&server), [127, 0, 0, other], 2));
        assert_eq!(server.connect(1).get("/healthz").status, 200);
    }
    let refused = "inject_connections_refused_total{limit=\"address\"}";
    assert_eq!(server.metric(refused, |count| count > 0), 20);
    drop(held);
    server.metric("inject_connections", |count| count == 1);
    assert_eq!(server.connect(0).get("/healthz").status, 200);
}

#[test]
fn a_flood_fills_no_log() {
    let world = world();
    let server = start(&world, &FEW, &[]);
    let _held = idle(address(&server), [127, 0, 0, 1], 8);
    server.metric("inject_connections", |count| count == 9);
    let begun = Instant::now();
    let flood = idle(address(&server), [127, 0, 0, 1], 2000);
    let refused = "inject_connections_refused_total{limit=\"address\"}";
    server.metric(refused, |count| count == 2000);
    let seconds = begun.elapsed().as_secs() as usize + 2;
    drop(flood);
    let counted = || {
        let log = server.logged();
        let shown = log.lines().filter(|line| line.contains("connection_refused client=")).count();
        let left_out =
            log.lines().filter_map(|line| line.split_once("of=connection_refused lines="));
        let left_out: usize =
            left_out.map(|(_, count)| count.parse::<usize>().expect("a count")).sum();
        (shown + left_out == 2000).then_some(shown)
    };
    let shown =
        crate::harness::eventually(counted).unwrap_or_else(|| panic!("{}", server.logged()));
    assert!((1..=10 * seconds).contains(&shown), "{shown} lines in {seconds} s");
}

#[test]
fn who_says_nothing_is_closed_and_so_is_who_never_ends() {
    let world = world();
    let server = start(&world, &[], &[]);
    let begun = Instant::now();
    let beginnings = ["", "G", "GET /healthz HTTP/1.1\r\nhost: store\r\nx-odd: "];
    let closed = beginnings.map(|beginning| {
        let mut slow = server.connect(0);
        slow.send(beginning);
        thread::spawn(move || {
            slow.is_closed();
            begun.elapsed()
        })
    });
    for closed in closed {
        let after = closed.join().expect("it is closed");
        assert!(after > Duration::from_secs(9), "{after:?}");
        assert!(after < Duration::from_secs(60), "{after:?}");
    }
    let slow = "inject_connections_too_slow_total{phase=\"head\"}";
    server.metric(slow, |count| count == 3);
}

#[test]
fn ten_thousand_idle_sockets_leave_it_small_and_others_served() {
    let world = world();
    let server = start(&world, &["--limit", "7:20000:20000"], &[]);
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 20_000, 20_000)
        .expect("10,000 sockets need as many descriptors: ulimit -Hn 20000");
    let bytes = |of: &Server| of.metric("process_resident_memory_bytes", |_| true);
    let before = bytes(&server);
    let mut held = Vec::new();
    // Each address gets its share of what the others leave; the sixth still finds room.
    for from in 1..=5 {
        held.extend(idle(address(&server), [127, 0, 0, from], 2000));
        let begun = Instant::now();
        assert_eq!(server.connect(1).get("/healthz").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    let open = server.metric("inject_connections", |_| true);
    assert!((2000..4096).contains(&open), "{open}");
    let grown = bytes(&server).saturating_sub(before);
    assert!(grown < 24 << 20, "{open} connections took {grown} bytes");
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}

#[test]
fn bodies_have_a_budget_and_who_comes_late_is_told_so() {
    let world = world();
    let server = start(&world, &[], &[]);
    let length = 500_000;
    let part = vec![b' '; length - 1];
    let mut waiting: Vec<Connection> = Vec::new();
    let mut told = 0;
    let taken = "inject_request_body_bytes";
    let refused = "inject_requests_refused_total{limit=\"body_bytes\"}";
    // 67 of these are 32 MiB, which one address may have: so many have room, and all of it.
    let mut send = || {
        let mut connection = server.connect(0);
        connection.begin_resolve(length);
        // Who is told that there is no room may stop in the middle.
        connection.try_send(&part);
        waiting.push(connection);
    };
    (0..60).for_each(|_| send());
    server.metric(taken, |bytes| bytes == 60 * part.len() as u64);
    assert_eq!(server.metric(refused, |_| true), 0);
    (0..90).for_each(|_| send());
    server.metric(refused, |count| count >= 16);
    let bytes = server.metric(taken, |_| true);
    // The share is judged before each piece, of 16 KiB at most.
    assert!((16 << 20..=(32 << 20) + (16 << 10)).contains(&bytes), "{bytes} bytes");
    let resident = server.metric("process_resident_memory_bytes", |_| true);
    assert!(resident < 160 << 20, "{resident} bytes");
    assert_eq!(server.connect(1).get("/readyz").status, 200);
    // Others have room, and this address has it for what is short.
    let ask = r#"{"names":["DB_PASSWORD_PROD"]}"#;
    let long = ask.to_owned() + &" ".repeat(400_000);
    for (index, body) in [(1, long.as_str()), (1, ask), (0, ask)] {
        let path = "/api/v1/orgs/default/resolve";
        assert_eq!(server.connect(index).request("POST", path, "", body.as_bytes()).status, 200);
    }
    for connection in &mut waiting {
        connection.try_send(" ");
        let Ok(reply) = connection.try_reply() else { continue };
        told += u64::from(reply.status == 503 && reply.header("retry-after") == Some("1"));
    }
    assert!(told > 0);
    server.metric(refused, |count| count >= told);
    drop(waiting);
    server.metric(taken, |bytes| bytes == 0);
}

/// The most that the server ever had in memory, in bytes (proc_pid_status(5)).
pub fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn answers_have_their_room_before_they_are_made() {
    // 20 MB of values, more than is kept in memory, and 40 who want all of them at once.
    const VALUES: usize = 300;
    const ASKERS: usize = 40;
    let world = world();
    let made = world.inject(["org", "create", "other", "--owner", "olga@other.com"]).run();
    let olga = format!("authorization: Bearer {}\r\n", made.code(0).out().trim());
    let server = start(&world, &[], &[]);
    let mut line = server.connect(1);
    let value = format!("{{\"value\":\"{}\"}}", "x".repeat(65_536));
    for number in 0..VALUES {
        let path = format!("/api/v1/orgs/default/secrets/LARGE_{number}");
        assert_eq!(line.request("PUT", &path, "", value.as_bytes()).status, 201);
    }
    let names: Vec<_> = (0..VALUES).map(|number| format!("\"LARGE_{number}\"")).collect();
    let ask = format!("{{\"names\":[{}]}}", names.join(","));
    let mut askers: Vec<Connection> = (0..ASKERS).map(|_| server.connect(1)).collect();
    for asker in &mut askers {
        asker.begin_resolve(ask.len());
        asker.send(&ask);
    }
    let replies: Vec<_> = askers.iter_mut().map(Connection::reply).collect();
    let answered = replies.iter().filter(|reply| reply.status == 200).count();
    let told = replies.iter().filter(|reply| reply.header("retry-after") == Some("1"));
    let told = told.filter(|reply| reply.status == 503).count();
    assert!(answered > 0 && told > 0, "{answered} answered, {told} told to come back");
    assert_eq!(answered + told, ASKERS);
    let peak = peak(&server);
    assert!(peak < 224 << 20, "it had {peak} bytes for {answered} answers");
    drop((askers, replies));
    server.metric("inject_answer_bytes", |bytes| bytes == 0);
    // Who comes back is answered.
    let whole =
        server.connect(1).request("POST", "/api/v1/orgs/default/resolve", "", ask.as_bytes());
    assert_eq!(whole.status, 200);
    assert!(whole.body.len() > VALUES * 65_536);
    // More than that is none of one answer, however often it is asked for. The first line may have
    // been idle for too long by now.
    let mut line = server.connect(1);
    let more: Vec<_> = (VALUES..VALUES + 50).map(|number| format!("LARGE_{number}")).collect();
    for name in &more {
        let path = format!("/api/v1/orgs/default/secrets/{name}");
        assert_eq!(line.request("PUT", &path, "", value.as_bytes()).status, 201);
    }
    let more: Vec<_> =
        names.into_iter().chain(more.iter().map(|one| format!("\"{one}\""))).collect();
    let long = format!("{{\"names\":[{}]}}", more.join(","));
    let path = "/api/v1/orgs/default/resolve";
    let refused = server.connect(1).request("POST", path, "", long.as_bytes());
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("ask for fewer"));
    others_are_answered(&server, &olga, &ask);
}

/// While those of one organization read nothing of what they asked for.
fn others_are_answered(server: &Server, olga: &str, ask: &str) {
    let mut line = server.connect(1);
    let other = |path: &str| format!("/api/v1/orgs/other/{path}");
    let value = format!("{{\"value\":\"{}\"}}", "x".repeat(65_536));
    assert_eq!(line.request("PUT", &other("secrets/LARGE_0"), olga, value.as_bytes()).status, 201);
    let names = br#"{"names":["*"]}"#;
    assert_eq!(line.request("PATCH", &other("members/olga@other.com"), olga, names).status, 200);
    let one = r#"{"names":["LARGE_0"]}"#;
    let mut unread = Vec::new();
    loop {
        let mut asker = server.connect(1);
        asker.begin_resolve(ask.len());
        asker.send(ask);
        let head = asker.try_head().expect("it answers");
        unread.push(asker);
        if head.starts_with("HTTP/1.1 503") {
            break;
        }
        assert!(unread.len() < 10, "there is room for so many");
    }
    // The first line may have been idle for too long by now.
    let mut line = server.connect(1);
    assert_eq!(line.request("POST", &other("resolve"), olga, one.as_bytes()).status, 200);
}

#[test]
fn the_names_of_a_watch_are_counted_all_the_time() {
    let world = world();
    let server = start(&world, &[], &[]);
    let by_hand = rusqlite::Connection::open(world.path("data/store.db")).expect("it is there");
    by_hand.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let ask = format!("{{\"versions\":{{\"DB_PASSWORD_PROD\":1}}}}{}", " ".repeat(40_000));
    let watch = || {
        let mut line = server.connect(1);
        line.begin("/api/v1/orgs/default/watch", ask.len());
        line.send(&ask);
        line
    };
    // The first look waits for the database, and the second one for the first.
    let _first = watch();
    let bytes = "inject_request_body_bytes";
    server.metric(bytes, |bytes| bytes == ask.len() as u64);
    let _second = watch();
    server.metric("inject_queue_depth", |waiting| waiting == 1);
    assert_eq!(server.metric(bytes, |_| true), 2 * ask.len() as u64);
    by_hand.execute_batch("ROLLBACK").expect("it was begun");
    server.metric(bytes, |bytes| bytes == 0);
}
