//! What goes wrong, and how it is told: exit codes, the report to the letter, its JSON, the
//! termination log, and what happens while the launcher waits for a store.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Run, World, eventually, needs_root};
use crate::scripted_store::{Answer, ScriptedStore, secrets};

const NO_OPTIONS: [&str; 0] = [];

fn at<'w>(run: Run<'w>, url: &str) -> Run<'w> {
    run.env("INJECT_STORE", url).env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token")
}

/// A launch that refers to `A_KEY`, against this store.
fn launch<'w>(world: &'w World, store: &ScriptedStore) -> Run<'w> {
    at(world.launch(["--timeout", "60"]).env("A", "$A_KEY"), &store.url)
}

fn status(code: u16, headers: &str) -> Answer {
    Answer::Status(code, headers.to_owned(), "{}".to_owned())
}

#[test]
fn every_problem_is_told_at_once() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", "x");
    world.write("work/app.env", "# c\nURL=a\u{e9}$DB_PASWORD_PROD\n");
    let ended = world
        .launch(["--env-file", "app.env", "--environment", "PROD", "--require", "OTHER_KEY"])
        .env("ONE", "$DB_PASWORD_PROD and ${STRIPE_KEY}")
        .env("TWO", "x${STRIPE_KEY:-default}")
        .env("THREE", "$DB_PASSWORD_DEV")
        .env("FOUR", "${STRIPE_KEY}")
        .run();
    insta::assert_snapshot!(ended.report(), @"
    exit 65
    --- stderr
    inject: `probe` was not started: 5 problems
      `${STRIPE_KEY` is followed by `:`, not by `}`
        in variable `TWO`, column 2
        write `${STRIPE_KEY}`, for there are no defaults; for plain text, write `$${STRIPE_KEY` or name it with `--literal STRIPE_KEY`
      `DB_PASSWORD_DEV` belongs to `DEV`, and the environment is `PROD`
        in variable `THREE`, column 1
        refer to the secret of `PROD`, or write `@` for the environment; `--literal` keeps what is plain text
      `OTHER_KEY` is required, and nothing refers to it
        a layer before this one may have taken the dollar; where it does, write `$$OTHER_KEY`
      `DB_PASWORD_PROD` is missing
        in variable `ONE`
        in app.env:2:7
        nearest: `DB_PASSWORD_PROD`
        set it with `inject secret set DB_PASWORD_PROD`, or keep the text with `--literal DB_PASWORD_PROD`
      `STRIPE_KEY` is missing
        in variable `ONE`
        in variable `FOUR`
        set it with `inject secret set STRIPE_KEY`, or keep the text with `--literal STRIPE_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    ended.code(65);
}

#[test]
fn the_same_as_json() {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", "x");
    let ended = world
        .launch(["--report", "json"])
        .env("ONE", "$DB_PASWORD_PROD")
        .env("TWO", "a$DB_PASWORD_PROD")
        .run();
    ended.code(78);
    assert_eq!(ended.out(), "", "stdout belongs to the application");
    let report: Value = serde_json::from_slice(&ended.stderr).expect("one JSON object");
    let shape =
        [("exit", json!(78)), ("started", json!(false)), ("organization", json!("default"))];
    for (key, expected) in shape {
        assert_eq!(report[key], expected, "{report:#}");
    }
    for text in ["error", "store", "command"] {
        assert!(report[text].is_string(), "{text}: {report:#}");
    }
    let problems = report["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 1, "{report:#}");
    assert_eq!(problems[0]["kind"], "missing");
    assert_eq!(problems[0]["name"], "DB_PASWORD_PROD");
    assert_eq!(problems[0]["nearest"], "DB_PASSWORD_PROD");
    assert_eq!(problems[0]["places"], json!([{"variable": "ONE"}, {"variable": "TWO"}]));
    assert!(problems[0]["hint"].is_string(), "{report:#}");
}

#[test]
fn the_first_of_the_codes_that_apply() {
    let world = World::new();
    world.set("A_KEY", "x");
    let code = |pairs: &[(&str, &str)]| {
        let run = world.launch(NO_OPTIONS);
        pairs.iter().fold(run, |run, (name, value)| run.env(name, value)).run().exit()
    };
    assert_eq!(code(&[("A", "$MISSING_KEY")]), 78);
    assert_eq!(code(&[("A", "${A_KEY:-x}")]), 65);
    assert_eq!(code(&[("A", "$MISSING_KEY"), ("B", "${A_KEY")]), 65);
    assert_eq!(code(&[("A", "${KEY_@}")]), 65);
    assert_eq!(code(&[("A", "$A_KEY"), ("B", "plain")]), 0);
}

#[test]
fn what_ends_it_before_fetching() {
    let world = World::new();
    let store = ScriptedStore::tcp([secrets([("A_KEY", "1")])]);
    let run = |args: &[&str]| at(world.inject(args).env("A", "$A_KEY"), &store.url).run();
    run(&["--no-such-option", "--", "true"]).code(64);
    run(&[]).code(64);
    run(&["--"]).code(64);
    run(&["--timeout", "soon", "--", "true"]).code(64);
    run(&["--env", "NOT A PAIR", "--", "true"]).code(64);
    run(&["--env-file", "nowhere.env", "--", "true"]).code(74);
    run(&["--export-from", "nowhere.yaml", "--", "true"]).code(74);
    run(&["--token-file", "nowhere", "--", "true"]).code(64);
    run(&["--config", "nowhere.toml", "--", "true"]).code(64);
    run(&["--export", "lower", "--", "true"]).code(64);
    run(&["--", "no-such-command"]).code(127);
    run(&["--", "/"]).code(126);
    assert_eq!(store.requests().len(), 0, "nothing was fetched");
}

#[test]
fn a_store_over_tcp_needs_a_token() {
    let world = World::new();
    let store = ScriptedStore::tcp([secrets([("A_KEY", "1")])]);
    launch(&world, &store).unset("INJECT_TOKEN").run().code(64);
    assert_eq!(store.requests().len(), 0);
}

#[test]
fn values_that_no_variable_can_hold() {
    let world = World::new();
    world.set("NUL_KEY", b"a\0b");
    world.set("LONG_KEY", "x".repeat(60_000));
    let ended = world.launch(NO_OPTIONS).env("A", "$NUL_KEY").run();
    ended.code(65);
    assert!(ended.err().contains("`A`") && ended.err().contains("NUL"), "{}", ended.whole());
    let ended = world.launch(NO_OPTIONS).env("B", "$LONG_KEY$LONG_KEY$LONG_KEY").run();
    ended.code(65);
    assert!(ended.err().contains("`B`"), "{}", ended.whole());
    world.launch(["--as-file", "F=NUL_KEY"]).run().code(0);
}

#[test]
fn one_variable_may_have_131071_bytes_and_no_more() {
    let world = World::new();
    world.set("A_KEY", "x".repeat(1000));
    let value = |length: usize| format!("{}$A_KEY", "y".repeat(length - 1000 - "A=".len()));
    let seen = world.launch(NO_OPTIONS).env("A", value(131_071)).run().seen();
    assert_eq!(seen.text("A").len(), 131_069);
    world.launch(NO_OPTIONS).env("A", value(131_072)).run().code(65);
}

#[test]
fn arguments_and_environment_together_have_a_limit() {
    let world = World::new();
    world.set("BIG_KEY", "x".repeat(60_000));
    let run = (0..30)
        .fold(world.launch(NO_OPTIONS), |run, n| run.env(&format!("V{n}"), "$BIG_KEY$BIG_KEY"));
    // A quarter of the stack's limit, see execve(2).
    let ended = run.situation(["--limit", "3:8388608:-1"]).run();
    ended.code(65);
    assert!(ended.err().contains("`V"), "it names a variable\n{}", ended.whole());
}

