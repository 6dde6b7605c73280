//! A server whose file is taken from under it: nothing is written where nobody will find it.

use std::fs;

use serde_json::{Value, json};

use crate::store::tests::served::Served;

const SECRETS: &str = "/api/v1/orgs/default/secrets";

#[test]
fn a_file_that_was_moved_away_takes_nothing_more() {
    let served = Served::new();
    let put = || served.operator("PUT", &format!("{SECRETS}/A_KEY"), &json!({ "value": "x" }));
    put().is(201);
    let database = served.directory.path().join("store.db");
    let away = served.directory.path().join("away.db");
    fs::rename(&database, &away).unwrap();
    put().is(503);
    let list = served.operator("GET", SECRETS, &Value::Null);
    assert!(list.status.is_server_error(), "{list:?}");
    // Another one in its place is another one.
    fs::copy(&away, &database).unwrap();
    put().is(503);
    served.operator("GET", SECRETS, &Value::Null).is(503);
    fs::rename(&away, &database).unwrap();
    put().is(200);
    served.operator("GET", SECRETS, &Value::Null).is(200);
}
