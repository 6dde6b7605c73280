//! Organizations, members and tokens: who is made by whom, what each may, and what goes with whom.

mod owners;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::store::http::Peer;
use crate::store::tests::Reply;
use crate::store::tests::served::{Caller, Proof, Served};
use crate::store::token;

/// A store with `acme`, and its owner.
fn acme() -> (Served, Caller) {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    (served, alice)
}

impl Served {
    fn of_acme(&self, caller: &Caller, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(caller, method, &format!("/api/v1/orgs/acme/{path}"), &body)
    }

    fn add(&self, owner: &Caller, email: &str, role: &str) -> Caller {
        let body = json!({ "email": email, "role": role });
        self.of_acme(owner, "POST", "members", body).is(201).caller()
    }

    fn mint(&self, owner: &Caller, body: Value) -> Reply {
        self.of_acme(owner, "POST", "tokens", body)
    }
}

#[test]
fn an_organization_and_its_owner() {
    let (served, alice) = acme();
    let orgs = served.ask(&alice, "GET", "/api/v1/orgs", "").is(200).json();
    assert_eq!(orgs["orgs"][0]["name"], "acme");
    assert_eq!(orgs["orgs"][0]["role"], "owner");
    assert_eq!(orgs["orgs"][0]["created_by"], "os:alice");
    served.set("acme", "DB_PASSWORD", "x");
    let refused = served.resolve(&alice, "acme", &["DB_PASSWORD"]).is(404).json();
    assert_eq!(refused["unresolved"][0]["reason"], "forbidden", "no names unless granted");
    served.of_acme(&alice, "PATCH", "members/alice@acme.com", json!({ "names": ["*"] })).is(200);
    served.resolve(&alice, "acme", &["DB_PASSWORD"]).is(200);

    let other = r#"{"name":"second","owner":"bob@acme.com"}"#;
    served.ask(&alice, "POST", "/api/v1/orgs", other).is(422);
    let made = served.ask(&alice, "POST", "/api/v1/orgs", r#"{"name":"second"}"#).is(201);
    let owner = made.caller();
    assert_eq!(made.json()["role"], "owner");
    let members = served.ask(&owner, "GET", "/api/v1/orgs/second/members", "").is(200).json();
    assert_eq!(members["members"][0]["email"], "alice@acme.com");
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
    let taken = served.ask(&alice, "POST", "/api/v1/orgs", r#"{"name":"second"}"#).is(409);
    assert_eq!(taken.problem(), "exists");
    served.ask(&alice, "GET", "/api/v1/orgs/second/members", "").is(404);
    served.operator("POST", "/api/v1/orgs", &json!({ "name": "third" })).is(422);

    let token = format!("token:{}", made.text("id"));
    assert_eq!(
        served.trail("second"),
        [
            "alice@acme.com org.create - ok",
            "alice@acme.com member.add member:alice@acme.com ok",
            &format!("alice@acme.com token.create {token} ok"),
        ]
    );
    assert_eq!(
        served.trail("acme")[5..],
        [
            "alice@acme.com member.update member:alice@acme.com ok",
            "alice@acme.com resolve - ok",
            "alice@acme.com org.create - invalid",
            "alice@acme.com org.create - ok",
            "alice@acme.com org.create - exists",
        ]
    );
}

#[test]
fn a_workload_makes_no_organization() {
    let (served, alice) = acme();
    let workload = served.mint(&alice, json!({ "workload": "billing" })).is(201);
    served.ask(&workload.caller(), "POST", "/api/v1/orgs", r#"{"name":"second"}"#).is(403);
    let actor = format!("token:{}", workload.text("id"));
    assert_eq!(served.trail("acme").pop().unwrap(), format!("{actor} org.create - forbidden"));
}

#[test]
fn roles_and_the_last_owner() {
    let (served, alice) = acme();
    let change = |caller: &Caller, email: &str, body: Value| {
        served.of_acme(caller, "PATCH", &format!("members/{email}"), body)
    };
    let remove = |caller: &Caller, email: &str| {
        served.of_acme(caller, "DELETE", &format!("members/{email}"), Value::Null)
    };
    for caller in [&alice, &Caller::operator()] {
        for reply in [
            change(caller, "alice@acme.com", json!({ "role": "editor" })),
            change(caller, "alice@acme.com", json!({ "role": "reader", "names": [] })),
            remove(caller, "alice@acme.com"),
        ] {
            assert_eq!(reply.is(409).problem(), "last-owner");
        }
        change(caller, "alice@acme.com", json!({ "role": "owner" })).is(200);
    }
    let bob = served.add(&alice, "Bob@Acme.com", "reader");
    let names = json!({ "names": ["DB_*"] });
    assert_eq!(change(&alice, "bob@acme.com", names).is(200).json()["role"], "reader");
    let kept = change(&alice, "BOB%40acme.com", json!({ "role": "owner" })).is(200).json();
    assert_eq!((&kept["role"], &kept["names"][0]), (&json!("owner"), &json!("DB_*")));
    for bad in [json!({}), json!({ "role": null, "names": null }), json!({ "role": "admin" })] {
        change(&alice, "bob@acme.com", bad).is(422);
    }
    served.of_acme(&alice, "POST", "members", json!({ "email": "b@c", "role": "boss" })).is(422);

    change(&bob, "alice@acme.com", json!({ "role": "reader" })).is(200);
    served.of_acme(&alice, "GET", "members", Value::Null).is(403);
    served.of_acme(&alice, "GET", "secrets", Value::Null).is(200);
    assert_eq!(remove(&bob, "bob@acme.com").is(409).problem(), "last-owner");
    change(&bob, "alice@acme.com", json!({ "role": "owner" })).is(200);
    remove(&bob, "bob@acme.com").is(204);
    served.of_acme(&bob, "GET", "secrets", Value::Null).is(401);
}

#[test]
fn what_a_token_is_made_with() {
    let (served, alice) = acme();
    let (before, day) = (Timestamp::now(), SignedDuration::from_hours(24));
    let made = served.mint(&alice, json!({ "workload": "billing" })).is(201).json();
    assert_eq!(made["names"], json!(["*"]));
    assert_eq!(
        (&made["created_by"], &made["workload"]),
        (&json!("alice@acme.com"), &json!("billing"))
    );
    let end: Timestamp = made["expires_at"].as_str().unwrap().parse().unwrap();
    // What is kept is exact to the millisecond.
    let days = before + day * 90 - SignedDuration::from_millis(1)..Timestamp::now() + day * 90;
    assert!(days.contains(&end), "{made}");
    let own = served.mint(&alice, json!({ "member": "alice@acme.com" })).is(201).json();
    assert!(own.get("expires_at").is_none() && own.get("names").is_none(), "{own}");
    let until = json!({ "workload": "b", "expires_at": "2999-01-31T12:00:00+02:00" });
    assert_eq!(served.mint(&alice, until).is(201).json()["expires_at"], "2999-01-31T10:00:00Z");
    let many = vec!["A"; 257];
    for bad in [
        json!({}),
        json!({ "workload": "b", "member": "alice@acme.com" }),
        json!({ "member": "alice@acme.com", "names": ["*"] }),
        json!({ "workload": "Not One" }),
        json!({ "member": "*@acme.com" }),
        json!({ "workload": "b", "expires_at": "2020-01-31T12:00:00Z" }),
        json!({ "workload": "b", "expires_at": "tomorrow" }),
        json!({ "workload": "b", "names": ["db_*"] }),
        json!({ "workload": "b", "names": ["A?"] }),
        json!({ "workload": "b", "names": many }),
        json!({ "workload": "b", "names": "*" }),
        json!({ "workload": "b", "role": "owner" }),
    ] {
        served.mint(&alice, bad).is(422);
    }
    let nobody = served.mint(&alice, json!({ "member": "nobody@acme.com" })).is(404);
    assert_eq!(nobody.problem(), "not-found");
    let list = served.of_acme(&alice, "GET", "tokens", Value::Null).is(200);
    assert!(!format!("{list:?}").contains("inj_"), "{list:?}");
}

/// Who knows a token's id, from a list, does not know the token, though the store just saw it.
#[test]
fn an_id_is_no_token() {
    let (served, alice) = acme();
    let Proof::Bearer(token) = &alice.proof else { panic!("an owner has a token") };
    let forged = Caller::bearer(&token::forged(token.as_bytes()));
    for (method, path, status) in
        [("DELETE", "secrets/ABSENT", 404), ("GET", "secrets", 200), ("POST", "audit/verify", 200)]
    {
        served.of_acme(&alice, method, path, json!({})).is(status);
        served.of_acme(&forged, method, path, json!({})).is(401);
        served.of_acme(&alice, method, path, json!({})).is(status);
    }
}

#[test]
fn names_and_globs() {
    let (served, alice) = acme();
    let names = ["STRIPE_KEY", "STRIPE", "DB_PROD", "DB_PROD_OLD", "EXACT", "EXACTLY"];
    names.iter().for_each(|name| served.set("acme", name, "x"));
    let body = json!({ "workload": "billing", "names": ["STRIPE_*", "*_PROD", "EXACT"] });
    let caller = served.mint(&alice, body).is(201).caller();
    for (name, is_covered) in names.into_iter().zip([true, false, true, false, true, false]) {
        let got = served.resolve(&caller, "acme", &[name]);
        let reason = || got.json()["unresolved"][0]["reason"].clone();
        assert!(if is_covered { got.status == 200 } else { reason() == "forbidden" }, "{got:?}");
    }
    // The nearest name is one that the caller may have.
    let typo = served.resolve(&caller, "acme", &["STRIPE_KEI", "EXACTL"]).is(404).json();
    let unresolved = json!([
        { "name": "EXACTL", "reason": "forbidden", "nearest": null },
        { "name": "STRIPE_KEI", "reason": "missing", "nearest": "STRIPE_KEY" },
    ]);
    assert_eq!(typo["unresolved"], unresolved);
}

#[test]
fn networks() {
    let (served, alice) = acme();
    served.set("acme", "DB_PASSWORD", "x");
    for (network, shown, from, is_inside) in [
        ("10.0.0.0/8", "10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("10.0.0.0/8", "10.0.0.0/8", "::10.1.2.3", false),
        ("10.9.8.7/8", "10.0.0.0/8", "10.1.2.3", true),
        ("0.0.0.0/0", "0.0.0.0/0", "255.1.2.3", true),
        ("0.0.0.0/0", "0.0.0.0/0", "fd00::1", false),
        ("fd00::/8", "fd00::/8", "fd12::1", true),
        ("fd00::/8", "fd00::/8", "fe80::1", false),
        ("fd00::/8", "fd00::/8", "10.1.2.3", false),
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.8", false),
        ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.7", true),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3", true),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "11.1.2.3", false),
        ("fd00::1", "fd00::1/128", "fd00::1", true),
    ] {
        let made = served.mint(&alice, json!({ "workload": "b", "network": network })).is(201);
        assert_eq!(made.text("network"), shown, "{network}");
        let caller = made.caller().from(from);
        let expected = if is_inside { 200 } else { 403 };
        served.resolve(&caller, "acme", &["DB_PASSWORD"]).is(expected);
        let body = json!({ "member": "alice@acme.com", "network": network });
        let caller = served.mint(&alice, body).is(201).caller().from(from);
        let expected = if is_inside { 200 } else { 403 };
        served.of_acme(&caller, "GET", "secrets", Value::Null).is(expected);
    }
    for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/8 ", "10.0.0/8", "10.0.0.0/-1", "fd00::/129"] {
        served.mint(&alice, json!({ "workload": "b", "network": bad })).is(422);
    }
}

/// Whoever comes over a unix socket has no address, and is in no network.
#[test]
fn no_address_is_in_no_network() {
    let (served, alice) = acme();
    for (network, expected) in [(json!("0.0.0.0/0"), 403), (json!("::/0"), 403), (json!(null), 200)]
    {
        let body = json!({ "member": "alice@acme.com", "network": network });
        let token = served.mint(&alice, body).is(201).text("token");
        let head = format!("GET /api/v1/orgs HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {token}");
        let peer = Peer::Stranger { address: None };
        let got = {
            let whole = format!("{head}\r\nconnection: close\r\n\r\n");
            served.send_raw(peer, whole.as_bytes(), false)
        };
        let got = String::from_utf8(got).unwrap();
        assert!(got.starts_with(&format!("HTTP/1.1 {expected} ")), "{got}");
    }
}

/// What a member minted goes with the member: a workload's token, and the first token of another
/// member. What those minted stays, and who comes back gets nothing back.
#[test]
fn what_goes_with_a_member() {
    let (served, alice) = acme();
    let carol = served.add(&alice, "carol@acme.com", "owner");
    let second = served.mint(&carol, json!({ "member": "carol@acme.com" })).is(201).caller();
    let workload = served.mint(&carol, json!({ "workload": "billing" })).is(201).caller();
    let dave = served.add(&carol, "dave@acme.com", "owner");
    let of_dave = served.mint(&dave, json!({ "workload": "billing" })).is(201).caller();
    let by_alice = served.mint(&alice, json!({ "member": "dave@acme.com" })).is(201).caller();
    served.set("acme", "DB_PASSWORD", "x");
    let resolves = |caller: &Caller, status| {
        served.resolve(caller, "acme", &["DB_PASSWORD"]).is(status);
    };
    let lists = |caller: &Caller, status| {
        served.of_acme(caller, "GET", "secrets", Value::Null).is(status);
    };
    let gone = [&carol, &second, &dave];
    gone.iter().for_each(|caller| lists(caller, 200));
    resolves(&workload, 200);

    let skipped = served.trail("acme").len();
    served.of_acme(&alice, "DELETE", "members/carol@acme.com", Value::Null).is(204);
    gone.iter().for_each(|caller| lists(caller, 401));
    resolves(&workload, 401);
    resolves(&of_dave, 200);
    lists(&by_alice, 200);
    let again = served.add(&alice, "carol@acme.com", "reader");
    gone.iter().for_each(|caller| lists(caller, 401));
    resolves(&workload, 401);
    lists(&again, 200);
    served.of_acme(&again, "GET", "members", Value::Null).is(403);

    let mut trail = served.trail("acme").split_off(skipped);
    let revoked = trail.drain(..4).filter(|record| record.contains("token.revoke token:")).count();
    assert_eq!(revoked, 4);
    assert_eq!(trail[0], "alice@acme.com member.remove member:carol@acme.com ok");
    served.verify("acme");
}

/// Whoever may not do it is told that, whatever is wrong with how it is asked.
#[test]
fn what_is_forbidden_is_so_in_any_form() {
    let (served, alice) = acme();
    let rita = served.add(&alice, "rita@acme.com", "reader");
    let network = json!({ "workload": "billing", "network": "10.0.0.0/8" });
    let astray = served.mint(&alice, network).is(201);
    let skipped = served.trail("acme").len();
    let ask = |caller: &Caller, method: &str, path: &str, status: u16| {
        served.ask(caller, method, &format!("/api/v1/orgs{path}"), "{").is(status);
    };
    ask(&rita, "PUT", "/acme/secrets/NEW_KEY", 403);
    ask(&rita, "POST", "/acme/members", 403);
    ask(&rita, "DELETE", "/acme/members/nobody", 403);
    ask(&rita, "POST", "/acme/tokens", 403);
    ask(&rita, "POST", "", 403);
    ask(&rita, "POST", "/acme/resolve", 400);
    ask(&alice, "POST", "/acme/tokens", 400);
    ask(&alice, "POST", "", 400);
    ask(&astray.caller(), "POST", "/acme/resolve", 403);
    let billing = format!("token:{} resolve - network", astray.text("id"));
    assert_eq!(
        served.trail("acme")[skipped..],
        [
            "rita@acme.com create - forbidden",
            "rita@acme.com member.add - forbidden",
            "rita@acme.com member.remove - forbidden",
            "rita@acme.com token.create - forbidden",
            "rita@acme.com org.create - forbidden",
            "rita@acme.com resolve - invalid",
            "alice@acme.com token.create - invalid",
            "alice@acme.com org.create - invalid",
            &billing,
        ]
    );
}

/// Each refusal is on record, and says whom it was about.
#[test]
fn refusals_are_on_record() {
    let (served, alice) = acme();
    let rita = served.add(&alice, "rita@acme.com", "reader");
    let member = json!({ "email": "x@acme.com", "role": "owner" });
    let skipped = served.trail("acme").len();
    served.of_acme(&rita, "POST", "members", member).is(403);
    let promoted = json!({ "role": "owner" });
    served.of_acme(&rita, "PATCH", "members/rita@acme.com", promoted.clone()).is(403);
    served.of_acme(&rita, "DELETE", "members/alice@acme.com", Value::Null).is(403);
    served.mint(&rita, json!({ "member": "alice@acme.com" })).is(403);
    served.of_acme(&rita, "DELETE", "tokens/000000000000", Value::Null).is(403);
    served.of_acme(&rita, "PUT", "secrets/DB_PASSWORD", json!({ "value": "x" })).is(403);
    served.ask(&rita, "POST", "/api/v1/orgs", r#"{"name":"mine"}"#).is(403);
    served
        .of_acme(&alice, "POST", "members", json!({ "email": "rita@acme.com", "role": "owner" }))
        .is(409);
    served.of_acme(&alice, "PATCH", "members/x@acme.com", promoted).is(404);
    served.of_acme(&alice, "DELETE", "tokens/000000000000", Value::Null).is(404);
    assert_eq!(
        served.trail("acme")[skipped..],
        [
            "rita@acme.com member.add - forbidden",
            "rita@acme.com member.update - forbidden",
            "rita@acme.com member.remove - forbidden",
            "rita@acme.com token.create - forbidden",
            "rita@acme.com token.revoke - forbidden",
            "rita@acme.com create - forbidden",
            "rita@acme.com org.create - forbidden",
            "alice@acme.com member.add - exists",
            "alice@acme.com member.update - missing",
            "alice@acme.com token.revoke - missing",
        ]
    );
    let list = served.of_acme(&alice, "GET", "audit?actor=rita@acme.com", Value::Null).is(200);
    let details: Vec<Value> = list.json()["records"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|record| record["detail"].clone())
        .collect();
    assert_eq!(
        details,
        [
            json!({ "member": "x@acme.com" }),
            json!({ "member": "rita@acme.com" }),
            json!({ "member": "alice@acme.com" }),
            json!({ "member": "alice@acme.com" }),
            json!({ "token": "000000000000" }),
            Value::Null,
            json!({ "organization": "mine" }),
        ]
    );
}
