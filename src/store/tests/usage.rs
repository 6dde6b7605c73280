//! Who uses what: which workload resolved which version, and when.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::seal;
use crate::store::storage::UsageRow;
use crate::store::tests::served::{Caller, Served};
use crate::store::tests::{Store, call};

const MINUTE: i64 = 60_000;

fn workloads(served: &Served) -> Vec<Value> {
    let path = "/api/v1/orgs/acme/workloads";
    let list = served.operator("GET", path, &Value::Null).is(200).json();
    list["workloads"].as_array().unwrap().clone()
}

/// Who uses this one, with the version.
fn used_by(served: &Served, name: &str) -> Vec<String> {
    let path = format!("/api/v1/orgs/acme/secrets/{name}");
    let shown = served.operator("GET", &path, &Value::Null).is(200).json();
    let used = shown["workloads"].as_array().unwrap().iter();
    used.map(|one| format!("{} {}", one["workload"].as_str().unwrap(), one["version"])).collect()
}

fn workload(served: &Served, name: &str) -> Caller {
    let body = json!({ "workload": name });
    served.operator("POST", "/api/v1/orgs/acme/tokens", &body).is(201).caller()
}

fn acme() -> (Served, Caller) {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    served.set("acme", "DB_PASSWORD", "one");
    served.set("acme", "API_KEY", "one");
    (served, alice)
}

