//! What a supervisor such as systemd hears (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

use super::Server;
use super::server::{serve, world};
use crate::harness::DEADLINE;

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

struct Supervisor(UnixDatagram);

impl Supervisor {
    fn new(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
        Self(socket)
    }

    /// The next message that is no sign of life.
    fn hears(&self) -> String {
        loop {
            let mut bytes = [0; 4096];
            let length = self.0.recv(&mut bytes).expect("a message before the deadline");
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text != "WATCHDOG=1\n" {
                return text;
            }
        }
    }
}

#[test]
fn it_hears_of_each_step() {
    let world = world();
    let name = world.text("notify.sock");
    let by_path = UnixDatagram::bind(&name).expect("a fresh name");
    let abstract_name = format!("inject-test-{}", world.text("").replace('/', "-"));
    let address = SocketAddr::from_abstract_name(&abstract_name).expect("a short name");
    let by_name = UnixDatagram::bind_addr(&address).expect("a fresh name");
    for (socket, shown) in [(by_path, name), (by_name, format!("@{abstract_name}"))] {
        let supervisor = Supervisor::new(socket);
        let run = serve(&world, &LISTEN).env("NOTIFY_SOCKET", shown);
        let server = Server::of(&world, run, 1);
        let ready = format!("READY=1\nSTATUS=serving on {}\n", server.addresses[0]);
        assert_eq!(supervisor.hears(), ready);
        server.signal(Signal::SIGHUP);
        let reloading = supervisor.hears();
        let at = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim_end);
        let at: i64 = at.and_then(|at| at.parse().ok()).expect(&reloading);
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is such a clock");
        assert!((0..60).contains(&(now.tv_sec() - at / 1_000_000)), "{at}, now {now}");
        assert_eq!(supervisor.hears(), ready);
        server.signal(Signal::SIGTERM);
        assert!(supervisor.hears().starts_with("STOPPING=1\n"));
        server.end().code(0);
    }
}

#[test]
fn it_hears_that_the_server_is_alive() {
    let world = world();
    let socket = UnixDatagram::bind(world.path("notify.sock")).expect("a fresh name");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let run = serve(&world, &LISTEN).env("NOTIFY_SOCKET", world.text("notify.sock"));
    let _server = Server::of(&world, run.env("WATCHDOG_USEC", "20000"), 1);
    let mut bytes = [0; 4096];
    let mut signs = 0;
    while signs < 5 {
        let length = socket.recv(&mut bytes).expect("it is alive");
        signs += u32::from(&bytes[..length] == b"WATCHDOG=1\n");
    }
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let world = world();
    let socket = UnixDatagram::bind(world.path("notify.sock")).expect("a fresh name");
    let run = serve(&world, &LISTEN).env("NOTIFY_SOCKET", world.text("notify.sock"));
    let run = run.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let server = Server::of(&world, run, 1);
    server.signal(Signal::SIGTERM);
    server.end().code(0);
    socket.set_nonblocking(true).expect("a socket");
    let mut bytes = [0; 4096];
    while let Ok(length) = socket.recv(&mut bytes) {
        assert_ne!(&bytes[..length], b"WATCHDOG=1\n");
    }
}

#[test]
fn a_supervisor_that_is_not_there_is_an_error() {
    let world = world();
    for address in [world.text("no.sock"), "relative".to_owned()] {
        let run = serve(&world, &LISTEN).env("NOTIFY_SOCKET", address).run();
        run.code(74);
        assert!(run.err().contains("NOTIFY_SOCKET"), "{}", run.whole());
    }
}
