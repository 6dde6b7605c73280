//! Names, addresses and details that are markup are text, wherever the page shows them.

use serde_json::json;

use super::{Browser, Site};

/// What would run, or change the page, if any of it were taken for markup or script.
const MARKUP: &str = "<img src=x onerror=fail()><script>fail()</script><b id=broken>\"'`";
const VIEWS: [&str; 6] = [
    "/",
    "/orgs",
    "/orgs/acme/secrets",
    "/orgs/acme/members",
    "/orgs/acme/workloads",
    "/orgs/acme/audit",
];

/// Whatever was made of the text: nothing ran, nothing was fetched, no element came of it.
#[track_caller]
fn is_unharmed(browser: &Browser) {
    let made =
        "return [window.failed ?? 0, document.querySelectorAll('#broken, img[src=x]').length,
        [...document.querySelectorAll('*')].filter((one) => [...one.attributes].some((attribute) =>
            attribute.name.startsWith('on') || attribute.value.startsWith('javascript:'))).length]";
    assert_eq!(browser.script(made, json!([])), json!([0, 0, 0]), "{}", browser.text());
    browser.is_quiet();
}

/// Each text of the API's answers is replaced on its way to the page.
#[test]
fn answers_full_of_markup() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let token = site.day.token("billing", &[]);
    site.day.with(&token).value("STRIPE_API_KEY").expect("it may");
    site.put(&["STRIPE_API_KEY"]);
    site.day.member("edith@acme.com", &["--role", "editor"]);
    let browser = site.signed_in("/", &site.day.owner);
    // Roles, times and what the page goes by stay; all that a person chose is hostile.
    let source = format!(
        "window.fail = () => window.failed = 1;
        const markup = {};
        const kept = /^(acme|owner|editor|reader|\\d{{4}}-\\d\\d-\\d\\dT.*)$/;
        const change = (value, key) => Array.isArray(value) ? value.map((one) => change(one))
            : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value)
                .map(([key, one]) => [key, key === 'next' ? null : change(one, key)]))
            : typeof value === 'string' && !kept.test(value) ? markup : value;
        const ask = window.fetch;
        window.fetch = async (...words) => {{
            const answer = await ask(...words);
            const text = await answer.text();
            const body = text && JSON.stringify(change(JSON.parse(text)));
            return new Response(body || null, answer);
        }};",
        json!(MARKUP)
    );
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": source}));
    for view in VIEWS {
        browser.open(view);
        browser.button("Sign out");
        browser.is_idle();
        if view.matches('/').count() > 2 {
            browser.shows(MARKUP);
        }
        is_unharmed(&browser);
    }
    browser.open("/orgs/acme/secrets");
    browser.button(&format!("Delete {MARKUP}")).click();
    browser.dialog(&format!("Delete {MARKUP}"));
    is_unharmed(&browser);
}

/// Rows of the store that somebody changed by hand are named as they are, and do no more.
#[test]
fn rows_full_of_markup() {
    let mut site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    site.day.member("edith@acme.com", &["--role", "editor"]);
    site.stop();
    let text = MARKUP.replace('\'', "''");
    site.tamper(&format!("UPDATE member SET email = '{text}' WHERE email LIKE 'edith%'"));
    site.tamper(&format!("UPDATE audit SET actor = '{text}' WHERE action = 'create'"));
    site.start();
    let browser = site.signed_in("/orgs/acme/members", &site.day.owner);
    browser.shows(MARKUP);
    is_unharmed(&browser);
    browser.open("/orgs/acme/audit");
    browser.is_idle();
    is_unharmed(&browser);
}

/// What stands in an address, or is typed, is text as well.
#[test]
fn addresses_full_of_markup() {
    let site = Site::new();
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    let coded = "%3Cimg%20src=x%20onerror=fail()%3E%3Cb%20id=broken%3E";
    for path in [
        format!("/orgs/acme/secrets?q={coded}"),
        format!("/orgs/{coded}/secrets"),
        format!("/orgs/acme/{coded}"),
        format!("/orgs/acme/secrets?sort={coded}"),
        format!("/orgs/acme/audit?actor={coded}&name={coded}&since={coded}"),
        format!("/orgs/acme/secrets#{coded}"),
        "/orgs/%ff/secrets".to_owned(),
        "/orgs/__proto__/constructor".to_owned(),
    ] {
        browser.open(&path);
        browser.button("Sign out");
        browser.is_idle();
        is_unharmed(&browser);
    }
    let strange = ["{{7+7}}@acme.com", "${7+7}@acme.com", "אליס@acme.com"];
    let strange = strange.map(|email| email.replace('$', "!"));
    for email in &strange {
        site.day.member(email, &["--role", "reader"]);
    }
    browser.open("/orgs/acme/members");
    for email in &strange {
        browser.shows(email);
    }
    is_unharmed(&browser);
}
