//! Requests that are held until a secret has another version.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::store::audit::Action;
use crate::store::tests::lasting::{Line, Served, all};
use crate::store::tests::{call, secret};
use crate::store::watches::{Held, Versions};

/// Longer than any test is patient: what is answered was answered for another reason.
const LONG: u64 = 300;

#[test]
fn a_change_answers_who_waits_for_it() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        line.set("API_KEY", "one").await.is(201);
        let mut waiting = Line::own(&served.handle).await;
        let known = json!({ "DB_PASSWORD": 1, "API_KEY": 1 });
        let answer = tokio::spawn(async move { waiting.watch(&known, LONG).await });
        served.until_held(1).await;
        line.set("API_KEY", "two").await.is(200);
        let answer = answer.await.unwrap().is(200).json();
        assert_eq!(answer, json!({ "versions": { "API_KEY": 2, "DB_PASSWORD": 1 } }));
    });
}

#[test]
fn what_is_gone_is_null() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        let mut waiting = Line::own(&served.handle).await;
        let answer =
            tokio::spawn(async move { waiting.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await });
        served.until_held(1).await;
        line.delete("DB_PASSWORD").await.is(204);
        let gone = json!({ "versions": { "DB_PASSWORD": null } });
        assert_eq!(answer.await.unwrap().is(200).json(), gone);
        // What is not there now, or is another version, is no reason to wait.
        assert_eq!(line.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await.is(200).json(), gone);
        line.set("DB_PASSWORD", "two").await.is(201);
        let answer = line.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await.is(200).json();
        assert_eq!(answer, json!({ "versions": { "DB_PASSWORD": 2 } }));
    });
}

#[test]
fn when_its_time_is_over_nothing_has_changed() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        let known = json!({ "DB_PASSWORD": 1 });
        for wait in [0, 1] {
            let begun = Instant::now();
            let answer = line.watch(&known, wait).await.is(200).json();
            assert_eq!(answer, json!({ "versions": known }));
            assert!(begun.elapsed() >= Duration::from_secs(wait));
        }
        served.until_held(0).await;
    });
}

#[test]
fn a_change_by_another_process_is_seen() {
    let served = Served::new();
    let beside = served.beside();
    let body = br#"{"value":"x"}"#;
    call(&beside, "PUT", &secret("DB_PASSWORD"), &[], body).is(201);
    let mut waiting = served.run(Line::own(&served.handle));
    let known = json!({ "DB_PASSWORD": 1 });
    let answer = served.runtime.spawn(async move { waiting.watch(&known, LONG).await });
    served.run(served.until_held(1));
    let begun = Instant::now();
    call(&beside, "PUT", &secret("OTHER_ONE"), &[], body).is(201);
    call(&beside, "PUT", &secret("DB_PASSWORD"), &[], body).is(200);
    let answer = served.run(answer).unwrap().is(200).json();
    assert_eq!(answer, json!({ "versions": { "DB_PASSWORD": 2 } }));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_store_that_drains_waits_for_nobody() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        let known = json!({ "DB_PASSWORD": 1 });
        let same = json!({ "versions": known });
        let mut waiting = Line::own(&served.handle).await;
        let asked = known.clone();
        let answer = tokio::spawn(async move { waiting.watch(&asked, LONG).await });
        served.until_held(1).await;
        served.handle.drain();
        assert_eq!(answer.await.unwrap().is(200).json(), same);
        assert_eq!(line.watch(&known, LONG).await.is(200).json(), same);
    });
}

#[test]
fn who_waits_is_judged_again() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        for name in ["DB_PASSWORD", "API_KEY"] {
            line.set(name, "one").await.is(201);
        }
        let (token, id) = line.token(&["DB_*"]).await;
        let mut waiting = Line::with_token(&served.handle, &token).await;
        let refused = waiting.watch(&json!({ "API_KEY": 1, "DB_PASSWORD": 1 }), LONG).await.is(404);
        let forbidden = json!([{ "name": "API_KEY", "reason": "forbidden", "nearest": null }]);
        assert_eq!(refused.json()["unresolved"], forbidden);
        let answer =
            tokio::spawn(async move { waiting.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await });
        served.until_held(1).await;
        line.call("DELETE", &format!("/api/v1/orgs/default/tokens/{id}"), "").await.is(204);
        line.set("DB_PASSWORD", "two").await.is(200);
        answer.await.unwrap().is(401);
        let mut late = Line::with_token(&served.handle, &token).await;
        late.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await.is(401);
        let other = r#"{"versions":{"DB_PASSWORD":2}}"#;
        line.call("POST", "/api/v1/orgs/other/watch", other).await.is(404);
    });
}

