//! A server that is killed, or whose disk fails, at each step of a set, an update, a delete and a
//! resolve that reaches the disk.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{Ended, eventually};
use crate::serve::server::{Reply, Server};

use super::{Act, Chance, Organization, Worker, holds, said};

/// What reaches a disk, and how often at most in all that is asked here.
const CALLS: [&str; 5] = ["fsync", "fdatasync", "pwrite64", "ftruncate", "unlink,unlinkat"];
const TIMES_MAX: usize = 150;
/// Of so many steps one is tried, where there is no time for all.
const STRIDE: usize = 8;
/// How often a client asks again what failed.
const TRIES_MAX: usize = 4;

/// Two names with two versions behind them, and all salts that there are.
struct Prepared {
    organization: Organization,
    worker: Worker,
    copied: Vec<(std::path::PathBuf, Vec<u8>)>,
}

impl Prepared {
    fn new() -> Self {
        let organization = Organization::new();
        let mut worker = Worker::new(&organization, "ann");
        let server = organization.serve();
        worker.connect(&server.addresses[0]);
        for number in [0, 1, 2] {
            let set = Act::Set(worker.name(number));
            assert_eq!(worker.ask(set).expect("it answers").status, 201);
        }
        server.signal(Signal::SIGTERM);
        server.end().code(0);
        worker.done.clear();
        let copied = crate::harness::files(&organization.world.path("data"));
        Self { organization, worker, copied }
    }

    /// Everything as it was, for another fault.
    fn again(&self) -> Worker {
        let data = self.organization.world.path("data");
        fs::remove_dir_all(&data).expect("it is ours");
        super::organization::make_private(&data);
        for (path, bytes) in &self.copied {
            super::organization::write_private(path, bytes);
        }
        self.worker.again()
    }
}

/// All of them; or some, which are others each time.
fn steps(chance: &mut Chance) -> impl Iterator<Item = usize> {
    let stride = super::times(STRIDE, 1);
    (1 + chance.below(stride as u64) as usize..TIMES_MAX).step_by(stride)
}

/// A create, an update, a delete of each kind of name, and what is then there.
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

/// Serves with a fault in the `when`th of these calls; `act` asks, and ends the server. Says
/// whether the fault was met.
fn with_fault(
    organization: &Organization,
    (calls, fault, when): (&str, &str, usize),
    act: impl FnOnce(Server) -> Ended,
) -> bool {
    let log = organization.world.path("trace");
    let name = log.to_str().expect("temporary paths are UTF-8");
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{fault}:when={when}"));
    // The server stays a child of this process: it is the tracer that becomes another's.
    let mut strace = vec!["strace", "-D", "-f", "-q", "-o", name, "-e", &trace, "-e", &inject];
    if fault.starts_with("error") {
        // Only these calls stop the server; a signal would not come then.
        strace.push("--seccomp-bpf");
    }
    let ended = match organization.serve_within(&strace) {
        Ok(server) => act(server),
        Err(ended) => {
            assert!([74, -(Signal::SIGKILL as i32)].contains(&ended.exit()), "{}", ended.whole());
            ended
        }
    };
    // The number is padded where it is short.
    let (number, end) = (ended.pid.to_string(), " +++");
    let traced = || {
        let log = fs::read_to_string(&log).expect("strace writes it");
        let is_end = |line: &str| line.split(' ').next() == Some(&number) && line.ends_with(end);
        log.lines().any(is_end).then_some(log)
    };
    let log = eventually(traced).expect("the tracer sees the end");
    log.contains("(INJECTED)") || log.contains("killed by SIGKILL")
}

#[test]
fn killed_at_each_step_it_has_kept_its_word() {
    let prepared = Prepared::new();
    let organization = &prepared.organization;
    let salts = Organization::salts(&organization.database());
    let (mut met, mut chance) = (0, Chance::new());
    for calls in CALLS {
        for when in steps(&mut chance) {
            let mut worker = prepared.again();
            let after = organization.last();
            let context = format!("{calls} {when}");
            let was_met = with_fault(organization, (calls, "signal=SIGKILL", when), |server| {
                worker.connect(&server.addresses[0]);
                let acts = acts(&worker);
                if acts.into_iter().all(|act| worker.ask(act).is_some()) {
                    server.signal(Signal::SIGTERM);
                }
                server.end()
            });
            let gone = worker.retired.iter().filter_map(|version| salts.get(version));
            let gone: Vec<&[u8]> = gone.map(Vec::as_slice).collect();
            assert_eq!(holds(&organization.world, "data", &gone), None, "{context}");
            organization.verify();
            worker.reconcile(organization, after, &context);
            goes_on(organization, &mut worker, &context);
            let live = Organization::salts(&organization.database());
            let gone = salts.iter().filter(|(version, _)| !live.contains_key(*version));
            let gone: Vec<&[u8]> = gone.map(|(_, salt)| salt.as_slice()).collect();
            assert_eq!(holds(&organization.world, "data", &gone), None, "{context}");
            if !was_met {
                break;
            }
            met += 1;
        }
    }
    super::report(&format!("killed at {met} steps of sets, updates and deletes"));
    assert!(met > 5, "only {met} steps were met");
}

/// Another server has all of it, and its next write finishes what was begun.
fn goes_on(organization: &Organization, worker: &mut Worker, context: &str) {
    let server = organization.serve();
    worker.confirm(&server.addresses[0], context);
    let set = worker.ask(Act::Set(worker.name(2))).expect("it answers");
    assert!(set.status < 300, "{context}: {}", said(&set));
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}

#[test]
fn a_disk_that_fails_once_is_told_and_gone_on_from() {
    let prepared = Prepared::new();
    let organization = &prepared.organization;
    let salts = Organization::salts(&organization.database());
    let (mut met, mut told, mut chance) = (0, 0, Chance::new());
    for error in ["EIO", "ENOSPC"] {
        for calls in CALLS {
            for when in steps(&mut chance) {
                let mut worker = prepared.again();
                let context = format!("{calls} {error} {when}");
                let fault = format!("error={error}");
                let was_met = with_fault(organization, (calls, &fault, when), |server| {
                    worker.connect(&server.addresses[0]);
                    for act in acts(&worker) {
                        told += ask_until_done(&mut worker, act, &context);
                    }
                    server.signal(Signal::SIGTERM);
                    let ended = server.end();
                    ended.code(0);
                    ended
                });
                organization.verify();
                let retired = worker.retired.iter().filter_map(|version| salts.get(version));
                let retired: Vec<&[u8]> = retired.map(Vec::as_slice).collect();
                assert_eq!(holds(&organization.world, "data", &retired), None, "{context}");
                goes_on(organization, &mut worker, &context);
                if !was_met {
                    break;
                }
                met += 1;
            }
        }
    }
    super::report(&format!("{met} calls failed once, {told} requests were told"));
    assert!(met > 10 && told > 2, "{met} faults were met, {told} requests were told");
}

/// Asks again until it is done: what fails is told as a problem, with what to do. How often it was.
fn ask_until_done(worker: &mut Worker, act: Act, context: &str) -> usize {
    for failed in 0..TRIES_MAX {
        let reply = worker.ask_again(act.clone()).expect("it answers");
        if reply.status < 300 {
            return failed;
        }
        is_told(&reply, context);
    }
    panic!("{context}: {act:?} fails on, though the disk does not");
}

#[track_caller]
pub fn is_told(reply: &Reply, context: &str) {
    assert!([500, 503, 507].contains(&reply.status), "{context}: {}", said(reply));
    let kind = reply.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{context}: {}", said(reply));
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).expect("it is JSON");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{context}");
}
