//! Requests that are held, and what becomes of them when whoever asked may no longer ask.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::name::{OrgName, SecretName};
use crate::store::service::Looked;
use crate::store::tests::lasting::{Line, Served};
use crate::store::tests::{Reply, call};
use crate::store::watches::{Held, Versions};

/// Longer than any test is patient: what is answered was answered for another reason.
const LONG: u64 = 300;
const TOKENS: &str = "/api/v1/orgs/default/tokens";
const MEMBERS: &str = "/api/v1/orgs/default/members";

/// Holds a watch with this token, which is answered at some time.
async fn held(served: &Served, token: &str) -> tokio::task::JoinHandle<Reply> {
    let before = served.handle.shared.watches.count();
    let mut waiting = Line::with_token(&served.handle, token).await;
    let answer =
        tokio::spawn(async move { waiting.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await });
    served.until_held(before + 1).await;
    answer
}

/// A member who may have what begins with `DB_`: the address and a token.
async fn member(owner: &mut Line, email: &str) -> String {
    let body = json!({ "email": email, "role": "reader", "names": ["DB_*"] }).to_string();
    let made = owner.call("POST", MEMBERS, &body).await.is(201).json();
    made["token"].as_str().unwrap().to_owned()
}

#[test]
fn whose_token_is_revoked_is_told_at_once_and_nobody_else() {
    let served = Served::new();
    served.run(async {
        let mut owner = Line::own(&served.handle).await;
        owner.set("DB_PASSWORD", "one").await.is(201);
        let (token, id) = owner.token(&["DB_*"]).await;
        let (other_token, _) = owner.token(&["DB_*"]).await;
        let (answer, other) = (held(&served, &token).await, held(&served, &other_token).await);
        let begun = Instant::now();
        owner.call("DELETE", &format!("{TOKENS}/{id}"), "").await.is(204);
        answer.await.unwrap().is(401);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        served.until_held(1).await;
        assert!(!other.is_finished());
        let mut late = Line::with_token(&served.handle, &token).await;
        late.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await.is(401);
        owner.set("DB_PASSWORD", "two").await.is(200);
        assert_eq!(other.await.unwrap().is(200).json()["versions"], json!({ "DB_PASSWORD": 2 }));
    });
}

#[test]
fn nobody_is_woken_for_what_is_another_s() {
    let served = Served::new();
    served.run(async {
        let mut owner = Line::own(&served.handle).await;
        owner.set("DB_PASSWORD", "one").await.is(201);
        let (_, id) = owner.token(&["DB_*"]).await;
        let (_, other_id) = owner.token(&["DB_*"]).await;
        let org = OrgName::parse("default").unwrap();
        let versions = Versions::from([(SecretName::parse("DB_PASSWORD").unwrap(), 1)]);
        let sequence = sequence(&mut owner).await;
        let begin = |id: &str| {
            let mut held = Held::begin(&served.handle, None, &org, &versions).unwrap();
            let people = vec![format!("token:{id}")];
            held.looked(&Looked { versions: vec![Some(1)], sequence, people, lasts: None });
            held
        };
        let (first, other) = (begin(&id), begin(&other_id));
        owner.call("DELETE", &format!("{TOKENS}/{id}"), "").await.is(204);
        first.woken().await;
        // Told after the first one, by the same look: had it been told, it would be so by now.
        assert!(tokio::time::timeout(Duration::ZERO, other.woken()).await.is_err());
        owner.call("DELETE", &format!("{TOKENS}/{other_id}"), "").await.is(204);
        other.woken().await;
    });
}

/// The last record's.
async fn sequence(owner: &mut Line) -> i64 {
    let audit = owner.call("GET", "/api/v1/orgs/default/audit?limit=1", "").await.is(200).json();
    audit["records"][0]["sequence"].as_i64().unwrap()
}

#[test]
fn a_member_s_rights_end_what_they_were_held_by() {
    let served = Served::new();
    served.run(async {
        let mut owner = Line::own(&served.handle).await;
        owner.set("DB_PASSWORD", "one").await.is(201);
        let bob = member(&mut owner, "bob@acme.com").await;
        let eve = member(&mut owner, "eve@acme.com").await;
        let (narrowed, removed) = (held(&served, &bob).await, held(&served, &eve).await);
        let path = |email: &str| format!("{MEMBERS}/{email}");
        // Another role is no reason, as long as the names stay.
        let role = r#"{"role":"owner"}"#;
        owner.call("PATCH", &path("bob@acme.com"), role).await.is(200);
        owner.call("PATCH", &path("bob@acme.com"), r#"{"names":["API_*"]}"#).await.is(200);
        let refused = narrowed.await.unwrap().is(404).json();
        let forbidden: Value =
            json!([{ "name": "DB_PASSWORD", "reason": "forbidden", "nearest": null }]);
        assert_eq!(refused["unresolved"], forbidden);
        assert!(!removed.is_finished());
        // What a member made goes with the member, too.
        owner.call("PATCH", &path("eve@acme.com"), r#"{"role":"owner"}"#).await.is(200);
        let mut second = Line::with_token(&served.handle, &eve).await;
        let (made, _) = second.token(&["DB_*"]).await;
        let made = held(&served, &made).await;
        owner.call("DELETE", &path("eve@acme.com"), "").await.is(204);
        removed.await.unwrap().is(401);
        made.await.unwrap().is(401);
    });
}

#[test]
fn what_another_process_revokes_is_seen() {
    let served = Served::new();
    let beside = served.beside();
    let (answer, id) = served.run(async {
        let mut owner = Line::own(&served.handle).await;
        owner.set("DB_PASSWORD", "one").await.is(201);
        let (token, id) = owner.token(&["DB_*"]).await;
        (held(&served, &token).await, id)
    });
    let begun = Instant::now();
    call(&beside, "DELETE", &format!("{TOKENS}/{id}"), &[], b"").is(204);
    served.run(answer).unwrap().is(401);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_token_that_ends_meanwhile_ends_its_watch() {
    let served = Served::new();
    served.run(async {
        let mut owner = Line::own(&served.handle).await;
        owner.set("DB_PASSWORD", "one").await.is(201);
        let end = jiff::Timestamp::now() + Duration::from_secs(2);
        let body = json!({ "workload": "web", "names": ["*"], "expires_at": end.to_string() });
        let made = owner.call("POST", TOKENS, &body.to_string()).await.is(201).json();
        let answer = held(&served, made["token"].as_str().unwrap()).await;
        answer.await.unwrap().is(401);
        assert!(jiff::Timestamp::now() >= end);
    });
}
