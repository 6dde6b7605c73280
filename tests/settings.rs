//! Where settings come from, in which order, and what a manifest that was merely found may not do.

use crate::harness::{Run, World};
use crate::scripted_store::{ScriptedStore, secrets};

const NO_OPTIONS: [&str; 0] = [];

fn store() -> ScriptedStore {
    ScriptedStore::tcp([secrets([("A_KEY", "1"), ("KEY_DEV", "dev"), ("KEY_PROD", "prod")])])
}

fn at<'w>(run: Run<'w>, store: &ScriptedStore) -> Run<'w> {
    run.env("INJECT_STORE", &store.url)
        .env("INJECT_TOKEN", "inj_w_token")
        .env("INJECT_ORG", "acme")
        .env("A", "$A_KEY")
}

#[test]
fn an_option_over_a_variable_over_the_manifest_over_the_default() {
    let world = World::new();
    let asked = |options: &[&str], variable: Option<&str>| {
        let store = store();
        let run = at(world.launch(options), &store).unset("INJECT_ORG");
        let run = variable.into_iter().fold(run, |run, org| run.env("INJECT_ORG", org));
        run.run().code(0);
        store.only_request().path
    };
    let path = |org: &str| format!("/api/v1/orgs/{org}/resolve");
    // A store over the network has no organization that goes without saying.
    at(world.launch(NO_OPTIONS), &store()).unset("INJECT_ORG").run().code(64);
    world.write("work/inject.toml", "org = \"manifest\"\n");
    assert_eq!(asked(&[], None), path("manifest"));
    assert_eq!(asked(&[], Some("variable")), path("variable"));
    assert_eq!(asked(&["--org", "option"], Some("variable")), path("option"));
}

#[test]
fn the_manifest_is_found_upward_and_its_paths_are_relative_to_it() {
    let world = World::new();
    world.write("work/inject.toml", "env-file = \"config/app.env\"\nenvironment = \"dev\"\n");
    world.write("work/config/app.env", "KEY=${KEY_@}\n");
    world.write("work/deep/er/x", "");
    let store = store();
    let run = at(world.launch(NO_OPTIONS), &store);
    let seen = run.situation(["--directory", &world.text("work/deep/er")]).run().seen();
    assert_eq!(seen.text("KEY"), "dev");
}

#[test]
fn a_named_manifest_is_used_instead() {
    let world = World::new();
    world.write("work/inject.toml", "environment = \"dev\"\n");
    world.write("other/prod.toml", "environment = \"prod\"\n");
    let named = world.text("other/prod.toml");
    let run = |run: Run<'_>| {
        let store = store();
        at(run, &store).env("KEY", "${KEY_@}").run().seen().text("KEY").to_owned()
    };
    assert_eq!(run(world.launch(NO_OPTIONS)), "dev");
    assert_eq!(run(world.launch(["--config", &named])), "prod");
    assert_eq!(run(world.launch(NO_OPTIONS).env("INJECT_CONFIG", &named)), "prod");
}

#[test]
fn every_list_has_a_variable() {
    let world = World::new();
    let store = store();
    let seen = at(world.launch(NO_OPTIONS), &store)
        .env("INJECT_EXPORT", "KEY_PROD")
        .env("INJECT_LITERAL", "HOME,PATH")
        .env("INJECT_REQUIRE", "A_KEY")
        .env("INJECT_SCAN_ENV", "A,TEXT")
        .env("INJECT_WORKLOAD", "billing")
        .env("TEXT", "$HOME")
        .env("OTHER", "$MISSING_KEY")
        .run()
        .seen();
    assert_eq!((seen.text("KEY_PROD"), seen.text("TEXT")), ("prod", "$HOME"));
    assert_eq!(seen.text("OTHER"), "$MISSING_KEY");
    let request = store.only_request();
    assert_eq!(request.names(), ["A_KEY", "KEY_PROD"]);
    assert_eq!(request.json()["workload"], "billing");
}

#[test]
fn a_token_from_a_file() {
    let world = World::new();
    world.write("token", "inj_w_from_file\n");
    let file = world.text("token");
    let asked = |run: Run<'_>| {
        let store = store();
        at(run, &store).unset("INJECT_TOKEN").run().code(0);
        store.only_request().header("authorization").map(str::to_owned)
    };
    let expected = Some("Bearer inj_w_from_file".to_owned());
    assert_eq!(asked(world.launch(["--token-file", &file])), expected);
    assert_eq!(asked(world.launch(NO_OPTIONS).env("INJECT_TOKEN_FILE", &file)), expected);
}

