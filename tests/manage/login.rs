//! `inject login`, and what launches and other commands make of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{asked, problem, run, says};
use crate::harness::{Ended, INJECT, Run, Terminal, World, eventually, files};
use crate::scripted_store::{Answer, ScriptedStore, secrets};

const TYPED: &str = "inj_m_c4n4ryC4n4ry_typed";
const FILE: &str = "home/.config/inject/credentials.toml";

/// What a store says of the organizations that a token reaches.
fn reaches(orgs: &[&str]) -> Answer {
    let row = |org: &&str| {
        format!(
            r#"{{"name":"{org}","created_at":"2026-03-01T12:00:00Z","created_by":"os:root",
            "role":"editor"}}"#
        )
    };
    let rows: Vec<_> = orgs.iter().map(row).collect();
    says(200, &format!(r#"{{"orgs":[{}],"next":null}}"#, rows.join(",")))
}

/// A store that accepts a login to an organization, and then resolves `A_KEY`.
fn store_of(org: &str) -> ScriptedStore {
    ScriptedStore::tcp([reaches(&[org]), secrets([("A_KEY", "value")])])
}

fn log_in<'w>(world: &'w World, words: &[&str]) -> Run<'w> {
    world.inject([&["login"], words].concat()).stdin(format!("{TYPED}\n"))
}

/// A launch that needs a secret, with no token set.
fn launch(world: &World, options: &[&str]) -> Ended {
    world.launch(options).env("A", "$A_KEY").run()
}

