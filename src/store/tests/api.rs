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

#[test]
fn conditions() {
    let store = Store::new();
    let put = |header: (&str, &str)| {
        call(&store.handle, "PUT", &secret("DB_PASSWORD"), &[header], br#"{"value":"x"}"#)
    };
    let delete = |header: (&str, &str)| {
        call(&store.handle, "DELETE", &secret("DB_PASSWORD"), &[header], b"")
    };
    put(("if-match", "*")).is(412);
    put(("if-match", "\"1\"")).is(412);
    put(("if-none-match", "*")).is(201);
    let refused = put(("if-none-match", "*")).is(412);
    assert_eq!(refused.problem(), "precondition-failed");
    assert_eq!(refused.json()["detail"], "`DB_PASSWORD` is at version 1");
    assert_eq!(put(("if-match", "\"1\"")).is(200).headers["etag"], "\"2\"");
    put(("if-match", "\"1\"")).is(412);
    for bad in
        ["3", "W/\"3\"", "\"x\"", "\"\"", "\"-1\"", "\"2\", \"3\"", "\"99999999999999999999\""]
    {
        put(("if-match", bad)).is(400);
    }
    put(("if-none-match", "\"2\"")).is(400);
    delete(("if-match", "\"1\"")).is(412);
    delete(("if-match", "\"2\"")).is(204);
}

#[test]
fn paths_are_exact() {
    let store = Store::new();
    store.set("DB_PASSWORD", "x").is(201);
    let no_path = [
        "/api/v1",
        "/api/v1/orgs/",
        "/api/v1/orgs/default",
        "/api/v1/orgs/default/",
        "/api/v1/orgs/default/secrets/",
        "/api/v1/orgs/default//secrets",
        "/api/v1//orgs/default/secrets",
        "//api/v1/orgs/default/secrets",
        "/api/v1/orgs/default/secrets/DB_PASSWORD/",
        "/api/v1/orgs/default/secrets//DB_PASSWORD",
        "/api/v1/orgs/default/secrets/%44B_PASSWORD",
        "/api/v1/orgs/default/secrets%2fDB_PASSWORD",
        "/api/v1/orgs/default/secrets/..",
        "/api/v1/orgs/default/secrets/../secrets/DB_PASSWORD",
        "/api/v1/orgs/default/secrets/*",
        "/api/v1/orgs/*/secrets/DB_PASSWORD",
        "/API/v1/orgs/default/secrets",
        "/api/v2/orgs/default/secrets",
        "/healthz/",
    ];
    let other = store.call("GET", "/api/v1/orgs/Default/secrets", "").is(404);
    assert_eq!(other.problem(), "no-organization");
    for path in no_path {
        for method in ["GET", "PUT", "DELETE", "POST"] {
            let reply = store.call(method, path, r#"{"value":"y"}"#).is(404);
            assert_eq!(reply.headers["content-type"], "application/problem+json");
        }
    }
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), "x");
}

#[test]
fn methods() {
    let store = Store::new();
    let allowed = [
        ("/healthz", "GET"),
        ("/api/v1/orgs/default/resolve", "POST"),
        ("/api/v1/orgs/default/secrets", "GET"),
        ("/api/v1/orgs/default/secrets/DB_PASSWORD", "GET, PUT, DELETE"),
    ];
    for (path, allow) in allowed {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"] {
            if !allow.split(", ").any(|one| one == method) {
                assert_eq!(store.call(method, path, "").is(405).headers["allow"], allow);
            }
        }
    }
    assert_eq!(store.call("GET", "/healthz", "").is(200).body, "ok\n");
}

