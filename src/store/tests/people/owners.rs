//! That an organization keeps an owner who has a token, whoever goes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::store::tests::Reply;
use crate::store::tests::people::acme;
use crate::store::tests::served::Caller;

#[test]
fn the_last_owner_s_token_does_not_go_with_who_made_it() {
    let (served, alice) = acme();
    let bob = served.add(&alice, "bob@acme.com", "owner");
    let remove = |caller: &Caller, email: &str| {
        served.of_acme(caller, "DELETE", &format!("members/{email}"), Value::Null)
    };
    for caller in [&alice, &bob] {
        let refused = remove(caller, "alice@acme.com").is(409);
        assert_eq!(refused.problem(), "last-owner");
        assert!(refused.text("detail").contains("a token of their own"), "{refused:?}");
        served.of_acme(caller, "GET", "members", Value::Null).is(200);
    }
    // One that is over is none.
    let soon = Timestamp::now() + SignedDuration::from_millis(300);
    let body = json!({ "member": "bob@acme.com", "expires_at": soon });
    served.mint(&bob, body).is(201);
    while Timestamp::now() <= soon {
        std::thread::yield_now();
    }
    remove(&bob, "alice@acme.com").is(409);
    let own = served.mint(&bob, json!({ "member": "bob@acme.com" })).is(201).caller();
    remove(&bob, "alice@acme.com").is(204);
    served.of_acme(&bob, "GET", "members", Value::Null).is(401);
    served.of_acme(&own, "GET", "members", Value::Null).is(200);
    // On the machine itself there is always a way back.
    let carol = served.add(&own, "carol@acme.com", "owner");
    remove(&carol, "bob@acme.com").is(409);
    remove(&Caller::operator(), "bob@acme.com").is(204);
    served.verify("acme");
}

/// Nor by a step down, nor by revoking it.
#[test]
fn an_owner_keeps_a_token() {
    let (served, alice) = acme();
    let operator = Caller::operator();
    let ids = |email: &str| -> Vec<String> {
        let list = served.operator("GET", "/api/v1/orgs/acme/tokens", &Value::Null).is(200).json();
        let all = list["tokens"].as_array().unwrap().iter();
        let own = all.filter(|one| one["member"] == email);
        own.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let revoke = |caller: &Caller, id: &str| {
        served.of_acme(caller, "DELETE", &format!("tokens/{id}"), Value::Null)
    };
    let step_down = |email: &str| {
        let body = json!({ "role": "reader" });
        served.of_acme(&alice, "PATCH", &format!("members/{email}"), body)
    };
    let refused = |reply: Reply, text: &str| {
        let reply = reply.is(409);
        assert_eq!(reply.problem(), "last-owner");
        assert!(reply.text("detail").contains(text), "{reply:?}");
    };
    let last = ids("alice@acme.com").remove(0);
    refused(revoke(&alice, &last), "make one first");
    served.add(&alice, "bob@acme.com", "owner");
    let rita = served.add(&alice, "rita@acme.com", "reader");
    revoke(&alice, &ids("bob@acme.com")[0]).is(204);
    refused(step_down("alice@acme.com"), "make one for another owner first");
    refused(revoke(&alice, &last), "make one first");
    served.of_acme(&rita, "GET", "secrets", Value::Null).is(200);
    revoke(&alice, &ids("rita@acme.com")[0]).is(204);
    let records = served.trail("acme");
    assert_eq!(records.iter().filter(|one| one.ends_with("last-owner")).count(), 3, "{records:?}");
    // What whoever steps down has made stays.
    let made = served.mint(&alice, json!({ "member": "bob@acme.com" })).is(201);
    step_down("alice@acme.com").is(200);
    let bob = made.caller();
    refused(revoke(&bob, &made.text("id")), "make one first");
    revoke(&bob, &last).is(204);
    revoke(&operator, &made.text("id")).is(204);
    served.verify("acme");
}
