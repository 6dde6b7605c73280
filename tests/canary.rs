//! No value in any output, whatever fails: each is looked for raw and in the forms in which a log
//! or an error would carry it.

use std::fs;

use base64::Engine;

use crate::harness::{Ended, Run, World, contains, files};
use crate::scripted_store::{Answer, ScriptedStore};

const CANARY: &str = "c4n4ry/\"Sitting+on<a>wire\"&=%40";
const TOKEN: &str = "inj_w_c4n4ryTokenOnAWire";

/// The forms of a text in which it may leak.
pub fn forms(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let url: String = bytes
        .iter()
        .map(|byte| if plain(byte) { char::from(*byte).into() } else { format!("%{byte:02X}") })
        .collect();
    let json = serde_json::to_string(text).expect("a text is JSON");
    let debug = format!("{bytes:?}");
    let base64 = base64::engine::general_purpose::STANDARD_NO_PAD;
    let mut forms = vec![text.to_owned(), hex.to_uppercase(), hex, url, debug];
    forms.push(json.trim_matches('"').to_owned());
    // In base64 a text looks different at each of three offsets; its ends depend on neighbours.
    for offset in 0..3 {
        let coded = base64.encode([&b"xxx"[..offset], bytes].concat());
        forms.push(coded[4..coded.len() - 4].to_owned());
        forms.push(coded[4..coded.len() - 4].replace('+', "-").replace('/', "_"));
    }
    forms.into_iter().map(String::into_bytes).collect()
}

#[track_caller]
fn silent(ended: &Ended) {
    for text in [CANARY, TOKEN] {
        for form in forms(text) {
            let found = contains(&ended.stdout, &form) || contains(&ended.stderr, &form);
            assert!(!found, "a value leaks\n{}", ended.whole());
        }
    }
    assert!(!ended.status.to_string().contains("core dumped"), "{}", ended.whole());
}

/// A launch at every level of talk that the surroundings can ask for.
fn loud<'w>(run: Run<'w>) -> Run<'w> {
    run.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").env("INJECT_LOG", "trace")
}

#[test]
fn launches_that_fail() {
    let world = World::new();
    world.set("CANARY_KEY", CANARY);
    world.set("NUL_KEY", format!("{CANARY}\0"));
    world.set("LONG_KEY", CANARY.repeat(2000));
    world.write("work/bad.env", format!("{CANARY}\nA=\"{CANARY}\n"));
    let env =
        ["$CANARY_KEY $MISSING_KEY", "$NUL_KEY", "$LONG_KEY$LONG_KEY$LONG_KEY", "${CANARY_KEY"];
    for value in env {
        let run = loud(world.launch([] as [&str; 0])).env("A", value).env("B", "$CANARY_KEY");
        let ended = run.run();
        assert_ne!(ended.exit(), 0, "{}", ended.whole());
        silent(&ended);
    }
    let pair = format!("={CANARY}");
    let token = format!("ftp://{TOKEN}@x");
    for options in [
        &["--env-file", "bad.env"][..],
        &["--env", &pair],
        &["--store", &token],
        &["--as-file", "F=MISSING_KEY"],
        &["--report", "json", "--require", "OTHER_KEY"],
        &["--timeout", CANARY],
        &["--org", CANARY],
        &["--export", CANARY],
    ] {
        silent(&loud(world.launch(options)).env("B", "$CANARY_KEY").run());
    }
    let script = format!("exec 2>&1; exit 9; : {CANARY}");
    let command = ["no-such-command", "-c", &script];
    let ended = loud(world.inject([&["--"][..], &command].concat())).env("B", "$CANARY_KEY").run();
    ended.code(127);
    silent(&ended);
}

