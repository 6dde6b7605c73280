//! What ends a token: its member's removal, its revocation, its time, another network.

use super::{Day, Served};
use crate::harness::eventually;

#[test]
fn who_is_removed_takes_along_what_was_minted() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let bob = day.member("bob@acme.com", &["--role", "owner", "--names", "*"]);
    let minted = day.with(&bob).issued(&["token", "create", "--workload", "web"]);
    let dan = day.with(&bob).issued(&["member", "add", "dan@acme.com", "--role", "owner"]);
    let other = day.token("web", &[]);
    for token in [&bob, &minted, &other] {
        assert_eq!(day.with(token).value("A_KEY"), Ok("a".to_owned()));
    }
    day.owner().does(0, &["member", "rm", "bob@acme.com", "--yes"]);
    assert_eq!(day.with(&other).value("A_KEY"), Ok("a".to_owned()));
    for token in [&bob, &minted] {
        let ended = day.with(token).launch(&["--export", "A_KEY"]).run();
        ended.code(77);
        let says = "the store does not accept the token";
        assert!(ended.err().contains(says), "{}", ended.whole());
        assert!(!ended.err().contains(&token[6..]), "it says the token");
    }
    // Dan's first token was bob's to make; dan stays a member, and gets another.
    day.with(&dan).does(77, &["member", "list"]);
    let dan = day.owner().issued(&["token", "create", "--member", "dan@acme.com"]);
    // The same would become of this one with alice, if dan had none of his own making.
    let refused = day.with(&dan).does(77, &["member", "rm", "alice@acme.com", "--yes"]);
    let says = "inject: nothing is changed: `alice@acme.com` made the tokens of all other owners, \
                which would go too; let one of them make a token of their own first\n";
    assert!(refused.err().starts_with(says), "{}", refused.whole());
    let dan = day.with(&dan).issued(&["token", "create", "--member", "dan@acme.com"]);
    day.with(&dan).does(0, &["member", "rm", "alice@acme.com", "--yes"]);
    day.owner().does(77, &["secret", "list"]);
    let last = day.with(&dan).does(77, &["member", "rm", "dan@acme.com", "--yes"]);
    let says = "`dan@acme.com` is the last owner; make somebody else an owner first\n";
    assert!(last.err().contains(says), "{}", last.whole());
    day.with(&dan).does(0, &["secret", "list"]);
}

#[test]
fn a_revoked_token_is_refused_from_then_on() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let made = day.owner().json(&["token", "create", "--workload", "web"]);
    let (id, token) = (made["id"].as_str().expect("one"), made["token"].as_str().expect("one"));
    assert_eq!(day.with(token).value("A_KEY"), Ok("a".to_owned()));
    day.owner().does(0, &["token", "revoke", id]);
    assert_eq!(day.with(token).value("A_KEY"), Err(77));
    day.owner().does(78, &["token", "revoke", id]);
    let checksum = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(day.with(&checksum).value("A_KEY"), Err(77));
    assert_eq!(day.with("inj_w_no").value("A_KEY"), Err(77));
}

#[test]
fn a_token_ends_in_time() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let token = day.token("web", &["--expires", &soon.to_string()]);
    let other = day.token("web", &["--expires", "1h"]);
    let refused = || (day.with(&token).value("A_KEY") == Err(77)).then_some(());
    eventually(refused).expect("it ends");
    assert!(jiff::Timestamp::now() >= soon, "not before");
    assert_eq!(day.with(&other).value("A_KEY"), Ok("a".to_owned()));
    let past =
        day.owner().does(64, &["token", "create", "--workload", "w", "--expires", "2020-01-01"]);
    assert!(past.err().contains("this is past already"), "{}", past.whole());
    let never = ["token", "create", "--workload", "w", "--expires", "never"];
    day.owner().does(64, &never);
}

#[test]
fn a_token_has_its_network() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let socket = format!("unix:{}", day.world.text("s.sock"));
    let words = ["store", "serve", "--listen", &socket];
    let local = Served::of(&day.world, "local", day.world.inject(words), 1);
    let reach = |network: &str| {
        let token = day.token("web", &["--network", network]);
        let caller = day.with(&token);
        [caller.value("A_KEY"), caller.at(local.url()).value("A_KEY")].map(|got| got.is_ok())
    };
    assert_eq!(reach("127.0.0.0/8"), [true, false]);
    assert_eq!(reach("127.0.0.1"), [true, false]);
    assert_eq!(reach("10.0.0.0/8"), [false, false]);
    assert_eq!(reach("::/0"), [false, false]);
    let words = ["token", "create", "--workload", "web", "--network", "10.0.0.0/99"];
    day.owner().does(64, &words);
    // The bearer is told that it is the address, and not from where it would do; so is the trail.
    let token = day.token("far", &["--network", "10.0.0.0/8"]);
    insta::assert_snapshot!(day.with(&token).launch(&["--export", "A_KEY"]).run().report(), @"
    exit 77
    --- stderr
    inject: `probe` was not started
      the store refuses this (status 403): this token is not accepted from 127.0.0.1: it was made for another network
        ask an owner of the organization what this token may do
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    let local = day.with(&token).at(local.url()).launch(&["--export", "A_KEY"]).run();
    let said = "this token is not accepted over a socket of this machine";
    assert!(local.code(77).err().contains(said), "{}", local.whole());
    day.with(&token).does(77, &["secret", "list"]);
    let list = ["audit", "list", "--workload", "far"];
    let records = day.owner().json(&list);
    let records = records["records"].as_array().expect("rows");
    let told = |n: usize| (&records[n]["action"], &records[n]["outcome"]);
    let refused = (&"resolve".into(), &"network".into());
    assert_eq!([told(0), told(1)], [refused; 2]);
    assert_eq!(records[0]["secrets"][0]["name"], "A_KEY");
}
