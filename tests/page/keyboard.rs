//! Everything with the keyboard alone: the pointer is never used here.

use serde_json::json;

use super::{Browser, Site};

/// Steps on until what has this accessible name has the focus, which must be seen.
#[track_caller]
fn tab_to(browser: &Browser, name: &str) {
    let mut passed = Vec::new();
    for _ in 0..60 {
        let focused = browser.focused();
        let here = focused.name();
        if here == name {
            let ring = "const style = getComputedStyle(arguments[0]);
                return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
                    || style.boxShadow !== 'none'";
            let seen = browser.script(ring, json!([focused.argument()]));
            assert_eq!(seen, true, "the focus on `{name}` is not seen");
            return;
        }
        passed.push(here);
        browser.press(&["Tab"]);
    }
    panic!("no way to `{name}` past {passed:?}");
}

#[test]
fn sign_in_create_update_delete_and_sign_out() {
    let site = Site::new();
    let browser = site.browser();
    browser.open("/orgs/acme/secrets");
    browser.field("Token");
    tab_to(&browser, "Token");
    browser.types(&site.day.owner);
    browser.press(&["Enter"]);
    browser.button("Create secret");
    tab_to(&browser, "Create secret");
    browser.press(&["Enter"]);
    browser.dialog("Create secret");
    assert_eq!(browser.focused().name(), "Name", "the first field has the focus");
    browser.types("STRIPE_API_KEY");
    tab_to(&browser, "Secret value");
    browser.types("first");
    tab_to(&browser, "Create");
    browser.press(&["Space"]);
    browser.lists(&["STRIPE_API_KEY"]);
    browser
        .wait("the focus is back", || (browser.focused().name() == "Create secret").then_some(()));
    tab_to(&browser, "Update STRIPE_API_KEY");
    browser.press(&["Enter"]);
    browser.dialog("Update STRIPE_API_KEY");
    tab_to(&browser, "Secret value");
    browser.types("second");
    tab_to(&browser, "Update");
    browser.press(&["Enter"]);
    browser.lacks("dialog", "Update STRIPE_API_KEY");
    assert_eq!(site.value("STRIPE_API_KEY"), "second");
    tab_to(&browser, "Delete STRIPE_API_KEY");
    browser.press(&["Enter"]);
    browser.dialog("Delete STRIPE_API_KEY");
    browser.press(&["Escape"]);
    browser.lacks("dialog", "Delete STRIPE_API_KEY");
    assert_eq!(browser.focused().name(), "Delete STRIPE_API_KEY", "where one came from");
    browser.press(&["Enter"]);
    browser.dialog("Delete STRIPE_API_KEY");
    browser.wait("the field to confirm with", || {
        let is_field = browser.script("return document.activeElement.tagName", json!([]));
        if is_field != "INPUT" {
            browser.press(&["Tab"]);
        }
        (is_field == "INPUT").then_some(())
    });
    browser.types("STRIPE_API_KEY");
    browser.press(&["Enter"]);
    browser.lists(&[]);
    assert_eq!(site.names(), Vec::<String>::new());
    tab_to(&browser, "Sign out");
    browser.press(&["Enter"]);
    browser.field("Token");
}

/// The first stop is the way past the header; the tabs follow, and the focus stays in a dialog.
#[test]
fn the_way_through_the_page() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    browser.reload();
    browser.lists(&["STRIPE_API_KEY"]);
    browser.press(&["Tab"]);
    assert!(browser.focused().name().starts_with("Skip"), "{}", browser.focused().name());
    browser.press(&["Enter"]);
    tab_to(&browser, "Search secrets");
    browser.reload();
    tab_to(&browser, "Audit");
    browser.press(&["Enter"]);
    browser.is_at("/orgs/acme/audit");
    browser.open("/orgs/acme/secrets");
    tab_to(&browser, "Create secret");
    browser.press(&["Enter"]);
    browser.dialog("Create secret");
    for _ in 0..20 {
        browser.press(&["Tab"]);
        let inside = "return document.activeElement === document.body
            || document.querySelector('dialog[open]').contains(document.activeElement)";
        assert_eq!(browser.script(inside, json!([])), true, "{}", browser.focused().name());
    }
}
