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
