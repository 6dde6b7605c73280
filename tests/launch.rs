//! What a launched program gets: substituted variables, added ones, sealed files, and nothing of
//! the launcher's own. Failures are in failure.rs, settings in settings.rs.

use std::fs;

use crate::harness::{Run, World, contains};
use crate::scripted_store::{ScriptedStore, secrets};

const VALUE: &str = "p4ss-w0rd-of-db";

/// A world whose embedded store holds `DB_PASSWORD_PROD`.
fn world() -> World {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", VALUE);
    world
}

/// Points a run at a scripted store, with a token.
fn at<'w>(run: Run<'w>, store: &ScriptedStore) -> Run<'w> {
    run.env("INJECT_STORE", &store.url).env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token")
}

#[test]
fn references_in_the_environment_are_substituted() {
    let value = VALUE;
    let seen = world()
        .launch([] as [&str; 0])
        .env("BARE", "$DB_PASSWORD_PROD")
        .env("BRACED", "x${DB_PASSWORD_PROD}y")
        .env("URL", "postgres://app:$DB_PASSWORD_PROD@db/app?x=$DB_PASSWORD_PROD")
        .env("spring.datasource.password", "$DB_PASSWORD_PROD")
        .entry(*b"ODD\xff=\xfe$DB_PASSWORD_PROD\xfd")
        .run()
        .seen();
    assert_eq!(seen.text("BARE"), value);
    assert_eq!(seen.text("BRACED"), format!("x{value}y"));
    assert_eq!(seen.text("URL"), format!("postgres://app:{value}@db/app?x={value}"));
    assert_eq!(seen.text("spring.datasource.password"), value);
    let odd = [b"ODD\xff=\xfe", value.as_bytes(), b"\xfd"].concat();
    assert!(seen.entries.contains(&odd));
}

#[test]
fn what_is_no_reference_stays() {
    let world = world();
    let plain = [
        "$2y$10$N9qo8uLO",
        "$host",
        "$HOMEdir",
        "${lower}",
        "${HOMEdir}",
        "$",
        "$$",
        "$$$",
        "a$",
        "${",
        "${}",
        "$1",
        "${1A}",
        "$_A",
        "100 $",
        "$(X)",
        "%DB_PASSWORD_PROD%",
    ];
    let run = plain
        .iter()
        .enumerate()
        .fold(world.launch([] as [&str; 0]), |run, (n, text)| run.env(&format!("PLAIN_{n}"), text));
    let seen = run.run().seen();
    for (n, text) in plain.iter().enumerate() {
        assert_eq!(seen.text(&format!("PLAIN_{n}")), *text);
    }
}

#[test]
fn doubled_dollars_escape() {
    let pairs = [
        ("$$DB_PASSWORD_PROD", "$DB_PASSWORD_PROD".to_owned()),
        ("$${DB_PASSWORD_PROD}", "${DB_PASSWORD_PROD}".to_owned()),
        ("$$$DB_PASSWORD_PROD", format!("${VALUE}")),
        ("$$$$DB_PASSWORD_PROD", "$$DB_PASSWORD_PROD".to_owned()),
        ("$$${DB_PASSWORD_PROD}$", format!("${VALUE}$")),
        ("$${NAME:-x}", "${NAME:-x}".to_owned()),
        ("$$lower", "$$lower".to_owned()),
    ];
    let world = world();
    let run = pairs
        .iter()
        .enumerate()
        .fold(world.launch([] as [&str; 0]), |run, (n, pair)| run.env(&format!("V{n}"), pair.0));
    let seen = run.run().seen();
    for (n, (text, expected)) in pairs.iter().enumerate() {
        assert_eq!(seen.text(&format!("V{n}")), expected, "{text}");
    }
}

#[test]
fn a_value_is_opaque() {
    let world = World::new();
    let value = b"$DB_PASSWORD_PROD ${A_SECRET} $1 \\0 & \xff\xfe \n";
    world.set("A_SECRET", [value.as_slice(), b"\n"].concat());
    let seen = world.launch([] as [&str; 0]).env("A", "<$A_SECRET>").run().seen();
    assert_eq!(seen.var("A"), Some([b"<", value.as_slice(), b">"].concat().as_slice()));
}

