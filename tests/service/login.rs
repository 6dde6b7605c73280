//! What `inject login` keeps against a real store: the pin, an authority's word, a stranger's
//! manifest, and a token that is worth nothing any more.

use nix::sys::signal::Signal;

use super::{Day, Served};
use crate::authority::{Authority, Identity, Says};
use crate::harness::{Ended, Run};

fn log_in<'d>(day: &'d Day, url: &str, token: &str) -> Run<'d> {
    day.world.inject(["login", url]).stdin(token)
}

/// A launch that says no more than where the store is.
fn launch(day: &Day, store: &str) -> Ended {
    day.world.launch(["--export", "A_KEY", "--timeout", "2"]).env("INJECT_STORE", store).run()
}

/// A day on which a member who may resolve everything is logged in.
fn logged_in() -> (Day, String) {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let token = day.member("bob@acme.com", &["--names", "*"]);
    log_in(&day, day.served.url(), &token).run().code(0);
    (day, token)
}

#[test]
fn the_pin_is_kept_with_the_token() {
    let (day, token) = logged_in();
    // The address alone is enough from then on, and the key behind it is still the pinned one.
    assert_eq!(launch(&day, day.served.bare()).seen().text("A_KEY"), "a");
    assert_eq!(launch(&day, day.served.url()).seen().text("A_KEY"), "a");
    let other = Identity::self_signed(&["localhost"], Says::Valid).pin();
    let other = format!("{}#{other}", day.served.bare());
    let ended = launch(&day, &other);
    assert!(ended.code(64).err().contains("with another pin"), "{}", ended.whole());
    // Nobody who shows another key is logged in to, and what was kept stays.
    let refused = log_in(&day, &other, &token).run();
    assert!(refused.code(69).err().contains("its key is not the one"), "{}", refused.whole());
    assert_eq!(launch(&day, day.served.bare()).seen().text("A_KEY"), "a");
    // A login without the pin goes by the one that is known.
    log_in(&day, day.served.bare(), &token).run().code(0);
    assert_eq!(launch(&day, day.served.bare()).seen().text("A_KEY"), "a");
    // With neither a pin nor an authority nobody is believed to be the store.
    let elsewhere = log_in(&day, day.served.bare(), &token);
    let refused = elsewhere.env("HOME", day.world.text("work")).run();
    assert!(refused.code(69).err().contains("no authority"), "{}", refused.whole());
}

#[test]
fn a_new_key_is_accepted_by_a_new_login_alone() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let token = day.member("bob@acme.com", &["--names", "*"]);
    let [old, new] = [(); 2].map(|()| Identity::self_signed(&["localhost"], Says::Valid));
    super::trust::install(&day.world, &old);
    let words = ["store", "serve", "--listen", "127.0.0.1:0", "--tls-cert", "../tls.crt"];
    let run = day.world.inject(words.iter().chain(&["--tls-key", "../tls.key"]));
    let served = Served::of(&day.world, "own", run, 1);
    log_in(&day, &format!("{}#{}", served.bare(), old.pin()), &token).run().code(0);
    assert_eq!(launch(&day, served.bare()).seen().text("A_KEY"), "a");
    super::trust::install(&day.world, &new);
    served.signal(Signal::SIGHUP);
    served.logs(" reloaded", 1);
    let ended = launch(&day, served.bare());
    assert!(ended.code(69).err().contains(&new.pin()), "{}", ended.whole());
    log_in(&day, &format!("{}#{}", served.bare(), new.pin()), &token).run().code(0);
    assert_eq!(launch(&day, served.bare()).seen().text("A_KEY"), "a");
}

