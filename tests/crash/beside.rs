//! Commands on the machine itself, beside a server that is asked meanwhile, with something going
//! wrong in a call of the command. The server notices nothing.

use std::fs;

use nix::sys::signal::Signal;

use super::tracer::Tracer;
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, World};
use crate::serve::server::Server;
use crate::serve_faults::{Act, Organization, Worker, holds, said};

struct Beside {
    organization: Organization,
    server: Server,
    worker: Worker,
    words: &'static str,
    last: i64,
}

impl Beside {
    fn new(words: &'static str) -> Self {
        let organization = Organization::new();
        let mut worker = Worker::new(&organization, "ann");
        let (server, last) = (organization.serve(), organization.last());
        worker.connect(&server.addresses[0]);
        for number in [0, 1, 2] {
            let set = Act::Set(worker.name(number));
            assert_eq!(worker.ask(set).expect("it answers").status, 201);
        }
        fs::create_dir(organization.world.path("copies")).expect("a free name");
        Self { organization, server, worker, words, last }
    }

    fn asks(&mut self, at: &At) {
        for act in [Act::Set(self.worker.name(0)), Act::Resolve, Act::Set(self.worker.name(1))] {
            let reply = self.worker.ask(act).expect("it answers");
            assert!(reply.status < 300, "{at}: {}", said(&reply));
        }
    }

    /// What there is of a backup is all of it.
    fn is_restored(&self, at: &At) {
        let world = self.world();
        if !world.path("copies/b").exists() {
            return;
        }
        put_back(world, "none", "other");
        fs::create_dir(world.path("other")).expect("a free name");
        put_back(world, "data/master.key", "other/master.key");
        let command = format!("store restore ../copies/b --data {}", world.text("other"));
        let restored = self.organization.local(&command).run();
        assert_eq!(restored.exit(), 0, "{at}\n{}", restored.whole());
        fs::remove_file(world.path("copies/b")).expect("it is ours");
    }

    /// Ended, it has all that was asked, and nothing of what was sealed under any key before.
    fn end(mut self, salts: &[&[u8]]) {
        self.server.signal(Signal::SIGTERM);
        self.server.end().code(0);
        self.organization.verify();
        assert!(!self.worker.reconcile(&self.organization, self.last, "beside a server"));
        assert_eq!(holds(&self.organization.world, "data", salts), None);
    }
}

impl Operation for Beside {
    fn world(&self) -> &World {
        &self.organization.world
    }

    fn again(&mut self, tracer: &Tracer, at: &At) -> Ended {
        let started = tracer.around(self.organization.local(self.words)).start();
        self.asks(at);
        started.end()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let is_backup = self.words.contains("backup");
        let is_made = self.world().path("copies/b").exists();
        assert!(!is_backup || is_made || ended.exit() != 0, "{at}\n{}", ended.whole());
        self.is_restored(at);
        self.asks(at);
        self.organization.verify();
        let again = self.organization.local(self.words).run();
        assert_eq!(again.exit(), 0, "{at}\n{}", again.whole());
        let left = fs::read_dir(self.world().path("copies")).expect("it is there").count();
        assert_eq!(left, usize::from(is_backup), "{at}: something is left");
        self.is_restored(at);
        super::embedded::left_clean(self.world(), "data", at);
    }
}

#[test]
fn a_rekey_beside_a_server() {
    let mut beside = Beside::new("store rekey");
    let salts = Organization::salts(&beside.organization.database());
    at_each("rekey beside a server", &mut beside);
    let salts: Vec<&[u8]> = salts.values().map(Vec::as_slice).collect();
    beside.end(&salts);
}

#[test]
fn a_backup_beside_a_server() {
    let mut beside = Beside::new("store backup ../copies/b");
    at_each("backup beside a server", &mut beside);
    beside.end(&[]);
}
