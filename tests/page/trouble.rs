//! What goes wrong in mid-work: a session that ends, a store that stops. Nothing typed is lost.

use serde_json::json;

use super::{Browser, Site};

const PATH: &str = "/orgs/acme/secrets";

fn begin(browser: &Browser) {
    browser.button("Create secret").click();
    browser.field("Name").types("STRIPE_API_KEY");
    browser.field("Secret value").types("typed with care");
}

fn begun(site: &Site) -> Browser {
    let browser = site.signed_in("/", &site.day.owner);
    browser.link_of("acme").click();
    begin(&browser);
    browser
}

#[test]
fn a_session_that_ends_in_mid_work() {
    let mut site = Site::new();
    let browser = begun(&site);
    // Sessions live in the server's memory.
    site.stop();
    site.start();
    browser.button("Create").click();
    browser.field("Token");
    for _ in 0..2 {
        browser.back();
        browser.shows("Sign in first, or cancel.");
        assert_eq!(browser.address(), PATH, "what is behind the dialog is not left either");
    }
    browser.field("Token").types(&site.day.owner);
    browser.button("Sign in").click();
    // What was begun goes on by itself.
    browser.lists(&["STRIPE_API_KEY"]);
    assert_eq!(site.value("STRIPE_API_KEY"), "typed with care");
}

#[test]
fn a_token_that_is_revoked_in_mid_work() {
    let site = Site::new();
    let editor = site.day.member("edith@acme.com", &["--role", "editor"]);
    let browser = site.signed_in(PATH, &editor);
    begin(&browser);
    site.day.owner().does(0, &["member", "rm", "edith@acme.com", "--yes"]);
    browser.button("Create").click();
    browser.field("Token");
    // Who leaves here is signed out, and nothing of what was seen stays.
    browser.press(&["Escape"]);
    browser.lacks("field", "Token");
    assert_eq!(browser.field("Secret value").value(), "typed with care");
    assert_eq!(site.names(), Vec::<String>::new());
    browser.reload_anyway();
    browser.field("Token");
}

/// What was begun in one name is not done in another unasked.
#[test]
fn somebody_else_signs_in_in_mid_work() {
    let site = Site::new();
    let editor = site.day.member("edith@acme.com", &["--role", "editor"]);
    let browser = site.signed_in(PATH, &editor);
    begin(&browser);
    browser.promise("fetch('/api/v1/session', { method: 'DELETE' }).then(() => 0)", json!([]));
    browser.button("Create").click();
    browser.field("Token").types(&site.day.owner);
    browser.button("Sign in").click();
    browser.shows("You are now alice@acme.com, owner of acme");
    assert_eq!(browser.field("Secret value").value(), "typed with care");
    assert!(browser.text().contains("alice@acme.com owner"), "the header says so");
    assert_eq!(site.names(), Vec::<String>::new());
    browser.button("Create").click();
    browser.lists(&["STRIPE_API_KEY"]);
    // And what an editor did not see is there for an owner.
    browser.link("Members");
}

#[test]
fn a_store_that_stops_in_mid_work() {
    let mut site = Site::new();
    let browser = begun(&site);
    site.stop();
    browser.button("Create").click();
    browser.select("dialog[open] [role=alert]:not(:empty)");
    assert_eq!(browser.field("Name").value(), "STRIPE_API_KEY");
    assert_eq!(browser.field("Secret value").value(), "typed with care");
    site.start();
    browser.button("Create").click();
    browser.field("Token").types(&site.day.owner);
    browser.button("Sign in").click();
    browser.lists(&["STRIPE_API_KEY"]);
    assert_eq!(site.value("STRIPE_API_KEY"), "typed with care");
}

