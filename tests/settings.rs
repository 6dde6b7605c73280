//! Where settings come from, in which order, and what a manifest that was merely found may not do.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::signal::Signal;

use crate::harness::{Run, World, eventually, needs_root};
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
      `INJECT_TOKEN` is not sent to a store that the manifest `inject.toml` names, as it was only found; log in to it once with `inject login`, name the store with `--store`, or trust the manifest with `--config inject.toml`
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
      `INJECT_STORE`: the address of a store begins with `https://`, `http://` or `unix:`, such as `https://store.example.com`
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

#[test]
fn no_variable_of_our_own_is_added() {
    let refused = |run: Run<'_>, origin: &str| {
        let ended = run.run();
        ended.code(64);
        let fault = format!(
            "{origin}: `INJECT_FOO`: the application never gets a variable `INJECT_*`; choose \
             another name"
        );
        assert!(ended.err().contains(&fault), "{}", ended.whole());
    };
    let world = World::new();
    world.set("INJECT_FOO", "x");
    refused(world.launch(["--export", "A_KEY,INJECT_FOO"]), "`--export`");
    refused(world.launch(NO_OPTIONS).env("INJECT_EXPORT", "INJECT_FOO"), "`INJECT_EXPORT`");
    world.write("work/inject.toml", "export = [\"INJECT_FOO\"]\n");
    refused(world.launch(NO_OPTIONS), "`export` in `inject.toml`");
}

#[test]
fn a_token_file_is_small_and_a_file() {
    let world = World::new();
    world.write("large", vec![b' '; 1 << 20]);
    world.write("nearly", [vec![b' '; 1000], vec![b'a'; 8192]].concat());
    // RLIMIT_AS, as setrlimit(2) numbers it: what has no end is not read to it.
    let limit = ["--limit", "9:1073741824:1073741824"];
    let fault = |file: &str| {
        let ended = world.launch(["--token-file", file]).situation(limit).run();
        ended.code(64);
        ended.err().lines().nth(1).expect("a problem").trim().to_owned()
    };
    assert_eq!(
        fault("/dev/zero"),
        "`--token-file`: cannot read `/dev/zero`: neither a regular file nor a pipe"
    );
    assert_eq!(fault("."), "`--token-file`: cannot read `.`: neither a regular file nor a pipe");
    assert_eq!(fault("../large"), "`--token-file`: cannot read `../large`: file too large");
    world.launch(["--token-file", "../nearly"]).run().code(0);
}