fn bearer(store: &ScriptedStore) -> Vec<Option<String>> {
    let requests = store.requests();
    requests.iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

fn sends(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

#[test]
fn a_login_is_enough_from_then_on() {
    let world = World::new();
    let tokens = says(200, r#"{"tokens":[],"next":null}"#);
    let answers = [reaches(&["acme"]), secrets([("A_KEY", "value")]), tokens];
    let store = ScriptedStore::tcp(answers);
    let ended = log_in(&world, &[&store.url]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 0
    --- stdout
    logged in to http://127.0.0.1:[PORT], organization acme (editor)
    --- stderr
    the token is kept in `[DIR]/home/.config/inject/credentials.toml`
    ");
    assert_eq!(asked(&store), ["GET /api/v1/orgs?limit=100"]);
    launch(&world, &["--store", &store.url]).code(0);
    assert_eq!(store.requests()[1].path, "/api/v1/orgs/acme/resolve");
    world.inject(["token", "list"]).env("INJECT_STORE", &store.url).run().code(0);
    assert_eq!(store.requests()[2].path, "/api/v1/orgs/acme/tokens?limit=100");
    assert_eq!(bearer(&store), vec![sends(TYPED); 3]);
    // Another organization, or another address of the same store, is none that was logged in to.
    let other = store.url.replace("127.0.0.1", "localhost");
    for options in [&["--store", &store.url, "--org", "beta"][..], &["--store", &other]] {
        let ended = launch(&world, options);
        ended.code(64);
        assert!(ended.err().contains("or keep one with `inject login`"), "{}", ended.whole());
    }
    assert_eq!(store.requests().len(), 3);
}

#[test]
fn the_file_is_for_nobody_else() {
    let world = World::new();
    let store = ScriptedStore::tcp([reaches(&["acme"]), says(204, "")]);
    let words = format!("umask 000; printf {TYPED} | \"$BINARY\" login {}", store.url);
    world.command("sh", ["-c", &words]).env("BINARY", INJECT).run().code(0);
    let mode = |path: &str| {
        let seen = world.path(path).metadata().expect("it is there");
        seen.permissions().mode() & 0o7777
    };
    assert_eq!((mode(FILE), mode("home/.config/inject")), (0o600, 0o700));
    let text = fs::read_to_string(world.path(FILE)).expect("a text");
    assert_eq!(
        text,
        format!(
            "# Written by `inject login`. Who can read this file can use these tokens.\n\n\
             [[login]]\nstore = \"{}\"\norganization = \"acme\"\ntoken = \"{TYPED}\"\n",
            store.url
        )
    );
    assert_eq!(files(&world.path("home")).len(), 1, "nothing else is left");
    fs::set_permissions(world.path(FILE), PermissionsExt::from_mode(0o640)).expect("its mode");
    insta::assert_snapshot!(launch(&world, &["--store", &store.url]).report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started
      `[DIR]/home/.config/inject/credentials.toml` has mode 0640, and others may read the tokens in it; run `chmod 600 [DIR]/home/.config/inject/credentials.toml`
      store: http://127.0.0.1:[PORT]
    ");
    insta::assert_snapshot!(log_in(&world, &[&store.url]).run().report(), @"
    exit 64
    --- stderr
    inject: `[DIR]/home/.config/inject/credentials.toml` has mode 0640, and others may read the tokens in it; run `chmod 600 [DIR]/home/.config/inject/credentials.toml`
    ");
    assert_eq!(store.requests().len(), 1, "no token was asked for or sent");
    assert_eq!(fs::read_to_string(world.path(FILE)).expect("a text"), text);
    // With a token the file is not even looked at.
    fs::set_permissions(world.path(FILE), PermissionsExt::from_mode(0o644)).expect("its mode");
    run(&world, &store, "token revoke abcdefghijkl").code(0);
    let sent = bearer(&store).pop().flatten();
    assert_eq!(sent.as_deref(), Some("Bearer inj_m_mine"));
}

#[test]
fn the_organization_is_the_tokens() {
    let world = World::new();
    let said = |answer: Answer, words: &[&str]| {
        let store = ScriptedStore::tcp([answer]);
        let ended = log_in(&world, &[&[store.url.as_str()], words].concat()).run();
        assert!(!ended.err().contains(TYPED), "{}", ended.whole());
        let line = ended.err().lines().next().unwrap_or_default().to_owned();
        format!("{} {line}", ended.exit())
    };
    let refusals = [
        (reaches(&["acme"]), &["--org", "beta"][..]),
        (reaches(&[]), &[]),
        (reaches(&["acme", "beta"]), &[]),
        (problem(401, "unknown-token"), &[]),
        (says(200, "<html>"), &[]),
        (reaches(&["acme"]), &["--store", "unix:/x"]),
        (reaches(&["acme"]), &["--master-key-file", "x"]),
    ];
    let all = refusals.map(|(answer, words)| said(answer, words));
    insta::assert_snapshot!(all.join("\n"), @"
    77 inject: the token is not for `beta`, but for `acme`
    77 inject: the token is for no organization of this store
    77 inject: the token is for `acme`, `beta`; choose one with `--org`
    77 inject: the store does not accept the token: t
    69 inject: `http://127.0.0.1:[PORT]`: the answer is not as expected, at line 1, column 1 of it
    64 inject: `URL`: it is the store's address, so leave `--store` out
    64 inject: `URL`: a master key opens an embedded store, and a login is to none; leave it out
    ");
    assert!(!world.path(FILE).exists(), "nothing was kept");
    for (words, input) in [
        (&["http://127.0.0.1:1"][..], ""),
        (&["http://127.0.0.1:1"], "two words"),
        (&["http://10.0.0.1:1"], TYPED),
        (&["http://alice:c4n4ry@127.0.0.1:1"], TYPED),
        (&["nowhere"], TYPED),
        (&["http://127.0.0.1:1", "--org", "No Slug"], TYPED),
    ] {
        let ended = log_in(&world, words).stdin(input).run();
        ended.code(64);
        assert!(!ended.err().contains("c4n4ry"), "{}", ended.whole());
    }
    let homeless = log_in(&world, &["http://127.0.0.1:1"]).unset("HOME");
    homeless.env("XDG_CONFIG_HOME", "relative").run().code(64);
}

#[test]
fn one_of_several_organizations_is_named() {
    let world = World::new();
    let answers = [reaches(&["acme"]), reaches(&["beta"]), secrets([("A_KEY", "value")])];
    let store = ScriptedStore::tcp(answers);
    for (token, org) in [("inj_m_first", "acme"), ("inj_m_second", "beta")] {
        log_in(&world, &[&store.url, "--org", org]).stdin(token).run().code(0);
    }
    insta::assert_snapshot!(launch(&world, &["--store", &store.url]).report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started
      no organization is set for the store
        you are logged in to `acme` and `beta`: say `--org`
      store: http://127.0.0.1:[PORT]
    ");
    launch(&world, &["--store", &store.url, "--org", "acme"]).code(0);
    launch(&world, &["--store", &store.url, "--org", "beta"]).code(0);
    let all = ["inj_m_first", "inj_m_second", "inj_m_first", "inj_m_second"];
    assert_eq!(bearer(&store), all.map(sends));
}

#[test]
fn a_new_login_replaces_the_old_one_alone() {
    let world = World::new();
    let store = || ScriptedStore::tcp([reaches(&["acme"])]);
    let (one, other) = (store(), store());
    for (store, token) in [(&one, "inj_m_1"), (&other, "inj_m_2"), (&one, "inj_m_3")] {
        log_in(&world, &[&store.url]).stdin(token).run().code(0);
    }
    let text = fs::read_to_string(world.path(FILE)).expect("a text");
    let kept: Vec<_> = text.lines().filter(|line| line.starts_with("token")).collect();
    assert_eq!(kept, ["token = \"inj_m_2\"", "token = \"inj_m_3\""]);
}

#[test]
fn logins_at_once_lose_nothing() {
    let world = World::new();
    let stores: Vec<_> = (0..12).map(|_| store_of("acme")).collect();
    let started: Vec<_> =
        stores.iter().map(|store| log_in(&world, &[&store.url]).start()).collect();
    started.into_iter().for_each(|login| {
        login.end().code(0);
    });
    for store in &stores {
        launch(&world, &["--store", &store.url]).code(0);
    }
    assert_eq!(files(&world.path("home")).len(), 1, "nothing else is left");
}

/// Whoever holds the folder's lock and never lets go of it is not waited for.
#[test]
fn a_lock_is_not_waited_for_without_an_end() {
    let world = World::new();
    let store = ScriptedStore::tcp([reaches(&["acme"])]);
    fs::create_dir_all(world.path("home/.config/inject")).expect("a fresh folder");
    let folder = fs::File::open(world.path("home/.config/inject")).expect("it is there");
    folder.lock().expect("nobody else has it");
    insta::assert_snapshot!(log_in(&world, &[&store.url]).run().report(), @"
    exit 74
    --- stderr
    inject: cannot write to `[DIR]/home/.config/inject`: another program has held its lock for 5 s, perhaps another `inject login`; end that one, and log in once more
      store: http://127.0.0.1:[PORT]
    ");
    folder.unlock().expect("it is ours");
    log_in(&world, &[&store.url]).run().code(0);
}

/// A folder's name may be anything, and goes to a terminal.
#[test]
fn where_it_is_kept_is_said_without_control_characters() {
    let world = World::new();
    let store = store_of("acme");
    let home = world.text("ho\u{1b}[2Jme");
    fs::create_dir(&home).expect("a fresh folder");
    let ended = log_in(&world, &[&store.url]).env("HOME", &home).run();
    assert!(ended.code(0).err().contains("ho\\u{1b}[2Jme/.config"), "{}", ended.whole());
    assert!(!ended.err().contains('\u{1b}'));
}

/// A login is the user's own word, also where a stranger's manifest names the store.
#[test]
fn a_stranger_may_name_a_store_that_was_logged_in_to() {
    let world = World::new();
    let (store, evil) = (store_of("acme"), store_of("acme"));
    log_in(&world, &[&store.url]).run().code(0);
    let manifest = |store: &str| world.write("work/inject.toml", format!("store = \"{store}\"\n"));
    let with_token = || world.launch([""; 0]).env("A", "$A_KEY").env("INJECT_TOKEN", "inj_w_other");
    manifest(&store.url);
    launch(&world, &[]).code(0);
    with_token().run().code(0);
    assert_eq!(bearer(&store), vec![sends(TYPED); 3], "the other token is not for it");
    for address in [evil.url.clone(), format!("{},{}", store.url, evil.url)] {
        manifest(&address);
        launch(&world, &[]).code(64);
        with_token().run().code(64);
    }
    assert_eq!(evil.requests().len(), 0);
}

#[test]
fn what_stands_in_a_folder_has_no_say_in_a_login() {
    let world = World::new();
    let store = store_of("acme");
    world.write("work/inject.toml", "org = \"beta\"\nno-such-key = 1\n");
    let login = log_in(&world, &[&store.url]).env("INJECT_ORG", "beta");
    login.env("INJECT_TOKEN", "inj_w_other").run().code(0);
    assert_eq!(bearer(&store), [sends(TYPED)]);
}

#[test]
fn a_socket_is_known_from_everywhere() {
    let world = World::new();
    let answers = [reaches(&["acme"]), secrets([("A_KEY", "value")])];
    let store = ScriptedStore::unix(&world.path("s.sock"), answers);
    log_in(&world, &["unix:../s.sock"]).run().code(0);
    launch(&world, &["--store", &store.url]).code(0);
    assert_eq!(bearer(&store), vec![sends(TYPED); 2]);
    // A socket that nobody logged in to is asked without a token, as before.
    let store = ScriptedStore::unix(&world.path("t.sock"), [secrets([("A_KEY", "value")])]);
    launch(&world, &["--store", &store.url, "--org", "acme"]).code(0);
    assert_eq!(bearer(&store), [None]);
}

#[test]
fn a_token_is_typed_without_an_echo() {
    let world = World::new();
    let store = store_of("acme");
    let mut terminal = Terminal::new();
    let words = ["-c", "exec <&9 \"$BINARY\" login \"$1\"", "sh", &store.url];
    let shell = world.command("sh", words).env("BINARY", INJECT);
    let started = shell.situation(terminal.situation()).start();
    let prompt = terminal.shows(": ");
    assert_eq!(prompt, format!("Token for {}: ", store.url));
    eventually(|| crate::secret_commands::echo_is_off(&terminal.path).then_some(()))
        .expect("no echo");
    terminal.types(&format!("{TYPED}\n"));
    let ended = started.end();
    ended.code(0);
    let shown = terminal.rest() + &ended.out() + &ended.err();
    assert!(!shown.contains(TYPED), "{shown}");
    assert_eq!(bearer(&store), [sends(TYPED)]);
}

#[test]
fn a_token_may_come_from_a_file() {
    let world = World::new();
    let store = store_of("acme");
    world.write("work/token", "inj_m_of_a_file\n");
    log_in(&world, &[&store.url, "--token-file", "token"]).stdin("").run().code(0);
    launch(&world, &["--store", &store.url]).code(0);
    assert_eq!(bearer(&store), vec![sends("inj_m_of_a_file"); 2]);
    log_in(&world, &[&store.url, "--token-file", "none"]).run().code(64);
}