#[test]
fn a_list_that_cannot_be_read_is_tried_again() {
    let mut site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.lists(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    site.stop();
    browser.field("Search secrets").types("stripe");
    browser.button("Try again");
    assert_eq!(browser.field("Search secrets").value(), "stripe");
    site.start();
    browser.button("Try again").click();
    browser.field("Token").types(&site.day.owner);
    browser.button("Sign in").click();
    browser.lists(&["STRIPE_API_KEY"]);
}

/// A search that failed leaves the rows of the one before: they have no total, and do not go on.
#[test]
fn a_search_that_fails_does_not_go_on_with_the_one_before() {
    let site = Site::new();
    let names: Vec<String> = (100..250).map(|number| format!("KEY_{number}")).collect();
    site.put(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.shows("More than 100 secrets");
    let fails = "const whole = fetch;
        window.asked = 0;
        window.fetch = (url, how) => (window.asked++, window.down === false
            ? whole(url, how) : Promise.reject(new TypeError('down')))";
    browser.script(fails, json!([]));
    browser.field("Search secrets").types("KEY_24");
    browser.button("Try again");
    browser.hides("More than");
    browser.script("window.asked = 0", json!([]));
    let scrolled = "(async () => {
        scrollTo(0, document.documentElement.scrollHeight);
        for (let frame = 0; frame < 10; frame++) await new Promise(requestAnimationFrame);
        return window.asked;
    })()";
    assert_eq!(browser.promise(scrolled, json!([])), 0, "it goes on");
    browser.script("window.down = false", json!([]));
    browser.button("Try again").click();
    browser.shows("10 secrets");
}

/// One slip of the hand does not lose what was typed: nor Escape, nor the way back.
#[test]
fn what_is_typed_is_not_lost_by_a_slip() {
    let site = Site::new();
    let browser = site.signed_in("/", &site.day.owner);
    browser.link_of("acme").click();
    browser.is_at(PATH);
    browser.button("Create secret").click();
    browser.field("Secret value").types("typed with care");
    for slip in ["Escape", "back"] {
        if slip == "back" {
            browser.back();
        } else {
            browser.press(&[slip]);
        }
        browser.shows("not saved");
        // Nor a way out of the browser, each time.
        let leaves = "return [1, 2].map(() =>
            dispatchEvent(new Event('beforeunload', { cancelable: true })))";
        assert_eq!(browser.script(leaves, json!([])), json!([false, false]));
        assert_eq!(browser.field("Secret value").value(), "typed with care");
        assert_eq!(browser.address(), PATH);
        // Who goes on typing is not held to have been warned.
        browser.field("Secret value").clear().types("typed with care");
    }
    browser.press(&["Escape"]);
    browser.press(&["Escape"]);
    browser.lacks("dialog", "Create secret");
    let values = "return [...document.querySelectorAll('input, textarea')].map((one) => one.value)";
    let values = browser.script(values, json!([])).to_string();
    assert!(!values.contains("typed"), "{values}");
    assert_eq!(site.names(), Vec::<String>::new());
}

/// Signing out where the store does not answer does not only look so.
#[test]
fn signing_out_of_a_store_that_stopped() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.lists(&["STRIPE_API_KEY"]);
    site.stop();
    browser.button("Sign out").click();
    browser.wait("that it failed is said, or nothing is shown", || {
        let text = browser.text();
        (text.contains("does not answer") || !text.contains("STRIPE")).then_some(())
    });
}

/// What takes long says so.
#[test]
fn a_slow_store_is_seen_to_be_slow() {
    let site = Site::new();
    let browser = begun(&site);
    let slow = json!({"offline": false, "latency": 1500, "downloadThroughput": -1,
        "uploadThroughput": -1});
    browser.devtools("Network.emulateNetworkConditions", &slow);
    browser.button("Create").click();
    browser.select("dialog[open] [aria-busy=true]");
    // A second click, out of impatience, does not do it twice.
    browser.press(&["Enter"]);
    browser.lists(&["STRIPE_API_KEY"]);
    let version = site.ask("GET", "/orgs/acme/secrets/STRIPE_API_KEY", &serde_json::Value::Null);
    assert_eq!(version["version"], 1);
}
