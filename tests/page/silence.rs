//! No value comes to the page, no token goes astray, and nobody else is asked: the browser's own
//! log of the network says so.

use serde_json::json;

use super::Site;
use crate::canary::forms;
use crate::harness::contains;

const CANARY: &str = "c4n4ry/\"Sitting+on<a>wire\"&=%40";
const OLDER: &str = "0ld-c4n4ry/\"Gone+from<the>wire\"&";

#[test]
fn a_day_on_the_wire() {
    let site = Site::new();
    site.day.owner().set("CANARY_KEY", OLDER);
    let token = site.day.token("billing", &[]);
    site.day.with(&token).value("CANARY_KEY").expect("it may");
    let browser = site.signed_in("/", &site.day.owner);
    browser.link_of("acme").click();
    browser.lists(&["CANARY_KEY"]);
    browser.button("Update CANARY_KEY").click();
    browser.field("Secret value").types(CANARY);
    browser.button("Update").click();
    browser.lacks("dialog", "Update CANARY_KEY");
    browser.button("Create secret").click();
    browser.field("Name").types("OTHER_KEY");
    browser.field("Secret value").types(CANARY);
    browser.button("Create").click();
    browser.lists(&["CANARY_KEY", "OTHER_KEY"]);
    let kept = browser.script("return document.documentElement.outerHTML", json!([])).to_string();
    assert!(!kept.contains("c4n4ry"), "it stays in the page");
    browser.field("Search secrets").types("canary");
    browser.lists(&["CANARY_KEY"]);
    browser.button("Delete CANARY_KEY").click();
    browser.shows("billing");
    browser.button("Cancel").click();
    browser.record();
    for tab in ["Members", "Workloads", "Audit"] {
        browser.link(tab).click();
        browser.find("heading", tab);
        browser.is_idle();
    }
    browser.reload();
    browser.is_idle();
    browser.button("Sign out").click();
    browser.field("Token");
    browser.is_quiet();

    let exchanges = browser.exchanges();
    let origin = site.day.served.bare();
    let mut puts = 0;
    // A browser's own pictures, such as that of a field for dates, come from nowhere.
    for one in exchanges.iter().filter(|one| !one.url.starts_with("data:")) {
        let (method, url) = (one.method.as_str(), one.url.as_str());
        assert!(url.starts_with(&format!("{origin}/")), "another is asked: {url}");
        assert!(!url.contains("inj_"), "{url}");
        let may_hold = method == "PUT" && url.contains("/secrets/");
        puts += usize::from(may_hold);
        assert!(may_hold == holds(&one.asked, CANARY), "{one:?}");
        assert!(!holds(&one.answered, CANARY), "a value comes back: {one:?}");
        assert!(!holds(&one.asked, OLDER) && !holds(&one.answered, OLDER), "{one:?}");
        assert!(!url.contains("/resolve"), "the page resolves nothing");
        let is_sign_in = method == "POST" && url.ends_with("/session");
        assert!(is_sign_in == one.asked.contains(&site.day.owner), "{one:?}");
        let is_api = url.contains("/api/");
        assert!(!is_api || one.answered.to_lowercase().contains("no-store"), "{one:?}");
    }
    assert_eq!(puts, 2, "both are in the log");
    assert!(exchanges.len() > 15, "{} requests are in the log", exchanges.len());
}

/// Whether a text has a canary in it, in any form, in an address or a form's body too.
fn holds(text: &str, canary: &str) -> bool {
    let texts = [text.as_bytes().to_vec(), without_percents(text)];
    forms(canary).iter().any(|form| texts.iter().any(|text| contains(text, form)))
}

/// What percent-encoding stands for (RFC 3986, section 2.1).
fn without_percents(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(byte.or(Some(b'%')));
        bytes.extend(part.as_bytes().iter().skip(if byte.is_some() { 2 } else { 0 }));
    }
    bytes
}

/// Another origin cannot use the cookie, show the page in a frame, or read what is asked.
#[test]
fn another_origin() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    let port = site.day.served.bare().rsplit(':').next().expect("a port").to_owned();
    let own = site.day.served.bare().to_owned();
    // The same machine under another name is another origin, and another site.
    browser.open("/healthz");
    browser.script(&format!("location.href = 'http://localhost:{port}/healthz'"), json!([]));
    browser.wait("the other origin", || {
        let here = browser.script("return location.hostname", json!([]));
        (here == "localhost").then_some(())
    });
    let path = format!("{own}/api/v1/orgs/acme/secrets/STRIPE_API_KEY");
    for ask in [
        format!("fetch('{path}', {{ credentials: 'include' }})"),
        format!("fetch('{path}', {{ credentials: 'include', method: 'DELETE' }})"),
        format!("fetch('{path}', {{ credentials: 'include', method: 'PUT', body: '{{}}' }})"),
    ] {
        let answer = browser.promise(&ask, json!([])).to_string();
        assert!(answer.starts_with("\"failed"), "{ask}: {answer}");
    }
    let frame = format!(
        "new Promise((done) => {{
            const frame = document.createElement('iframe');
            frame.onload = () => {{
                try {{ done(String(frame.contentDocument?.body?.innerText)) }}
                catch (error) {{ done('closed') }}
            }};
            frame.src = '{own}/orgs/acme/secrets';
            document.body.append(frame);
        }})"
    );
    let frame = browser.promise(&frame, json!([]));
    assert!(!frame.to_string().contains("STRIPE"), "{frame}");
    let refused = browser
        .log("browser")
        .iter()
        .any(|line| line["message"].as_str().is_some_and(|text| text.contains("frame-ancestors")));
    assert!(refused, "the page is shown in a frame");
    assert_eq!(site.names(), ["STRIPE_API_KEY"]);
}
