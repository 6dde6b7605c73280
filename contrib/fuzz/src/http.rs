//! Any bytes to the store's HTTP face, from somebody who has to show a token: each answer is one,
//! none is a failure of the store, and nobody is told a value that his tokens do not resolve.

use std::cell::OnceCell;

use crate::world::{Reply, VALUES, World, exchange, replies};

/// What stands for a token in the input, and which organizations' values it could lead to: a
/// workload's to its own, an owner's to all of the organization.
const TOKENS: [(&str, &[&str]); 7] = [
    ("owner", &["acme"]),
    ("reader", &["acme"]),
    ("workload", &["acme"]),
    ("away", &[]),
    ("revoked", &[]),
    ("other", &["beta"]),
    ("beta", &["beta"]),
];

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// The input is what is sent, with `@owner@` and the like for the tokens.
pub fn check(input: &[u8]) {
    WORLD.with(|world| {
        let world = world.get_or_init(|| World::new("http"));
        let mut sent = input.to_vec();
        let mut shown = Vec::new();
        for (who, token) in world.tokens() {
            let (with_tokens, count) = replaced(&sent, &format!("@{who}@"), token);
            sent = with_tokens;
            if count > 0 {
                shown.push(who);
            }
        }
        world.restore();
        let store = world.open().expect("it is whole");
        let answers = exchange(&store, false, &sent);
        judge(&sent, &answers, &shown);
    });
}

fn judge(sent: &[u8], answers: &[u8], shown: &[&str]) {
    let fail = |why: &str| -> ! {
        panic!("{why}\nsent {}\ncame {}", sent.escape_ascii(), answers.escape_ascii())
    };
    for (org, name, value) in VALUES {
        let is_told = contains(answers, value.as_bytes()) && !contains(sent, value.as_bytes());
        let may = |who: &&str| resolves(who, org, name);
        if is_told && !shown.iter().any(may) {
            fail(&format!("the value of {name} of {org} is told"));
        }
    }
    if contains(answers, b"canary-of-what-is-gone") {
        fail("the value of a secret that was deleted is told");
    }
    // The answer to `HEAD` has a length, and no body.
    let all = replies(answers, true).or_else(|| replies(answers, false));
    let Some(all) = all else {
        if contains(sent, b"HEAD ") {
            return;
        }
        fail("what came are no answers");
    };
    for reply in &all {
        if let Some(why) = wrong(reply, shown) {
            fail(&why);
        }
    }
}

fn wrong(reply: &Reply, shown: &[&str]) -> Option<String> {
    let head = reply.head.to_ascii_lowercase();
    let is_json = head.contains("\r\ncontent-type: application/json")
        || head.contains("\r\ncontent-type: application/problem+json");
    if is_json
        && !reply.body.is_empty()
        && serde_json::from_slice::<serde_json::Value>(&reply.body).is_err()
    {
        return Some("a body is no JSON".to_owned());
    }
    match reply.status {
        100 | 200 | 201 | 204 | 304 => {}
        400..=499 => {}
        // A method or a version that nobody speaks.
        501 | 505 => {}
        _ => return Some(format!("the status is {}", reply.status)),
    }
    let is_open = !is_json || contains(&reply.body, b"\"openapi\"");
    (reply.status < 300 && shown.is_empty() && !is_open)
        .then(|| "it is answered with no token".to_owned())
}

/// Whether a token could come to a value, be it through what an owner may change before.
fn resolves(who: &str, org: &str, name: &str) -> bool {
    let reaches = TOKENS.iter().any(|(known, orgs)| *known == who && orgs.contains(&org));
    let names = match who {
        "reader" => name.starts_with("STRIPE_"),
        "workload" => name.starts_with("DB_"),
        _ => true,
    };
    reaches && names
}

fn replaced(text: &[u8], what: &str, with: &str) -> (Vec<u8>, usize) {
    let (mut out, mut rest, mut count) = (Vec::new(), text, 0);
    while let Some(at) = rest.windows(what.len()).position(|window| window == what.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with.as_bytes());
        rest = &rest[at + what.len()..];
        count += 1;
    }
    out.extend_from_slice(rest);
    (out, count)
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}
