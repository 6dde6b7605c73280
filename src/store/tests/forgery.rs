//! Who can write the database but lacks the key makes nobody an owner, widens no list and brings
//! nobody back: such a row is worth nothing, and shows as damaged.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::store::tests::served::{Caller, Served};

/// `acme` with an owner, a reader and a workload, each of whom was seen by the running store.
struct Scene {
    served: Served,
    alice: Caller,
    rita: Caller,
    rita_id: String,
    workload: Caller,
    workload_id: String,
}

impl Scene {
    fn new() -> Self {
        let served = Served::new();
        let alice = served.org("acme", "alice@acme.com");
        served.org("globex", "gina@globex.com");
        served.set("acme", "DB_PASSWORD", "of acme");
        served.set("globex", "DB_PASSWORD", "of globex");
        let body = json!({ "email": "rita@acme.com", "role": "reader" }).to_string();
        let rita = served.ask(&alice, "POST", "/api/v1/orgs/acme/members", &body).is(201);
        let body = json!({ "workload": "billing", "names": ["API_*"] }).to_string();
        let workload = served.ask(&alice, "POST", "/api/v1/orgs/acme/tokens", &body).is(201);
        let (rita_id, workload_id) = (rita.text("id"), workload.text("id"));
        let (rita, workload) = (rita.caller(), workload.caller());
        served.ask(&rita, "GET", "/api/v1/orgs/acme/secrets", "").is(200);
        served.resolve(&workload, "acme", &["DB_PASSWORD"]).is(404);
        Self { served, alice, rita, rita_id, workload, workload_id }
    }

    fn edit(&self, sql: &str) {
        self.served.by_hand().execute_batch(sql).unwrap();
    }

    /// Whatever this caller asks, wherever, is answered so.
    #[track_caller]
    fn is_worth(&self, caller: &Caller, status: u16) {
        for org in ["acme", "globex"] {
            self.served.resolve(caller, org, &["DB_PASSWORD"]).is(status);
            for (method, path) in
                [("GET", "secrets"), ("GET", "members"), ("DELETE", "secrets/DB_PASSWORD")]
            {
                let path = format!("/api/v1/orgs/{org}/{path}");
                self.served.ask(caller, method, &path, "").is(status);
            }
        }
        self.served.ask(caller, "GET", "/api/v1/orgs", "").is(status);
    }

    /// The row shows as damaged in its list, with nothing else of it.
    #[track_caller]
    fn shows(&self, org: &str, list: &str, key: &str, id: &str) {
        let path = format!("/api/v1/orgs/{org}/{list}");
        let rows = self.served.operator("GET", &path, &Value::Null).is(200).json();
        let rows = rows[list].as_array().unwrap();
        let row = rows.iter().find(|row| row[key] == id).unwrap();
        assert_eq!(row["damaged"], true, "{row}");
        let mut rest = row.as_object().unwrap().clone();
        rest.retain(|name, value| name != key && name != "damaged" && *value != json!([]));
        assert!(rest.is_empty(), "{row}");
    }
}

const RITA: &str = "WHERE organization = 'acme' AND email = 'rita@acme.com'";

