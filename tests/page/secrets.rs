//! The Secrets tab: search, sort, create, update, delete, and how a secret is referenced.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Browser, Site};

const PATH: &str = "/orgs/acme/secrets";

#[track_caller]
fn signed_in(site: &Site) -> Browser {
    site.signed_in(PATH, &site.day.owner)
}

#[test]
fn the_first_one_is_taught_and_created() {
    let site = Site::new();
    let browser = signed_in(&site);
    browser.shows("inject secret set");
    browser.button("Create secret").click();
    browser.dialog("Create secret");
    browser.field("Name").types("STRIPE_API_KEY");
    browser.field("Secret value").types("sk_live_1\nsecond line ");
    browser.button("Create").click();
    browser.lacks("dialog", "Create secret");
    browser.lists(&["STRIPE_API_KEY"]);
    assert_eq!(site.value("STRIPE_API_KEY"), "sk_live_1\nsecond line ");
    let row = browser.rows().remove(0).join(" ");
    assert!(row.contains("alice@acme.com"), "who made it: {row}");
    let focused = browser.focused().name();
    assert_eq!(focused, "Create secret", "the focus goes back to where it came from");
    let values = "return [...document.querySelectorAll('textarea')].map((one) => one.value)";
    let values = browser.script(values, json!([])).to_string();
    assert!(!values.contains("sk_live"), "the value stays in the page: {values}");
}

/// The good and the bad examples of the user's page, and what follows from them.
#[test]
fn a_name_is_advised_on_as_one_types() {
    let site = Site::new();
    let browser = signed_in(&site);
    browser.button("Create secret").click();
    let advice = |name: &str| {
        browser.field("Name").clear().types(name);
        browser.wait("the field has it", || {
            browser.field("Name").value().eq_ignore_ascii_case(name).then_some(())
        });
        browser.dialog("Create secret").text()
    };
    let good = ["DB_PASSWORD_PROD", "STRIPE_API_KEY", "SLACK_WEBHOOK_URL"].map(advice);
    for text in &good {
        assert_eq!(browser.fault("Name"), "", "{text}");
    }
    for bad in ["PASSWORD", "KEY1", "SECRET123"] {
        let text = advice(bad);
        assert!(
            !good.iter().any(|good| good.replace("DB_PASSWORD_PROD", bad) == text),
            "{bad} gets no advice"
        );
        let says = text.contains("what it is for") || text.contains("purpose");
        assert!(says, "{bad}: {text}");
    }
    browser.field("Name").clear().types("stripe-api key");
    browser.shows("STRIPE_API_KEY");
    browser.field("Secret value").types("x");
    browser.button("Create").click();
    browser.faults("Name");
    assert_eq!(site.names(), Vec::<String>::new());
}

#[test]
fn variants_for_environments_are_offered() {
    let site = Site::new();
    let browser = signed_in(&site);
    browser.button("Create secret").click();
    browser.field("Name").types("API_KEY");
    for environment in ["DEV", "STAGING", "PROD"] {
        browser.shows(&format!("API_KEY_{environment}"));
    }
    browser.button("Use the name API_KEY_PROD").click();
    assert_eq!(browser.field("Name").value(), "API_KEY_PROD");
}

#[test]
fn one_that_exists_is_no_new_one() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = signed_in(&site);
    browser.button("Create secret").click();
    browser.field("Name").types("STRIPE_API_KEY");
    browser.field("Secret value").types("typed with care");
    browser.button("Create").click();
    browser.faults("Name");
    assert_eq!(browser.field("Secret value").value(), "typed with care");
    assert_eq!(site.value("STRIPE_API_KEY"), "value of STRIPE_API_KEY");
    browser.field("Name").types("_2");
    browser.button("Create").click();
    browser.lists(&["STRIPE_API_KEY", "STRIPE_API_KEY_2"]);
    assert_eq!(site.value("STRIPE_API_KEY_2"), "typed with care");
}

