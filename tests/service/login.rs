//! What `inject login` keeps against a real store: the pin, an authority's word, a stranger's
//! manifest, and a token that is worth nothing any more.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use super::{Day, Served};
use crate::authority::{Authority, Identity, Says};
use crate::harness::{Ended, Run, needs_root};

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
fn the_pin_is_no_token_s() {
    let (day, _) = logged_in();
    let web = day.token("web", &[]);
    let run = |store: &str| {
        let run = day.world.launch(["--export", "A_KEY", "--timeout", "2"]);
        run.env("INJECT_STORE", store).env("INJECT_ORG", "acme").env("INJECT_TOKEN", &web)
    };
    let bare = day.served.bare();
    assert_eq!(run(bare).run().seen().text("A_KEY"), "a");
    let rows = day.owner().json(&["audit", "list", "--name", "A_KEY", "--limit", "1"]);
    assert_eq!(rows["records"][0]["workload"], "web", "{rows}");
    // What is written in the address counts, and where nobody logged in there is nothing else.
    let other = Identity::self_signed(&["localhost"], Says::Valid).pin();
    let ended = run(&format!("{bare}#{other}")).run();
    assert!(ended.code(69).err().contains("not the one that is pinned"), "{}", ended.whole());
    let ended = run(bare).env("HOME", day.world.text("work")).run();
    assert!(ended.code(69).err().contains("no authority"), "{}", ended.whole());
    // A file that cannot be used may hold a pin: nobody is believed without it.
    let file = day.world.path("home/.config/inject/credentials.toml");
    let mode = |mode| fs::set_permissions(&file, Permissions::from_mode(mode)).expect("it is ours");
    mode(0o644);
    let ended = run(bare).run();
    assert!(ended.code(64).err().contains("has mode 0644"), "{}", ended.whole());
    assert_eq!(run(day.served.url()).run().seen().text("A_KEY"), "a");
    mode(0o600);
    // The key that is kept is the only one that is believed.
    let text = fs::read_to_string(&file).expect("a text");
    let own = day.served.url().split('#').nth(1).expect("a pin");
    fs::write(&file, text.replace(own, &other)).expect("it is ours");
    let ended = run(bare).run();
    let told = "not the one that is pinned in `[DIR]/home/.config/inject/credentials.toml`, but `";
    assert!(ended.code(69).err().contains(told), "{}", ended.whole());
    // That goes for the login's own token too, and for the next login.
    let told = [launch(&day, bare), log_in(&day, bare, &web).run()].map(|ended| {
        let told = ended.code(69).err().contains(told);
        (told, ended.whole())
    });
    assert!(told.iter().all(|(told, _)| *told), "{told:?}");
}

/// Who names the authorities has said who is believed: what a login kept is not even looked at.
#[test]
fn a_pin_that_is_kept_gives_way_to_an_authority() {
    let authority = Authority::new();
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    day.world.write("work/authority.pem", authority.pem());
    let identity = authority.issue(&["127.0.0.1"], Says::Valid);
    let served = with_own_certificate(&day, &identity);
    let other = Identity::self_signed(&["localhost"], Says::Valid).pin();
    let kept = format!(
        "[[login]]\nstore = \"{}\"\npin = \"{other}\"\norganization = \"acme\"\n\
         token = \"inj_m_x\"\n",
        served.bare()
    );
    let list = || day.owner().at(served.bare()).inject(&["secret", "list"]);
    for (text, code) in [(kept.as_str(), 69), ("not as it is written\n", 64)] {
        let file = day.world.write("home/.config/inject/credentials.toml", text);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        let ended = list().run();
        assert!(ended.code(code).err().contains("credentials.toml"), "{}", ended.whole());
        list().env("INJECT_CA_FILE", "authority.pem").run().code(0);
    }
    // A manifest that was only found is nobody's word: the pin stays.
    let file = day.world.write("home/.config/inject/credentials.toml", &kept);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
    day.world.write("token", day.token("web", &[]));
    let manifest = format!("store = \"{}\"\nca-file = \"authority.pem\"\n", served.bare());
    day.world.write("work/inject.toml", manifest);
    let launch = || {
        let options = ["--export", "A_KEY", "--org", "acme", "--token-file", "../token"];
        day.world.launch(options.iter().chain(&["--timeout", "2"]))
    };
    let ended = launch().run();
    assert!(ended.code(69).err().contains("credentials.toml"), "{}", ended.whole());
    launch().env("INJECT_CONFIG", "inject.toml").run().code(0);
}

/// A second server of the day's store, which shows this certificate.
fn with_own_certificate(day: &Day, identity: &Identity) -> Served {
    super::trust::install(&day.world, identity);
    let words = ["store", "serve", "--listen", "127.0.0.1:0", "--tls-cert", "../tls.crt"];
    let run = day.world.inject(words.iter().chain(&["--tls-key", "../tls.key"]));
    Served::of(&day.world, "own", run, 1)
}

/// Another user's file, as where `sudo` keeps a home, is nobody's here.
#[test]
fn a_stranger_s_file_pins_nothing() {
    needs_root();
    let day = Day::new();
    let file = day.world.write("home/.config/inject/credentials.toml", "not as it is written\n");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
    let list = || day.owner().at(day.served.bare()).inject(&["secret", "list"]).run();
    let ended = list();
    assert!(ended.code(64).err().contains("not as `inject login` writes"), "{}", ended.whole());
    std::os::unix::fs::chown(&file, Some(12_345), None).expect("root may");
    let ended = list();
    assert!(ended.code(69).err().contains("no authority"), "{}", ended.whole());
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
    let other = day.owner().does(0, &["org", "create", "globex"]).out();
    log_in(&day, served.bare(), &other).run().code(0);
    super::trust::install(&day.world, &new);
    served.signal(Signal::SIGHUP);
    served.logs(" reloaded", 1);
    let launch = || {
        let run = day.world.launch(["--export", "A_KEY", "--org", "acme", "--timeout", "2"]);
        run.env("INJECT_STORE", served.bare()).run()
    };
    let ended = launch();
    assert!(ended.code(69).err().contains(&new.pin()), "{}", ended.whole());
    let ended = log_in(&day, &format!("{}#{}", served.bare(), new.pin()), &token).run();
    // The pin is the address's: what is kept for another organization goes by it too.
    let told = "the pin of `https://127.0.0.1:[PORT]` is another than before, and counts for your \
                login to `globex` there too\n";
    assert!(ended.code(0).err().ends_with(told), "{}", ended.whole());
    assert_eq!(launch().seen().text("A_KEY"), "a");
    let list = ["secret", "list", "--org", "globex", "--store", served.bare()];
    day.world.inject(list).run().code(0);
    let again = log_in(&day, served.bare(), &token).run();
    assert!(!again.code(0).err().contains("than before"), "{}", again.whole());
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