#[test]
fn a_password_hash_is_recognized() {
    let world = World::new();
    world.set("A_KEY", "x");
    let hash = "$2y$10$ABCDEFGHIJKLMNOPQRSTUuKkZ9qo8uLOickgx2ZMRZoMyeIjZAgcf";
    let ended = world.launch(NO_OPTIONS).env("HASH", hash).run();
    ended.code(0);
    let ended = world.launch(NO_OPTIONS).env("HASH", "$P$BABCDEFGHIJKLMNOPQRSTUVWXYZabc.").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 78
    --- stderr
    inject: `probe` was not started
      `P` is missing
        in variable `HASH`
        this looks like a password hash: keep it with `--literal P`, or double its dollars
      store: the embedded store in [DIR]/data, organization `default`
    ");
}

#[test]
fn nothing_listens() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let url = format!("http://{}", free.local_addr().expect("it is bound"));
    drop(free);
    let start = Instant::now();
    let ended = at(world.launch(["--timeout", "500ms"]).env("A", "$A_KEY"), &url).run();
    ended.code(69);
    assert!(start.elapsed().as_millis() >= 300, "it was tried for a while");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains(&url) && said.contains("not started"), "{}", ended.whole());
}

#[test]
fn a_store_that_comes_up_late_is_waited_for() {
    let world = World::new();
    let path = world.path("store.sock");
    drop(UnixListener::bind(&path).expect("a fresh path"));
    let trace = world.text("trace");
    let started = world
        .launch(["--timeout", "60"])
        .env("A", "$A_KEY")
        .env("INJECT_STORE", format!("unix:{}", path.display()))
        .env("INJECT_ORG", "acme")
        .within(["strace", "-f", "-qq", "-e", "trace=connect", "-o", &trace])
        .start();
    let refused = || fs::read_to_string(&trace).ok().filter(|text| text.contains("ECONNREFUSED"));
    eventually(refused).expect("it tries, and is refused");
    fs::remove_file(&path).expect("the dead socket");
    let store = ScriptedStore::unix(&path, [secrets([("A_KEY", "late")])]);
    assert_eq!(started.end().seen().text("A"), "late");
    store.only_request();
}

