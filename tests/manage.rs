//! `inject org`, `member`, `token`, `workload`, `audit` and `login`, as a person and a script see
//! them, against a store that answers by a script: what is sent, and what is made of each answer.

#[path = "manage/login.rs"]
mod login;
#[path = "manage/people.rs"]
mod people;
#[path = "manage/trail.rs"]
mod trail;
#[path = "manage/use.rs"]
mod use_of_secrets;

use crate::harness::{Ended, Run, World};
use crate::scripted_store::{Answer, ScriptedStore};

/// What a store issues; no test may find it anywhere but where it was asked for.
pub const TOKEN: &str = "inj_w_c4n4ryC4n4ry_issued";

/// A status and a JSON body.
pub fn says(status: u16, body: &str) -> Answer {
    Answer::Status(status, String::new(), body.to_owned())
}

/// A problem of this type.
pub fn problem(status: u16, kind: &str) -> Answer {
    says(
        status,
        &format!(r#"{{"type":"urn:inject:problem:{kind}","title":"t","status":{status}}}"#),
    )
}

/// A command with a token for a store that answers so, in its organization `acme`.
pub fn at<'w>(run: Run<'w>, store: &ScriptedStore) -> Run<'w> {
    run.env("INJECT_STORE", &store.url).env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_m_mine")
}

/// The words of one command, and what became of it.
pub fn run(world: &World, store: &ScriptedStore, words: &str) -> Ended {
    at(world.inject(words.split(' ')), store).run()
}

/// Each request as `METHOD PATH`, with its body where it has one.
pub fn asked(store: &ScriptedStore) -> Vec<String> {
    let shown = |body: &[u8]| match body {
        [] => String::new(),
        body => format!(" {}", String::from_utf8_lossy(body)),
    };
    let requests = store.requests();
    let line = |request: &crate::scripted_store::Request| {
        format!("{} {}{}", request.method, request.path, shown(&request.body))
    };
    requests.iter().map(line).collect()
}