#[test]
fn a_manifest_that_was_found_is_a_stranger_s() {
    let world = World::new();
    let store = store();
    world.write("token", "inj_w_from_file\n");
    let file = world.text("token");
    // A token of the environment is not sent to a store that a stranger named.
    world.write("work/inject.toml", format!("store = \"{}\"\norg = \"acme\"\n", store.url));
    let stranger = || world.launch(NO_OPTIONS).env("A", "$A_KEY");
    let ended = stranger().env("INJECT_TOKEN", "inj_w_token").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started
      `INJECT_TOKEN` is not sent to a store that the manifest `inject.toml` names, as it was only found; name the store with `--store`, or trust the manifest with `--config inject.toml`
      store: http://127.0.0.1:[PORT], organization `acme`
    ");
    ended.code(64);
    stranger().env("INJECT_TOKEN_FILE", &file).run().code(64);
    world.write("work/inject.toml", format!("token-file = \"{file}\"\n"));
    at(world.launch(NO_OPTIONS), &store).unset("INJECT_TOKEN").run().code(64);
    world.write("work/inject.toml", "token = \"inj_w_here\"\n");
    at(world.launch(NO_OPTIONS), &store).unset("INJECT_TOKEN").run().code(64);
    assert_eq!(store.requests().len(), 0, "nothing was sent");
    // The same, named by the user, is trusted.
    let trusted = format!("store = \"{}\"\norg = \"acme\"\ntoken-file = \"token\"\n", store.url);
    world.write("inject.toml", trusted);
    let config = world.text("inject.toml");
    world.launch(["--config", &config]).env("A", "$A_KEY").run().code(0);
    let token = store.only_request().header("authorization").map(str::to_owned);
    assert_eq!(token.as_deref(), Some("Bearer inj_w_from_file"));
}

#[test]
fn all_bad_settings_are_told_together() {
    let world = World::new();
    world.write("work/inject.toml", "workload = \"Not A Name\"\n");
    let ended = world
        .launch(["--timeout", "soon", "--org", "No Slug"])
        .env("INJECT_STORE", "ftp://store")
        .env("INJECT_ENVIRONMENT", "a-b")
        .env("INJECT_REPORT", "yaml")
        .run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 6 problems
      `INJECT_STORE`: the address of a store begins with `http://` or `unix:`, such as `http://127.0.0.1:7410`
      `INJECT_ENVIRONMENT`: `a-b` is not an environment's name; use letters, digits and `_`, such as `PROD`
      `workload` in `inject.toml`: this is not a workload's name; use lower case, digits, `.`, `_` and `-`, such as `billing`
      `--timeout`: write a time such as `3`, `500ms`, `30s` or `2m`, up to 24 hours
      `INJECT_REPORT`: write `text` or `json`
      `--org`: this is not an organization's name; use lower case, digits and `-`, such as `acme`
    ");
    ended.code(64);
}

#[test]
fn a_manifest_that_is_none() {
    let world = World::new();
    for text in ["org = ", "no-such-key = 1\n", "org = 1\n", "\u{0}", "[env]\nA = 1\n"] {
        world.write("work/inject.toml", text);
        let ended = world.launch(NO_OPTIONS).run();
        ended.code(64);
        assert!(ended.err().contains("inject.toml"), "{}", ended.whole());
    }
}

#[test]
fn what_is_no_setting_is_ignored() {
    let world = World::new();
    world
        .launch(NO_OPTIONS)
        .env("INJECT_PORT", "tcp://10.0.0.1:7410")
        .env("INJECT_SERVICE_HOST", "10.0.0.1")
        .env("INJECT_PORT_7410_TCP_PROTO", "tcp")
        .entry(*b"INJECT_ODD\xff=\xff")
        .run()
        .code(0);
}

#[test]
fn settings_are_checked_where_nothing_is_fetched() {
    let world = World::new();
    world.launch(["--timeout", "never"]).run().code(64);
    world.launch(NO_OPTIONS).env("INJECT_STORE", "http://10.1.2.3:80").run().code(64);
    world.launch(NO_OPTIONS).env("INJECT_ORG", b"\xff").run().code(64);
}

#[test]
fn times_as_they_are_written() {
    let world = World::new();
    for good in ["3", "500ms", "2m", "30s"] {
        world.launch(["--timeout", good]).run().code(0);
    }
    for bad in ["", "-1", "1d5", "ms", "1,5", "99999999999999999999999"] {
        world.launch([&format!("--timeout={bad}")]).run().code(64);
    }
}
