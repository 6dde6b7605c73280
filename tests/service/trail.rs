//! What is in the audit trail after a day, how it is searched, and how somebody who changes it is
//! found out.

use std::fs;

use rusqlite::Connection;

use super::{Day, Served};

/// The actions of the records that a list has, oldest first.
fn actions(day: &Day, filter: &[&str]) -> Vec<String> {
    let rows = day.owner().json(&[&["audit", "list"], filter].concat());
    let rows = rows["records"].as_array().expect("rows");
    let action = |row: &serde_json::Value| row["action"].as_str().expect("one").to_owned();
    rows.iter().rev().map(action).collect()
}

#[test]
fn each_filter_finds_its_records() {
    let day = Day::new();
    let bob = day.member("bob@acme.com", &["--role", "editor"]);
    day.with(&bob).set("A_KEY", "a");
    day.with(&bob).set("B_KEY", "b");
    let made = day.owner().json(&["token", "create", "--workload", "web", "--names", "A_KEY"]);
    let token = made["token"].as_str().expect("one");
    day.with(token).launch(&["--export", "A_KEY"]).run().code(0);
    day.with(token).launch(&["--export", "B_KEY"]).run().code(77);
    let all = actions(&day, &[]);
    assert_eq!(
        all,
        [
            "org.create",
            "member.add",
            "token.create", // init
            "member.add",
            "token.create",
            "create",
            "create",
            "token.create",
            "resolve",
            "resolve"
        ]
    );
    let id = format!("token:{}", made["id"].as_str().expect("one"));
    let found = |filter: &[&str]| actions(&day, filter).len();
    assert_eq!(found(&["--actor", "bob@acme.com"]), 2);
    assert_eq!(found(&["--actor", &id]), 2);
    assert_eq!(found(&["--actor", "nobody@acme.com"]), 0);
    assert_eq!(actions(&day, &["--name", "A_KEY"]), ["create", "resolve"]);
    assert_eq!(actions(&day, &["--name", "B_KEY"]), ["create", "resolve"]);
    assert_eq!(actions(&day, &["--workload", "web", "--name", "B_KEY"]), ["resolve"]);
    assert_eq!(found(&["--workload", "jobs"]), 0);
    assert_eq!(found(&["--since", "1h"]), all.len());
    assert_eq!(found(&["--until", "1h"]), 0);
    assert_eq!(found(&["--since", "2020-01-01", "--until", "2020-02-01"]), 0);
    assert_eq!(found(&["--limit", "3"]), 3);
    let rows = day.owner().json(&["audit", "list", "--name", "B_KEY", "--limit", "1"]);
    let row = &rows["records"][0];
    assert_eq!(row["outcome"], "forbidden", "{row}");
    assert_eq!((&row["workload"], &row["client"]), (&"web".into(), &"127.0.0.1".into()));
    day.owner().does(64, &["audit", "list", "--name", "no_name", "--since", "yesterday"]);
}

#[test]
fn a_cut_tail_shows_against_a_checkpoint() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    day.world.inject(["store", "backup", "../yesterday"]).run().code(0);
    day.owner().set("A_KEY", "b");
    day.owner().does(0, &["audit", "checkpoint", "-o", "today"]);
    let whole = day.owner().does(0, &["audit", "verify", "--checkpoint", "today"]);
    assert_eq!(whole.out(), "5 records, as written, also what the checkpoint of [TIME] saw\n");
    // The day before is put back, which is whole in itself.
    let Day { world, served, owner } = day;
    served.end().code(0);
    let key = fs::read(world.path("data/master.key")).expect("it is there");
    fs::remove_dir_all(world.path("data")).expect("it is ours");
    world.script("data/master.key", &String::from_utf8(key).expect("a text"), "0600");
    world.inject(["store", "restore", "../yesterday"]).run().code(0);
    let served = Served::start(&world);
    let day = Day { world, served, owner };
    day.owner().does(0, &["audit", "verify"]);
    let cut = day.owner().does(74, &["audit", "verify", "--checkpoint", "today"]);
    assert!(cut.err().contains("was seen by the checkpoint"), "{}", cut.whole());
    let cut = day.world.inject(["store", "verify", "--checkpoint", "today"]).run();
    assert!(cut.code(74).err().contains("checkpoint"), "{}", cut.whole());
}

/// Somebody with the file and an editor, while the server runs.
#[test]
fn an_edited_database_is_found_out() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    day.owner().set("B_KEY", "b");
    let web = day.token("web", &["--names", "A_KEY"]);
    let edit = |sql: &str| {
        let file = Connection::open(day.world.path("data/store.db")).expect("a database");
        assert!(file.execute(sql, []).expect("an SQL statement") > 0, "{sql}");
    };
    // A wider list of names, a higher role, an older date: each carries a code.
    edit("UPDATE token SET names = REPLACE(names, 'A_KEY', '*') WHERE workload = 'web'");
    let ended = day.with(&web).launch(&["--export", "B_KEY"]).run();
    assert_ne!(ended.exit(), 0, "{}", ended.whole());
    edit("UPDATE secret SET updated_by = 'mallory@acme.com' WHERE name = 'B_KEY'");
    let list = day.owner().does(74, &["secret", "list"]);
    assert!(list.out().contains("damaged"), "{}", list.whole());
    assert!(!list.out().contains("mallory"), "{}", list.whole());
    edit("UPDATE audit SET actor = 'mallory@acme.com' WHERE sequence = 4");
    let trail = day.owner().does(74, &["audit", "verify"]);
    assert!(trail.err().contains("record 4 was changed"), "{}", trail.whole());
    let all = day.world.inject(["store", "verify"]).run();
    all.code(74);
    for part in ["secret `B_KEY`", "token `", "record 4"] {
        assert!(all.err().contains(part), "no `{part}` in {}", all.whole());
    }
    assert!(!all.err().contains("mallory"), "{}", all.whole());
}