#[test]
fn what_can_pass_is_tried_again() {
    for answer in [
        status(503, "Retry-After: 1\r\n"),
        status(429, "Retry-After: 0\r\n"),
        status(408, ""),
        status(500, ""),
        status(502, ""),
        Answer::Raw(Vec::new()),
        Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"secrets\":{".to_vec()),
    ] {
        let world = World::new();
        let store = ScriptedStore::tcp([answer, secrets([("A_KEY", "second")])]);
        assert_eq!(launch(&world, &store).run().seen().text("A"), "second");
        assert_eq!(store.requests().len(), 2);
    }
}

#[test]
fn a_wait_that_the_store_asks_for_is_kept() {
    let world = World::new();
    let store = ScriptedStore::tcp([status(503, "Retry-After: 2\r\n"), secrets([("A_KEY", "x")])]);
    let start = Instant::now();
    launch(&world, &store).run().code(0);
    assert!(start.elapsed().as_millis() >= 1900, "{:?}", start.elapsed());
    let store = ScriptedStore::tcp([status(503, "Retry-After: 3600\r\n")]);
    let start = Instant::now();
    launch(&world, &store).run().code(69);
    assert!(start.elapsed().as_secs() < 30, "no use to wait: the deadline is sooner");
    store.only_request();
}

#[test]
fn what_cannot_change_fails_at_once() {
    let problem = json!({"type": "urn:inject:problem:no-organization", "status": 404}).to_string();
    let kind = "Content-Type: application/problem+json\r\n";
    for (answer, code) in [
        (status(401, ""), 77),
        (status(403, ""), 77),
        (Answer::Status(404, kind.to_owned(), problem), 77),
        (secrets([("OTHER_KEY", "x")]), 78),
    ] {
        let world = World::new();
        let store = ScriptedStore::tcp([answer]);
        launch(&world, &store).run().code(code);
        store.only_request();
    }
}

#[test]
fn the_next_endpoint_is_tried_when_one_fails() {
    let world = World::new();
    for answer in [
        status(500, ""),
        status(302, "Location: /\r\n"),
        status(404, "Content-Type: text/html\r\n"),
        status(200, "Content-Type: text/html\r\n"),
        Answer::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
    ] {
        let bad = ScriptedStore::tcp([answer]);
        let good = ScriptedStore::tcp([secrets([("A_KEY", "from the second")])]);
        let both = format!("{},{}", bad.url, good.url);
        let run = at(world.launch(NO_OPTIONS).env("A", "$A_KEY"), &both);
        assert_eq!(run.run().seen().text("A"), "from the second");
        bad.only_request();
        good.only_request();
    }
}

#[test]
fn an_answer_that_is_none_is_told() {
    for body in ["", "not json", "{\"secrets\":{}}", "[]", "{\"secrets\":{\"A_KEY\":{}}}"] {
        let world = World::new();
        let store = ScriptedStore::tcp([Answer::Status(200, String::new(), body.to_owned())]);
        let run = world.launch(["--timeout", "1"]).env("A", "$A_KEY");
        let ended = at(run, &store.url).run();
        assert!([69, 74].contains(&ended.exit()), "{body}\n{}", ended.whole());
        assert!(!ended.err().contains("panicked"), "{}", ended.whole());
    }
}

#[test]
fn a_signal_ends_the_wait_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let world = World::new();
        let store = ScriptedStore::tcp([Answer::Hang]);
        let started = launch(&world, &store).start();
        store.arrival();
        started.signal(signal);
        let ended = started.end();
        assert_eq!(ended.exit(), code, "{}", ended.whole());
        assert_eq!(ended.out(), "");
    }
}

#[test]
fn an_ignored_signal_does_not_end_the_wait() {
    let world = World::new();
    let store = ScriptedStore::tcp([status(503, "Retry-After: 1\r\n"), secrets([("A_KEY", "x")])]);
    let started = launch(&world, &store).situation(["--ignore", "TERM"]).start();
    store.arrival();
    started.signal(Signal::SIGTERM);
    assert_eq!(started.end().seen().text("A"), "x");
}

