//! The audit trail and its checkpoints.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{asked, at, run, says};
use crate::harness::{INJECT, World};
use crate::scripted_store::{Answer, ScriptedStore};

fn record(sequence: i64, more: Value) -> Value {
    let mut record = json!({
        "sequence": sequence, "at": "2026-03-01T12:00:05Z", "organization": "acme",
        "actor": "alice@acme.com", "action": "set", "secrets": [], "outcome": "ok",
    });
    let object = record.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    record
}

fn page(records: &[Value], next: Option<&str>) -> Answer {
    says(200, &json!({"records": records, "next": next}).to_string())
}

#[test]
fn records_say_who_did_what() {
    let world = World::new();
    let names = |count: i64| -> Vec<Value> {
        (1..=count).map(|n| json!({"name": format!("KEY_{n}"), "version": n})).collect()
    };
    let records = [
        record(
            9,
            json!({"action": "resolve", "actor": "workload:billing", "workload": "billing",
            "client": "10.0.0.7", "secrets": names(6)}),
        ),
        record(8, json!({"secrets": [{"name": "A_KEY", "version": 2}]})),
        record(
            7,
            json!({"action": "member.set", "subject": "eve\u{1b}[2J@acme.com",
            "detail": {"role": "owner", "names": ["A_*", "B"], "network": null}}),
        ),
        record(
            6,
            json!({"action": "resolve", "outcome": "forbidden",
            "secrets": [{"name": "B_KEY"}]}),
        ),
    ];
    let store = ScriptedStore::tcp([page(&records, Some("c"))]);
    let words = "audit list --limit 4 --name A_KEY --actor alice@acme.com --workload billing \
                 --since 2026-03-01 --until 2026-03-02T01:30:00+01:00";
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(run(&world, &store, &words).report(), @r"
    exit 0
    --- stdout
    TIME                 ACTOR             ACTION      ABOUT                                           OUTCOME    WORKLOAD  CLIENT
    [TIME]  workload:billing  resolve     KEY_1:1, KEY_2:2, KEY_3:3 and 3 more            ok         billing   10.0.0.7
    [TIME]  alice@acme.com    set         A_KEY:2                                         ok         -         -
    [TIME]  alice@acme.com    member.set  eve\u{1b}[2J@acme.com role=owner, names=A_*, B  ok         -         -
    [TIME]  alice@acme.com    resolve     B_KEY                                           forbidden  -         -
    --- stderr
    there are older ones; `--limit` shows more at once, `--cursor c` goes on there
    ");
    assert_eq!(
        asked(&store),
        ["GET /api/v1/orgs/acme/audit?name=A_KEY&actor=alice%40acme.com&workload=billing\
          &since=2026-03-01T00%3A00%3A00Z&until=2026-03-02T00%3A30%3A00Z&limit=4"]
    );
    let ended = run(&world, &store, "audit list --limit 4 --json");
    let json: Value = serde_json::from_slice(&ended.code(0).stdout).expect("JSON");
    assert_eq!((&json["records"][1], &json["next"]), (&records[1], &"c".into()));
}

#[test]
fn records_come_page_after_page_up_to_the_limit() {
    let world = World::new();
    let hundred: Vec<Value> = (0..100).map(|n| record(300 - n, json!({}))).collect();
    let (first, second) = (page(&hundred, Some("c1")), page(&hundred[..50], Some("c2")));
    let store = ScriptedStore::tcp([first.clone(), second]);
    let ended = run(&world, &store, "audit list --limit 150");
    assert_eq!(ended.code(0).out().lines().count(), 151);
    assert_eq!(
        ended.err(),
        "there are older ones; `--limit` shows more at once, `--cursor c2` goes on there\n"
    );
    assert_eq!(
        asked(&store),
        ["GET /api/v1/orgs/acme/audit?limit=100", "GET /api/v1/orgs/acme/audit?cursor=c1&limit=50"]
    );
    // A page of which nothing fits the filter may be empty, and another behind it not.
    let (empty, last) = (page(&[], Some("c2")), page(&hundred[..50], None));
    let store = ScriptedStore::tcp([first, empty, last]);
    let ended = run(&world, &store, "audit list --limit 1000");
    assert_eq!(ended.code(0).out().lines().count(), 151);
    assert_eq!(ended.err(), "");
    assert_eq!(store.requests().len(), 3);
}

/// What a script prints as JSON says where it goes on.
#[test]
fn a_list_goes_on_from_its_cursor() {
    let world = World::new();
    let answers = [page(&[record(9, json!({}))], Some("a b")), page(&[record(8, json!({}))], None)];
    let store = ScriptedStore::tcp(answers);
    let ended = run(&world, &store, "audit list --limit 1 --json");
    let json: Value = serde_json::from_slice(&ended.code(0).stdout).expect("JSON");
    let next = json["next"].as_str().expect("there is more");
    let words = ["audit", "list", "--limit", "1", "--json", "--cursor", next];
    let ended = at(world.inject(words), &store).run();
    let json: Value = serde_json::from_slice(&ended.code(0).stdout).expect("JSON");
    assert_eq!((&json["records"][0]["sequence"], &json["next"]), (&8.into(), &Value::Null));
    let path = "GET /api/v1/orgs/acme/audit";
    assert_eq!(asked(&store), [format!("{path}?limit=1"), format!("{path}?cursor=a%20b&limit=1")]);
    for cursor in ["", &"x".repeat(1025)] {
        let ended = at(world.inject(["audit", "list", "--cursor", cursor]), &store).run();
        assert!(ended.code(64).err().contains("`--cursor`: write the `next`"), "{}", ended.whole());
    }
}

/// A store that is broken, or none, may turn its pages for ever.
#[test]
fn a_list_without_an_end_is_found_out() {
    let world = World::new();
    let rows = r#""name":"acme","created_at":"2026-03-01T12:00:00Z","created_by":"os:root""#;
    let orgs = says(200, &format!(r#"{{"orgs":[{{{rows}}}],"next":"c"}}"#));
    let of = |kind: &str, next| says(200, &json!({kind: [], "next": next}).to_string());
    for (words, answers) in [
        ("audit list", vec![page(&[record(9, json!({}))], Some("c1"))]),
        ("audit list", vec![of("records", "c1")]),
        ("secret list", vec![of("secrets", "c1")]),
        ("member list", vec![of("members", "c1")]),
        ("token list", vec![of("tokens", "c1")]),
        ("workload list", vec![of("workloads", "c1")]),
        ("org list", vec![orgs]),
    ] {
        let store = ScriptedStore::tcp(answers);
        let ended = run(&world, &store, words);
        ended.code(69);
        let said = "the list goes back to where it has been, and has no end";
        assert!(ended.err().contains(said), "{}", ended.whole());
        assert_eq!((ended.out().as_str(), store.requests().len()), ("", 2), "{words}");
    }
}

#[test]
fn a_checkpoint_is_one_line_or_one_file() {
    let world = World::new();
    let checkpoint =
        r#"{"organization":"acme","sequence":17,"at":"2026-03-01T12:00:00Z","code":"00ff"}"#;
    let store = ScriptedStore::tcp([says(200, checkpoint)]);
    for words in ["audit checkpoint", "audit checkpoint -o -"] {
        let ended = run(&world, &store, words);
        assert_eq!(ended.code(0).stdout, format!("{checkpoint}\n").as_bytes());
    }
    world.write("work/mark", "older");
    assert_eq!(run(&world, &store, "audit checkpoint -o mark").code(0).report(), "exit 0\n");
    let path = world.path("work/mark");
    assert_eq!(fs::read_to_string(&path).expect("a file"), format!("{checkpoint}\n"));
    assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o7777, 0o600);
    assert_eq!(asked(&store)[0], "GET /api/v1/orgs/acme/audit/checkpoint");
    insta::assert_snapshot!(run(&world, &store, "audit checkpoint -o none/mark").report(), @"
    exit 74
    --- stderr
    inject: cannot write `none/mark`: No such file or directory
        make its folder first
      store: http://127.0.0.1:[PORT], organization `acme`
    ");
    insta::assert_snapshot!(run(&world, &store, "audit checkpoint -o /dev/null").report(), @"
    exit 74
    --- stderr
    inject: cannot write `/dev/null`: not a regular file
      store: http://127.0.0.1:[PORT], organization `acme`
    ");
    // Behind such a link there is no file, and the link is not in the way.
    std::os::unix::fs::symlink("/proc/self/fd/1", world.path("work/link")).expect("a link");
    let script = "{ \"$BINARY\" audit checkpoint -o link; echo $? >&2; } | cat";
    let piped = at(world.command("sh", ["-c", script]).env("BINARY", INJECT), &store).run();
    assert!(piped.err().contains("`link`: not a regular file"), "{}", piped.whole());
    assert!(piped.err().ends_with("\n74\n"), "{}", piped.whole());
    assert!(world.path("work/link").is_symlink());
    // What the store says is another's is not kept as one's own.
    let other = checkpoint.replace("acme", "beta");
    let store = ScriptedStore::tcp([says(200, &other)]);
    run(&world, &store, "audit checkpoint -o mark").code(64);
    assert_eq!(fs::read_to_string(&path).expect("a file"), format!("{checkpoint}\n"));
}

#[test]
fn a_whole_trail_and_a_broken_one() {
    let world = World::new();
    let verified = |answer: &str, words: &str| {
        run(&world, &ScriptedStore::tcp([says(200, answer)]), words).report()
    };
    let mark = r#"{"organization":"acme","sequence":17,"at":"2026-03-01T12:00:00Z","code":"00ff"}"#;
    world.write("work/mark", format!("{mark}\n"));
    insta::assert_snapshot!(verified(r#"{"records":20}"#, "audit verify"), @"
    exit 0
    --- stdout
    20 records, as written
    ");
    let with_mark = "audit verify --checkpoint mark";
    insta::assert_snapshot!(verified(r#"{"records":1}"#, with_mark), @"
    exit 0
    --- stdout
    1 record, as written, also what the checkpoint of [TIME] saw
    ");
    let broken = |what: &str| {
        let answer = format!(r#"{{"records":16,"broken":{{"sequence":17,"what":"{what}"}}}}"#);
        let report = verified(&answer, with_mark);
        report.lines().take(3).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(broken("absent"), @"
    exit 74
    --- stderr
    inject: the audit trail is not the one that was written: record 17 is missing, and records after it are there
    ");
    insta::assert_snapshot!(broken("altered"), @"
    exit 74
    --- stderr
    inject: the audit trail is not the one that was written: record 17 was changed, or is another one in its place
    ");
    insta::assert_snapshot!(broken("cut"), @"
    exit 74
    --- stderr
    inject: the audit trail is not the one that was written: record 17 was seen by the checkpoint, and the trail ends before it
    ");
    insta::assert_snapshot!(broken("other"), @"
    exit 74
    --- stderr
    inject: the audit trail is not the one that was written: record 17 is not the one that the checkpoint saw
    ");
}

#[test]
fn what_is_sent_with_a_checkpoint() {
    let world = World::new();
    let mark = r#"{"organization":"acme","sequence":17,"at":"2026-03-01T12:00:00Z","code":"00ff"}"#;
    let store = ScriptedStore::tcp([says(200, r#"{"records":20}"#)]);
    let words = ["audit", "verify", "--checkpoint", "-"];
    at(world.inject(words), &store).stdin(format!("{mark}\n")).run().code(0);
    run(&world, &store, "audit verify").code(0);
    let path = "POST /api/v1/orgs/acme/audit/verify";
    assert_eq!(
        asked(&store),
        [format!("{path} {{\"checkpoint\":{mark}}}"), format!("{path} {{}}")]
    );
    // Another organization's, and what is none at all, are not sent.
    world.write("work/other", mark.replace("acme", "beta"));
    world.write("work/none", "{}");
    for (file, said) in [
        ("other", "the checkpoint is of organization `beta`; name that one with `--org`"),
        ("none", "`--checkpoint`: `none` holds no checkpoint"),
    ] {
        let ended = run(&world, &store, &format!("audit verify --checkpoint {file}"));
        ended.code(64);
        assert!(ended.err().contains(said), "{}", ended.whole());
    }
    run(&world, &store, "audit verify --checkpoint nowhere").code(74);
    assert_eq!(store.requests().len(), 2);
}

#[test]
fn a_closed_stdin_is_told_as_such() {
    let world = World::new();
    let told = |words: &str| {
        let script = format!("\"$BINARY\" {words} <&-");
        let ended = world.command("sh", ["-c", &script]).env("BINARY", INJECT).run();
        ended.code(74).err().lines().next().map(str::to_owned)
    };
    let checkpoint = told("audit verify --checkpoint -");
    assert_eq!(checkpoint, told("secret set A_KEY"));
    let said = checkpoint.expect("a line");
    assert!(said.starts_with("inject: stdin cannot be read: "), "{said}");
}