#[test]
fn what_is_asked_for() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.watch(&json!({}), 0).await.is(422);
        line.watch(&json!({ "lower": 1 }), 0).await.is(422);
        line.watch(&json!({ "DB_PASSWORD": -1 }), 0).await.is(422);
        let named = |names: usize| -> serde_json::Value {
            (0..names).map(|number| (format!("{:A>123}{number:05}", ""), json!(1))).collect()
        };
        let most = line.watch(&named(4096), LONG).await.is(200).json();
        assert_eq!(most["versions"].as_object().unwrap().len(), 4096);
        line.watch(&named(4097), LONG).await.is(422);
        let more = r#"{"versions":{"DB_PASSWORD":1},"values":true}"#;
        line.call("POST", "/api/v1/orgs/default/watch", more).await.is(422);
    });
}

/// The records of watches, each with its names and outcome.
async fn records(line: &mut Line) -> Vec<String> {
    let list = line.call("GET", "/api/v1/orgs/default/audit", "").await.is(200).json();
    let records = list["records"].as_array().unwrap().iter().rev();
    let watches = records.filter(|record| record["action"] == Action::Watch.as_str());
    watches
        .map(|record| {
            let names = record["secrets"].as_array().unwrap().iter();
            let names: Vec<_> =
                names.map(|one| format!("{}:{}", one["name"], one["version"])).collect();
            format!("{} {}", names.join(","), record["outcome"]).replace('"', "")
        })
        .collect()
}

#[test]
fn one_record_a_connection_and_no_use() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        for name in ["DB_PASSWORD", "API_KEY"] {
            line.set(name, "one").await.is(201);
        }
        let (token, _) = line.token(&["DB_*"]).await;
        let mut first = Line::with_token(&served.handle, &token).await;
        let known = json!({ "DB_PASSWORD": 1 });
        for _ in 0..3 {
            first.watch(&known, 0).await.is(200);
        }
        let mut second = Line::with_token(&served.handle, &token).await;
        second.watch(&known, 0).await.is(200);
        // Other names are another watch, and a refusal is on record each time.
        second.watch(&json!({ "DB_PASSWORD": 1, "DB_USER": 1 }), 0).await.is(200);
        second.watch(&json!({ "API_KEY": 1 }), 0).await.is(404);
        second.watch(&json!({ "API_KEY": 1 }), 0).await.is(404);
        second.watch(&known, 0).await.is(200);
        assert_eq!(
            records(&mut line).await,
            [
                "DB_PASSWORD:1 ok",
                "DB_PASSWORD:1 ok",
                "DB_PASSWORD:1,DB_USER:null ok",
                "API_KEY:null forbidden",
                "API_KEY:null forbidden",
            ]
        );
        let shown = line.call("GET", &secret("DB_PASSWORD"), "").await.is(200).json();
        assert_eq!(shown["workloads"], json!([]));
        let verified = line.call("POST", "/api/v1/orgs/default/audit/verify", "{}").await.is(200);
        assert!(verified.json().get("broken").is_none(), "{verified:?}");
    });
}

#[test]
fn a_record_changed_by_hand_is_no_version() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        let by_hand = rusqlite::Connection::open(served.directory.path().join("store.db")).unwrap();
        let edit = r#"UPDATE audit SET secrets = replace(secrets, ':1', ':7')"#;
        assert_eq!(by_hand.execute(edit, []), Ok(1));
        let answer = line.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await.is(500);
        assert_eq!(answer.problem(), "damaged");
    });
}

#[test]
fn who_goes_away_is_forgotten() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        let mut waiting = Line::own(&served.handle).await;
        let answer =
            tokio::spawn(async move { waiting.watch(&json!({ "DB_PASSWORD": 1 }), LONG).await });
        served.until_held(1).await;
        answer.abort();
        served.until_held(0).await;
    });
}

