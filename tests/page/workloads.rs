//! The Workloads tab: tokens, what was resolved with them, and which of it is behind.

use serde_json::Value;

use super::Site;

const PATH: &str = "/orgs/acme/workloads";

#[test]
fn a_token_is_made_used_and_revoked() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.button("Create token").click();
    browser.field("Workload").types("billing");
    browser.field("Names").clear().types("STRIPE_*");
    browser.button("Create").click();
    let token = browser.token();
    for _ in 0..2 {
        browser.button("Done").click();
    }
    browser.lacks("button", "Done");
    browser.hides(&token);
    let day = &site.day;
    assert_eq!(day.with(&token).value("STRIPE_API_KEY"), Ok("value of STRIPE_API_KEY".into()));
    assert!(day.with(&token).value("DB_PASSWORD_PROD").is_err(), "it is not in the list");
    browser.reload();
    browser.shows("STRIPE_*");
    browser.button("1 secret").click();
    browser.shows("STRIPE_API_KEY");
    // What was resolved is behind as soon as there is something newer.
    site.put(&["STRIPE_API_KEY"]);
    browser.reload();
    browser.shows("1 behind");
    let tokens = site.ask("GET", "/orgs/acme/tokens", &Value::Null);
    let tokens = tokens["tokens"].as_array().expect("a list");
    let of_billing = tokens.iter().find(|one| one["workload"] == "billing").expect("its token");
    let id = of_billing["id"].as_str().expect("an id");
    browser.button(&format!("Revoke {id}")).click();
    browser.button("Revoke").click();
    browser.hides("STRIPE_*");
    assert!(day.with(&token).value("STRIPE_API_KEY").is_err(), "it is worth nothing now");
}

#[test]
fn what_is_wrong_stands_next_to_its_field() {
    let site = Site::new();
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.button("Create token").click();
    browser.field("Workload").types("Not A Name");
    browser.button("Create").click();
    browser.faults("Workload");
    browser.field("Workload").clear().types("billing");
    browser.field("Names").clear().types("lower_case");
    browser.button("Create").click();
    browser.faults("Names");
    assert_eq!(browser.field("Workload").value(), "billing");
    let tokens = site.ask("GET", "/orgs/acme/tokens", &Value::Null);
    assert_eq!(tokens["tokens"].as_array().map(Vec::len), Some(1), "alice's own");
}
