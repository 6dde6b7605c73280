//! Sessions of the page: what a cookie is worth, to whom, and until when.

use serde_json::{Value, json};

use crate::store::tests::Reply;
use crate::store::tests::served::{Caller, Served};

const SESSION: &str = "/api/v1/session";

fn sign_in(served: &Served, headers: &[(&str, &str)], token: &str) -> Reply {
    let body = json!({ "token": token }).to_string();
    let (nobody, target) = (Caller::nobody(), ("POST", SESSION));
    served.ask_with(&served.handle, &nobody, target, headers, body.as_bytes())
}

fn token(caller: &Caller) -> String {
    match &caller.proof {
        crate::store::tests::served::Proof::Bearer(token) => token.clone(),
        other => panic!("{other:?}"),
    }
}

/// The organizations of a session.
fn orgs(served: &Served, cookie: &str) -> Vec<String> {
    let list = served.ask(&Caller::session(cookie, true), "GET", "/api/v1/orgs", "").is(200).json();
    let orgs = list["orgs"].as_array().unwrap().iter();
    orgs.map(|org| format!("{} {}", org["name"].as_str().unwrap(), org["role"].as_str().unwrap()))
        .collect()
}

#[test]
fn what_the_cookie_says() {
    let served = Served::new();
    let alice = token(&served.org("acme", "alice@acme.com"));
    let signed = sign_in(&served, &[], &alice).is(200);
    let line = signed.headers["set-cookie"].to_str().unwrap();
    let (cookie, rest) = line.split_once(';').unwrap();
    assert_eq!(rest, " Path=/; Secure; HttpOnly; SameSite=Strict");
    let id = cookie.strip_prefix("__Host-inject=").unwrap();
    assert_eq!(id.len(), 43, "32 bytes in base64url");
    let session = json!({ "organization": "acme", "member": "alice@acme.com", "role": "owner" });
    assert_eq!(signed.json(), session);
    assert_eq!(signed.headers["cache-control"], "no-store");
    assert_eq!(served.trail("acme").pop().unwrap(), "alice@acme.com sign-in - ok");

    let again = sign_in(&served, &[("cookie", cookie)], &alice).is(200).cookie();
    assert_ne!(again, id, "a sign-in is a new session");
    served.ask(&Caller::session(id, true), "GET", "/api/v1/orgs", "").is(401);
    let out = served.ask(&Caller::session(&again, true), "DELETE", SESSION, "").is(204);
    let gone = "__Host-inject=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";
    assert_eq!(out.headers["set-cookie"], gone);
    served.ask(&Caller::session(&again, true), "GET", "/api/v1/orgs", "").is(401);
}

#[test]
fn who_may_sign_in() {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    let mint = |body: Value| {
        let path = "/api/v1/orgs/acme/tokens";
        served.ask(&alice, "POST", path, &body.to_string()).is(201)
    };
    let workload = mint(json!({ "workload": "billing" }));
    let astray = mint(json!({ "member": "alice@acme.com", "network": "10.0.0.0/8" }));
    let records = served.trail("acme").len();
    for no_token in ["", "hunter2", "inj_m_", &workload.text("token").replace("inj_w_", "inj_m_")] {
        sign_in(&served, &[], no_token).is(401);
    }
    assert_eq!(served.trail("acme").len(), records, "a stranger leaves no record");
    sign_in(&served, &[], &workload.text("token")).is(403);
    sign_in(&served, &[], &astray.text("token")).is(403);
    let refused = format!("token:{} sign-in - forbidden", workload.text("id"));
    let trail = served.trail("acme");
    assert_eq!(trail[records..], [refused, "alice@acme.com sign-in - network".to_owned()]);
}

#[test]
fn one_session_in_several_organizations() {
    let served = Served::new();
    let alice = token(&served.org("acme", "alice@acme.com"));
    let gina = served.org("globex", "gina@globex.com");
    let rita = json!({ "email": "alice@acme.com", "role": "reader" }).to_string();
    let rita = served.ask(&gina, "POST", "/api/v1/orgs/globex/members", &rita).is(201);
    let first = served.sign_in(&alice);
    let cookie = format!("__Host-inject={first}");
    let second = sign_in(&served, &[("cookie", &cookie)], &rita.text("token")).is(200).cookie();
    assert_eq!(orgs(&served, &second), ["acme owner", "globex reader"]);
    let page = Caller::session(&second, true);
    served.ask(&page, "GET", "/api/v1/orgs/acme/members", "").is(200);
    served.ask(&page, "GET", "/api/v1/orgs/globex/members", "").is(403);
    served.ask(&page, "GET", "/api/v1/orgs/default/members", "").is(404);
    // What is revoked goes; the rest stays.
    let path = format!("/api/v1/orgs/globex/tokens/{}", rita.text("id"));
    served.ask(&gina, "DELETE", &path, "").is(204);
    assert_eq!(orgs(&served, &second), ["acme owner"]);
    served.ask(&page, "GET", "/api/v1/orgs/globex/secrets", "").is(404);
    served.ask(&page, "DELETE", SESSION, "").is(204);
    served.ask(&page, "GET", "/api/v1/orgs/acme/members", "").is(401);
}

