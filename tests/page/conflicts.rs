//! Two people at once: who comes second is told of the first, and loses nothing.

use serde_json::json;

use super::{Browser, Site};

const PATH: &str = "/orgs/acme/secrets";

/// A site with one secret, and browsers of an owner and of an editor who both see it.
fn two(names: &[&str]) -> (Site, Browser, Browser) {
    let site = Site::new();
    site.put(names);
    let editor = site.day.member("edith@acme.com", &["--role", "editor"]);
    let alice = site.signed_in(PATH, &site.day.owner);
    let edith = site.signed_in(PATH, &editor);
    for browser in [&alice, &edith] {
        browser.lists(names);
    }
    (site, alice, edith)
}

#[track_caller]
fn updates(browser: &Browser, value: &str) {
    browser.button("Update STRIPE_API_KEY").click();
    browser.field("Secret value").types(value);
}

#[test]
fn two_updates() {
    let (site, alice, edith) = two(&["STRIPE_API_KEY"]);
    updates(&alice, "by alice");
    updates(&edith, "by edith");
    edith.button("Update").click();
    edith.lacks("dialog", "Update STRIPE_API_KEY");
    alice.button("Update").click();
    alice.wait("who was first is named", || {
        alice.dialog("Update STRIPE_API_KEY").text().contains("edith@acme.com").then_some(())
    });
    assert_eq!(site.value("STRIPE_API_KEY"), "by edith", "nothing is overwritten unseen");
    assert_eq!(alice.field("Secret value").value(), "by alice", "what was typed stays");
    // Having seen it, one may do it all the same.
    alice.find("button", "Update").click();
    alice.lacks("dialog", "Update STRIPE_API_KEY");
    assert_eq!(site.value("STRIPE_API_KEY"), "by alice");
}

#[test]
fn an_update_and_a_delete() {
    let (site, alice, edith) = two(&["OTHER_KEY", "STRIPE_API_KEY"]);
    alice.button("Delete STRIPE_API_KEY").click();
    alice.select("dialog[open] input").types("STRIPE_API_KEY");
    updates(&edith, "by edith");
    edith.button("Update").click();
    edith.lacks("dialog", "Update STRIPE_API_KEY");
    alice.button("Delete").click();
    alice.wait("who was first is named", || {
        alice.dialog("Delete STRIPE_API_KEY").text().contains("edith@acme.com").then_some(())
    });
    assert_eq!(site.value("STRIPE_API_KEY"), "by edith");
    // And the other way about: what one updates is gone.
    updates(&edith, "again by edith");
    alice.button("Delete").click();
    alice.lists(&["OTHER_KEY"]);
    edith.button("Update").click();
    edith.wait("that it is gone", || {
        let text = edith.dialog("Update STRIPE_API_KEY").text();
        (text.contains("deleted") || text.contains("gone") || text.contains("no longer"))
            .then_some(())
    });
    assert_eq!(edith.field("Secret value").value(), "again by edith");
    assert_eq!(site.names(), ["OTHER_KEY"]);
}

/// A change that waits for an old copy to be wiped is asked for again, and meets what somebody
/// else did in between.
#[test]
fn somebody_is_faster_than_the_second_try() {
    let (site, alice, _edith) = two(&["STRIPE_API_KEY"]);
    let edith = site.day.member("erin@acme.com", &["--role", "editor"]);
    let between = "const whole = fetch;
        const [method, token] = arguments;
        window.fetch = async (url, how) => {
            if (how.method !== method) return whole(url, how);
            window.fetch = whole;
            await whole(url, how);
            await whole(url, { method: 'PUT', credentials: 'omit',
                body: JSON.stringify({ value: 'theirs' }),
                headers: { authorization: `Bearer ${token}`,
                    'content-type': 'application/json' } });
            return new Response('{\"type\":\"urn:inject:problem:unpurged\"}', { status: 503 });
        }";
    let names_the_other = |dialog: &str| {
        alice.wait("who was in between is named", || {
            alice.dialog(dialog).text().contains("erin@acme.com updated").then_some(())
        });
        assert_eq!(site.value("STRIPE_API_KEY"), "theirs");
    };
    updates(&alice, "mine");
    alice.script(between, json!(["PUT", edith]));
    alice.button("Update").click();
    names_the_other("Update STRIPE_API_KEY");
    for _ in 0..2 {
        alice.press(&["Escape"]);
    }
    alice.button("Delete STRIPE_API_KEY").click();
    alice.select("dialog[open] input").types("STRIPE_API_KEY");
    alice.script(between, json!(["DELETE", edith]));
    alice.button("Delete").click();
    names_the_other("Delete STRIPE_API_KEY");
}

#[test]
fn two_of_one_name() {
    let (site, alice, edith) = two(&["OTHER_KEY"]);
    for (browser, value) in [(&alice, "by alice"), (&edith, "by edith")] {
        browser.button("Create secret").click();
        browser.field("Name").types("STRIPE_API_KEY");
        browser.field("Secret value").types(value);
    }
    edith.button("Create").click();
    edith.lists(&["OTHER_KEY", "STRIPE_API_KEY"]);
    alice.button("Create").click();
    alice.faults("Name");
    assert_eq!(alice.field("Secret value").value(), "by alice");
    assert_eq!(site.value("STRIPE_API_KEY"), "by edith");
}
