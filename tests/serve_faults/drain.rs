//! A server that is told to end while clients ask: what it accepted is answered, and nothing else
//! is done; and a new certificate that is none keeps it as it was.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{Ended, Run};
use crate::serve::server::Server;

use super::{Chance, Organization, Worker, times};

const WORKERS: [&str; 4] = ["ann", "ben", "cat", "dan"];

/// Workers at a server, until `end` has ended it after some answers.
pub fn under_load(
    organization: &Organization,
    workers: &mut [Worker],
    enough: usize,
    end: impl FnOnce(Server) -> Ended,
) -> Ended {
    let server = organization.serve();
    let address = Mutex::new(server.addresses[0].clone());
    let answers = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (address, answers) = (&address, &answers);
        let running: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(move || worker.run(address, answers, usize::MAX)))
            .collect();
        while answers.load(Ordering::Relaxed) < enough
            && running.iter().any(|running| !running.is_finished())
        {
            thread::yield_now();
        }
        end(server)
    })
}

#[test]
fn what_was_accepted_is_answered_and_nothing_else_is_done() {
    let organization = Organization::new();
    let mut workers = WORKERS.map(|name| Worker::new(&organization, name));
    let mut chance = Chance::new();
    for round in 0..times(8, 100) {
        let after = organization.last();
        let enough = 1 + chance.below(80) as usize;
        let ended = under_load(&organization, &mut workers, enough, |server| {
            server.signal(Signal::SIGTERM);
            server.end()
        });
        ended.code(0);
        assert!(!ended.err().contains("cut_off"), "{}", ended.whole());
        for worker in &mut workers {
            let context = format!("round {round}");
            let unanswered = worker.reconcile(&organization, after, &context);
            assert!(!unanswered, "{context}: done for {}, and not answered", worker.actor);
        }
    }
    organization.verify();
}

#[test]
fn a_second_signal_under_load_ends_it_whole() {
    let organization = Organization::new();
    let mut workers = WORKERS.map(|name| Worker::new(&organization, name));
    for round in 0..times(3, 50) {
        let after = organization.last();
        let ended = under_load(&organization, &mut workers, 20, |server| {
            server.signal(Signal::SIGTERM);
            server.signal(Signal::SIGINT);
            server.end()
        });
        assert!([0, 130, 143].contains(&ended.exit()), "{}", ended.whole());
        for worker in &mut workers {
            worker.reconcile(&organization, after, &format!("round {round}"));
        }
        organization.verify();
    }
}

/// Certificate and key from OpenSSL, for the address that is listened on.
fn certificate(organization: &Organization) -> String {
    let (key, certificate) =
        (organization.world.text("tls.key"), organization.world.text("tls.pem"));
    let request =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let names = ["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30"];
    let kind = ["-addext", "basicConstraints=critical,CA:FALSE"];
    let files = ["-keyout", &key, "-out", &certificate];
    let made =
        organization.world.command("openssl", [&request[..], &names, &kind, &files].concat());
    made.run().code(0);
    std::fs::read_to_string(certificate).expect("just made")
}

#[test]
fn a_bad_certificate_keeps_the_one_before() {
    let organization = Organization::new();
    let world = &organization.world;
    organization.local("secret set ANN_KEY_0").stdin("x").run().code(0);
    let token = organization.member("ann");
    world.write("before.pem", certificate(&organization));
    let (key, shown) = (world.text("tls.key"), world.text("tls.pem"));
    let options = ["store", "serve", "--listen", "127.0.0.1:0", "--tls-cert", &shown, "--tls-key"];
    let run = world.inject([&options[..], &[&key]].concat()).streams("server");
    let server = Server::of(world, run, 1);
    let launch = |authority: &str| -> Run<'_> {
        let run =
            world.inject(["--timeout", "2s", "--ca-file", &world.text(authority), "--", "true"]);
        let run = run.env("INJECT_STORE", &server.addresses[0]).env("INJECT_ORG", "acme");
        run.env("INJECT_TOKEN", &token).env("A", "$ANN_KEY_0")
    };
    launch("before.pem").run().code(0);
    let good = std::fs::read(&shown).expect("it is there");
    let bad: [&[u8]; 3] = [b"", b"no certificate", &good[..good.len() / 2]];
    for (count, bad) in (1..).zip(bad) {
        world.write("tls.pem", bad);
        server.signal(Signal::SIGHUP);
        let told = || {
            let told = server.logged().matches(" not_reloaded ").count();
            (told == count).then_some(())
        };
        crate::harness::eventually(told).unwrap_or_else(|| panic!("{}", server.logged()));
        launch("before.pem").run().code(0);
    }
    world.write("after.pem", certificate(&organization));
    server.signal(Signal::SIGHUP);
    server.logs(" reloaded");
    launch("after.pem").run().code(0);
    assert_ne!(launch("before.pem").run().exit(), 0, "the one before is shown no more");
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}
