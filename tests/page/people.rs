//! The Members tab: who is added, what their role is, and what goes with them.

use serde_json::json;

use super::{Browser, Site};

const PATH: &str = "/orgs/acme/members";

/// The roles as the store has them.
#[track_caller]
fn members(site: &Site) -> Vec<(String, String)> {
    let list = site.ask("GET", PATH, &serde_json::Value::Null);
    let text = |one: &serde_json::Value| one.as_str().expect("a text").to_owned();
    let list = list["members"].as_array().expect("a list").clone();
    list.iter().map(|one| (text(&one["email"]), text(&one["role"]))).collect()
}

/// Closes the dialog that shows a token, with the token copied.
#[track_caller]
fn keeps_the_token(browser: &Browser) -> String {
    let token = browser.token();
    browser.press(&["Escape"]);
    assert_eq!(browser.token(), token, "one slip does not lose it");
    browser.button("Copy token").click();
    browser.shows("Copied");
    browser.button("Done").click();
    browser.lacks("button", "Done");
    token
}

#[test]
fn a_member_comes_rises_and_goes() {
    let site = Site::new();
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.lists(&["alice@acme.com"]);
    browser.button("Add member").click();
    browser.field("E-mail").types("Edith@acme.com");
    browser.choose("Role", "reader");
    browser.button("Add").click();
    let token = keeps_the_token(&browser);
    browser.button("Add member").click();
    assert_eq!(browser.pasted("E-mail"), token, "what was copied");
    browser.button("Cancel").click();
    browser.lists(&["alice@acme.com", "edith@acme.com"]);
    assert!(
        !browser.text().contains(&token)
            && !browser
                .script("return document.documentElement.outerHTML", json!([]))
                .to_string()
                .contains(&token)
    );
    let edith = site.signed_in("/orgs/acme/secrets", &token);
    assert!(!edith.has("button", "Create secret"), "a reader creates nothing");

    browser.button("Change edith@acme.com").click();
    browser.choose("Role", "editor");
    browser.button("Save").click();
    browser.wait("the role in the table", || {
        browser.rows().get(1)?.join(" ").contains("editor").then_some(())
    });
    let (alice, editor) = ("alice@acme.com".into(), "edith@acme.com".into());
    assert_eq!(members(&site), [(alice, "owner".into()), (editor, "editor".into())]);
    edith.reload();
    edith.button("Create secret");

    browser.button("Remove edith@acme.com").click();
    browser.button("Cancel").click();
    assert_eq!(members(&site).len(), 2);
    browser.button("Remove edith@acme.com").click();
    browser.button("Remove").click();
    browser.lists(&["alice@acme.com"]);
    assert_eq!(members(&site).len(), 1);
    edith.reload();
    edith.field("Token");
}

#[test]
fn what_is_wrong_stands_next_to_its_field() {
    let site = Site::new();
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.button("Add member").click();
    browser.field("E-mail").types("no address");
    browser.button("Add").click();
    browser.faults("E-mail");
    browser.field("E-mail").clear().types("alice@acme.com");
    browser.button("Add").click();
    browser.faults("E-mail");
    assert_eq!(browser.field("E-mail").value(), "alice@acme.com");
    assert_eq!(members(&site).len(), 1);
}

#[test]
fn the_last_owner_stays() {
    let site = Site::new();
    let browser = site.signed_in(PATH, &site.day.owner);
    browser.lists(&["alice@acme.com"]);
    browser.button("Remove alice@acme.com").click();
    browser.button("Remove").click();
    browser.wait("why not", || browser.text().to_lowercase().contains("last owner").then_some(()));
    assert_eq!(members(&site).len(), 1);
    browser.button("Cancel").click();
    // Two clicks make one token.
    browser.button("Tokens of alice@acme.com").click();
    let another = browser.button("Create another token").argument();
    browser.script("arguments[0].click(); arguments[0].click()", json!([another]));
    keeps_the_token(&browser);
    browser.button("Create another token");
    let tokens = site.ask("GET", "/orgs/acme/tokens", &serde_json::Value::Null);
    assert_eq!(tokens["tokens"].as_array().map(Vec::len), Some(2), "{tokens}");
}

#[test]
fn an_organization_is_made() {
    let site = Site::new();
    let browser = site.signed_in("/orgs", &site.day.owner);
    browser.button("Create organization").click();
    browser.field("Name").types("Acme Labs");
    browser.button("Create").click();
    browser.faults("Name");
    browser.field("Name").clear().types("labs");
    browser.button("Create").click();
    let token = keeps_the_token(&browser);
    browser.is_at("/orgs/labs/secrets");
    browser.find("heading", "Secrets");
    // The session holds both, and the new token opens the new one alone.
    browser.open("/orgs");
    browser.link_of("acme");
    browser.link_of("labs");
    let other = site.signed_in("/orgs", &token);
    other.link_of("labs");
    other.lacks("link", "acme You are owner");
    assert_eq!(other.script("return document.querySelectorAll('.cards li').length", json!([])), 1);

    // Who signs out elsewhere keeps the token that is shown, and stays signed out.
    browser.button("Create organization").click();
    browser.field("Name").types("plant");
    browser.button("Create").click();
    browser.token();
    let out = "fetch('/api/v1/session', { method: 'DELETE' }).then(() =>
        new BroadcastChannel('inject-session').postMessage('out'))";
    browser.promise(out, json!([]));
    browser.wait("the form to sign in", || {
        browser
            .script("return document.title", json!([]))
            .as_str()?
            .contains("Sign in")
            .then_some(())
    });
    keeps_the_token(&browser);
    browser.field("Token");
    assert_eq!(browser.cookies(), Vec::<serde_json::Value>::new());
}