fn names(served: &Served) -> Vec<String> {
    workloads(served).iter().map(|one| one["workload"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_each_workload_has() {
    let (served, alice) = acme();
    let before = Timestamp::now();
    let billing = workload(&served, "billing");
    assert!(workloads(&served).is_empty());
    served.resolve(&billing, "acme", &["DB_PASSWORD", "API_KEY"]).is(200);
    served.resolve(&billing, "acme", &["DB_PASSWORD", "ABSENT_KEY"]).is(404);
    served.set("acme", "DB_PASSWORD", "two");
    let found = workloads(&served);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["behind"], true);
    let secrets = found[0]["secrets"].as_array().unwrap();
    let brief = |one: &Value| format!("{} {} {}", one["name"], one["version"], one["current"]);
    let brief: Vec<String> = secrets.iter().map(brief).collect();
    assert_eq!(brief, [r#""API_KEY" 1 1"#, r#""DB_PASSWORD" 1 2"#]);
    let at: Timestamp = found[0]["last_resolved_at"].as_str().unwrap().parse().unwrap();
    assert!(at.as_millisecond() >= before.as_millisecond() && at <= Timestamp::now());

    served.resolve(&billing, "acme", &["DB_PASSWORD"]).is(200);
    assert_eq!(workloads(&served)[0]["behind"], false);
    assert_eq!(used_by(&served, "DB_PASSWORD"), ["billing 2"]);
    served.operator("DELETE", "/api/v1/orgs/acme/secrets/API_KEY", &Value::Null).is(204);
    assert_eq!(workloads(&served)[0]["secrets"][0]["current"], Value::Null);
    assert_eq!(workloads(&served)[0]["behind"], false, "what is gone is not behind");
    served.ask(&alice, "GET", "/api/v1/orgs/acme/workloads", "").is(200);
    served.ask(&billing, "GET", "/api/v1/orgs/acme/workloads", "").is(403);
}

/// A token's own name wins; who has none stands under what the request says, or as himself.
#[test]
fn under_which_name() {
    let (served, alice) = acme();
    let grant = json!({ "names": ["*"] }).to_string();
    served.ask(&alice, "PATCH", "/api/v1/orgs/acme/members/alice@acme.com", &grant).is(200);
    let ask = |caller: &Caller, body: Value| {
        served.ask(caller, "POST", "/api/v1/orgs/acme/resolve", &body.to_string()).is(200)
    };
    let said = json!({ "names": ["DB_PASSWORD"], "workload": "said" });
    ask(&workload(&served, "billing"), said.clone());
    ask(&alice, json!({ "names": ["DB_PASSWORD"] }));
    assert_eq!(names(&served), ["alice@acme.com", "billing"]);
    ask(&alice, said);
    ask(&Caller::operator(), json!({ "names": ["DB_PASSWORD"] }));
    assert_eq!(names(&served), ["alice@acme.com", "billing", "os:alice", "said"]);
    let check = json!({ "names": ["API_KEY"], "workload": "checker", "values": false });
    ask(&alice, check);
    assert_eq!(names(&served).len(), 4, "a check is no use");
    assert_eq!(used_by(&served, "API_KEY"), [""; 0]);
    let trail = served.operator("GET", "/api/v1/orgs/acme/audit?workload=said", &Value::Null);
    assert_eq!(trail.is(200).json()["records"].as_array().unwrap().len(), 1);
}

/// The row of `billing` and `DB_PASSWORD`.
fn row(served: &Served) -> UsageRow {
    let sql = "SELECT organization, workload, name, version, at, code FROM usage";
    let row = served.by_hand().query_row(sql, [], |row| {
        Ok(UsageRow {
            organization: row.get(0)?,
            workload: row.get(1)?,
            name: row.get(2)?,
            version: row.get(3)?,
            at: row.get(4)?,
            code: row.get(5)?,
        })
    });
    row.unwrap()
}

/// As if it had been written so much earlier.
fn set_back(served: &Served, milliseconds: i64) {
    let mut row = row(served);
    row.at -= milliseconds;
    let code = seal::row_code(&served.handle.shared.keys.ring.row, &row.bound());
    let sql = "UPDATE usage SET at = ?1, code = ?2";
    served.by_hand().execute(sql, rusqlite::params![row.at, code]).unwrap();
}

#[test]
fn the_same_again_is_written_once_a_minute() {
    let (served, _) = acme();
    let billing = workload(&served, "billing");
    let resolve = || served.resolve(&billing, "acme", &["DB_PASSWORD"]).is(200);
    resolve();
    let first = row(&served);
    resolve();
    assert_eq!(row(&served), first);
    set_back(&served, MINUTE / 2);
    let half = row(&served);
    resolve();
    assert_eq!(row(&served), half, "the time is exact to the minute");
    served.set("acme", "DB_PASSWORD", "two");
    resolve();
    assert_eq!(row(&served).version, 2, "a new version is written at once");
    set_back(&served, MINUTE);
    let old = row(&served);
    resolve();
    assert!(row(&served).at >= old.at + MINUTE);
    // A clock that was set back does not keep a time that is still to come.
    set_back(&served, -10 * MINUTE);
    resolve();
    assert!(row(&served).at <= Timestamp::now().as_millisecond());
}

#[test]
fn what_is_long_ago_and_what_was_altered() {
    let (served, _) = acme();
    let billing = workload(&served, "billing");
    served.resolve(&billing, "acme", &["DB_PASSWORD"]).is(200);
    set_back(&served, 31 * 24 * 60 * MINUTE);
    assert_eq!(used_by(&served, "DB_PASSWORD"), [""; 0]);
    assert_eq!(names(&served), ["billing"]);
    set_back(&served, -2 * 24 * 60 * MINUTE);
    assert_eq!(used_by(&served, "DB_PASSWORD"), ["billing 1"]);
    for edit in ["workload = 'other'", "at = at + 1", "version = 7", "name = 'API_KEY'"] {
        let by_hand = served.by_hand();
        by_hand.execute(&format!("UPDATE usage SET {edit}"), []).unwrap();
        assert_eq!(names(&served), [""; 0], "{edit}");
        assert_eq!(used_by(&served, "DB_PASSWORD"), [""; 0], "{edit}");
        by_hand.execute("DELETE FROM usage", []).unwrap();
        served.resolve(&billing, "acme", &["DB_PASSWORD"]).is(200);
        assert_eq!(used_by(&served, "DB_PASSWORD"), ["billing 1"]);
    }
}

#[test]
fn pages_of_workloads() {
    let (served, _) = acme();
    let all = ["a", "b.1", "b_2", "c-3", "d"];
    for name in all {
        served.resolve(&workload(&served, name), "acme", &["DB_PASSWORD", "API_KEY"]).is(200);
    }
    for limit in 1..=6 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/orgs/acme/workloads?limit={limit}&cursor={cursor}");
            let page = served.operator("GET", &path, &Value::Null).is(200).json();
            let workloads = page["workloads"].as_array().unwrap();
            assert!(workloads.len() <= limit);
            assert!(workloads.iter().all(|one| one["secrets"].as_array().unwrap().len() == 2));
            seen.extend(workloads.iter().map(|one| one["workload"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        // In the order of bytes, as names are compared.
        assert_eq!(seen, ["a", "b.1", "b_2", "c-3", "d"], "{limit}");
    }
}

/// As many workloads of `org` as no answer ever lists.
fn fill(by_hand: &rusqlite::Connection, org: &str) {
    let fill = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12000)
                INSERT INTO usage SELECT ?1, 'old-' || n, 'API_KEY', 1, n, x'00' FROM n";
    by_hand.execute(fill, [org]).unwrap();
}

fn count(by_hand: &rusqlite::Connection, org: &str, which: &str) -> i64 {
    let sql = format!(
        "SELECT count(DISTINCT workload) FROM usage WHERE organization = ?1 AND workload {which}"
    );
    by_hand.query_row(&sql, [org], |row| row.get(0)).unwrap()
}

/// Each new row may be the one by which it is looked how many there are: that none of a thousand
/// was happens once in seven million times.
const SURELY: i64 = 1000;

#[test]
fn workloads_that_were_seen_last_are_remembered() {
    let (served, alice) = acme();
    let gina = served.org("globex", "gina@globex.com");
    served.set("globex", "DB_PASSWORD", "one");
    let by_hand = served.by_hand();
    let change = json!({ "names": ["*"] });
    for (org, owner) in [("acme", "alice"), ("globex", "gina")] {
        let path = format!("/api/v1/orgs/{org}/members/{owner}@{org}.com");
        served.operator("PATCH", &path, &change).is(200);
        fill(&by_hand, org);
    }
    let mut trimmed = [("acme", alice, None), ("globex", gina, None)];
    for number in 1..=SURELY {
        // One organization's new rows are no other's.
        for (org, owner, when) in &mut trimmed {
            let body = json!({ "names": ["DB_PASSWORD"], "workload": format!("new-{number}") });
            let path = format!("/api/v1/orgs/{org}/resolve");
            served.ask(owner, "POST", &path, &body.to_string()).is(200);
            if when.is_none() && count(&by_hand, org, "LIKE '%'") == 10_000 {
                *when = Some(number);
                assert_eq!(count(&by_hand, org, "LIKE 'new-%'"), number);
                let (gone, kept) = (2000 + number, 2001 + number);
                assert_eq!(count(&by_hand, org, &format!("= 'old-{gone}'")), 0, "the oldest went");
                assert_eq!(count(&by_hand, org, &format!("= 'old-{kept}'")), 1);
            }
        }
        if trimmed.iter().all(|(_, _, when)| when.is_some()) {
            assert_eq!(i64::try_from(used_by(&served, "DB_PASSWORD").len()).unwrap(), number);
            return;
        }
    }
    panic!("{:?} were trimmed", trimmed.map(|(org, _, when)| (org, when)));
}

/// Each launch over the embedded store is a process that does one thing and ends.
#[test]
fn launches_of_their_own_forget_old_workloads_too() {
    let store = Store::new();
    let names: Vec<String> = (0..25).map(|number| format!("KEY_{number}")).collect();
    names.iter().for_each(|name| drop(store.set(name, "x").is(201)));
    let by_hand = store.by_hand();
    fill(&by_hand, "default");
    for launch in 0..SURELY / 25 {
        let body = json!({ "names": names, "workload": format!("new-{launch}") }).to_string();
        let path = "/api/v1/orgs/default/resolve";
        call(&store.reopened(), "POST", path, &[], body.as_bytes()).is(200);
        if count(&by_hand, "default", "LIKE '%'") == 10_000 {
            return;
        }
    }
    panic!("nothing was forgotten");
}