#[test]
fn variables_are_added_in_place_of_inherited_ones() {
    let world = world();
    world.write("work/.env", "# a comment\nFROM_FILE=${DB_PASSWORD_PROD}\nPLAIN=1\n\nexport E=2\n");
    let seen = world
        .launch(["-e", "OLD=new", "--env", "DB=$DB_PASSWORD_PROD", "--env-file", ".env"])
        .env("OLD", "old")
        .run()
        .seen();
    assert_eq!(seen.text("DB"), VALUE);
    assert_eq!(seen.text("FROM_FILE"), VALUE);
    assert_eq!((seen.text("PLAIN"), seen.text("OLD")), ("1", "new"));
    let old = seen.entries.iter().filter(|entry| entry.starts_with(b"OLD=")).count();
    assert_eq!(old, 1, "in place of the inherited one");
}

#[test]
fn names_are_exported() {
    let world = world();
    world.set("STRIPE_API_KEY", "sk");
    world.write("work/app.yaml", "password: $DB_PASSWORD_PROD\nkey: ${STRIPE_API_KEY}\n");
    let seen = world.launch(["--export", "DB_PASSWORD_PROD,STRIPE_API_KEY"]).run().seen();
    assert_eq!((seen.text("DB_PASSWORD_PROD"), seen.text("STRIPE_API_KEY")), (VALUE, "sk"));
    let seen = world.launch(["--export-from", "app.yaml"]).run().seen();
    assert_eq!((seen.text("DB_PASSWORD_PROD"), seen.text("STRIPE_API_KEY")), (VALUE, "sk"));
    let file = fs::read_to_string(world.path("work/app.yaml")).expect("it is left alone");
    assert_eq!(file, "password: $DB_PASSWORD_PROD\nkey: ${STRIPE_API_KEY}\n");
}

#[test]
fn scanning_can_be_narrowed() {
    let world = world();
    let run = |scan: &str| {
        let run = world.launch(["--scan-env", scan, "-e", "ADDED=$DB_PASSWORD_PROD"]);
        let run = run.env("APP_DB", "$DB_PASSWORD_PROD").env("OTHER", "$DB_PASSWORD_PROD");
        let seen = run.run().seen();
        assert_eq!(seen.text("ADDED"), VALUE, "what is added is always scanned");
        (seen.text("APP_DB").to_owned(), seen.text("OTHER").to_owned())
    };
    let plain = || "$DB_PASSWORD_PROD".to_owned();
    assert_eq!(run("all"), (VALUE.into(), VALUE.into()));
    assert_eq!(run("none"), (plain(), plain()));
    assert_eq!(run("APP_*"), (VALUE.into(), plain()));
    assert_eq!(run("NOTHING,OTHER"), (plain(), VALUE.into()));
}

#[test]
fn what_a_shell_evaluates_is_not_scanned() {
    let seen = world()
        .launch([] as [&str; 0])
        .env("PS1", "$DB_PASSWORD_PROD $ ")
        .env("PROMPT_COMMAND", "$MISSING_NAME")
        .env("BASH_FUNC_f%%", "() { echo $MISSING_NAME; }")
        .run()
        .seen();
    assert_eq!(seen.text("PS1"), "$DB_PASSWORD_PROD $ ");
    assert_eq!(seen.text("PROMPT_COMMAND"), "$MISSING_NAME");
}

#[test]
fn literal_names_are_plain_text() {
    let seen = world()
        .launch(["--literal", "HOME,PATH"])
        .env("A", "$HOME ${HOME:-x} $$HOME $PATH/$DB_PASSWORD_PROD")
        .run()
        .seen();
    assert_eq!(seen.text("A"), format!("$HOME ${{HOME:-x}} $$HOME $PATH/{VALUE}"));
}

