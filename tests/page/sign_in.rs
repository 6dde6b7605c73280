//! Signing in and out, and addresses that hold what one looks at.

use serde_json::{Value, json};

use super::driver::OFF_LOOPBACK;
use super::{Browser, Site};
use crate::harness::World;
use crate::service::{Day, Served, init};

const WRONG: &str = "inj_m_0000000000000000000000000000000000000000000000000";

/// What a page may keep in a browser, counted.
const KEPT: &str = "(async () => [localStorage.length, sessionStorage.length,
    (await indexedDB.databases()).length, (await caches.keys()).length,
    document.cookie.length])()";

#[track_caller]
fn asks_for_a_token(browser: &Browser) {
    browser.field("Token");
    browser.lacks("button", "Sign out");
}

#[test]
fn one_signs_in_and_out() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD"]);
    let browser = site.browser();
    browser.open("/");
    asks_for_a_token(&browser);
    assert_eq!(browser.field("Token").property("type"), "password", "it is not shown");
    browser.field("Token").types(WRONG);
    browser.button("Sign in").click();
    browser.faults("Token");
    browser.field("Token").clear().types(&site.day.owner);
    browser.press(&["Enter"]);
    browser.button("Sign out");
    let cookies = browser.cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    for (key, wanted) in [
        ("name", json!("__Host-inject")),
        ("httpOnly", json!(true)),
        ("secure", json!(true)),
        ("sameSite", json!("Strict")),
        ("path", json!("/")),
    ] {
        assert_eq!(cookies[0][key], wanted, "{key}");
    }
    assert_eq!(browser.promise(KEPT, json!([])), json!([0, 0, 0, 0, 0]));
    browser.link_of("acme").click();
    browser.is_at("/orgs/acme/secrets");
    browser.lists(&["DB_PASSWORD_PROD"]);
    browser.button("Sign out").click();
    asks_for_a_token(&browser);
    browser.hides("DB_PASSWORD_PROD");
    assert_eq!(browser.cookies(), Vec::<Value>::new());
    assert_eq!(browser.promise(KEPT, json!([])), json!([0, 0, 0, 0, 0]));
    for one in browser.exchanges() {
        assert!(!one.url.contains("inj_m_"), "a token in the address {}", one.url);
        let is_sign_in = one.method == "POST" && one.url.ends_with("/api/v1/session");
        assert!(is_sign_in || !one.asked.contains(&site.day.owner), "{one:?}");
        assert!(!one.answered.contains(&site.day.owner), "{one:?}");
    }
}

#[test]
fn the_way_back_after_signing_out_shows_nothing() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD"]);
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    browser.lists(&["DB_PASSWORD_PROD"]);
    browser.link("Members").click();
    browser.shows("alice@acme.com");
    browser.button("Sign out").click();
    asks_for_a_token(&browser);
    for step in ["history.back()", "history.forward()"] {
        browser.script(step, json!([]));
        asks_for_a_token(&browser);
        let text = browser.text();
        assert!(!text.contains("DB_PASSWORD_PROD") && !text.contains("alice@"), "{text}");
    }
}

#[test]
fn another_window_that_signed_out_leaves_none_signed_in() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD"]);
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    browser.lists(&["DB_PASSWORD_PROD"]);
    // The page goes into the browser's memory of pages, whole.
    browser.open("/healthz");
    browser.script("document.title", json!([]));
    let out = "fetch('/api/v1/session', { method: 'DELETE' }).then((answer) => answer.status)";
    assert_eq!(browser.promise(out, json!([])), 204);
    browser.back();
    asks_for_a_token(&browser);
    browser.hides("DB_PASSWORD_PROD");
}

#[test]
fn an_address_is_what_one_looks_at() {
    let site = Site::new();
    let browser = site.browser();
    browser.sign_in("/orgs/acme/members", &site.day.owner);
    browser.is_at("/orgs/acme/members");
    browser.find("heading", "Members");
    let mut titles = vec![browser.script("return document.title", json!([]))];
    for (tab, path) in [("Secrets", "secrets"), ("Workloads", "workloads"), ("Audit", "audit")] {
        browser.link(tab).click();
        browser.is_at(&format!("/orgs/acme/{path}"));
        browser.find("heading", tab);
        assert_eq!(browser.link(tab).attribute("aria-current").as_deref(), Some("page"));
        titles.push(browser.script("return document.title", json!([])));
    }
    titles.dedup();
    assert_eq!(titles.len(), 4, "each view has a title of its own: {titles:?}");
    browser.reload();
    browser.find("heading", "Audit");
    browser.back();
    browser.find("heading", "Workloads");
    browser.back();
    browser.find("heading", "Secrets");
    browser.script("history.forward()", json!([]));
    browser.find("heading", "Workloads");
    let focused = browser.script("return document.activeElement.tagName", json!([]));
    assert_eq!(focused, "H1", "who navigates is told where they are");
    browser.open("/orgs");
    browser.link_of("acme").click();
    browser.is_at("/orgs/acme/secrets");
}

/// What is not there, and what is another's, looks the same.
#[test]
fn no_organization_and_another_s_are_one() {
    let site = Site::new();
    let other = ["org", "create", "other", "--owner", "mallory@other.com"];
    site.day.world.inject(other).run().code(0);
    let browser = site.signed_in("/orgs/other/secrets", &site.day.owner);
    let text = |path: &str, name: &str| {
        browser.open(path);
        browser.button("Sign out");
        browser.wait("an answer", || {
            browser
                .script("return document.querySelector('[aria-busy=true]')", json!([]))
                .is_null()
                .then_some(())
        });
        browser.text().replace(name, "[NAME]")
    };
    let (one, two) = (text("/orgs/other/secrets", "other"), text("/orgs/nobody/secrets", "nobody"));
    assert_eq!(one, two);
    assert!(!one.contains("mallory"), "{one}");
}

/// There a browser keeps no cookie that is for https alone, and the token would go in the clear.
#[test]
fn no_token_goes_in_the_clear_to_another_machine() {
    let world = World::new();
    let owner = init(&world);
    let words = ["store", "serve", "--plaintext", "--listen", "0.0.0.0:0"];
    let run = world.inject(words).env("INJECT_ALLOW_PLAINTEXT", "1");
    let served = Served::of(&world, "server", run, 1);
    let _seat = super::browser::Seat::take();
    let (_, port) = served.url().rsplit_once(':').expect("an address has a port");
    let browser = Browser::start(&format!("http://{OFF_LOOPBACK}:{port}"));
    browser.open("/orgs/acme/secrets");
    browser.field("Token").types(&owner);
    browser.button("Sign in").click();
    browser.shows("This page needs https, or loopback");
    asks_for_a_token(&browser);
    let exchanges = browser.exchanges();
    assert!(exchanges.iter().any(|one| one.url.contains(OFF_LOOPBACK)), "it asked that name");
    for one in exchanges {
        assert!(one.method == "GET" && !one.asked.contains(&owner), "{one:?}");
    }
    // The same server, asked by a name of loopback, is signed in to.
    let browser = Browser::start(&format!("http://127.0.0.1:{port}"));
    browser.sign_in("/orgs/acme/secrets", &owner);
}

#[test]
fn over_tls_too() {
    let world = World::new();
    let owner = init(&world);
    let served = Served::start(&world);
    let day = Day { world, served, owner };
    let _seat = super::browser::Seat::take();
    let browser = Browser::start(day.served.bare());
    browser.sign_in("/orgs/acme/secrets", &day.owner);
    browser.find("heading", "Secrets");
    browser.reload();
    browser.button("Sign out");
    browser.is_quiet();
}
