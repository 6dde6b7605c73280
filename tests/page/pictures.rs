//! The page's pictures for the README, of a store as it may look after some months. They are taken
//! on each run; `contrib/screenshots` keeps them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Browser, Site};

/// Where the pictures are kept, if they are to be.
const KEPT: &str = "INJECT_TEST_PICTURES";
const SECRETS: [&str; 5] =
    ["API_KEY_DEV", "API_KEY_PROD", "DB_PASSWORD_PROD", "SLACK_WEBHOOK_URL", "STRIPE_API_KEY"];

/// Who did what lies behind by hours, days and months, as in a store that has been in use.
const AGED: &str = "
    const ask = window.fetch;
    const ago = [4e5, 2e8, 3e9, 12e9, 6e7];
    const who = ['alice', 'bob', 'edith', 'alice', 'edith'];
    const aged = (one, index) => 'updated_at' in one && 'version' in one ? { ...one,
        updated_at: new Date(Date.now() - ago[index % 5]).toISOString(),
        updated_by: `${who[index % 5]}@acme.com` } : one;
    window.fetch = async (...words) => {
        const answer = await ask(...words);
        const text = await answer.text();
        const body = text && JSON.parse(text);
        if (body.secrets) body.secrets = body.secrets.map(aged);
        return new Response(body ? JSON.stringify(body) : null, answer);
    };";

#[test]
fn of_the_readme() {
    let site = Site::new();
    let folder = env::var_os(KEPT).map_or(site.day.world.path("pictures"), PathBuf::from);
    fs::create_dir_all(&folder).expect("a folder");
    site.put(&SECRETS);
    let browser = site.signed_in("/orgs/acme/secrets", &site.day.owner);
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": AGED}));
    browser.resize(960, 580);
    browser.devtools("Emulation.setScrollbarsHidden", &json!({"hidden": true}));
    browser.reload();
    browser.lists(&SECRETS);
    takes_both(&browser, &folder, "secrets");
    browser.button("Create secret").click();
    browser.field("Name").types("stripe webhook");
    browser.shows("STRIPE_WEBHOOK");
    takes_both(&browser, &folder, "create");
}

/// A picture in the light and one in the dark.
#[track_caller]
fn takes_both(browser: &Browser, folder: &Path, name: &str) {
    let [light, dark] = ["light", "dark"].map(|scheme| {
        browser.prefers(scheme, true);
        let file = folder.join(format!("{name}-{scheme}.png"));
        browser.picture(&file);
        fs::read(file).expect("it is written")
    });
    assert_ne!(light, dark, "{name} looks the same in the dark");
}
