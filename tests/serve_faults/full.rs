//! A disk that is full: what cannot be put on record is not answered, and with room again the same
//! server goes on.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::harness::needs_root;
use crate::serve::server::{Server, serve};

use super::organization::LISTEN;
use super::{Act, Organization, Worker, is_told, said};

#[test]
fn a_full_disk_is_told_and_with_room_it_goes_on() {
    needs_root();
    let organization = Organization::new();
    let world = &organization.world;
    let mut worker = Worker::new(&organization, "ann");
    fs::create_dir(world.path("small")).expect("a free name");
    let (data, small) = (world.text("data"), world.text("small"));
    let mount = "mount -t tmpfs -o size=3m,mode=700 none";
    let setup = format!("{mount} {small}; cp -a {data}/. {small}/; umask 077");
    let options = [&LISTEN[..], &["--data", &small]].concat();
    let server = Server::of(world, serve(world, &options).with_mounts(&setup), 1);
    // The disk of the server is its own.
    let filler = PathBuf::from(format!("/proc/{}/root{small}/filler", server.pid()));
    worker.connect(&server.addresses[0]);
    for number in [0, 1] {
        let set = Act::Set(worker.name(number));
        assert_eq!(worker.ask(set).expect("it answers").status, 201);
    }
    for _ in 0..2 {
        fill(&filler);
        // What is left in the journal is used up first.
        let mut statuses = (0..1000).map(|_| worker.ask(Act::Resolve).expect("it answers").status);
        assert_eq!(statuses.find(|status| *status != 200), Some(507));
        for act in [Act::Resolve, Act::Set(worker.name(4)), Act::Set(worker.name(0))] {
            let reply = worker.ask(act).expect("it answers");
            assert_eq!(reply.status, 507, "{}", said(&reply));
            is_told(&reply, "a full disk");
            assert!(said(&reply).contains("free some"), "{}", said(&reply));
        }
        told_to_a_launch(&organization, &server, &worker.token);
        fs::remove_file(&filler).expect("it is ours");
        let act = Act::Set(worker.name(0));
        let reply = worker.ask_again(act).expect("it answers");
        assert_eq!(reply.status, 200, "{}", said(&reply));
        assert_eq!(worker.ask(Act::Resolve).expect("it answers").status, 200);
    }
    worker.confirm(&server.addresses[0], "with room again");
    let inside = ["nsenter", "--target", &server.pid().to_string(), "--mount"].map(str::to_owned);
    let verify = world.inject(["store", "verify", "--data", &small]).within(inside);
    verify.run().code(0);
    let copy = world.text("copy");
    let inside = ["nsenter", "--target", &server.pid().to_string(), "--mount"].map(str::to_owned);
    world.command("cp", ["-a", &small, &copy]).within(inside).run().code(0);
    server.signal(Signal::SIGTERM);
    server.end().code(0);
    let records = organization.records_in("copy", &worker.actor, 0);
    assert_eq!(records, worker.done, "what was answered, and nothing else, is on record");
}

fn fill(path: &PathBuf) {
    let mut filler = File::create(path).expect("there is room for a name");
    for size in [1 << 16, 1 << 12] {
        let part = vec![0; size];
        while filler.write_all(&part).is_ok() {}
    }
}

/// A program that cannot have its secrets is not started, and it is said why.
fn told_to_a_launch(organization: &Organization, server: &Server, token: &str) {
    let run = organization.world.inject(["--timeout", "500ms", "--", "true"]);
    let run = run.env("INJECT_STORE", &server.addresses[0]).env("INJECT_ORG", "acme");
    let run = run.env("INJECT_TOKEN", token);
    let ended = run.env("A", "$ANN_KEY_0").run();
    ended.code(74);
    assert!(ended.err().contains("no room is left"), "{}", ended.whole());
}