/// Config files that cannot be rendered, or not be put in their places.
#[test]
fn config_files_that_fail() {
    let world = World::new();
    world.set("CANARY_KEY", CANARY);
    world.set("NUL_KEY", format!("{CANARY}\0"));
    world.set("LATIN_KEY", [CANARY.as_bytes(), b"\xff"].concat());
    world.write("work/bare.json", "{\"a\": $CANARY_KEY, \"b\": \"$LATIN_KEY\"}");
    world.write("work/syntax.json", format!("{{\"a\": \"$CANARY_KEY\", {CANARY}}}"));
    world.write("work/.env", "A=$CANARY_KEY\nB='$NUL_KEY'\nC=\"$LATIN_KEY\"\n");
    world.write("work/missing", "$CANARY_KEY $MISSING_KEY");
    world.write("work/good", "$CANARY_KEY");
    for template in ["bare.json", "syntax.json", ".env", "missing"] {
        for report in ["text", "json"] {
            let (render, memfd) = (format!("{template}:out"), format!("M={template}"));
            let launch = |options: &[&str]| loud(world.launch(options)).run();
            for ended in [
                launch(&["--report", report, "--render", &render]),
                launch(&["--report", report, "--memfd", &memfd]),
                loud(world.inject(["render", template, "--report", report])).run(),
                loud(world.inject(["render", template, "-o", "out", "--report", report])).run(),
            ] {
                assert_ne!(ended.exit(), 0, "{}", ended.whole());
                silent(&ended);
            }
        }
    }
    for output in [".", "good", "/dev/null", "nowhere/out", "/proc/out"] {
        let ended = loud(world.inject(["render", "good", "-o", output])).run();
        assert_ne!(ended.exit(), 0, "{}", ended.whole());
        silent(&ended);
    }
    let options = ["--memfd", CANARY, "--render", CANARY, "--format", CANARY];
    silent(&loud(world.launch(options)).env("INJECT_RENDER", format!("a:b {CANARY}")).run());
}

#[test]
fn stores_that_fail() {
    let world = World::new();
    let body = format!("{{\"secrets\":{{\"A_KEY\":{{\"value\":\"{}\"", CANARY.replace('"', "\\\""));
    let whole = format!("{body},\"version\":1}}}}}}");
    let status = |code, body: &str| Answer::Status(code, String::new(), body.to_owned());
    let problem = format!("{{\"title\":\"{TOKEN}\",\"detail\":\"{TOKEN}\"}}");
    for answer in [
        status(200, &body),
        status(200, &whole.replace("A_KEY", "OTHER_KEY")),
        status(200, &whole.replace("\"version\"", "\"value_base64\":\"x\",\"version\"")),
        status(200, &whole.replace(":1", ":\"x\"")),
        status(500, &whole),
        status(401, &whole),
        status(404, &whole),
        status(302, &whole),
        status(401, &problem),
        Answer::Raw(format!("HTTP/1.1 {CANARY}\r\n\r\n").into_bytes()),
        Answer::Raw(format!("{CANARY}\r\n").into_bytes()),
    ] {
        let store = ScriptedStore::tcp([answer]);
        let run = loud(world.launch(["--timeout", "1"])).env("INJECT_STORE", &store.url);
        let run = run.env("INJECT_TOKEN", TOKEN).env("INJECT_ORG", "acme");
        let ended = run.env("A", "$A_KEY and ${OTHER_KEY}").run();
        assert_ne!(ended.exit(), 0, "{}", ended.whole());
        silent(&ended);
    }
}

#[test]
fn commands_that_manage() {
    let world = World::new();
    let run = |words: &[&str]| loud(world.inject(words)).stdin(CANARY).run();
    silent(&run(&["secret", "set", "A_KEY"]));
    silent(&run(&["secret", "set", "A_KEY", "--if-absent"]));
    silent(&run(&["secret", "set", "password"]));
    silent(&run(&["secret", "set", "A_KEY", CANARY]));
    silent(&run(&["secret", "set", &format!("A_KEY={CANARY}")]));
    silent(&run(&["secret", "list"]));
    silent(&run(&["secret", "list", "--json"]));
    silent(&run(&["secret", "show", "A_KEY", "--json"]));
    silent(&run(&["check", "--report", "json"]));
    silent(&run(&["secret", "rm", "A_KEY"]));
    for (path, bytes) in files(&world.path("data")) {
        for form in forms(CANARY) {
            assert!(!contains(&bytes, &form), "{} holds the value", path.display());
        }
    }
}

#[test]
fn nothing_is_dumped_while_values_are_held() {
    let world = World::new();
    world.set("CANARY_KEY", CANARY);
    // It is killed by a signal that dumps, as the last thing before it becomes the program.
    let trace = world.text("trace");
    let ended = world
        .launch([] as [&str; 0])
        .env("A", "$CANARY_KEY")
        .situation(["--limit", "4:-1:-1"])
        .within(["strace", "-f", "-qq", "-o", &trace, "-e", "trace=execve"])
        .within(["-e", "inject=execve:error=EACCES:signal=SIGABRT:when=2"])
        .run();
    silent(&ended);
    let ended_by = fs::read_to_string(&trace).expect("strace wrote it");
    assert!(ended_by.contains("killed by SIGABRT"), "{ended_by}");
    assert!(!ended_by.contains("core dumped"), "{ended_by}");
    let dumped = files(&world.path("work"))
        .into_iter()
        .find(|(_, bytes)| contains(bytes, CANARY.as_bytes()));
    assert_eq!(dumped.map(|(path, _)| path), None);
}
