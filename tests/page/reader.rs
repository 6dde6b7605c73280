//! What a role may not do is not offered, and refused all the same.

use serde_json::json;

use super::{Browser, Site};

/// Asks the API from within the page, with its cookie, as any script there could.
#[track_caller]
fn status(browser: &Browser, method: &str, path: &str, body: &str) -> i64 {
    let body = if body.is_empty() { "undefined".into() } else { format!("'{body}'") };
    let ask = format!(
        "fetch('/api/v1/orgs/acme{path}', {{ method: '{method}', body: {body} }})
            .then((answer) => answer.status)"
    );
    browser.promise(&ask, json!([])).as_i64().expect("a status")
}

#[track_caller]
fn offers(browser: &Browser, names: &[&str]) {
    let offered = browser.script(
        "return [...document.querySelectorAll('main button, header a, nav a')]
            .map((one) => one.getAttribute('aria-label') ?? one.textContent)",
        json!([]),
    );
    let offered: Vec<String> = serde_json::from_value(offered).expect("texts");
    for name in names {
        assert!(
            !offered.iter().any(|one| one.starts_with(name)),
            "`{name}` is offered: {offered:?}"
        );
    }
}

const CHANGES: [&str; 8] =
    ["Create", "Update", "Delete", "Add", "Change", "Remove", "Revoke", "Create token"];

#[test]
fn a_reader_reads() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let token = site.day.member("rita@acme.com", &["--role", "reader"]);
    let browser = site.signed_in("/orgs/acme/secrets", &token);
    browser.lists(&["STRIPE_API_KEY"]);
    browser.button("Copy reference to STRIPE_API_KEY");
    offers(&browser, &CHANGES);
    for view in ["workloads", "audit", "members"] {
        browser.open(&format!("/orgs/acme/{view}"));
        browser.button("Sign out");
        browser.is_idle();
        offers(&browser, &CHANGES);
    }
    for (method, path, body) in [
        ("PUT", "/secrets/STRIPE_API_KEY", r#"{"value":"x"}"#),
        ("DELETE", "/secrets/STRIPE_API_KEY", ""),
        ("GET", "/members", ""),
        ("POST", "/members", r#"{"email":"x@acme.com","role":"owner"}"#),
        ("PATCH", "/members/rita@acme.com", r#"{"role":"owner"}"#),
        ("DELETE", "/members/alice@acme.com", ""),
        ("GET", "/tokens", ""),
        ("POST", "/tokens", r#"{"workload":"x"}"#),
    ] {
        assert_eq!(status(&browser, method, path, body), 403, "{method} {path}");
    }
    assert_eq!(status(&browser, "GET", "/audit", ""), 200);
    assert_eq!(site.names(), ["STRIPE_API_KEY"]);
}

#[test]
fn an_editor_edits_and_manages_nobody() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let token = site.day.member("edith@acme.com", &["--role", "editor"]);
    let browser = site.signed_in("/orgs/acme/secrets", &token);
    browser.button("Create secret");
    browser.button("Update STRIPE_API_KEY");
    browser.button("Delete STRIPE_API_KEY");
    for view in ["workloads", "members"] {
        browser.open(&format!("/orgs/acme/{view}"));
        browser.button("Sign out");
        browser.is_idle();
        offers(&browser, &CHANGES);
    }
    for (method, path, body) in [
        ("POST", "/tokens", r#"{"workload":"x"}"#),
        ("POST", "/members", r#"{"email":"x@acme.com","role":"owner"}"#),
    ] {
        assert_eq!(status(&browser, method, path, body), 403, "{method} {path}");
    }
    // With a cookie, another origin's request is refused; so is a value that nobody granted.
    let resolve = r#"{"names":["STRIPE_API_KEY"]}"#;
    assert_eq!(status(&browser, "POST", "/resolve", resolve), 404);
}

/// A role that is taken away while one looks counts from the next click, and nothing is lost.
#[test]
fn a_role_that_is_lost_in_mid_work() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let token = site.day.member("edith@acme.com", &["--role", "editor"]);
    let browser = site.signed_in("/orgs/acme/secrets", &token);
    browser.button("Update STRIPE_API_KEY").click();
    browser.field("Secret value").types("typed with care");
    let path = "/orgs/acme/members/edith@acme.com";
    site.ask("PATCH", path, &json!({"role": "reader"}));
    browser.button("Update").click();
    browser.select("dialog[open] [role=alert]:not(:empty)");
    assert_eq!(browser.field("Secret value").value(), "typed with care");
    assert_eq!(site.value("STRIPE_API_KEY"), "value of STRIPE_API_KEY");
}