#[test]
fn a_file_is_taken_to_the_byte() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..=255).chain(*b"\r\n\n").collect();
    let file = site.day.world.write("work/key.bin", &bytes);
    let browser = signed_in(&site);
    browser.button("Create secret").click();
    browser.field("Name").types("TLS_PRIVATE_KEY");
    browser.select("dialog[open] input[type=file]").types(&file.display().to_string());
    browser.shows("key.bin");
    browser.button("Create").click();
    browser.lists(&["TLS_PRIVATE_KEY"]);
    site.ask("PATCH", "/orgs/acme/members/alice@acme.com", &json!({"names": ["*"]}));
    let value = || {
        let answer = site.ask("POST", "/orgs/acme/resolve", &json!({"names": ["TLS_PRIVATE_KEY"]}));
        let value = answer["secrets"]["TLS_PRIVATE_KEY"]["value_base64"].clone();
        STANDARD.decode(value.as_str().expect("it is no UTF-8")).expect("base64")
    };
    assert_eq!(value(), bytes);
    // What is dropped is taken as what is chosen.
    browser.button("Update TLS_PRIVATE_KEY").click();
    let drop = "const data = new DataTransfer();
        data.items.add(new File([new Uint8Array([0, 255, 10])], 'other.bin'));
        arguments[0].dispatchEvent(new DragEvent('drop',
            { dataTransfer: data, bubbles: true, cancelable: true }))";
    browser.script(drop, json!([browser.field("Secret value").argument()]));
    browser.shows("other.bin");
    browser.button("Update").click();
    browser.lacks("dialog", "Update TLS_PRIVATE_KEY");
    assert_eq!(value(), [0, 255, 10]);
}