#[test]
fn the_latest_sign_in_counts() {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    let rita = json!({ "email": "rita@acme.com", "role": "reader" }).to_string();
    let rita = served.ask(&alice, "POST", "/api/v1/orgs/acme/members", &rita).is(201);
    let first = format!("__Host-inject={}", served.sign_in(&rita.text("token")));
    let both = sign_in(&served, &[("cookie", &first)], &token(&alice)).is(200).cookie();
    assert_eq!(orgs(&served, &both), ["acme owner"]);
    let body = r#"{"value":"x"}"#;
    let page = Caller::session(&both, true);
    let made = served.ask(&page, "PUT", "/api/v1/orgs/acme/secrets/DB_PASSWORD", body).is(201);
    assert_eq!(made.text("created_by"), "alice@acme.com");
    let other = format!("__Host-inject={both}");
    let back = sign_in(&served, &[("cookie", &other)], &rita.text("token")).is(200).cookie();
    assert_eq!(orgs(&served, &back), ["acme reader"]);
}

#[test]
fn one_that_is_astray_hides_no_other() {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    let gina = token(&served.org("globex", "gina@globex.com"));
    let body = json!({ "member": "alice@acme.com", "network": "10.0.0.0/8" }).to_string();
    let astray = served.ask(&alice, "POST", "/api/v1/orgs/acme/tokens", &body).is(201);
    let home = Caller::nobody().from("10.1.2.3");
    let body = json!({ "token": astray.text("token") }).to_string();
    let cookie = served.ask(&home, "POST", SESSION, &body).is(200).cookie();
    let cookie = format!("__Host-inject={cookie}");
    let cookie = sign_in(&served, &[("cookie", &cookie)], &gina).is(200).cookie();
    assert_eq!(orgs(&served, &cookie), ["globex owner"]);
    let page = Caller::session(&cookie, true);
    served.ask(&page, "GET", "/api/v1/orgs/acme/secrets", "").is(403);
    served.ask(&page, "GET", "/api/v1/orgs/globex/secrets", "").is(200);
    served.ask(&page.from("10.1.2.3"), "GET", "/api/v1/orgs/acme/secrets", "").is(200);
}

#[test]
fn only_the_own_page_changes_something() {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    let cookie = format!("__Host-inject={}", served.sign_in(&token(&alice)));
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let headers = [&[("cookie", cookie.as_str())], headers].concat();
        let path = format!("/api/v1/orgs/acme/{path}");
        let (nobody, target) = (Caller::nobody(), (method, path.as_str()));
        served.ask_with(&served.handle, &nobody, target, &headers, br#"{"value":"x"}"#)
    };
    let put = |headers: &[(&str, &str)]| ask("PUT", "secrets/DB_PASSWORD", headers);
    let others: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "https://store.evil.example")],
        &[("origin", "https://store:8443")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://store")],
        &[("sec-fetch-site", "none"), ("origin", "https://store")],
    ];
    for headers in others {
        put(headers).is(403);
        ask("DELETE", "secrets/DB_PASSWORD", headers).is(403);
        ask("GET", "secrets", headers).is(200);
    }
    put(&[("origin", "https://store")]).is(201);
    put(&[("sec-fetch-site", "same-origin")]).is(200);
    // What a request carries as a token counts for more than a cookie, good or bad.
    let bearer = format!("Bearer {}", token(&alice));
    put(&[("authorization", &bearer), ("origin", "https://evil.example")]).is(200);
    put(&[("authorization", "Bearer hunter2"), ("origin", "https://store")]).is(401);
    put(&[("authorization", "Basic YTpi"), ("origin", "https://store")]).is(401);

    for headers in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        sign_in(&served, &[headers], &token(&alice)).is(403);
    }
    for headers in [("origin", "https://store"), ("sec-fetch-site", "same-origin")] {
        sign_in(&served, &[headers], &token(&alice)).is(200);
    }
}