#[test]
fn bodies_of_puts() {
    let store = Store::new();
    let long = format!(r#"{{"value":"{}"}}"#, "x".repeat(65_537));
    let longest = format!(r#"{{"value":"{}"}}"#, r"\u0001".repeat(65_536));
    let endless = " ".repeat(400_000);
    for (body, status) in [
        ("", 400),
        ("hunter2", 400),
        (r#"{"value":"hunter2""#, 400),
        ("null", 422),
        (r#""hunter2""#, 422),
        ("{}", 422),
        (r#"{"value":7}"#, 422),
        (r#"{"value":"hunter2","hunter2":1}"#, 422),
        (r#"{"value":"hunter2","allow_empty":"hunter2"}"#, 422),
        (r#"{"value":"hunter2","value":"hunter2"}"#, 422),
        (r#"{"value":"hunter2","value_base64":"eA=="}"#, 422),
        (r#"{"value_base64":"hunter2"}"#, 422),
        (r#"{"value":""}"#, 422),
        (r#"{"value":"","allow_empty":true}"#, 201),
        (r#"{"value":"x"} hunter2"#, 400),
        (long.as_str(), 413),
        (longest.as_str(), 200),
        (endless.as_str(), 413),
    ] {
        let reply = store.call("PUT", &secret("DB_PASSWORD"), body).is(status);
        assert!(!format!("{reply:?}").contains("hunter2"), "{reply:?}");
    }
    let value = "\u{1}".repeat(65_536);
    assert_eq!(store.get("DB_PASSWORD").is(200).value("DB_PASSWORD"), value);
}

#[test]
fn names() {
    let store = Store::new();
    for bad in ["password", "1A", "_A", "A-B", &"A".repeat(129)] {
        let reply = store.set(bad, "x").is(422);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("such as `DB_PASSWORD_PROD`"), "{detail}");
    }
    store.set(&"A".repeat(128), "x").is(201);
    assert!(store.set("PASSWORD", "x").is(201).json()["hint"].is_string());
    assert!(store.set("DB_PASSWORD", "x").is(201).json().get("hint").is_none());
    assert!(store.call("GET", &secret("PASSWORD"), "").is(200).json().get("hint").is_none());
}

#[test]
fn bodies_of_resolves() {
    let store = Store::new();
    let ask = |body: &str| store.call("POST", "/api/v1/orgs/default/resolve", body);
    let most: Vec<String> = (0..4096).map(|number| format!("{:A>123}{number:05}", "")).collect();
    assert!(most.iter().all(|name| name.len() == 128));
    let body = serde_json::json!({ "names": most }).to_string();
    assert_eq!(ask(&body).is(404).json()["unresolved"].as_array().unwrap().len(), 4096);
    let more = serde_json::json!({ "names": vec!["A"; 4097] }).to_string();
    ask(&more).is(422);
    ask(&" ".repeat(600_000)).is(413);
    ask(r#"{"names":[]}"#).is(422);
    ask(r#"{"names":["A"],"workload":"Not One"}"#).is(422);
    ask(r#"{"names":["A"],"org":"other"}"#).is(422);
    let both = ask(r#"{"names":["lower","A","1X"]}"#).is(422);
    let detail = both.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("`lower`") && detail.contains("`1X`"), "{detail}");
    let other = store.call("POST", "/api/v1/orgs/other/resolve", r#"{"names":["A"]}"#).is(404);
    assert_eq!(other.problem(), "no-organization");
}

fn listed(store: &Store, query: &str) -> (Vec<String>, Option<String>) {
    let path = format!("/api/v1/orgs/default/secrets?{query}");
    let list = store.call("GET", &path, "").is(200).json();
    let names = list["secrets"].as_array().unwrap().iter();
    let names = names.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    (names, list["next"].as_str().map(str::to_owned))
}

/// All pages of a list, each of this many rows.
fn paged(store: &Store, sort: &str, limit: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let (names, next) = listed(store, &format!("sort={sort}&limit={limit}&cursor={cursor}"));
        assert!(names.len() <= limit);
        all.extend(names);
        match next {
            Some(next) => cursor = next,
            None => return all,
        }
    }
}

#[test]
fn lists() {
    let store = Store::new();
    assert_eq!(listed(&store, ""), (vec![], None));
    for name in ["B_TWO", "A_ONE", "D_FOUR", "C_THREE"] {
        store.set(name, "x").is(201);
    }
    let by_hand = store.by_hand();
    // A row that is gone, and one that is damaged, stand in every list, each once.
    by_hand.execute("DELETE FROM secret WHERE name = 'A_ONE'", []).unwrap();
    by_hand.execute("UPDATE secret SET version = 7 WHERE name = 'B_TWO'", []).unwrap();
    for limit in 1..=5 {
        assert_eq!(paged(&store, "name", limit), ["A_ONE", "B_TWO", "C_THREE", "D_FOUR"]);
        assert_eq!(paged(&store, "-name", limit), ["D_FOUR", "C_THREE", "B_TWO", "A_ONE"]);
        let mut rising = paged(&store, "updated", limit);
        let falling = paged(&store, "-updated", limit);
        assert_eq!(rising[0], "A_ONE");
        rising.reverse();
        assert_eq!(rising, falling);
        rising.sort();
        assert_eq!(rising, ["A_ONE", "B_TWO", "C_THREE", "D_FOUR"]);
    }
    assert_eq!(listed(&store, "q=_t").0, ["B_TWO", "C_THREE"]);
    assert_eq!(listed(&store, "q=one").0, ["A_ONE"]);
    assert_eq!(listed(&store, "q=%25").0, [""; 0]);
    let (_, next) = listed(&store, "sort=-name&limit=1");
    let other_sort = format!("/api/v1/orgs/default/secrets?cursor={}", next.unwrap());
    store.call("GET", &other_sort, "").is(400);
    for bad in [
        "sort=size",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "x=1",
        "q=%f",
        "q=%ff",
        "q=a&q=b",
    ] {
        store.call("GET", &format!("/api/v1/orgs/default/secrets?{bad}"), "").is(400);
    }
    let other = store.call("GET", "/api/v1/orgs/other/secrets", "").is(404);
    assert_eq!(other.problem(), "no-organization");
}

#[test]
fn show() {
    let store = Store::new();
    assert_eq!(store.call("GET", &secret("DB_PASSWORD"), "").is(404).problem(), "no-secret");
    let made = store.set("DB_PASSWORD", "hunter2").is(201);
    let shown = store.call("GET", &secret("DB_PASSWORD"), "").is(200);
    let mut expected = made.json();
    expected["workloads"] = serde_json::json!([]);
    assert_eq!(shown.json(), expected);
    assert_eq!(shown.headers["etag"], "\"1\"");
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert!(!format!("{shown:?}").contains("hunter2"));
}
