//! Where a server listens, what it prints, and what keeps it from listening.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use insta::assert_snapshot;
use nix::sys::signal::Signal;

use super::Server;
use super::server::{serve, world};
use crate::harness::{World, eventually};

#[test]
fn each_address_is_printed_and_answers() {
    let world = world();
    let socket = format!("unix:{}", world.text("s.sock"));
    let options =
        ["--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", &socket, "--listen"];
    let options: Vec<_> = options.into_iter().chain(["localhost:0"]).collect();
    let server = Server::start(&world, &options);
    assert!(server.addresses[0].starts_with("http://127.0.0.1:"), "{:?}", server.addresses);
    assert!(server.addresses[1].starts_with("http://[::1]:"), "{:?}", server.addresses);
    assert_eq!(server.addresses[2], socket);
    assert!(server.addresses.iter().all(|address| !address.ends_with(":0")));
    for index in 0..4 {
        let reply = server.connect(index).get("/healthz");
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok\n"));
    }
    server.signal(Signal::SIGTERM);
    server.end().code(0);
    assert!(!world.path("s.sock").exists());
}

#[test]
fn the_variable_names_several() {
    let world = world();
    let socket = format!("unix:{}", world.text("s.sock"));
    let run = serve(&world, &[]).env("INJECT_LISTEN", format!("127.0.0.1:0, {socket}"));
    let server = Server::of(&world, run, 2);
    assert_eq!(server.connect(0).get("/healthz").status, 200);
    assert_eq!(server.connect(1).get("/healthz").status, 200);
}

#[test]
fn a_relative_socket_is_printed_so_that_it_can_be_copied() {
    let world = world();
    let server = Server::start(&world, &["--listen", "unix:s.sock"]);
    assert_eq!(server.addresses[0], format!("unix:{}", world.text("work/s.sock")));
    assert_eq!(server.connect(0).get("/healthz").status, 200);
}

