//! Many requests in one transaction: where the disk fails at its end, all of them are told, none of
//! them is on record, and nobody else notices.

use std::fs;
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::eventually;
use crate::serve::server::Server;

use super::{Organization, Worker, is_told};

const WORKERS: [&str; 6] = ["ann", "ben", "cat", "dan", "eve", "fay"];

#[test]
fn a_batch_fails_as_a_whole_and_alone() {
    let organization = Organization::new();
    let mut workers = WORKERS.map(|name| Worker::new(&organization, name));
    let mut together = 0;
    for when in 1..=4 {
        let after = organization.last();
        let inject = format!("inject=fdatasync:error=EIO:when={when}");
        let strace = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"];
        let strace = [&strace[..], &["-e", "trace=fdatasync", "-e", &inject]].concat();
        let server = organization.serve_within(&strace).unwrap_or_else(|e| panic!("{}", e.whole()));
        // The first write of a server is alone.
        let mut answers = 0;
        workers.iter_mut().for_each(|worker| worker.connect(&server.addresses[0]));
        let failed = at_once(&organization, &server, &mut workers, &mut answers);
        together = together.max(failed);
        let context = format!("sync {when}");
        for worker in &mut workers {
            assert!(
                !worker.reconcile(&organization, after, &context),
                "{context}: {failed} failed"
            );
        }
        // Whatever failed then does not fail again.
        let failed: usize =
            (0..3).map(|_| at_once(&organization, &server, &mut workers, &mut answers)).sum();
        assert!(failed <= WORKERS.len(), "{context}: one fault, and it fails on");
        server.signal(Signal::SIGTERM);
        server.end().code(0);
        assert!(answers >= 3 * WORKERS.len() - WORKERS.len(), "{context}: {answers} answers");
        workers.iter_mut().for_each(|worker| worker.done.clear());
        organization.verify();
    }
    assert!(together >= WORKERS.len() - 1, "only {together} of them failed together");
}

/// All of them ask while nobody can write: one waits for that, and the others for their turn, which
/// is the same for all. How many failed.
fn at_once(
    organization: &Organization,
    server: &Server,
    workers: &mut [Worker],
    answers: &mut usize,
) -> usize {
    let lock = organization.database();
    lock.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let (first, others) = workers.split_first_mut().expect("there are some");
    let waiting = others.len() as u64;
    thread::scope(|scope| {
        let ask = |worker: &mut Worker| worker.ask(worker.addition()).expect("it answers");
        let mut asked = vec![scope.spawn(move || ask(first))];
        eventually(|| writer_waits(server.pid()).then_some(())).expect("it waits for the lock");
        asked.extend(others.iter_mut().map(|worker| scope.spawn(move || ask(worker))));
        server.metric("inject_queue_depth", |depth| depth == waiting);
        lock.execute_batch("ROLLBACK").expect("it was begun");
        let replies = asked.into_iter().map(|asked| asked.join().expect("it asked"));
        let (done, failed): (Vec<_>, Vec<_>) = replies.partition(|reply| reply.status < 300);
        failed.iter().for_each(|reply| is_told(reply, "together"));
        *answers += done.len();
        failed.len()
    })
}

/// Whether the thread that writes sleeps until somebody else's lock is gone: it is not the queue
/// that it waits for.
fn writer_waits(server: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{server}/task")).into_iter().flatten().flatten();
    let says = |thread: &fs::DirEntry, what: &str, part: &str| {
        fs::read_to_string(thread.path().join(what)).is_ok_and(|text| text.contains(part))
    };
    let mut writers = threads.filter(|thread| says(thread, "comm", "writer"));
    writers.any(|thread| says(&thread, "wchan", "nanosleep"))
}