#[test]
fn as_process_1_a_signal_ends_the_wait_too() {
    needs_root();
    // All with which an image can have itself stopped, and that end any other process.
    let signals = [(Signal::SIGTERM, 143), (Signal::SIGQUIT, 131), (Signal::SIGUSR1, 138)];
    for (signal, code) in signals {
        ends_process_1(signal, code);
    }
}

fn ends_process_1(signal: Signal, code: i32) {
    let world = World::new();
    let store = ScriptedStore::unix(&world.path("store.sock"), [Answer::Hang]);
    let started = launch(&world, &store)
        .within(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .start();
    store.arrival();
    let children = format!("/proc/{0}/task/{0}/children", started.pid());
    let child = fs::read_to_string(children).expect("unshare has a child");
    let child = nix::unistd::Pid::from_raw(child.trim().parse().expect("one process"));
    let status = fs::read_to_string(format!("/proc/{child}/status")).expect("it runs");
    let inner = status.lines().find(|line| line.starts_with("NSpid:")).expect("its own id");
    assert!(inner.ends_with("\t1"), "process 1 of its namespace: {inner}");
    nix::sys::signal::kill(child, signal).expect("it runs");
    assert_eq!(started.end().exit(), code);
}

#[test]
fn the_termination_log_says_it_too() {
    needs_root();
    let world = World::new();
    world.set("A_KEY", "x");
    let log = world.write("log", "what stood there before, and is longer than the report is\n");
    let log = log.display();
    // A device directory of its own, so that the file can be there.
    let setup = format!(
        "mkdir {dir}; mount -t tmpfs none {dir}; cp -a /dev/null /dev/tty {dir}/; \
         touch {dir}/termination-log; mount --bind {log} {dir}/termination-log; \
         ln -s /proc/self/fd {dir}/fd; mount --rbind {dir} /dev",
        dir = world.text("dev")
    );
    let ended = world.launch(NO_OPTIONS).env("A", "$MISSING_KEY").with_mounts(&setup).run();
    ended.code(78);
    let said = fs::read_to_string(world.path("log")).expect("it is there");
    assert_eq!(said, String::from_utf8_lossy(&ended.stderr));
    let many = (0..400).fold(world.launch(NO_OPTIONS), |run, n| {
        run.env(&format!("V{n}"), format!("$MISSING_KEY_{n}"))
    });
    let setup = setup.replace("mkdir", "mkdir -p");
    let ended = many.with_mounts(&setup).run();
    ended.code(78);
    let said = fs::read_to_string(world.path("log")).expect("it is there");
    assert!(said.len() <= 4096 && said.len() > 3000, "{} bytes", said.len());
    assert!(said.ends_with('\n'), "whole lines");
    assert!(ended.err().contains("MISSING_KEY_399"), "stderr has all of it");
    // An entrypoint without a command is told there too.
    let ended = world.inject(["--"]).with_mounts(&setup).run();
    ended.code(64);
    let said = fs::read_to_string(world.path("log")).expect("it is there");
    assert!(said.contains("no command is given"), "{said}");
    // So is a variable without its own `-e`, of which the value is not told.
    let words = ["-e", "A=1", "PASS=hunter2", "--", "true"];
    world.inject(words).with_mounts(&setup).run().code(64);
    let said = fs::read_to_string(world.path("log")).expect("it is there");
    assert!(said.contains("`PASS=…`") && !said.contains("hunter2"), "{said}");
}

#[test]
fn the_termination_log_is_never_made() {
    needs_root();
    let world = World::new();
    world.set("A_KEY", "x");
    let setup = format!(
        "mkdir {dir}; mount -t tmpfs none {dir}; cp -a /dev/null {dir}/; mount --rbind {dir} /dev",
        dir = world.text("dev")
    );
    let script = "\"$BINARY\" -e A='$MISSING_KEY' -- true; echo $?; ls /dev";
    let run = world.command("sh", ["-c", script]).env("BINARY", crate::harness::INJECT);
    assert_eq!(run.with_mounts(&setup).run().code(0).out(), "78\nnull\n");
}

/// Nothing is left of such a variable without its secret: there is no text to keep.
#[test]
fn what_an_option_wants_is_told_without_a_way_that_leads_nowhere() {
    let world = World::new();
    world.set("OTHER_KEY", "x");
    let ended = world.launch(["--export", "A_KEY", "--as-file", "B_FILE=B_KEY"]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 78
    --- stderr
    inject: `probe` was not started: 2 problems
      `A_KEY` is missing
        in variable `A_KEY`
        set it with `inject secret set A_KEY`
      `B_KEY` is missing
        in variable `B_FILE`
        set it with `inject secret set B_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    let ended = world.launch(["--as-file", "B_FILE"]).run();
    let says = "`--as-file`: write `VAR=NAME`; there is no `=`";
    assert!(ended.code(64).err().contains(says), "{}", ended.whole());
}
