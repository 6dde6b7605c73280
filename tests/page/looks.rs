//! Each view and each dialog as it looks: on a phone and on a desk, light and dark, still; axe-core
//! finds nothing against any of it.

use serde_json::json;

use super::{Browser, Site};

const SIZES: [(u32, u32); 2] = [(320, 640), (1280, 900)];

/// Nothing is wider than the window; what is still moves nothing; axe-core is content.
#[track_caller]
fn looks_well(browser: &Browser, what: &str) {
    for (width, height) in SIZES {
        browser.resize(width, height);
        for scheme in ["light", "dark"] {
            browser.prefers(scheme, true);
            let what = format!("{what}, {width} points wide, {scheme}");
            let wide = browser.script("return document.scrollingElement.scrollWidth", json!([]));
            assert!(wide.as_u64().is_some_and(|wide| wide <= u64::from(width)), "{what}: {wide}");
            let open = "const dialog = document.querySelector('dialog[open]');
                return dialog ? dialog.scrollWidth - dialog.clientWidth : 0";
            assert_eq!(browser.script(open, json!([])), 0, "{what}");
            let moving = "return document.getAnimations().length";
            assert_eq!(browser.script(moving, json!([])), 0, "{what}: something moves");
            browser.is_accessible(&what);
        }
    }
    let ink = || browser.script("return getComputedStyle(document.body).color", json!([]));
    let dark = ink();
    browser.prefers("light", true);
    assert_ne!(dark, ink(), "dark is another");
}

/// A store in which each view has something of everything to show.
fn lived_in() -> Site {
    let mut site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "SLACK_WEBHOOK_URL", "STRIPE_API_KEY"]);
    site.put(&[
        "A_NAME_THAT_IS_AS_LONG_AS_NAMES_OF_THINGS_MAY_BECOME_WHEN_NOBODY_KEEPS_THEM_SHORT",
    ]);
    let token = site.day.token("billing", &["--names", "STRIPE_*,DB_*"]);
    site.day.with(&token).value("STRIPE_API_KEY").expect("it may");
    site.put(&["STRIPE_API_KEY"]);
    site.day.member("edith@acme.com", &["--role", "editor"]);
    site.stop();
    site.tamper("UPDATE secret SET updated_at = 1 WHERE name = 'SLACK_WEBHOOK_URL'");
    site.start();
    site
}

#[test]
fn views() {
    let site = lived_in();
    let browser = site.browser();
    browser.open("/");
    browser.field("Token");
    looks_well(&browser, "signed out");
    browser.sign_in("/", &site.day.owner);
    for view in ["/", "/orgs", "/orgs/acme/members", "/orgs/acme/workloads", "/orgs/acme/audit"] {
        browser.open(view);
        browser.button("Sign out");
        browser.is_idle();
        looks_well(&browser, view);
    }
    browser.open("/nowhere/at/all");
    browser.is_idle();
    looks_well(&browser, "an address that leads nowhere");
}

#[test]
fn the_list_of_secrets() {
    let site = lived_in();
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    browser.shows("STRIPE_API_KEY");
    looks_well(&browser, "secrets");
    browser.field("Search secrets").types("nothing_like_it");
    browser.shows("nothing_like_it");
    browser.lists(&[]);
    looks_well(&browser, "nothing found");
    site.stop();
    browser.field("Search secrets").types("_x");
    browser.button("Try again");
    looks_well(&browser, "no answer");
}

#[test]
fn dialogs_of_secrets() {
    let site = lived_in();
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    for (opener, dialog) in [
        ("Create secret", "Create secret"),
        ("Update STRIPE_API_KEY", "Update STRIPE_API_KEY"),
        ("Delete STRIPE_API_KEY", "Delete STRIPE_API_KEY"),
    ] {
        browser.resize(1280, 900);
        browser.button(opener).click();
        browser.dialog(dialog);
        looks_well(&browser, dialog);
        let submit = dialog.split(' ').next().expect("a word");
        browser.button(submit).click();
        browser.select("dialog[open] [aria-invalid=true]");
        looks_well(&browser, &format!("{dialog} with nothing in it"));
        browser.button("Cancel").click();
        browser.lacks("dialog", dialog);
    }
    opens(&browser, "Show STRIPE_API_KEY", "Close");
    browser.button("Create secret").click();
    browser.field("Name").types("stripe-api key");
    looks_well(&browser, "advice");
    browser.field("Name").clear().types("STRIPE_KEY");
    browser.field("Secret value").types("x");
    let mut site = site;
    site.stop();
    browser.button("Create").click();
    browser.select("dialog[open] [role=alert]:not(:empty)");
    looks_well(&browser, "no answer");
    site.start();
    browser.button("Create").click();
    browser.field("Token");
    looks_well(&browser, "signing in again");
}

#[test]
fn dialogs_of_organizations() {
    let site = lived_in();
    let browser = site.signed_in("/orgs", &site.day.owner);
    for opener in ["Create organization", "Add with a token"] {
        opens(&browser, opener, "Cancel");
    }
    site.day.owner().does(0, &["secret", "rm", "DB_PASSWORD_PROD", "--yes"]);
    let empty = site.ask("POST", "/orgs", &json!({"name": "labs"}));
    let token = empty["token"].as_str().expect("a token");
    let browser = site.signed_in("/orgs/labs/secrets", token);
    browser.button("Create your first secret");
    looks_well(&browser, "no secret yet");
    for view in ["workloads", "audit"] {
        browser.open(&format!("/orgs/labs/{view}"));
        browser.button("Sign out");
        browser.is_idle();
        looks_well(&browser, &format!("{view} of nothing"));
    }
}

/// Opens a dialog, looks at it, and closes it.
#[track_caller]
fn opens(browser: &Browser, opener: &str, closer: &str) {
    browser.resize(1280, 900);
    browser.button(opener).click();
    browser.button(closer);
    browser.is_idle();
    looks_well(browser, opener);
    browser.button(closer).click();
    browser.lacks("button", closer);
}

#[test]
fn dialogs_of_people_and_programs() {
    let site = lived_in();
    let browser = site.signed_in("/orgs/acme/members", &site.day.owner);
    for opener in ["Add member", "Change edith@acme.com", "Remove edith@acme.com"] {
        opens(&browser, opener, "Cancel");
    }
    opens(&browser, "Tokens of edith@acme.com", "Close");
    browser.button("Add member").click();
    browser.field("E-mail").types("rita@acme.com");
    browser.button("Add").click();
    browser.token();
    looks_well(&browser, "a token");
    browser.button("Done").click();
    browser.button("Done").click();
    browser.lacks("button", "Done");
    browser.open("/orgs/acme/workloads");
    opens(&browser, "Create token", "Cancel");
    let tokens = site.ask("GET", "/orgs/acme/tokens", &serde_json::Value::Null);
    let tokens = tokens["tokens"].as_array().expect("a list");
    let of_billing = tokens.iter().find(|one| one["workload"] == "billing").expect("its token");
    let id = of_billing["id"].as_str().expect("an id");
    opens(&browser, &format!("Revoke {id}"), "Cancel");
    browser.button("1 secret 1 behind").click();
    looks_well(&browser, "what a workload has");
}