#[test]
fn a_socket_is_its_owners_alone_whatever_the_mask_is() {
    let world = world();
    let socket = format!("unix:{}", world.text("s.sock"));
    let mode = || fs::metadata(world.path("s.sock")).expect("it listens").permissions().mode();
    for (options, expected) in
        [(&["--listen"][..], 0o600), (&["--listen-mode", "0660", "--listen"], 0o660)]
    {
        let options: Vec<_> = options.iter().copied().chain([&*socket]).collect();
        let run = serve(&world, &options).situation(["--umask", "000"]);
        let server = Server::of(&world, run, 1);
        assert_eq!(mode() & 0o777, expected);
        server.signal(Signal::SIGTERM);
        server.end().code(0);
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let world = World::new();
    let run = serve(&world, &["--listen", "store.acme.com:7410", "--listen", "0.0.0.0:7410"]);
    let run = run.env("INJECT_LISTEN_MODE", "rw").env("INJECT_LOG_LEVEL", "loud");
    assert_snapshot!(run.env("INJECT_LOG_FORMAT", "xml").run().report(), @"
    exit 64
    --- stderr
    inject: 5 problems
      `--listen`: `store.acme.com:7410`: the host is no IP address; write one, such as `127.0.0.1:7410`, `0.0.0.0:7410` or `[::]:7410`
      `--listen`: plain http on `0.0.0.0:7410` would show secrets to the network; only loopback is listened on so, unless `INJECT_ALLOW_PLAINTEXT=1`
      `INJECT_LISTEN_MODE`: a mode is octal, such as `0640`, up to `0777`
      `INJECT_LOG_FORMAT`: write `text` or `json`
      `INJECT_LOG_LEVEL`: write `error`, `warn`, `info` or `debug`
    ");
}

#[test]
fn plain_http_leaves_the_machine_only_if_it_may() {
    let world = world();
    let run = serve(&world, &["--listen", "0.0.0.0:0"]).env("INJECT_ALLOW_PLAINTEXT", "1");
    let server = Server::of(&world, run, 1);
    // Every address is listened on: the machine's name stands for them.
    assert!(!server.addresses[0].contains("0.0.0.0"), "{:?}", server.addresses);
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let world = World::new();
    let run = world.inject(["store", "serve"]).env("INJECT_TLS_CERT", "a.pem");
    assert_snapshot!(run.run().report(), @"
    exit 64
    --- stderr
    inject: `INJECT_TLS_CERT` and `INJECT_TLS_KEY` are set together, or neither
    ");
    let run = serve(&world, &["--tls-cert", "a.pem", "--tls-key", "a.key"]).run();
    run.code(64);
}

#[test]
fn without_a_store_or_its_key_nothing_is_listened_on() {
    let world = World::new();
    let socket = format!("unix:{}", world.text("s.sock"));
    let options = ["--listen", &*socket];
    assert_snapshot!(serve(&world, &options).run().report(), @"
    exit 64
    --- stderr
    inject: there is no store in `[DIR]/data`
        prepare one with `inject store init --org NAME --owner ADDRESS`
    ");
    world.set("A_KEY", "x");
    fs::remove_file(world.path("data/master.key")).expect("it is ours");
    assert_snapshot!(serve(&world, &options).run().report(), @"
    exit 74
    --- stderr
    inject: the master key `[DIR]/data/master.key` is missing; put it back, for without it no value can be read
    ");
    assert!(!world.path("s.sock").exists());
}

#[test]
fn every_address_that_cannot_be_had_is_named() {
    let world = world();
    let held = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let address = held.local_addr().expect("it is bound").to_string();
    let _live = UnixListener::bind(world.path("live.sock")).expect("a fresh name");
    world.write("file.sock", "a file");
    let live = format!("unix:{}", world.text("live.sock"));
    let file = format!("unix:{}", world.text("file.sock"));
    let lost = format!("unix:{}", world.text("no/such.sock"));
    let good = format!("unix:{}", world.text("good.sock"));
    let options = ["--listen", &*good, "--listen", &address, "--listen", &live];
    let options = [&options[..], &["--listen", &file, "--listen", &lost]].concat();
    let ended = serve(&world, &options).run();
    ended.code(74);
    assert_snapshot!(ended.report(), @"
    exit 74
    --- stderr
    inject: 4 problems
      cannot listen on `127.0.0.1:[PORT]`: another program listens there; end it, or choose another port
      cannot listen on `unix:[DIR]/live.sock`: another server answers there; end it, or choose another path
      cannot listen on `unix:[DIR]/file.sock`: something that is no socket is there; choose another path
      cannot listen on `unix:[DIR]/no/such.sock`: there is no such folder; make it first
    ");
    assert!(!world.path("good.sock").exists(), "what was bound is gone again");
    assert_eq!(fs::read(world.path("file.sock")).expect("it is there"), b"a file");
    assert!(world.path("live.sock").exists());
}

#[test]
fn a_socket_of_a_server_that_is_gone_is_replaced() {
    let world = world();
    let socket = format!("unix:{}", world.text("s.sock"));
    let killed = Server::start(&world, &["--listen", &socket]);
    killed.signal(Signal::SIGKILL);
    killed.end();
    assert!(world.path("s.sock").exists(), "a killed server leaves its socket");
    let server = Server::start(&world, &["--listen", &socket]);
    assert_eq!(server.connect(0).get("/healthz").status, 200);
    // A second server does not take it over, and does not remove it either.
    let second = serve(&world, &["--listen", &socket]).streams("second").run();
    second.code(74);
    assert_eq!(server.connect(0).get("/healthz").status, 200);
}

#[test]
fn a_socket_that_is_another_servers_by_now_stays() {
    let world = world();
    let socket = format!("unix:{}", world.text("s.sock"));
    let server = Server::start(&world, &["--listen", &socket]);
    fs::remove_file(world.path("s.sock")).expect("it is ours");
    let _other = UnixListener::bind(world.path("s.sock")).expect("the name is free");
    server.signal(Signal::SIGTERM);
    server.end().code(0);
    assert!(world.path("s.sock").exists());
}

#[test]
fn it_listens_where_nobody_reads_what_it_prints() {
    let world = world();
    let socket = format!("unix:{}", world.text("s.sock"));
    let run = serve(&world, &["--listen", &socket]);
    let server = run.within(["sh", "-c", "exec \"$@\" >/dev/full", "sh"]).start();
    let answers = || super::Connection::to(&socket).ok().map(|mut to| to.get("/healthz").status);
    assert_eq!(eventually(answers), Some(200));
    server.signal(Signal::SIGTERM);
    let ended = server.end();
    ended.code(0);
    assert!(ended.err().contains("address_not_printed"), "{}", ended.whole());
}
