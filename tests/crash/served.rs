//! A served store: one client or several at once, whose changes share a commit, with something
//! going wrong in a call of the server. Each of them keeps books.

use std::collections::BTreeMap;
use std::thread;

use nix::sys::signal::Signal;

use super::tracer::{Fault, Tracer};
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, World};
use crate::serve_faults::{Act, Organization, Worker, holds, is_told, said};

/// How often a client asks again what failed.
const TRIES_MAX: usize = 4;
/// Of a crowd's calls so many are tried with each fault.
const CROWD_MOST: usize = 60;

type Salts = BTreeMap<(String, u64), Vec<u8>>;

/// A server and its clients, each with three names.
struct Crowd {
    organization: Organization,
    /// As they were, and as they are.
    before: Vec<Worker>,
    workers: Vec<Worker>,
    salts: Salts,
    last: i64,
    /// For each of the workers, behind which record its own are.
    lasts: Vec<i64>,
}

impl Crowd {
    fn new(names: &[&str]) -> Self {
        let organization = Organization::new();
        let mut before: Vec<_> =
            names.iter().map(|name| Worker::new(&organization, name)).collect();
        let server = organization.serve();
        for worker in &mut before {
            worker.connect(&server.addresses[0]);
            for number in [0, 1, 2] {
                let set = worker.ask(Act::Set(worker.name(number))).expect("it answers");
                assert_eq!(set.status, 201, "{}", said(&set));
            }
            worker.done.clear();
        }
        server.signal(Signal::SIGTERM);
        server.end().code(0);
        let (salts, last) = (Organization::salts(&organization.database()), organization.last());
        put_back(&organization.world, "data", "kept");
        let (workers, lasts) = (Vec::new(), Vec::new());
        Self { organization, before, workers, salts, last, lasts }
    }

    fn are_gone<'a>(&self, versions: impl Iterator<Item = &'a (String, u64)>, at: &At) {
        let gone = versions.filter_map(|version| self.salts.get(version));
        let gone: Vec<&[u8]> = gone.map(Vec::as_slice).collect();
        assert_eq!(holds(self.world(), "data", &gone), None, "{at}");
    }

    /// Another server has all of it, and its next write finishes what was begun.
    fn goes_on(&mut self, at: &At) {
        let server = self.organization.serve();
        for worker in &mut self.workers {
            worker.confirm(&server.addresses[0], &at.to_string());
            let set = worker.ask(Act::Set(worker.name(2))).expect("it answers");
            assert!(set.status < 300, "{at}: {}", said(&set));
        }
        server.signal(Signal::SIGTERM);
        server.end().code(0);
        let live = Organization::salts(&self.organization.database());
        self.are_gone(self.salts.keys().filter(|version| !live.contains_key(*version)), at);
    }
}

/// An update, a create, a delete of each kind of name, and what is then there.
fn acts(worker: &Worker) -> [Act; 6] {
    [
        Act::Set(worker.name(0)),
        Act::Set(worker.name(3)),
        Act::Delete(worker.name(1)),
        Act::Resolve,
        Act::Delete(worker.name(3)),
        Act::Set(worker.name(1)),
    ]
}

/// One client of a server, and how it sees that something failed.
struct Client<'a> {
    organization: &'a Organization,
    worker: &'a mut Worker,
    /// The record that its own are behind, as far as they are not reconciled yet.
    last: &'a mut i64,
    /// Whether somebody else's request may finish what failed for it. Then it is the trail that
    /// says whether that was done; else it is safe to ask for the same again.
    is_one_of_many: bool,
    at: &'a At<'a>,
}

impl Client<'_> {
    /// Asks for all of it. Only a killed server does not answer.
    fn work(mut self, address: &str) {
        self.worker.connect(address);
        acts(self.worker).into_iter().all(|act| self.is_done(&act));
    }

    /// Asks until it is done, where what fails passes. It is told as a problem, with what to do.
    fn is_done(&mut self, act: &Act) -> bool {
        for _ in 0..TRIES_MAX {
            let Some(reply) = self.worker.ask_again(act.clone()) else {
                assert!(self.at.fault.is_kill(), "{}: {act:?} is not answered", self.at);
                return false;
            };
            if reply.status < 300 {
                return true;
            }
            is_told(&reply, &self.at.to_string());
            if !self.at.passes() {
                return false;
            }
            if self.is_one_of_many && self.is_on_record() {
                return true;
            }
        }
        panic!("{}: {act:?} fails on, though the disk does not", self.at);
    }

    fn is_on_record(&mut self) -> bool {
        // Before it is asked: a record that comes later is another request's.
        let last = self.organization.last();
        let context = self.at.to_string();
        let was_done = self.worker.reconcile(self.organization, *self.last, &context);
        *self.last = last;
        was_done
    }
}

impl Operation for Crowd {
    fn world(&self) -> &World {
        &self.organization.world
    }

    fn again(&mut self, tracer: &Tracer, at: &At) -> Ended {
        put_back(&self.organization.world, "kept", "data");
        self.workers = self.before.iter().map(Worker::again).collect();
        self.lasts = vec![self.last; self.before.len()];
        let words = tracer.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let server = match self.organization.serve_within(&words) {
            Ok(server) => server,
            Err(ended) => return ended,
        };
        let (organization, address) = (&self.organization, &server.addresses[0]);
        let is_one_of_many = self.workers.len() > 1;
        thread::scope(|scope| {
            for (worker, last) in self.workers.iter_mut().zip(&mut self.lasts) {
                let client = Client { organization, worker, last, is_one_of_many, at };
                scope.spawn(move || client.work(address));
            }
        });
        server.signal(Signal::SIGTERM);
        server.end()
    }

    fn judge(&mut self, _: &Ended, at: &At) {
        // Before anybody opens it again.
        self.are_gone(self.workers.iter().flat_map(|worker| &worker.retired), at);
        self.organization.verify();
        for (worker, last) in self.workers.iter_mut().zip(&self.lasts) {
            let unanswered = worker.reconcile(&self.organization, *last, &at.to_string());
            assert!(!unanswered || at.fault != Fault::Nothing, "{at}: done and not answered");
        }
        self.goes_on(at);
    }

    fn most(&self) -> usize {
        if self.before.len() > 1 { CROWD_MOST } else { usize::MAX }
    }
}

#[test]
fn one_client() {
    at_each("one client", &mut Crowd::new(&["ann"]));
}

#[test]
fn several_that_share_a_commit() {
    at_each("several clients", &mut Crowd::new(&["ann", "ben", "cat", "dan"]));
}
