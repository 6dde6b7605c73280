//! Commands on the machine itself, beside a server that has much to do: they are seen by its next
//! request, there is one chain, and a new master key is noticed by nobody.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::serve::server::{Connection, Reply, Server};

use super::organization::write_private;
use super::{Act, Organization, Worker, said};

const WORKERS: [&str; 3] = ["ann", "ben", "cat"];
/// More answers than there ever are.
const NO_END: usize = usize::MAX / 2;

/// Does this while workers ask, and stops them then. None of their requests may fail.
fn while_it_is_used(server: &Server, workers: &mut [Worker], act: impl FnOnce()) -> usize {
    let address = Mutex::new(server.addresses[0].clone());
    let answers = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (address, answers) = (&address, &answers);
        for worker in workers {
            scope.spawn(move || worker.run(address, answers, NO_END));
        }
        // They stop also where this fails.
        let _stop = Stop(answers);
        act();
        answers.load(Ordering::Relaxed)
    })
}

struct Stop<'a>(&'a AtomicUsize);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(NO_END, Ordering::Relaxed);
    }
}

fn resolve(connection: &mut Connection, token: &str, name: &str) -> Reply {
    let headers = format!("authorization: Bearer {token}\r\n");
    let body = json!({"names": [name]}).to_string();
    connection.request("POST", "/api/v1/orgs/acme/resolve", &headers, body.as_bytes())
}

fn issued(organization: &Organization, words: &str) -> (String, String) {
    let made = organization.local(words).run();
    let made: Value = serde_json::from_slice(&made.code(0).stdout).expect("it is JSON");
    let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
    (text("id"), text("token"))
}

#[test]
fn what_is_revoked_or_changed_beside_it_counts_at_once() {
    let organization = Organization::new();
    let mut workers = WORKERS.map(|name| Worker::new(&organization, name));
    let after = organization.last();
    let server = organization.serve();
    while_it_is_used(&server, &mut workers, || {
        let mut connection = server.connect(0);
        for round in 0..4 {
            let context = format!("round {round}");
            let value = format!("value {round}");
            organization.local("secret set SHARED_KEY").stdin(&value).run().code(0);
            let (id, token) = issued(&organization, "token create --workload web --json");
            let reply = resolve(&mut connection, &token, "SHARED_KEY");
            assert!(said(&reply).contains(&value), "{context}: {}", said(&reply));
            organization.local(&format!("token revoke {id}")).run().code(0);
            let reply = resolve(&mut connection, &token, "SHARED_KEY");
            assert_eq!(reply.status, 401, "{context}: {}", said(&reply));
            let add = "member add eve@acme.com --role owner --names * --json";
            let (_, first) = issued(&organization, add);
            let minted = minted_by(&mut connection, &first);
            assert_eq!(resolve(&mut connection, &minted, "SHARED_KEY").status, 200, "{context}");
            organization.local("member rm eve@acme.com --yes").run().code(0);
            for token in [&first, &minted] {
                let reply = resolve(&mut connection, token, "SHARED_KEY");
                assert_eq!(reply.status, 401, "{context}: {}", said(&reply));
            }
            organization.local("secret rm SHARED_KEY --yes").run().code(0);
            organization.verify();
        }
    });
    server.signal(Signal::SIGTERM);
    server.end().code(0);
    organization.verify();
    for worker in &mut workers {
        assert!(!worker.reconcile(&organization, after, "beside commands"));
    }
}

/// A workload's token that this member makes.
fn minted_by(connection: &mut Connection, token: &str) -> String {
    let headers = format!("authorization: Bearer {token}\r\n");
    let body = json!({"workload": "job", "names": ["*"]}).to_string();
    let reply = connection.request("POST", "/api/v1/orgs/acme/tokens", &headers, body.as_bytes());
    assert_eq!(reply.status, 201, "{}", said(&reply));
    let body: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
    body["token"].as_str().expect("a token").to_owned()
}

#[test]
fn a_new_master_key_is_noticed_by_nobody() {
    let organization = Organization::new();
    let world = &organization.world;
    let mut workers = WORKERS.map(|name| Worker::new(&organization, name));
    let fill = "seq 150 | while read n; do \
        printf %s \"$n\" | \"$BINARY\" secret set FILL_$n >/dev/null 2>&1 || exit; done";
    let filled = world.command("sh", ["-c", fill]).env("BINARY", crate::harness::INJECT);
    filled.env("INJECT_ORG", "acme").run().code(0);
    let key = || fs::read(world.path("data/master.key")).expect("it is there");
    let (first, after) = (key(), organization.last());
    let mut served = 0;
    for round in 0..3 {
        let server = organization.serve();
        served += while_it_is_used(&server, &mut workers, || {
            if round == 1 {
                // One that ends in the middle; whoever comes next goes on.
                let rekey = world.inject(["store", "rekey"]).start();
                crate::harness::eventually(|| (key().len() > first.len()).then_some(()))
                    .expect("it begins with both keys");
                rekey.signal(Signal::SIGKILL);
                rekey.end();
            } else {
                world.inject(["store", "rekey"]).run().code(0);
            }
            let copy = world.text(&format!("backup{round}"));
            world.inject(["store", "backup", &copy]).run().code(0);
        });
        server.signal(Signal::SIGTERM);
        server.end().code(0);
    }
    organization.verify();
    for worker in &mut workers {
        assert!(!worker.reconcile(&organization, after, "beside rekey"));
    }
    assert!(served > 30, "only {served} answers meanwhile");
    let last = key();
    write_private(&world.path("data/master.key"), &first);
    let ended = world.inject(["store", "verify"]).run();
    assert!(ended.exit() != 0 && ended.err().contains("is not the one of"), "{}", ended.whole());
    write_private(&world.path("data/master.key"), &last);
    let server = organization.serve();
    for worker in &mut workers {
        worker.confirm(&server.addresses[0], "under the last key");
        assert!(worker.ask(Act::Set(worker.name(0))).expect("it answers").status < 300);
    }
}