#[test]
fn nobody_is_woken_for_another_name() {
    let served = Served::new();
    served.run(async {
        let store = &served.handle;
        let mut line = Line::own(store).await;
        line.set("DB_PASSWORD", "one").await.is(201);
        let org = crate::name::OrgName::parse("default").unwrap();
        let name = crate::name::SecretName::parse("DB_PASSWORD").unwrap();
        let versions = Versions::from([(name, 1)]);
        let held = Held::begin(store, None, &org, &versions).unwrap();
        let woken = || tokio::time::timeout(Duration::ZERO, held.woken());
        line.set("API_KEY", "one").await.is(201);
        line.set("DB_PASSWORD", "").await.is(422);
        assert!(woken().await.is_err());
        line.set("DB_PASSWORD", "two").await.is(200);
        assert!(woken().await.is_ok());
        assert!(woken().await.is_err(), "once for each change");
    });
}

#[test]
fn one_change_answers_a_thousand() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        for name in ["DB_PASSWORD", "API_KEY"] {
            line.set(name, "one").await.is(201);
        }
        let (token, _) = line.token(&["*"]).await;
        let lines = (0..1000).map(|_| {
            let (store, token) = (served.handle.clone(), token.clone());
            async move { Line::with_token(&store, &token).await }
        });
        let waiting = all(lines).await.into_iter().map(|mut line| async move {
            line.watch(&json!({ "DB_PASSWORD": 1, "API_KEY": 1 }), LONG).await
        });
        let answers = tokio::spawn(all(waiting));
        served.until_held(1000).await;
        line.set("DB_PASSWORD", "two").await.is(200);
        for answer in answers.await.unwrap() {
            let versions = json!({ "versions": { "API_KEY": 1, "DB_PASSWORD": 2 } });
            assert_eq!(answer.is(200).json(), versions);
        }
    });
}

#[test]
fn a_stranger_has_no_place_and_a_greedy_one_leaves_some() {
    let served = Served::new();
    served.run(async {
        let store = &served.handle;
        let (token, _) = Line::own(store).await.token(&["*"]).await;
        let names = |from: usize, count: usize| -> Vec<crate::name::SecretName> {
            let name = |n| crate::name::SecretName::parse(&format!("NAME_{n}")).unwrap();
            (from..from + count).map(name).collect()
        };
        let versions: Versions = names(0, 4096).into_iter().map(|name| (name, 0)).collect();
        let orgs = ["default", "globex", "elsewhere"];
        let orgs = orgs.map(|org| crate::name::OrgName::parse(org).unwrap());
        let ids = ["000000000001", "000000000002", "000000000003"];
        let ids = ids.map(|id| crate::name::TokenId::parse(id).unwrap());
        let fill = |token: usize, org: usize| {
            let begin = || Held::begin(store, Some(&ids[token]), &orgs[org], &versions);
            std::iter::from_fn(begin).collect::<Vec<_>>()
        };
        let first = fill(0, 0);
        assert_eq!(first.len(), 49, "one token has a quarter of all names");
        let second = fill(1, 0);
        assert!(!second.is_empty() && first.len() + second.len() < 99, "an organization half");
        assert!(fill(2, 0).len() < 20);
        let other = fill(2, 1);
        assert!(other.len() > 20, "another organization has room");
        let orgs = (0..40).map(|n| crate::name::OrgName::parse(&format!("org-{n}")).unwrap());
        let orgs: Vec<_> = orgs.collect();
        let begin = |org| Held::begin(store, None, org, &versions);
        let rest: Vec<_> =
            orgs.iter().flat_map(|org| std::iter::from_fn(move || begin(org))).collect();
        assert!(rest.len() > 10, "others have what is left");
        // Whoever is not let in is told so before it is a matter of places.
        let ask = json!({ "versions": versions, "wait": LONG }).to_string();
        let mut line = Line::with_token(store, &token).await;
        line.call("POST", "/api/v1/orgs/elsewhere/watch", &ask).await.is(404);
        let known = line.call("POST", "/api/v1/orgs/default/watch", &ask).await;
        known.is(200);
        let gone = json!({ "versions": { "NAME_1": 1 }, "wait": LONG }).to_string();
        line.call("POST", "/api/v1/orgs/default/watch", &gone).await.is(200);
    });
}
