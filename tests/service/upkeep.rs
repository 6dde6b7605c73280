//! What is done to a store while it is served: backup and restore, a new master key, the operator's
//! own commands on the same machine.

use std::fs;

use super::{Day, Served};

#[test]
fn a_new_key_while_it_is_served() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let web = day.token("web", &[]);
    day.owner().does(0, &["audit", "checkpoint", "-o", "before"]);
    let key = || fs::read(day.world.path("data/master.key")).expect("it is there");
    let old = key();
    for round in 0..3 {
        day.world.inject(["store", "rekey"]).run().code(0);
        // The server goes on as if nothing had been, with values old and new.
        assert_eq!(day.with(&web).value("A_KEY"), Ok("a".to_owned()), "round {round}");
        day.owner().set("B_KEY", &format!("b{round}"));
        assert_eq!(day.with(&web).value("B_KEY"), Ok(format!("b{round}")));
    }
    assert_ne!(key(), old);
    day.owner().does(0, &["audit", "verify", "--checkpoint", "before"]);
    day.world.inject(["store", "verify", "--checkpoint", "before"]).run().code(0);
}

#[test]
fn a_backup_moves_to_another_machine() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let web = day.token("web", &[]);
    day.world.inject(["store", "backup", "../backup"]).run().code(0);
    day.owner().set("A_KEY", "newer");
    let key = fs::read_to_string(day.world.path("data/master.key")).expect("it is there");
    day.world.script("other/master.key", &key, "0600");
    let data = day.world.text("other");
    let restore = ["store", "restore", "../backup", "--data", &data];
    day.world.inject(restore).run().code(0);
    let words = ["store", "serve", "--listen", "127.0.0.1:0", "--data", &data];
    let other = Served::of(&day.world, "other-server", day.world.inject(words), 1);
    // Tokens are the same there, and the key of the address is not: it is no part of a backup.
    assert_eq!(day.with(&web).at(other.url()).value("A_KEY"), Ok("a".to_owned()));
    assert_eq!(day.with(&web).value("A_KEY"), Ok("newer".to_owned()));
    let pin = |served: &Served| served.url().split('#').nth(1).expect("a pin").to_owned();
    assert_ne!(pin(&other), pin(&day.served));
}

#[test]
fn the_operator_is_let_in_beside_the_server() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    // An owner who lost every token gets another on the machine itself. The last one is not the
    // owner's to revoke: nobody would be left who could make another.
    let ids = day.owner().json(&["token", "list"]);
    let local = |words: &[&str]| day.world.inject(words).env("INJECT_ORG", "acme");
    for row in ids["tokens"].as_array().expect("rows") {
        let revoke = ["token", "revoke", row["id"].as_str().expect("one")];
        day.owner().does(77, &revoke);
        local(&revoke).run().code(0);
    }
    day.owner().does(77, &["secret", "list"]);
    let made = local(&["token", "create", "--member", "alice@acme.com"]).run();
    let token = made.code(0).out().trim_end().to_owned();
    let alice = day.with(&token);
    local(&["secret", "set", "A_KEY"]).stdin("by hand").run().code(0);
    alice.does(0, &["member", "set", "alice@acme.com", "--names", "*"]);
    assert_eq!(alice.value("A_KEY"), Ok("by hand".to_owned()));
    let rows = alice.json(&["audit", "list", "--name", "A_KEY"]);
    let actors: Vec<_> = rows["records"].as_array().expect("rows").iter().rev().collect();
    assert_eq!(actors[1]["actor"], "os:root");
    assert_eq!(actors[1]["client"], serde_json::Value::Null);
    alice.does(0, &["audit", "verify"]);
}