#[test]
fn a_required_name_must_be_referenced() {
    let world = world();
    let require = ["--require", "DB_PASSWORD_PROD"];
    world.launch(require).env("DB", "$DB_PASSWORD_PROD").run().code(0);
    let ended = world.launch(require).env("DB", "").run();
    ended.code(78);
    assert!(ended.err().contains("DB_PASSWORD_PROD"), "{}", ended.whole());
}

#[test]
fn one_config_serves_every_environment() {
    let world = World::new();
    world.set("API_KEY_DEV", "dev");
    world.set("API_KEY_PROD", "prod");
    let run = |name: &str, value: &str| {
        let launch = world.launch(["--environment", name]).env("KEY", value);
        launch.run()
    };
    assert_eq!(run("DEV", "${API_KEY_@}").seen().text("KEY"), "dev");
    assert_eq!(run("prod", "${API_KEY_@}").seen().text("KEY"), "prod");
    assert_eq!(run("prod", "$API_KEY_PROD").seen().text("KEY"), "prod");
    run("prod", "$API_KEY_DEV").code(65);
    world.launch(["--environment", "prod", "--export", "API_KEY_DEV"]).run().code(65);
    world.launch([] as [&str; 0]).env("KEY", "${API_KEY_@}").run().code(65);
    let by_variable = world.launch([] as [&str; 0]).env("INJECT_ENVIRONMENT", "Prod");
    assert_eq!(by_variable.env("KEY", "${API_KEY_@}").run().seen().text("KEY"), "prod");
}

#[test]
fn a_secret_as_a_sealed_file() {
    let world = World::new();
    world.set("TLS_KEY_PROD", b"line 1\nline 2\xff\n\n");
    let script = "set -e; cat \"$KEY_FILE\"; cat \"$KEY_FILE\"; \
        if echo x >>\"$KEY_FILE\"; then exit 9; fi; stat -Lc '%a %F' \"$KEY_FILE\"";
    let ended = world.inject(["--as-file", "KEY_FILE=TLS_KEY_PROD", "--", "sh", "-c", script]);
    let ended = ended.run();
    ended.code(0);
    assert!(contains(&ended.stdout, b"line 1\nline 2\xff\nline 1\nline 2\xff\n"), "twice, whole");
    let seen = world.launch(["--as-file", "KEY_FILE=TLS_KEY_PROD"]).run().seen();
    assert!(seen.text("KEY_FILE").starts_with("/proc/self/fd/"), "{}", seen.text("KEY_FILE"));
    assert!(seen.entries.iter().all(|entry| !contains(entry, b"line 1")));
}

#[test]
fn nothing_of_the_launcher_is_left() {
    let seen = world()
        .launch([] as [&str; 0])
        .env("INJECT_ORG", "default")
        .env("INJECT_PORT", "tcp://10.0.0.1:80")
        .env("INJECT_SERVICE_HOST", "$MISSING_NAME")
        .entry(*b"INJECT_ODD=\xff")
        .env("INJECT", "stays")
        .env("DB", "$DB_PASSWORD_PROD")
        .run()
        .seen();
    let own = |entry: &&Vec<u8>| entry.starts_with(b"INJECT_");
    assert_eq!(seen.entries.iter().find(own), None);
    assert_eq!(seen.text("INJECT"), "stays");
}

#[test]
fn one_request_asks_for_exactly_the_names() {
    let world = World::new();
    let store = ScriptedStore::tcp([secrets([("A_KEY", "1"), ("B_KEY", "2"), ("C_KEY", "3")])]);
    let run = at(world.launch(["--workload", "billing", "-e", "X=$B_KEY"]), &store);
    let seen = run.env("A", "$A_KEY $A_KEY").env("B", "${B_KEY}").run().seen();
    assert_eq!((seen.text("A"), seen.text("X")), ("1 1", "2"));
    let request = store.only_request();
    assert_eq!((&*request.method, &*request.path), ("POST", "/api/v1/orgs/acme/resolve"));
    assert_eq!(request.names(), ["A_KEY", "B_KEY"]);
    assert_eq!(request.json()["workload"], "billing");
    assert_eq!(request.header("authorization"), Some("Bearer inj_w_token"));
    assert!(
        request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
    );
    assert!(request.header("host").is_some(), "RFC 9112 asks for it");
}

