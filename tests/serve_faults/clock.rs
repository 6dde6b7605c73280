//! A clock that is set forward and back under a server: tokens end by it, nothing panics, and the
//! trail stays one chain whatever times stand in it.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::serve::server::Server;

use super::{Act, Clock, Kind, Organization, Worker, said};

const DAY: i64 = 24 * 60 * 60;

/// The status of a resolve of one name with this token.
fn status(server: &Server, token: &str) -> u16 {
    let headers = format!("authorization: Bearer {token}\r\n");
    let body = br#"{"names":["SHARED_KEY"]}"#;
    server.connect(0).request("POST", "/api/v1/orgs/acme/resolve", &headers, body).status
}

fn token(organization: &Organization, words: &str) -> String {
    let made = organization.local(&format!("token create {words}")).run();
    made.code(0).out().trim().to_owned()
}

#[test]
fn tokens_end_by_the_clock_that_is() {
    let organization = Organization::new();
    organization.local("secret set SHARED_KEY").stdin("x").run().code(0);
    let (short, usual) = (
        token(&organization, "--workload short --expires 1h"),
        token(&organization, "--workload usual"),
    );
    let lasting = organization.member("ann");
    let server = organization.serve();
    let statuses = || [&short, &usual, &lasting].map(|token| status(&server, token));
    assert_eq!(statuses(), [200, 200, 200]);
    let clock = Clock::of(server.pid(), Kind::Wall);
    let over = [
        (0, [200, 200, 200]),
        (3590, [200, 200, 200]),
        (2 * 60 * 60, [401, 200, 200]),
        (91 * DAY, [401, 401, 200]),
        // Set back, as a clock is that was wrong: what counts is the time that it tells.
        (0, [200, 200, 200]),
        (-400 * DAY, [200, 200, 200]),
    ];
    for (seconds, expected) in over {
        clock.set(seconds);
        assert_eq!(statuses(), expected, "{seconds} seconds");
    }
    server.signal(Signal::SIGTERM);
    server.end().code(0);
}

#[test]
fn whatever_time_it_is_the_chain_holds() {
    let organization = Organization::new();
    let mut worker = Worker::new(&organization, "ann");
    let server = organization.serve();
    let clock = Clock::of(server.pid(), Kind::Wall);
    worker.connect(&server.addresses[0]);
    let after = organization.last();
    // From the first time that Linux can be set to, through one before the store was made, to the
    // last one, in 2232 (`TIME_SETTOD_SEC_MAX` in the kernel's sources).
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("it is later than 1970").as_secs().cast_signed();
    let last = 8_277_292_036 - now;
    for seconds in [-now, -400 * DAY, -1, 0, 1, 400 * DAY, last - DAY, 0] {
        clock.set(seconds);
        for number in [0, 1] {
            let acts = [Act::Set(worker.name(number)), Act::Resolve, Act::Set(worker.name(number))];
            for act in acts {
                let reply = worker.ask(act);
                let reply = reply.unwrap_or_else(|| panic!("{seconds}: {}", server.logged()));
                assert!(reply.status < 300, "{seconds}: {}", said(&reply));
            }
        }
        let gone = worker.ask(Act::Delete(worker.name(1))).expect("it answers");
        assert_eq!(gone.status, 204, "{seconds}: {}", said(&gone));
        for path in ["secrets?sort=-updated", "audit", "workloads", "tokens", "members"] {
            let headers = format!("authorization: Bearer {}\r\n", worker.token);
            let path = format!("/api/v1/orgs/acme/{path}");
            let reply = server.connect(0).request("GET", &path, &headers, b"");
            assert_eq!(reply.status, 200, "{seconds}: {path}: {}", said(&reply));
            let _: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
        }
        let health = server.connect(0).get("/readyz");
        assert_eq!(health.status, 200, "{seconds}");
    }
    assert!(!worker.reconcile(&organization, after, "all is on record, in its order"));
    organization.verify();
    worker.confirm(&server.addresses[0], "all is there");
    server.signal(Signal::SIGTERM);
    let ended = server.end();
    assert!(!ended.code(0).err().contains("panicked"), "{}", ended.whole());
}
