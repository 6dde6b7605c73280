//! The Workloads tab: tokens, what was resolved with them, and which of it is behind.

use serde_json::{Value, json};

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

/// A token's last use is told though its workload is far down the list.
#[test]
fn the_last_use_of_one_of_many_is_told() {
    let site = Site::new();
    site.put(&["STRIPE_API_KEY"]);
    let browser = site.signed_in("/orgs", &site.day.owner);
    // One token is kept for the last of them; those of the others go.
    let launch = "(async () => {
        const ask = async (method, path, token, body) => {
            const answer = await fetch(`/api/v1/orgs/acme/${path}`, { method, credentials: 'omit',
                headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
                body: body && JSON.stringify(body) });
            return answer.status === 204 ? null : answer.json();
        };
        const owner = arguments[0];
        await Promise.all(Array.from({ length: 101 }, async (_, number) => {
            const workload = `app-${100 + number}`;
            const made = await ask('POST', 'tokens', owner, { workload, names: ['*'] });
            await ask('POST', 'resolve', made.token, { names: ['STRIPE_API_KEY'] });
            if (number < 100) await ask('DELETE', `tokens/${made.id}`, owner);
        }));
        return 'done';
    })()";
    assert_eq!(browser.promise(launch, json!([site.day.owner])), "done");
    let first = site.ask("GET", "/orgs/acme/workloads?limit=100", &Value::Null);
    assert!(first["next"].is_string(), "there are more: {first}");
    browser.open(PATH);
    browser.shows("app-200");
    browser.hides("none seen");
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
