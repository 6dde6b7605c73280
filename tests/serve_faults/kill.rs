//! A server that is killed at any moment, with several clients at it: nothing that it answered is
//! lost, nothing is half there, and what it said is gone can be found in no file.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Act, Chance, Organization, Witness, Worker, holds, report, times};

const WORKERS: [&str; 4] = ["ann", "ben", "cat", "dan"];
/// The answers that a server may give before it is killed, and how long it has from then on.
const ANSWERS_MAX: u64 = 120;
const MICROSECONDS_MAX: u64 = 4000;

#[test]
fn a_killed_server_has_kept_its_word() {
    let organization = Organization::new();
    let mut workers = WORKERS.map(|name| Worker::new(&organization, name));
    let mut chance = Chance::new();
    let (mut answers, mut unanswered, mut searched) = (0, 0, 0);
    let rounds = times(10, 200);
    for round in 0..rounds {
        let context = format!("round {round}");
        let after = organization.last();
        let (answered, witness) = killed(&organization, &mut workers, &mut chance);
        answers += answered;
        // Before anybody opens it again: what was answered to be gone is so already.
        let retired = workers.iter().flat_map(|worker| &worker.retired);
        let salts = witness.of(retired);
        assert_eq!(holds(&organization.world, "data", &salts), None, "{context}");
        searched += salts.len();
        organization.verify();
        for worker in &mut workers {
            unanswered += usize::from(worker.reconcile(&organization, after, &context));
        }
        searched += goes_on(&organization, &mut workers, &witness, &context);
    }
    assert!(searched > 10 * rounds, "{searched} salts were searched for");
    let summary = format!("{rounds} kills, {answers} answers, {unanswered} done and not answered");
    assert!(answers > 10 * rounds, "{summary}, {searched} salts");
    report(&format!("{summary}, {searched} salts searched for"));
}

/// Serves until it is killed, somewhere in what the workers ask of it.
fn killed(
    organization: &Organization,
    workers: &mut [Worker],
    chance: &mut Chance,
) -> (usize, Witness) {
    let server = organization.serve();
    let address = Mutex::new(server.addresses[0].clone());
    let (answers, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let enough = 1 + chance.below(ANSWERS_MAX) as usize;
    let rest = Duration::from_micros(chance.below(MICROSECONDS_MAX));
    let mut witness = Witness::default();
    thread::scope(|scope| {
        scope.spawn(|| witness.watch(organization, &stop));
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
        // Anywhere between two answers.
        let begun = Instant::now();
        while begun.elapsed() < rest {
            std::hint::spin_loop();
        }
        server.signal(Signal::SIGKILL);
        for running in running {
            running.join().expect("its answers are as expected");
        }
        stop.store(true, Ordering::Relaxed);
    });
    server.end().code(-(Signal::SIGKILL as i32));
    (answers.into_inner(), witness)
}

/// Another server has all of it; its next write finishes what the first one began. Says how many
/// salts were searched for then.
fn goes_on(
    organization: &Organization,
    workers: &mut [Worker],
    witness: &Witness,
    context: &str,
) -> usize {
    let server = organization.serve();
    for worker in &mut *workers {
        worker.confirm(&server.addresses[0], context);
    }
    let (last, retired) = (&mut workers[0], Act::Set("ANN_KEY_0".to_owned()));
    assert!(last.ask(retired).expect("it answers").status < 300, "{context}");
    server.signal(Signal::SIGTERM);
    server.end().code(0);
    for worker in &mut *workers {
        worker.done.clear();
        worker.retired.clear();
    }
    let live = Organization::salts(&organization.database());
    let there: Vec<&[u8]> = live.values().map(Vec::as_slice).collect();
    assert!(holds(&organization.world, "data", &there).is_some(), "the search finds what is there");
    let gone = witness.seen.iter().filter(|(version, _)| !live.contains_key(version));
    let gone: Vec<&[u8]> = gone.map(|(_, salt)| salt.as_slice()).collect();
    assert_eq!(holds(&organization.world, "data", &gone), None, "{context}");
    gone.len()
}