#[test]
fn a_member_who_is_altered() {
    for edit in [
        "role = 'owner'",
        "names = '[\"*\"]'",
        "created_at = created_at + 1",
        "created_by = 'os:mallory'",
        "updated_at = updated_at + 1",
        "updated_by = 'os:mallory'",
        "sequence = sequence + 1",
        "code = zeroblob(32)",
        "code = (SELECT code FROM member WHERE role = 'owner')",
        "(role, names, created_at, created_by, updated_at, updated_by, sequence, code) = \
         (SELECT role, names, created_at, created_by, updated_at, updated_by, sequence, code \
          FROM member WHERE email = 'alice@acme.com')",
    ] {
        let scene = Scene::new();
        scene.edit(&format!("UPDATE member SET {edit} {RITA}"));
        scene.is_worth(&scene.rita, 500);
        scene.shows("acme", "members", "email", "rita@acme.com");
        // The owner can clear it away, and start again.
        let path = "/api/v1/orgs/acme/members/rita@acme.com";
        scene.served.ask(&scene.alice, "PATCH", path, r#"{"role":"reader"}"#).is(500);
        scene.served.ask(&scene.alice, "DELETE", path, "").is(204);
        scene.is_worth(&scene.rita, 401);
    }
}

#[test]
fn a_token_that_is_altered() {
    for (edit, status) in [
        ("names = '[\"*\"]'", 500),
        ("workload = 'other'", 500),
        ("expires_at = expires_at + 1", 500),
        ("expires_at = NULL", 500),
        ("network = '0.0.0.0/0'", 500),
        ("created_at = created_at + 1", 500),
        ("created_by = 'os:mallory'", 500),
        ("organization = 'globex'", 500),
        ("sequence = sequence - 1", 500),
        ("code = zeroblob(32)", 500),
        ("code = x''", 500),
        ("member = 'alice@acme.com', workload = NULL, names = NULL", 500),
        // It is a token of another hash now, which nobody has.
        ("hash = zeroblob(32)", 401),
        ("hash = x''", 401),
    ] {
        let scene = Scene::new();
        scene.edit(&format!("UPDATE token SET {edit} WHERE id = '{}'", scene.workload_id));
        scene.is_worth(&scene.workload, status);
        let org = if edit.contains("globex") { "globex" } else { "acme" };
        scene.shows(org, "tokens", "id", &scene.workload_id);
        let path = format!("/api/v1/orgs/{org}/tokens/{}", scene.workload_id);
        scene.served.operator("DELETE", &path, &Value::Null).is(204);
        scene.is_worth(&scene.workload, 401);
    }
}

/// A token under another's id, and another's token under the own id.
#[test]
fn tokens_exchanged() {
    let scene = Scene::new();
    let sql = "SELECT id FROM token WHERE member = 'alice@acme.com'";
    let owner: String = scene.served.by_hand().query_row(sql, [], |row| row.get(0)).unwrap();
    let hash = format!("(SELECT hash FROM token WHERE id = '{}')", scene.rita_id);
    scene.edit(&format!("UPDATE token SET hash = {hash} WHERE id = '{owner}'"));
    scene.is_worth(&scene.alice, 401);
    scene.served.ask(&scene.rita, "GET", "/api/v1/orgs/acme/members", "").is(403);
    scene.edit(&format!(
        "DELETE FROM token WHERE id = '{0}'; UPDATE token SET id = '{0}' WHERE id = '{owner}'",
        scene.rita_id
    ));
    scene.is_worth(&scene.rita, 500);
    scene.shows("acme", "tokens", "id", &scene.rita_id);
}

fn keep(by_hand: &Connection, table: &str, which: &str) {
    by_hand.execute_batch(&format!("CREATE TABLE kept AS SELECT * FROM {table} {which}")).unwrap();
}

#[test]
fn a_revoked_token_put_back() {
    let scene = Scene::new();
    let by_hand = scene.served.by_hand();
    keep(&by_hand, "token", &format!("WHERE id = '{}'", scene.workload_id));
    let path = format!("/api/v1/orgs/acme/tokens/{}", scene.workload_id);
    scene.served.ask(&scene.alice, "DELETE", &path, "").is(204);
    scene.is_worth(&scene.workload, 401);
    by_hand.execute_batch("INSERT INTO token SELECT * FROM kept").unwrap();
    scene.is_worth(&scene.workload, 500);
    scene.shows("acme", "tokens", "id", &scene.workload_id);
    scene.served.ask(&scene.alice, "DELETE", &path, "").is(204);
    scene.is_worth(&scene.workload, 401);
}

#[test]
fn a_removed_member_put_back() {
    let scene = Scene::new();
    let by_hand = scene.served.by_hand();
    keep(&by_hand, "member", RITA);
    let token =
        format!("CREATE TABLE token_kept AS SELECT * FROM token WHERE id = '{}'", scene.rita_id);
    by_hand.execute_batch(&token).unwrap();
    let path = "/api/v1/orgs/acme/members/rita@acme.com";
    scene.served.ask(&scene.alice, "DELETE", path, "").is(204);
    by_hand.execute_batch("INSERT INTO member SELECT * FROM kept").unwrap();
    scene.is_worth(&scene.rita, 401);
    scene.shows("acme", "members", "email", "rita@acme.com");
    by_hand.execute_batch("INSERT INTO token SELECT * FROM token_kept").unwrap();
    scene.is_worth(&scene.rita, 500);
}

/// Who was an owner yesterday is none today, though yesterday's row is whole.
#[test]
fn an_older_row_of_a_member_put_back() {
    let scene = Scene::new();
    let path = "/api/v1/orgs/acme/members/rita@acme.com";
    let by_hand = scene.served.by_hand();
    scene.served.ask(&scene.alice, "PATCH", path, r#"{"role":"owner"}"#).is(200);
    keep(&by_hand, "member", RITA);
    scene.served.ask(&scene.alice, "PATCH", path, r#"{"role":"reader"}"#).is(200);
    by_hand.execute_batch("INSERT OR REPLACE INTO member SELECT * FROM kept").unwrap();
    scene.is_worth(&scene.rita, 500);
    scene.shows("acme", "members", "email", "rita@acme.com");
}

#[test]
fn a_member_moved_to_another_organization() {
    let scene = Scene::new();
    scene.edit(&format!(
        "UPDATE member SET organization = 'globex' {RITA};
         UPDATE token SET organization = 'globex' WHERE id = '{}'",
        scene.rita_id
    ));
    scene.is_worth(&scene.rita, 500);
    scene.shows("globex", "members", "email", "rita@acme.com");
    scene.shows("globex", "tokens", "id", &scene.rita_id);
}

/// Without the record that made it, a row is nobody's.
#[test]
fn a_record_taken_away() {
    let scene = Scene::new();
    scene.edit("DELETE FROM audit WHERE subject = 'member:rita@acme.com'");
    scene.is_worth(&scene.rita, 500);
    scene.edit(&format!("DELETE FROM audit WHERE subject = 'token:{}'", scene.workload_id));
    scene.is_worth(&scene.workload, 500);
}

/// A damaged row counts for nothing where owners are counted.
#[test]
fn a_forged_owner_is_no_other_owner() {
    let scene = Scene::new();
    scene.edit(&format!("UPDATE member SET role = 'owner' {RITA}"));
    let path = "/api/v1/orgs/acme/members/alice@acme.com";
    let refused = scene.served.ask(&scene.alice, "DELETE", path, "").is(409);
    assert_eq!(refused.problem(), "last-owner");
}

#[test]
fn an_organization_that_is_altered() {
    let scene = Scene::new();
    scene.edit("UPDATE organization SET created_by = 'os:mallory' WHERE name = 'acme'");
    scene.served.resolve(&scene.workload, "acme", &["DB_PASSWORD"]).is(500);
    let list = scene.served.operator("GET", "/api/v1/orgs", &Value::Null).is(200).json();
    assert!(!list.to_string().contains("acme"), "{list}");
}