#[test]
fn an_authority_s_word_is_not_kept() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let token = day.member("bob@acme.com", &["--names", "*"]);
    let authority = Authority::new();
    day.world.write("work/authority.pem", authority.pem());
    super::trust::install(&day.world, &authority.issue(&["127.0.0.1"], Says::Valid));
    let words = ["store", "serve", "--listen", "127.0.0.1:0", "--tls-cert", "../tls.crt"];
    let run = day.world.inject(words.iter().chain(&["--tls-key", "../tls.key"]));
    let served = Served::of(&day.world, "own", run, 1);
    log_in(&day, served.bare(), &token).run().code(69);
    let login = ["login", served.bare(), "--ca-file", "authority.pem"];
    day.world.inject(login).stdin(&token).run().code(0);
    let run = || day.world.launch(["--export", "A_KEY"]).env("INJECT_STORE", served.bare());
    let with = run().env("INJECT_CA_FILE", "authority.pem").run();
    assert_eq!(with.seen().text("A_KEY"), "a");
    launch(&day, served.bare()).code(69);
    // A stranger's manifest may name the store, and not who vouches for it.
    let manifest = |text: String| day.world.write("work/inject.toml", text);
    let named = format!("store = \"{}\"\n", served.bare());
    manifest(named.clone());
    let run = || day.world.launch(["--export", "A_KEY"]);
    let by_user = run().env("INJECT_CA_FILE", "authority.pem").run();
    assert_eq!(by_user.seen().text("A_KEY"), "a");
    manifest(format!("{named}ca-file = \"authority.pem\"\n"));
    let withheld = run().run();
    assert!(withheld.code(64).err().contains("is not sent to who"), "{}", withheld.whole());
    let trusted = run().env("INJECT_CONFIG", "inject.toml").run();
    assert_eq!(trusted.seen().text("A_KEY"), "a");
}

#[test]
fn a_stranger_s_manifest_gets_a_login_and_no_other_token() {
    let (day, _) = logged_in();
    let web = day.token("web", &[]);
    day.world.write("work/inject.toml", format!("store = \"{}\"\n", day.served.bare()));
    let run = || day.world.launch(["--export", "A_KEY"]);
    assert_eq!(run().run().seen().text("A_KEY"), "a");
    assert_eq!(run().env("INJECT_TOKEN", &web).run().seen().text("A_KEY"), "a");
    let rows = day.owner().json(&["audit", "list", "--name", "A_KEY", "--limit", "2"]);
    for row in rows["records"].as_array().expect("rows") {
        assert_eq!(row["actor"], "bob@acme.com", "{row}");
    }
    // Where nobody logged in, it gets none.
    let none = run().env("INJECT_TOKEN", &web).env("HOME", day.world.text("work")).run();
    assert!(none.code(64).err().contains("is not sent to a store"), "{}", none.whole());
}

#[test]
fn a_login_that_is_worth_nothing_says_what_to_do() {
    let (day, token) = logged_in();
    day.owner().does(0, &["member", "rm", "bob@acme.com", "--yes"]);
    insta::assert_snapshot!(launch(&day, day.served.bare()).report(), @"
    exit 77
    --- stderr
    inject: `probe` was not started
      the store does not accept the token: it is unknown, over or revoked, or was not sent as `Authorization: Bearer …`
        log in once more: `inject login https://127.0.0.1:[PORT]`
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    let list = day.world.inject(["secret", "list"]).env("INJECT_STORE", day.served.bare());
    insta::assert_snapshot!(list.run().report(), @"
    exit 77
    --- stderr
    inject: the store does not accept the token: it is unknown, over or revoked, or was not sent as `Authorization: Bearer …`; log in once more: `inject login https://127.0.0.1:[PORT]`
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    let check = day.world.inject(["check"]).env("A", "$A_KEY");
    let check = check.env("INJECT_STORE", day.served.url()).run();
    let again = "`inject login https://127.0.0.1:[PORT]`";
    assert!(check.code(77).err().contains(again), "{}", check.whole());
    // A token that somebody set is that somebody's matter.
    let set = day.with(&token).launch(&["--export", "A_KEY"]).run();
    assert!(!set.code(77).err().contains("inject login"), "{}", set.whole());
    // To be a member again is not enough, a new login is.
    let anew = day.member("bob@acme.com", &["--names", "*"]);
    launch(&day, day.served.bare()).code(77);
    log_in(&day, day.served.bare(), &anew).run().code(0);
    assert_eq!(launch(&day, day.served.bare()).seen().text("A_KEY"), "a");
}