#[test]
fn a_token_s_pipe_that_nobody_writes_to_can_be_left() {
    needs_root();
    let world = World::new();
    let pipe = world.path("token");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a fresh name");
    let started = world
        .launch(["--token-file", &world.text("token")])
        .within(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .start();
    // That it can be opened for writing without waiting says that someone reads.
    let mut options = OpenOptions::new();
    let options = options.write(true).custom_flags(libc::O_NONBLOCK);
    let _writer = eventually(|| options.open(&pipe).ok()).expect("the pipe is read");
    let children = format!("/proc/{0}/task/{0}/children", started.pid());
    let child = std::fs::read_to_string(children).expect("unshare has a child");
    let child = nix::unistd::Pid::from_raw(child.trim().parse().expect("one process"));
    nix::sys::signal::kill(child, Signal::SIGTERM).expect("it runs");
    assert_eq!(started.end().exit(), 143);
}

#[test]
fn a_token_s_pipe_leaves_signals_as_they_were() {
    let world = World::new();
    let pipe = world.path("token");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a fresh name");
    let writer = std::thread::spawn(move || std::fs::write(pipe, "inj_w_token\n"));
    let file = world.text("token");
    let ended = world
        .inject(["--token-file", &file, "--", "grep", "SigBlk", "/proc/self/status"])
        .situation(["--block", "TERM"])
        .run();
    writer.join().expect("it ends").expect("it is read");
    assert_eq!(ended.out(), "SigBlk:\t0000000000004000\n");
}

#[test]
fn one_variable_is_set_where_it_counts_most() {
    let world = World::new();
    world.set("A_KEY", "secret");
    let seen = |manifest: &str, options: &[&str], variable: &str| {
        world.write("work/inject.toml", manifest);
        let run = world.launch(options).env("INJECT_EXPORT", variable);
        run.run().seen().text("A_KEY").to_owned()
    };
    let (env, as_file) = ("[env]\nA_KEY = \"manifest\"\n", "[as-file]\nA_KEY = \"A_KEY\"\n");
    let contradiction = format!("{env}{as_file}");
    assert_eq!(seen(env, &[], ""), "manifest");
    assert_eq!(seen(env, &[], "A_KEY"), "secret");
    assert_eq!(seen(env, &["--export", "A_KEY"], ""), "secret");
    assert_eq!(seen(as_file, &["--env", "A_KEY=option"], ""), "option");
    assert_eq!(seen("", &["--env", "A_KEY=option"], "A_KEY"), "option");
    assert_eq!(seen(&contradiction, &["--env", "A_KEY=option"], "A_KEY"), "option");
    // An option's file is no contradiction, and a variable that is given in full wins over it.
    world.write("work/app.conf", "$A_KEY");
    assert_eq!(seen("", &["--export-from", "app.conf", "--env", "A_KEY=option"], ""), "option");
}

#[test]
fn one_variable_cannot_be_set_in_two_ways_at_once() {
    let world = World::new();
    world.write("work/inject.toml", "[env]\nB = \"x\"\n[as-file]\nB = \"A_KEY\"\n");
    let options = ["--env", "A=1", "--env", "A=2", "--env", "C_KEY=3", "--export", "C_KEY,C_KEY"];
    let ended = world.launch(options).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 2 problems
      `C_KEY` is set by `--env` and by `--export`; keep one
      `B` is set by `env` in `inject.toml` and by `as-file` in `inject.toml`; keep one
    ");
    ended.code(64);
}

#[test]
fn a_manifest_s_faults_hide_no_others() {
    let world = World::new();
    let manifest = "no-such-key = 1\norg = \"No Slug\"\ntimeout = 1.5\nworkload = 1\n\
                    scan-env = []\nenvironments = []\n";
    world.write("work/inject.toml", manifest);
    let ended = world.launch(["--environment", "a-b"]).run();
    insta::assert_snapshot!(ended.report(), @r#"
    exit 64
    --- stderr
    inject: `probe` was not started: 7 problems
      `environments` in `inject.toml` wants at least one environment, such as `PROD`
      `inject.toml` has the unknown key `no-such-key`
      `scan-env` in `inject.toml` wants `all`, `none`, or names and globs such as `DB_*`
      `timeout` in `inject.toml` wants a time: whole seconds such as `30`, or a text such as `"500ms"`
      `workload` in `inject.toml` wants a text
      `--environment`: `a-b` is not an environment's name; use letters, digits and `_`, such as `PROD`
      `org` in `inject.toml`: this is not an organization's name; use lower case, digits and `-`, such as `acme`
    "#);
    ended.code(64);
    // It says how that is to be told, too.
    world.write("work/inject.toml", format!("report = \"json\"\n{manifest}"));
    let ended = world.launch(NO_OPTIONS).run();
    ended.code(64);
    let told: serde_json::Value = serde_json::from_str(&ended.err()).expect("one JSON object");
    assert_eq!(told["problems"].as_array().map(Vec::len), Some(6), "{}", ended.whole());
    let ended = world.launch(["--report", "text"]).run();
    assert!(ended.err().starts_with("inject: "), "{}", ended.whole());
}

#[test]
fn a_manifest_that_cannot_be_read() {
    let world = World::new();
    let fault = |config: &str| {
        let ended = world.launch(["--config", config]).run();
        ended.code(64);
        ended.err().lines().nth(1).expect("a problem").trim().to_owned()
    };
    let why = |name: &str, why: &str| format!("cannot read the manifest `{name}`: {why}");
    assert_eq!(fault("nowhere.toml"), why("nowhere.toml", "No such file or directory"));
    assert_eq!(fault("/dev/zero"), why("/dev/zero", "not a regular file"));
    world.write("work/large.toml", vec![b'#'; (1 << 20) + 1]);
    assert_eq!(fault("large.toml"), why("large.toml", "file too large"));
}

#[test]
fn a_listed_name_may_hold_the_environment() {
    let world = World::new();
    world.set("KEY_DEV", "dev");
    let seen = |run: Run<'_>| {
        run.env("KEY", "${KEY_@}")
            .env("INJECT_ENVIRONMENT", "dev")
            .run()
            .seen()
            .text("KEY")
            .to_owned()
    };
    assert_eq!(seen(world.launch(["--require", "KEY_@"])), "dev");
    assert_eq!(seen(world.launch(["--literal", "KEY_@"])), "${KEY_@}");
    assert_eq!(seen(world.launch(NO_OPTIONS).env("INJECT_LITERAL", "KEY_@")), "${KEY_@}");
    world.write("work/inject.toml", "literal = [\"KEY_@\"]\n");
    assert_eq!(seen(world.launch(NO_OPTIONS)), "${KEY_@}");
    world.write("work/inject.toml", "");
    world
        .launch(["--require", "OTHER_@", "--environment", "dev"])
        .env("KEY", "${KEY_@}")
        .run()
        .code(78);
    let long = format!("{}@", "K".repeat(127));
    let ended =
        world.launch(["--literal", &long, "--environment", "dev", "--require", "key_@"]).run();
    insta::assert_snapshot!(ended.report().replace(&long, "LONG_@"), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 2 problems
      `--literal`: `LONG_@` makes too long a name
      `--require`: this is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
    ");
    ended.code(64);
    let ended = world.launch(["--literal", "KEY_@"]).env("INJECT_REQUIRE", "KEY_@,@,@@").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 4 problems
      `--literal`: `KEY_@` needs an environment; set `--environment` or `INJECT_ENVIRONMENT`
      `INJECT_REQUIRE`: `KEY_@` needs an environment; set `--environment` or `INJECT_ENVIRONMENT`
      `INJECT_REQUIRE`: this is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
      `INJECT_REQUIRE`: this is not a secret name; use upper case and say what it is for, such as `DB_PASSWORD_PROD`
    ");
    ended.code(64);
}

/// What is wrong with it keeps a launch from starting, and nobody from setting what it needs.
#[test]
fn what_only_a_launch_adds_is_nothing_to_a_command_that_manages() {
    let world = World::new();
    let manifest = "[env]\n\"A=B\" = \"$DB_KEY\"\n[[render]]\ntemplate = \"app.yaml\"\n";
    let manifest = format!("{manifest}output = \"not-made-yet/app.yaml\"\n");
    world.write("work/inject.toml", manifest);
    let set = world.inject(["secret", "set", "DB_KEY"]).stdin("x");
    set.env("INJECT_RENDER", "no colon").run().code(0);
    world.inject(["audit", "verify"]).run().code(0);
    world.launch(NO_OPTIONS).run().code(64);
    world.inject(["check"]).run().code(64);
    // The same holds for what a launch requires, and what it is resolved with.
    let manifest = "require = [\"API_KEY_@\"]\nliteral = [\"low\"]\nworkload = \"No Name\"\n";
    world.write("work/inject.toml", manifest);
    let bad = |run: Run<'_>| {
        let run = run.env("INJECT_REQUIRE", "OTHER_KEY_@,low").env("INJECT_SCAN_ENV", " ");
        run.env("INJECT_ENVIRONMENT", "a-b").run()
    };
    bad(world.inject(["secret", "set", "DB_KEY"]).stdin("y")).code(0);
    bad(world.inject(["secret", "list"])).code(0);
    bad(world.launch(NO_OPTIONS)).code(64);
    let words = ["login", "https://127.0.0.1:1", "--timeout", "1ms", "--config", "inject.toml"];
    bad(world.inject(words).stdin("inj_m_any")).code(69);
    // What says which store is asked counts.
    world.write("work/inject.toml", "org = \"Not a name\"\n");
    world.inject(["secret", "list"]).run().code(64);
}
