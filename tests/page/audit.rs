//! The Audit tab: what was done, filtered, and whether the chain is whole.

use serde_json::Value;

use super::Site;

const PATH: &str = "/orgs/acme/audit";

#[test]
fn records_are_filtered() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let token = site.day.token("billing", &[]);
    site.day.with(&token).value("STRIPE_API_KEY").expect("it may");
    let editor = site.day.member("edith@acme.com", &["--role", "editor"]);
    site.day.with(&editor).set("EDITED_KEY", "x");
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.shows("DB_PASSWORD_PROD");
    browser.shows("EDITED_KEY");
    let filters = |field: &str, text: &str, shown: &[&str], hidden: &[&str]| {
        let is_so = || {
            let rows = browser.rows().concat().join(" ");
            let is_shown = shown.iter().all(|one| rows.contains(one));
            (is_shown && !hidden.iter().any(|one| rows.contains(one))).then_some(())
        };
        browser.field(field).clear().types(text);
        browser.press(&["Enter"]);
        browser.wait(&format!("{field} {text}"), is_so);
        let address = browser.address();
        browser.reload();
        browser.wait("the same after a reload", is_so);
        assert_eq!(browser.address(), address);
        assert_eq!(browser.field(field).value(), text);
        browser.link("Clear").click();
        browser.shows("DB_PASSWORD_PROD");
        browser.shows("EDITED_KEY");
        assert_eq!(browser.field(field).value(), "");
    };
    filters("Secret", "STRIPE_API_KEY", &["STRIPE_API_KEY"], &["DB_PASSWORD_PROD", "EDITED_KEY"]);
    filters("Who", "edith@acme.com", &["EDITED_KEY"], &["DB_PASSWORD_PROD"]);
    filters("Workload", "billing", &["billing"], &["EDITED_KEY", "DB_PASSWORD_PROD"]);
}

#[test]
fn the_chain_is_verified_and_says_where_it_is_broken() {
    let mut site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let records = site.ask("GET", "/orgs/acme/audit?name=STRIPE_API_KEY", &Value::Null);
    let sequence = records["records"][0]["sequence"].as_i64().expect("a number");
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.button("Verify chain").click();
    browser.shows("Whole");
    site.stop();
    site.tamper("UPDATE audit SET actor = 'nobody@acme.com' WHERE secrets LIKE '%STRIPE%'");
    site.start();
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.button("Verify chain").click();
    browser.wait("where it is broken", || {
        let text = browser.text();
        text.to_lowercase().contains(&format!("record {sequence}")).then_some(())
    });
}

#[test]
fn a_long_trail_is_read_on() {
    let site = Site::new();
    for round in 0..13 {
        let names: Vec<String> = (0..20).map(|one| format!("KEY_{round}_{one}")).collect();
        site.put(&names.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.shows("KEY_12_19");
    browser.wait("the first record", || {
        browser.script("scrollTo(0, document.body.scrollHeight)", serde_json::json!([]));
        browser.text().contains("KEY_0_0").then_some(())
    });
}