#[test]
fn a_unix_socket_needs_no_token() {
    let world = World::new();
    let store = ScriptedStore::unix(&world.path("store.sock"), [secrets([("A_KEY", b"\xff\0x")])]);
    let run = world.launch(["--as-file", "F=A_KEY"]).env("INJECT_STORE", &store.url);
    run.env("INJECT_ORG", "acme").run().code(0);
    let request = store.only_request();
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.names(), ["A_KEY"]);
}

#[test]
fn without_a_reference_nothing_is_contacted() {
    let world = World::new();
    let store = ScriptedStore::tcp([secrets([("A_KEY", "1")])]);
    let seen = at(world.launch(["-e", "A=$$A_KEY"]), &store).run().seen();
    assert_eq!(seen.text("A"), "$A_KEY");
    assert_eq!(store.requests().len(), 0);
    assert!(!world.path("data").exists(), "no store was made");
}

#[test]
fn arguments_are_the_command_s_own() {
    let world = world();
    let ended = world
        .inject(["--", "sh", "-c", "printf %s \"$0 $1 $X\"", "$DB_PASSWORD_PROD", "${NOT:-x}"])
        .env("X", "$DB_PASSWORD_PROD")
        .run();
    ended.code(0);
    assert_eq!(ended.out(), format!("$DB_PASSWORD_PROD ${{NOT:-x}} {VALUE}"));
    assert_eq!(ended.err(), "", "nothing is said where nothing is wrong");
}

#[test]
fn the_program_s_end_is_the_caller_s() {
    let world = world();
    for code in [0, 1, 64, 78, 126, 255] {
        let script = format!("exit {code}");
        world.inject(["--", "sh", "-c", &script]).env("X", "$DB_PASSWORD_PROD").run().code(code);
    }
    world.inject(["--", "sh", "-c", "kill -9 $$"]).run().code(-9);
}

#[test]
fn a_command_that_cannot_run_is_told_before_anything_is_fetched() {
    let world = World::new();
    let store = ScriptedStore::tcp([secrets([("A_KEY", "1")])]);
    world.write("work/plain", "not executable");
    world.script("work/no-shebang", "echo hello\n", "0755");
    world.script("bin/tool", "#!/bin/sh\nexit 0\n", "0644");
    let cases: [(&str, i32); 7] = [
        ("no-such-command", 127),
        ("./no-such-file", 127),
        ("/no/such/file", 127),
        ("./plain", 126),
        ("./no-shebang", 126),
        ("/", 126),
        ("tool", 126),
    ];
    for (command, code) in cases {
        let run = at(world.inject(["--", command]), &store).env("A", "$A_KEY");
        run.env("PATH", format!("/usr/bin:{}", world.text("bin"))).run().code(code);
    }
    assert_eq!(store.requests().len(), 0, "nothing was fetched");
}

#[test]
fn the_command_is_found_as_a_shell_finds_it() {
    let world = world();
    for (dir, mode) in [("first", "0644"), ("second", "0755"), ("third", "0755")] {
        world.script(&format!("{dir}/tool"), &format!("#!/bin/sh\necho {dir} $0\n"), mode);
    }
    let path = |dirs: &[&str]| dirs.iter().map(|dir| world.text(dir)).collect::<Vec<_>>().join(":");
    let run = |path: &str| world.inject(["--", "tool"]).env("PATH", path).run();
    let found = run(&path(&["nowhere", "first", "second", "third"]));
    assert_eq!(found.code(0).out(), "second [DIR]/second/tool\n");
    let longest = format!("{}:{}", "x".repeat(5000), path(&["third"]));
    assert_eq!(run(&longest).code(0).out(), "third [DIR]/third/tool\n");
    world.script("work/tool", "#!/bin/sh\necho here\n", "0755");
    assert_eq!(run(&format!(":{}", path(&["third"]))).code(0).out(), "here\n");
    world.set("TOOL_PATH", world.text("second"));
    assert_eq!(run("/usr/bin:$TOOL_PATH").code(0).out(), "second [DIR]/second/tool\n");
}
