//! A delete beside those who read and those who write: whoever reads is waited for, but not all who
//! come one upon the other.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Server;
use super::server::world;
use crate::harness::eventually;

/// How long each looks at its own view of the database: longer than a purge waits at a time.
const VIEW: Duration = Duration::from_millis(30);
/// A third of what a change waits for readers before it says that one outlasted it.
const DELETE_MAX: Duration = Duration::from_secs(10);
const WRITERS: usize = 2;

/// Views of the database, of which the next begins before the one before ends.
fn views(database: &Path, (count, stop): (&AtomicUsize, &AtomicBool)) {
    let open = || rusqlite::Connection::open(database).expect("it is there");
    let (mut old, mut new) = (open(), open());
    let (_keep, never): (Sender<()>, Receiver<()>) = channel();
    old.execute_batch("BEGIN; SELECT count(*) FROM secret").expect("a view");
    while !stop.load(Ordering::Relaxed) {
        new.execute_batch("BEGIN; SELECT count(*) FROM secret").expect("a view");
        assert_eq!(never.recv_timeout(VIEW), Err(RecvTimeoutError::Timeout));
        old.execute_batch("COMMIT").expect("the view's end");
        std::mem::swap(&mut old, &mut new);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn readers_one_upon_the_other_keep_no_delete_waiting() {
    let world = world();
    world.set("TO_BE_GONE", "x");
    let server = Server::start(&world, &["--listen", "127.0.0.1:0"]);
    let database = world.path("data/store.db");
    let (viewed, written, stop) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let resolve = || {
        let mut line = server.connect(0);
        while !stop.load(Ordering::Relaxed) {
            let body = br#"{"names":["DB_PASSWORD_PROD"]}"#;
            let reply = line.request("POST", "/api/v1/orgs/default/resolve", "", body);
            assert_eq!(reply.status, 200);
            written.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| views(&database, (&viewed, &stop)));
        (0..WRITERS).for_each(|_| drop(scope.spawn(resolve)));
        // They stop also where this fails.
        let _stop = Stop(&stop);
        let both = || viewed.load(Ordering::Relaxed) > 2 && written.load(Ordering::Relaxed) > 100;
        eventually(|| both().then_some(())).expect("all of them go on");
        let begun = Instant::now();
        let path = "/api/v1/orgs/default/secrets/TO_BE_GONE";
        let deleted = server.connect(0).request("DELETE", path, "", b"");
        let took = begun.elapsed();
        assert!(deleted.status == 204, "{} after {took:?}", deleted.status);
        assert!(took < DELETE_MAX, "{took:?}");
    });
}
