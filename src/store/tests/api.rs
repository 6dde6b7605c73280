//! Routes, statuses, conditions and lists.

use crate::store::tests::{Store, call, resolve, secret};

#[test]
fn set_resolve_update_delete() {
    let store = Store::new();
    let made = store.set("DB_PASSWORD", "one").is(201);
    assert_eq!(made.headers["etag"], "\"1\"");
    assert_eq!(made.json()["created_by"], "os:alice");
    let updated = store.set("DB_PASSWORD", "two").is(200);
    assert_eq!(updated.json()["version"], 2);
    let got = store.get("DB_PASSWORD").is(200);
    assert_eq!(got.value("DB_PASSWORD"), "two");
    assert_eq!(got.json()["secrets"]["DB_PASSWORD"]["version"], 2);
    assert_eq!(got.json()["secrets"]["DB_PASSWORD"]["updated_at"], updated.json()["updated_at"]);
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(204);
    store.get("DB_PASSWORD").is(404);
    store.call("DELETE", &secret("DB_PASSWORD"), "").is(404);
    assert_eq!(store.set("DB_PASSWORD", "three").is(201).json()["version"], 3);
}

#[test]
fn a_value_that_is_no_text_comes_back() {
    let store = Store::new();
    store.call("PUT", &secret("KEY_OF_X"), r#"{"value_base64":"/wD+"}"#).is(201);
    let got = store.get("KEY_OF_X").is(200).json();
    assert_eq!(got["secrets"]["KEY_OF_X"]["value_base64"], "/wD+");
    assert!(got["secrets"]["KEY_OF_X"].get("value").is_none());
}

#[test]
fn resolve_is_all_or_nothing() {
    let store = Store::new();
    store.set("STRIPE_API_KEY", "x").is(201);
    let refused = resolve(&store.handle, &["STRIPE_API_KEY", "STRIPE_API_KEI", "ZZZ"]).is(404);
    assert_eq!(refused.problem(), "unresolved");
    let unresolved = serde_json::json!([
        {"name": "STRIPE_API_KEI", "reason": "missing", "nearest": "STRIPE_API_KEY"},
        {"name": "ZZZ", "reason": "missing", "nearest": null},
    ]);
    assert_eq!(refused.json()["unresolved"], unresolved);
    assert!(refused.json().get("secrets").is_none());
    let checked = call(
        &store.handle,
        "POST",
        "/api/v1/orgs/default/resolve",
        &[],
        br#"{"names":["STRIPE_API_KEY","STRIPE_API_KEY"],"values":false}"#,
    );
    let checked = checked.is(200).json();
    assert_eq!(checked["secrets"]["STRIPE_API_KEY"]["version"], 1);
    assert!(checked["secrets"]["STRIPE_API_KEY"].get("value").is_none());
}
