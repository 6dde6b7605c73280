//! Lists of many secrets, and searches among them, while they change here and beside.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::store::tests::lasting::{Line, Served, all};
use crate::store::tests::{call, secret};

/// More than are kept beside the sorted names.
const MANY: usize = 1500;
const SORTS: [&str; 4] = ["name", "-name", "updated", "-updated"];

/// All pages of a list, each row with its name and what else is said.
async fn paged(line: &mut Line, sort: &str, part: &str, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!(
            "/api/v1/orgs/default/secrets?sort={sort}&q={part}&limit={limit}&cursor={cursor}"
        );
        let page = line.call("GET", &path, "").await.is(200).json();
        rows.extend(page["secrets"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return rows,
        }
    }
}

/// A search finds just what the list of all holds, in every order.
async fn agrees(line: &mut Line, secrets: usize) {
    for sort in SORTS {
        let whole = paged(line, sort, "", 1000).await;
        assert_eq!(whole.len(), secrets, "{sort}");
        let by_name: BTreeMap<&str, &Value> =
            whole.iter().map(|row| (row["name"].as_str().unwrap(), row)).collect();
        assert_eq!(by_name.len(), secrets, "each once: {sort}");
        for part in ["e", "_PROD", "77", "SECRET_0042", "ABSENT", "%0a", "%25"] {
            let limit = if part == "e" { 1000 } else { 7 };
            let upper = part.to_uppercase();
            let holds = |row: &&Value| row["name"].as_str().unwrap().contains(&upper);
            let expected: Vec<Value> = whole.iter().filter(holds).cloned().collect();
            assert_eq!(paged(line, sort, part, limit).await, expected, "{sort} {part}");
        }
    }
}

fn name(number: usize) -> String {
    // So that the order of names is not that of time.
    let mixed = number * 787 % MANY;
    format!("SECRET_{mixed:04}_{}", ["DEV", "STAGING", "PROD"][mixed % 3])
}

#[test]
fn a_search_finds_what_the_list_holds() {
    let served = Served::new();
    let beside = served.beside();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        agrees(&mut line, 0).await;
        let fillers = (0..16).map(|filler| {
            let store = served.handle.clone();
            async move {
                let mut line = Line::own(&store).await;
                for number in (filler..MANY).step_by(16) {
                    line.set(&name(number), "one").await.is(201);
                }
            }
        });
        all(fillers).await;
        agrees(&mut line, MANY).await;
        for number in (0..MANY).step_by(50) {
            line.set(&name(number), "two").await.is(200);
        }
    });
    for number in (0..MANY).step_by(75) {
        call(&beside, "DELETE", &secret(&name(number)), &[], b"").is(204);
        call(&beside, "PUT", &secret(&format!("NEW_{number}_PROD")), &[], br#"{"value":"x"}"#)
            .is(201);
    }
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        agrees(&mut line, MANY).await;
    });
}

/// Rows that went, came or changed without a record stand in a search as in a list.
#[test]
fn what_was_changed_by_hand() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        for name in ["A_GONE", "B_ALTERED", "C_DELETED", "D_SOUND"] {
            line.set(name, "one").await.is(201);
        }
        let by_hand = rusqlite::Connection::open(served.directory.path().join("store.db")).unwrap();
        by_hand.execute_batch("CREATE TABLE kept AS SELECT * FROM secret").unwrap();
        line.delete("C_DELETED").await.is(204);
        by_hand
            .execute_batch(
                "INSERT INTO secret SELECT * FROM kept WHERE name = 'C_DELETED';
                 INSERT INTO secret SELECT organization, 'E_PLANTED', format, id, version,
                     created_at, created_by, updated_at, updated_by, key_id, slot, sealed FROM kept
                     WHERE name = 'D_SOUND';
                 DELETE FROM secret WHERE name = 'A_GONE';
                 UPDATE secret SET version = 9 WHERE name = 'B_ALTERED'",
            )
            .unwrap();
        let names = ["A_GONE", "B_ALTERED", "C_DELETED", "D_SOUND", "E_PLANTED"];
        for sort in SORTS {
            for limit in 1..6 {
                for part in ["", "e", "_"] {
                    let mut rows = paged(&mut line, sort, part, limit).await;
                    rows.sort_by_key(|row| row["name"].to_string());
                    let found: Vec<_> =
                        rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
                    let expected: Vec<_> = names
                        .into_iter()
                        .filter(|name| name.contains(&part.to_uppercase()))
                        .collect();
                    assert_eq!(found, expected, "{sort} {part} {limit}");
                    let sound = |row: &&Value| row["damaged"] != true;
                    let sound: Vec<_> = rows.iter().filter(sound).map(|row| &row["name"]).collect();
                    assert!(sound.iter().all(|name| *name == "D_SOUND"), "{sound:?}");
                }
            }
        }
    });
}

/// A row that goes by hand while its name is in memory.
#[test]
fn a_row_that_is_lost_later() {
    let served = Served::new();
    served.run(async {
        let mut line = Line::own(&served.handle).await;
        for name in ["A_ONE", "B_TWO"] {
            line.set(name, "one").await.is(201);
        }
        assert_eq!(paged(&mut line, "name", "", 10).await.len(), 2);
        let by_hand = rusqlite::Connection::open(served.directory.path().join("store.db")).unwrap();
        by_hand.execute("DELETE FROM secret WHERE name = 'A_ONE'", []).unwrap();
        for (sort, part) in [("name", ""), ("-name", ""), ("name", "one"), ("-updated", "one")] {
            let rows = paged(&mut line, sort, part, 1).await;
            let lost = rows.iter().find(|row| row["name"] == "A_ONE").unwrap();
            assert_eq!(lost["damaged"], true, "{sort} {part}");
        }
    });
}