#[test]
fn one_finds_as_one_types() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_DEV", "DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let browser = signed_in(&site);
    browser.lists(&["DB_PASSWORD_DEV", "DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    browser.press(&["/"]);
    assert_eq!(browser.focused().name(), "Search secrets");
    browser.types("pass");
    browser.lists(&["DB_PASSWORD_DEV", "DB_PASSWORD_PROD"]);
    browser.types("word_p");
    browser.lists(&["DB_PASSWORD_PROD"]);
    browser.is_at(&format!("{PATH}?q=password_p"));
    browser.reload();
    browser.lists(&["DB_PASSWORD_PROD"]);
    assert_eq!(browser.field("Search secrets").value(), "password_p");
    browser.field("Search secrets").types("_x/");
    browser.lists(&[]);
    browser.shows("password_p_x/");
    browser.press(&["Escape"]);
    browser.lists(&["DB_PASSWORD_DEV", "DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    assert_eq!(browser.field("Search secrets").value(), "");
    browser.is_at(PATH);
    let live = "return [...document.querySelectorAll('[role=status], [aria-live]')]
        .map((one) => one.textContent).join(' ')";
    browser.wait("how many there are is told", || {
        let told = browser.script(live, json!([]));
        told.as_str().is_some_and(|told| told.contains('3')).then_some(())
    });
}

#[test]
fn columns_sort() {
    let site = Site::new();
    site.put(&["B_KEY", "A_KEY", "C_KEY"]);
    site.put(&["B_KEY"]);
    let browser = signed_in(&site);
    browser.lists(&["A_KEY", "B_KEY", "C_KEY"]);
    let sorted = || browser.select("th[aria-sort]:not([aria-sort=none])");
    let (name, updated) = ("Name", "Last Updated");
    assert_eq!(sorted().attribute("aria-sort").as_deref(), Some("ascending"));
    browser.button(name).click();
    browser.lists(&["C_KEY", "B_KEY", "A_KEY"]);
    assert_eq!(sorted().attribute("aria-sort").as_deref(), Some("descending"));
    browser.button(updated).click();
    browser.wait("the order of time", || {
        let rows = browser.rows();
        (rows[0][0].starts_with("B_KEY") || rows[2][0].starts_with("B_KEY")).then_some(())
    });
    assert_eq!(sorted().text().lines().next(), Some(updated));
    browser.reload();
    browser.button("Sign out");
    assert_eq!(sorted().text().lines().next(), Some(updated));
}

#[test]
fn a_value_is_replaced() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = signed_in(&site);
    browser.button("Update STRIPE_API_KEY").click();
    browser.dialog("Update STRIPE_API_KEY");
    assert_eq!(browser.field("Secret value").value(), "", "no value comes to the page");
    assert!(!browser.has("field", "Name"), "a name never changes");
    browser.field("Secret value").types("sk_live_2");
    browser.button("Update").click();
    browser.lacks("dialog", "Update STRIPE_API_KEY");
    assert_eq!(site.value("STRIPE_API_KEY"), "sk_live_2");
    assert_eq!(browser.focused().name(), "Update STRIPE_API_KEY");
    browser.button("Update STRIPE_API_KEY").click();
    assert_eq!(browser.field("Secret value").value(), "");
    browser.press(&["Escape"]);
    browser.lacks("dialog", "Update STRIPE_API_KEY");
}

#[test]
fn who_deletes_says_the_name_and_sees_what_will_fail() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let token = site.day.token("billing", &["--names", "STRIPE_*"]);
    site.day.with(&token).value("STRIPE_API_KEY").expect("it may");
    let browser = signed_in(&site);
    browser.button("Delete STRIPE_API_KEY").click();
    browser.dialog("Delete STRIPE_API_KEY");
    browser.shows("billing");
    browser.select("dialog[open] input").types("STRIPE_API");
    browser.button("Delete").click();
    browser.faults("Type STRIPE_API_KEY to confirm");
    browser.dialog("Delete STRIPE_API_KEY");
    assert_eq!(site.names(), ["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    browser.select("dialog[open] input").types("_KEY");
    browser.button("Delete").click();
    browser.lists(&["DB_PASSWORD_PROD"]);
    assert_eq!(site.names(), ["DB_PASSWORD_PROD"]);
    let focused = browser.script("return document.activeElement !== document.body", json!([]));
    assert_eq!(focused, true, "the focus is not lost with the row");
    browser.button("Delete DB_PASSWORD_PROD").click();
    browser.dialog("Delete DB_PASSWORD_PROD");
    browser.hides("billing");
    browser.button("Cancel").click();
    browser.lacks("dialog", "Delete DB_PASSWORD_PROD");
    assert_eq!(site.names(), ["DB_PASSWORD_PROD"]);
}

#[test]
fn a_reference_is_copied() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = signed_in(&site);
    browser.button("Copy reference to STRIPE_API_KEY").click();
    browser.shows("Copied");
    assert_eq!(browser.pasted("Search secrets"), "$STRIPE_API_KEY");
    for (spelling, wanted) in
        [("Docker Compose", "$$STRIPE_API_KEY"), ("Kubernetes", "value: $STRIPE_API_KEY")]
    {
        browser.lists(&["STRIPE_API_KEY"]);
        browser.button("Show STRIPE_API_KEY").click();
        browser.dialog("STRIPE_API_KEY");
        browser.button(&format!("Copy for {spelling}")).click();
        browser.press(&["Escape"]);
        browser.lacks("dialog", "STRIPE_API_KEY");
        assert_eq!(browser.pasted("Search secrets"), wanted);
    }
}

#[test]
fn times_are_told_twice_and_what_is_old_is_marked() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = signed_in(&site);
    browser.lists(&["STRIPE_API_KEY"]);
    let time = browser.select("tbody time");
    assert!(time.attribute("datetime").is_some_and(|at| at.starts_with("20")), "for programs");
    assert!(time.attribute("title").is_some_and(|at| at.len() > 9), "exact on hover");
    // A clock that is half a year ahead.
    let ahead = json!({"source": "const now = Date.now; Date.now = () => now() + 15552e6;
        window.Date = class extends Date {
            constructor(...given) {
                given.length ? super(...given) : super(now() + 15552e6);
            }
        };"});
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", &ahead);
    let before = browser.rows().remove(0).join(" ");
    browser.reload();
    browser.wait("the row looks old", || {
        let row = browser.rows();
        let row = row.first()?.join(" ").to_lowercase();
        (row != before.to_lowercase() && row.contains("stale")).then_some(())
    });
}

#[test]
fn what_is_damaged_is_named() {
    let site = Site::new();
    site.put(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    site.stop();
    let mut site = site;
    site.tamper("UPDATE secret SET updated_at = 1 WHERE name = 'STRIPE_API_KEY'");
    site.start();
    let browser = signed_in(&site);
    browser.lists(&["DB_PASSWORD_PROD", "STRIPE_API_KEY"]);
    let row = browser.rows().remove(1).join(" ").to_lowercase();
    assert!(row.contains("damaged"), "{row}");
    let whole = site.ask("GET", "/orgs/acme/secrets/DB_PASSWORD_PROD", &Value::Null);
    assert_eq!(whole["version"], 1);
    browser.button("Delete STRIPE_API_KEY").click();
    browser.select("dialog[open] input").types("STRIPE_API_KEY");
    browser.button("Delete").click();
    browser.lists(&["DB_PASSWORD_PROD"]);
    assert_eq!(site.names(), ["DB_PASSWORD_PROD"]);
}
