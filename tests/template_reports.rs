//! What is told of config files: everything at once, each place with line and column, alike in a
//! launch's report, its JSON and `check`.

use serde_json::{Value, json};

use crate::harness::{Ended, World};

fn world() -> World {
    let world = World::new();
    world.set("DB_KEY", "s3cr3t");
    world
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("one JSON object")
}

const OPTIONS: [&str; 6] =
    ["--memfd", "A=a.json", "--memfd", "B=b.txt", "--render", ".env.tpl:out.env"];

/// Three templates and a variable that have something missing or malformed in each.
fn faulty() -> World {
    let world = world();
    world.write("work/a.json", "{\r\n\t\"é\": \"$DB_KEY ü$DB_KEI\",\r\n\t\"x\": \"${DB_KEY\"}\r\n");
    world.write("work/b.txt", "é $$$NO_KEY\n$$NO_KEY\n\n  ${NO_KEY}");
    world.write(
        "work/.env.tpl",
        "# $IN_A_COMMENT\nA=\"${NO_KEY}\" # ${NOT_ONE:-x}\nB='${NO_KEY:-x}'\n",
    );
    world
}

#[test]
fn every_place_in_every_file_at_once() {
    let world = faulty();
    let ended = world.launch(OPTIONS).env("V", "$NO_KEY ${DB_KEY").run();
    insta::assert_snapshot!(ended.report(), @r#"
    exit 65
    --- stderr
    inject: `probe` was not started: 5 problems
      `${DB_KEY` is not closed by `}`
        in variable `V`, column 9
        write `${DB_KEY}`; for plain text, write `$${DB_KEY` or name it with `--literal DB_KEY`
      `${NO_KEY` is followed by `:`, not by `}`
        in .env.tpl:3:4
        write `${NO_KEY}`, for there are no defaults; for plain text, write `$${NO_KEY` or name it with `--literal NO_KEY`
      `${DB_KEY` is followed by `"`, not by `}`
        in a.json:3:8
        write `${DB_KEY}`; for plain text, write `$${DB_KEY` or name it with `--literal DB_KEY`
      `DB_KEI` is missing
        in a.json:2:17
        nearest: `DB_KEY`
        set it with `inject secret set DB_KEI`, or keep the text with `--literal DB_KEI`
      `NO_KEY` is missing
        in variable `V`
        in .env.tpl:2:4
        in b.txt:1:5
        in b.txt:4:3
        set it with `inject secret set NO_KEY`, or keep the text with `--literal NO_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    "#);
}

#[test]
fn the_same_as_json() {
    let world = faulty();
    let ended = world.launch(OPTIONS).env("INJECT_REPORT", "json").run();
    ended.code(65);
    let report = json_of(&ended.stderr);
    let problems = report["problems"].as_array().expect("a list");
    let places = |kind: &str, name: &str| {
        let this = |problem: &&Value| problem["kind"] == kind && problem["name"] == name;
        problems.iter().find(this).map(|problem| problem["places"].clone()).expect(name)
    };
    let place = |file: &str, line, column| json!({"file": file, "line": line, "column": column});
    assert_eq!(places("missing", "DB_KEI"), json!([place("a.json", 2, 17)]));
    let missing = json!([place(".env.tpl", 2, 4), place("b.txt", 1, 5), place("b.txt", 4, 3)]);
    assert_eq!(places("missing", "NO_KEY"), missing);
    assert_eq!(places("malformed", "DB_KEY"), json!([place("a.json", 3, 8)]));
    assert_eq!(places("malformed", "NO_KEY"), json!([place(".env.tpl", 3, 4)]));
    assert_eq!(problems.len(), 4, "{report:#}");
}

/// A script finds the file without reading the message, and a person reads it once.
#[test]
fn a_file_as_a_whole_is_a_place_too() {
    let world = world();
    world.write("work/t.txt", "x");
    let options = ["--render=no-such-file:out", "--render=t.txt:t.txt", "--render=t.txt:no/where"];
    let json = world.launch(options).env("INJECT_REPORT", "json").run();
    let report = json_of(&json.code(64).stderr);
    let problems = report["problems"].as_array().expect("a list");
    let places: Vec<_> = problems.iter().map(|one| (&one["kind"], &one["places"])).collect();
    let (file, output) = (json!("file"), json!("output"));
    let place = |path: &str| json!([{ "file": path }]);
    let [unread, template, nowhere] = ["no-such-file", "t.txt", "no/where"].map(place);
    assert_eq!(places, [(&file, &unread), (&output, &template), (&file, &nowhere)], "{report:#}");
    let text = world.launch(options).run();
    insta::assert_snapshot!(text.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 3 problems
      cannot read `no-such-file`: No such file or directory
      cannot write `t.txt`: it is a template
        render to another path
      cannot write `no/where`: No such file or directory
        make its folder first
    ");
}

#[test]
fn check_says_what_the_launch_would() {
    let world = faulty();
    let check = |options: &[&str]| {
        world.inject([&["check"], options, &OPTIONS[..]].concat()).env("V", "$NO_KEY").run()
    };
    let launched = world.launch(OPTIONS).env("V", "$NO_KEY").run();
    let checked = check(&[]);
    assert_eq!(checked.exit(), launched.exit());
    let problems = |ended: &Ended| {
        let err = ended.err();
        err.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(problems(&checked), problems(&launched));
    insta::assert_snapshot!(checked.out(), @"
    REFERENCE  PLACE         FOUND    VERSION  LAST UPDATED
    NO_KEY     variable `V`  missing
               .env.tpl:2:4
               b.txt:1:5
               b.txt:4:3
    DB_KEY     a.json:2:8    yes      1        [TIME]
    DB_KEI     a.json:2:17   missing
    ");
    let checked = check(&["--report", "json"]);
    checked.code(65);
    let report = json_of(&checked.stdout);
    let no_key = json!([
        {"variable": "V"},
        {"file": ".env.tpl", "line": 2, "column": 4},
        {"file": "b.txt", "line": 1, "column": 5},
        {"file": "b.txt", "line": 4, "column": 3},
    ]);
    let references = report["references"].as_array().expect("a list");
    let row = references.iter().find(|row| row["name"] == "NO_KEY").expect("it is wanted");
    assert_eq!((&row["places"], &row["found"]), (&no_key, &json!(false)));
}

#[test]
fn check_ends_as_the_launch_does() {
    let world = world();
    world.write("work/good.json", "{\"a\": \"$DB_KEY\"}");
    world.write("work/missing.json", "{\"a\": \"$NO_KEY\"}");
    world.write("work/malformed.json", "{\"a\": \"${DB_KEY\"}");
    world.write("work/syntax.json", "{\"a\": \"$DB_KEY\"");
    world.write("work/escape.json", "{\"a\": \"\\$DB_KEY\"}");
    world.write("work/comment.env", "# $NO_KEY\nA=1\n");
    for (template, options, code) in [
        ("good.json", &[][..], 0),
        ("missing.json", &[], 78),
        ("malformed.json", &[], 65),
        ("syntax.json", &[], 65),
        ("escape.json", &[], 65),
        ("comment.env", &[], 0),
        ("comment.env", &["--format", "text"], 78),
        ("good.json", &["--require", "DB_KEY"], 0),
        ("comment.env", &["--require", "NO_KEY"], 78),
        ("no-such-file", &[], 74),
        (".", &[], 74),
    ] {
        let memfd = format!("M={template}");
        let options = [options, &["--memfd", &memfd]].concat();
        let launched = world.launch(&options).run();
        assert_eq!(launched.exit(), code, "{template} {options:?}\n{}", launched.whole());
        let checked = world.inject([&["check"], &options[..]].concat()).run();
        assert_eq!(checked.exit(), code, "{template} {options:?}\n{}", checked.whole());
    }
}

/// The syntax alone: what a launch would find in its place is for the launch.
#[test]
fn check_offline_judges_no_descriptor_and_no_output() {
    let world = world();
    world.write("work/t.json", "{\"a\": \"$DB_KEY\"}");
    let options = ["--memfd=7=t.json", "--render=t.json:no/where", "--render=t.json:t.json"];
    let check = |more: &[&str]| {
        let words = [&["check"], more, &options[..]].concat();
        world.inject(words).situation(["--open", "7:/dev/null"]).run()
    };
    check(&["--offline"]).code(0);
    let ended = check(&[]);
    assert!(ended.code(64).err().contains("at descriptor 7"), "{}", ended.whole());
    world.write("work/t.json", "{\"a\": \"$DB_KEY\"");
    check(&["--offline"]).code(65);
}

/// What a value decides is told with all places at once, and names no value.
#[test]
fn values_that_cannot_stand_where_they_should() {
    let world = world();
    world.set("NUL_KEY", b"a\0b");
    world.set("LATIN_KEY", b"caf\xe9");
    let bare = "{\"a\": $DB_KEY,\n \"b\": \"x$LATIN_KEY\",\n \"c\": [$DB_KEY, \"$LATIN_KEY\"]}";
    world.write("work/bare.json", bare);
    world.write("work/.env", "A=$NUL_KEY\nB='$LATIN_KEY'\n");
    let options = ["--memfd", "A=bare.json", "--render", ".env:out"];
    let ended = world.launch(options).env("V", "$NUL_KEY").run();
    insta::assert_snapshot!(ended.report(), @"
    exit 65
    --- stderr
    inject: `probe` was not started: 5 problems
      `V` would hold a NUL byte, which no variable can
        in variable `V`
        deliver it as a file: `--as-file VARIABLE=NUL_KEY`
      `NUL_KEY` cannot stand here: it holds a NUL byte, which this format cannot
        in .env:1:3
        deliver it as a file with `--as-file`
      `LATIN_KEY` cannot stand here: its bytes are no UTF-8, which this format needs
        in .env:2:4
        deliver it as a file with `--as-file`
      `DB_KEY` cannot stand here: outside of quotes it must be a number, a boolean or null
        in bare.json:1:7
        in bare.json:3:8
        put the reference in quotes
      `LATIN_KEY` cannot stand here: its bytes are no UTF-8, which this format needs
        in bare.json:2:9
        in bare.json:3:18
        deliver it as a file with `--as-file`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    world.inject([&["check"], &options[..]].concat()).run().code(0);
}

/// Small enough each, and not together: the file is named at which the limit is passed, and it is
/// told before that much is made.
#[test]
fn files_that_are_too_large_together() {
    let world = world();
    world.set("BIG_KEY", "x".repeat(65_536));
    for (name, count) in [("a", 300), ("b", 300), ("c", 16_000), ("d", 300)] {
        world.write(&format!("work/{name}.txt"), "$BIG_KEY".repeat(count));
    }
    world.write("work/e.json", "{\"a\": $DB_KEY}");
    let options = ["a.txt", "b.txt", "c.txt", "d.txt", "e.json"].map(|name| {
        let variable = &name[..1];
        format!("--memfd={variable}={name}")
    });
    let bytes = 400 << 20;
    let limit = format!("9:{bytes}:{bytes}");
    let ended = world.launch(options).situation(["--limit", &limit]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 65
    --- stderr
    inject: `probe` was not started: 2 problems
      with `c.txt`, all rendered files would have more than 1073741824 bytes
        refer to large values less often, or deliver them as files with `--as-file`
      `DB_KEY` cannot stand here: outside of quotes it must be a number, a boolean or null
        in e.json:1:7
        put the reference in quotes
      store: the embedded store in [DIR]/data, organization `default`
    ");
}

#[test]
fn comments_hold_no_references_where_there_are_comments() {
    let world = world();
    world.write("work/app.env", "# $NO_KEY\nA=\"$DB_KEY\" # ${NO_KEY\n");
    let seen = world.launch(["--export-from", "app.env"]).run().seen();
    assert_eq!((seen.text("DB_KEY"), seen.var("NO_KEY")), ("s3cr3t", None));
    world.inject(["check", "app.env"]).run().code(0);
    let ended = world.inject(["check", "--format", "text", "app.env"]).run();
    ended.code(65);
    assert!(ended.err().contains("`NO_KEY` is missing"), "{}", ended.whole());
}

/// `--export-from` reads a file as `check` and `render` do, and as it would be rendered.
#[test]
fn exports_from_a_file_that_the_manifest_names() {
    let world = world();
    world.write("work/f.conf", "# ${NO_KEY:-x}\nA=\"$DB_KEY\"\nB='$HOME ${HOST:-x}'\n");
    let table = "[[render]]\ntemplate = \"f.conf\"\noutput = \"out\"\n";
    let own = "format = \"env\"\nliteral = [\"HOME\", \"HOST\"]\n";
    let launch = || world.launch(["--export-from", "f.conf"]);
    world.write("work/inject.toml", format!("{table}{own}"));
    let seen = launch().run().seen();
    assert_eq!((seen.text("DB_KEY"), seen.text("HOME")), ("s3cr3t", &*world.text("home")));
    world.inject(["check", "f.conf"]).run().code(0);
    world.inject(["render", "f.conf"]).run().code(0);
    // The name of its output says it too.
    world.write("work/inject.toml", format!("{table}literal = [\"HOME\", \"HOST\"]\n"));
    launch().run().code(65);
    let named = table.replace("\"out\"", "\"out.env\"");
    world.write("work/inject.toml", format!("{named}literal = [\"HOME\", \"HOST\"]\n"));
    launch().run().code(0);
    world.write("work/inject.toml", "");
    launch().run().code(65);
    world.write("work/inject.toml", format!("format = \"env\"\n{named}"));
    let ended = launch().run();
    assert!(ended.code(65).err().contains("`${HOST` is followed by `:`"), "{}", ended.whole());
}

#[test]
fn a_password_hash_in_a_file_is_recognized() {
    let world = world();
    world.write("work/users", "admin:$P$BABCDEFGHIJKLMNOPQRSTUVWXYZabc.\n");
    let ended = world.launch(["--memfd", "U=users"]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 78
    --- stderr
    inject: `probe` was not started
      `P` is missing
        in users:1:7
        this looks like a password hash: keep it with `--literal P`, or double its dollars
      store: the embedded store in [DIR]/data, organization `default`
    ");
    world.launch(["--memfd", "U=users", "--literal", "P"]).run().code(0);
}

/// A file that cannot be read in its format hides nothing of what is missing.
#[test]
fn what_is_no_json() {
    let world = world();
    world.write("work/a.json", "{\"a\": \"$NO_KEY\",\n  b: 1}\n");
    let ended = world.launch(["--render", "a.json:out"]).run();
    insta::assert_snapshot!(ended.report(), @"
    exit 65
    --- stderr
    inject: `probe` was not started: 2 problems
      this is no json: a key in double quotes is expected here
        in a.json:2:3
        mend it there, or name another format: `--format text` reads any file, and escapes nothing
      `NO_KEY` is missing
        in a.json:1:8
        set it with `inject secret set NO_KEY`, or keep the text with `--literal NO_KEY`
      store: the embedded store in [DIR]/data, organization `default`
    ");
    assert!(!world.path("work/out").exists());
}
