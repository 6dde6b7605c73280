//! Which workloads use which secrets, and what a removal means for them.

use super::{asked, at, run, says};
use crate::harness::{INJECT, Terminal, World};
use crate::scripted_store::ScriptedStore;

const SECRET: &str = r#"{"name":"A_KEY","version":4,
    "created_at":"2026-01-01T12:00:00Z","created_by":"alice@acme.com",
    "updated_at":"2026-03-01T23:30:05Z","updated_by":"bob@acme.com","workloads":[
    {"workload":"billing","version":4,"resolved_at":"2026-03-02T10:00:00Z"},
    {"workload":"w\u001bb","version":3,"resolved_at":"2026-02-20T10:00:00Z"}]}"#;

#[test]
fn workloads_that_have_fallen_behind_are_marked() {
    let world = World::new();
    let used = |name: &str, version: u64, current: &str| {
        format!(
            r#"{{"name":"{name}","version":{version},"current":{current},
            "resolved_at":"2026-03-02T10:00:00Z"}}"#
        )
    };
    let behind = [used("A_KEY", 3, "4"), used("B_KEY", 1, "1"), used("C_KEY", 2, "null")].join(",");
    let row = |name: &str, behind: bool, secrets: &str| {
        format!(
            r#"{{"workload":"{name}","last_resolved_at":"2026-03-02T10:00:00Z",
            "behind":{behind},"secrets":[{secrets}]}}"#
        )
    };
    let rows = [row("billing", true, &behind), row("web", false, &used("B_KEY", 1, "1"))];
    let page = format!(r#"{{"workloads":[{}],"next":null}}"#, rows.join(","));
    let store = ScriptedStore::tcp([says(200, &page)]);
    insta::assert_snapshot!(run(&world, &store, "workload list").report(), @"
    exit 0
    --- stdout
    WORKLOAD  LAST RESOLVED     SECRETS  BEHIND
    billing   [TIME]  3        A_KEY: version 3, now 4
                                         C_KEY: version 2, now deleted
    web       [TIME]  1        -
    ");
    let json = run(&world, &store, "workload list --json");
    let json: serde_json::Value = serde_json::from_slice(&json.code(0).stdout).expect("JSON");
    assert_eq!(json["workloads"][0]["secrets"][2]["current"], serde_json::Value::Null);
    assert_eq!(asked(&store)[0], "GET /api/v1/orgs/acme/workloads?limit=100");
}

#[test]
fn a_secret_names_its_users() {
    let world = World::new();
    let store = ScriptedStore::tcp([says(200, SECRET)]);
    let shown = run(&world, &store, "secret show A_KEY");
    insta::assert_snapshot!(shown.report(), @r"
    exit 0
    --- stdout
    name          A_KEY
    version       4
    last updated  [TIME] +00:00 by bob@acme.com
    created       [TIME] +00:00 by alice@acme.com
    reference     $A_KEY or ${A_KEY}
    resolved by   billing: version 4, [TIME] +00:00
                  w\u{1b}b: version 3 (behind), [TIME] +00:00
    ");
    let none =
        SECRET.split(",\"workloads\"").next().expect("a part").to_owned() + r#","workloads":[]}"#;
    let store = ScriptedStore::tcp([says(200, &none)]);
    let shown = run(&world, &store, "secret show A_KEY").code(0).out();
    assert!(shown.ends_with("resolved by   no workload in the last 30 days\n"), "{shown}");
}

#[test]
fn a_removal_says_who_will_fail() {
    let world = World::new();
    let store = ScriptedStore::tcp([says(200, SECRET), says(204, "")]);
    insta::assert_snapshot!(run(&world, &store, "secret rm A_KEY --yes").report(), @r"
    exit 0
    --- stdout
    deleted A_KEY
    --- stderr
    a launch that references it fails from now on; resolved in the last 30 days by: billing, w\u{1b}b
    ");
    assert_eq!(
        asked(&store),
        ["GET /api/v1/orgs/acme/secrets/A_KEY", "DELETE /api/v1/orgs/acme/secrets/A_KEY"]
    );
    let store = ScriptedStore::tcp([says(200, SECRET), says(204, "")]);
    let mut terminal = Terminal::new();
    let words = ["-c", "exec <&9 \"$BINARY\" secret rm A_KEY"];
    let shell = world.command("sh", words).env("BINARY", INJECT);
    let started = at(shell, &store).situation(terminal.situation()).start();
    let screen = terminal.shows("Type the name to delete it: ");
    let expected = "will fail; resolved in the last 30 days by: billing, w\\u{1b}b.\r\n";
    assert!(screen.contains(expected), "{screen}");
    terminal.types("A_KEY\n");
    assert_eq!(started.end().code(0).err(), "");
}

/// Something in between that says well to everything has deleted and revoked nothing.
#[test]
fn only_a_store_says_that_something_is_gone() {
    let world = World::new();
    let well = || says(200, "{}");
    for (words, answers) in [
        ("secret rm A_KEY --yes", vec![says(200, SECRET), well()]),
        ("member rm bob@acme.com --yes", vec![well()]),
        ("token revoke abcdefghijkl", vec![well()]),
    ] {
        let ended = run(&world, &ScriptedStore::tcp(answers), words);
        assert_eq!(ended.code(69).out(), "", "{words}");
        assert!(ended.err().contains("what answers there is no store (status 200)"), "{words}");
    }
}
