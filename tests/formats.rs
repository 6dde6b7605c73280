//! Config files in each of the eight formats, through the binary: what is written, what real
//! readers make of it, and what is refused. The formats' own tests have every corner.

use std::process::{Command, Stdio};

use crate::harness::World;

/// Quotes, an escape, a comment, a reference, a line end, a blank, and what is beyond ASCII.
const NASTY: &str = "\"'\\ #$DB_KEY\n- é: 😀";
/// As nasty as a format can be given that has no escapes.
const LINE: &str = "\"'\\ #$DB_KEY %(x)s é: 😀";
const PLAIN: &str = "s3cr3t";

fn world() -> World {
    let world = World::new();
    world.set("NASTY_KEY", NASTY);
    world.set("LINE_KEY", LINE);
    world.set("PLAIN_KEY", PLAIN);
    world.set("PORT", "5432");
    world
}

fn render(world: &World, name: &str, template: &str) -> String {
    world.write(&format!("work/{name}"), template);
    world.inject(["render", name]).run().code(0).out().to_owned()
}

/// What Python reads: an expression over `text` must give the value.
fn python(text: &str, imports: &str, expression: &str, value: &str) {
    let script = format!(
        "import sys, {imports}\ntext = sys.stdin.buffer.read().decode()\n\
         sys.stdout.buffer.write(str({expression}).encode())"
    );
    let mut command = Command::new("python3");
    let piped = command.args(["-I", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.spawn().expect("`python3` starts; install Debian's python3");
    let mut stdin = child.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut stdin, text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{expression}\n{text}");
}

#[test]
fn json() {
    let template = "{\"$NASTY_KEY\": [$PORT, \"a ${NASTY_KEY}\"], \"t\": \"$$NASTY_KEY\"}\n";
    let out = render(&world(), "a.json.tpl", template);
    python(&out, "json", "json.loads(text)[list(json.loads(text))[0]][1][2:]", NASTY);
    let written = r#""\"'\\ #$DB_KEY\u000a- é: 😀""#;
    let inner = &written[1..written.len() - 1];
    let expected = format!("{{{written}: [5432, \"a {inner}\"], \"t\": \"$NASTY_KEY\"}}\n");
    assert_eq!(out, expected);
}

#[test]
fn yaml() {
    let template = "# $NOT_ONE\na: $PORT # $NOT_ONE\nb: &x 'it''s ${LINE_KEY}'\nc: |\n  one\n  \
                    $PLAIN_KEY\nd: {e: [$NASTY_KEY, *x]}\n$PLAIN_KEY: !!int $PORT\n";
    insta::assert_snapshot!(render(&world(), "a.yml", template), @r#"
    # $NOT_ONE
    a: "5432" # $NOT_ONE
    b: &x 'it''s "''\ #$DB_KEY %(x)s é: 😀'
    c: |
      one
      s3cr3t
    d: {e: ["\"'\\ #$DB_KEY\n- é: 😀", *x]}
    "s3cr3t": !!int "5432"
    "#);
}

#[test]
fn toml() {
    let template = "# $NOT_ONE\nport = $PORT\n[a.$PLAIN_KEY]\nb = \"${NASTY_KEY}\"\nc = '''\n\
                    $LINE_KEY'''\n";
    let out = render(&world(), "a.toml.in", template);
    python(&out, "tomllib", "tomllib.loads(text)['a']['s3cr3t']['b']", NASTY);
    python(&out, "tomllib", "tomllib.loads(text)['a']['s3cr3t']['c']", LINE);
    python(&out, "tomllib", "tomllib.loads(text)['port'] + 1", "5433");
    insta::assert_snapshot!(out, @r#"
    # $NOT_ONE
    port = 5432
    [a."s3cr3t"]
    b = "\"'\\ #$DB_KEY\n- é: 😀"
    c = '''
    "'\ #$DB_KEY %(x)s é: 😀'''
    "#);
}

#[test]
fn env() {
    let world = world();
    world.set("QUOTED_KEY", "a \"b\" \\ #'\n c");
    let template = "# $NOT_ONE\nexport A=\"${QUOTED_KEY}\" # $NOT_ONE\nB='$PLAIN_KEY x'\nC=$PORT\n";
    let out = render(&world, ".env.production", template);
    let script = format!("{out}\nprintf '%s|%s|%s' \"$A\" \"$B\" \"$C\"");
    let shell = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let found = String::from_utf8_lossy(&shell.stdout);
    assert_eq!(found, "a \"b\" \\ #'\n c|s3cr3t x|5432");
    insta::assert_snapshot!(out, @r#"
    # $NOT_ONE
    export A="a \"b\" \\ #'
     c" # $NOT_ONE
    B='s3cr3t x'
    C=5432
    "#);
}

/// python-dotenv looks for the end with `((?:\\\\"|[^"])*)"`, and would read on into the next line.
#[test]
fn env_with_a_backslash_at_the_end() {
    let world = world();
    world.set("FOLDER_KEY", "C:\\data\\");
    world.write("work/a.env", "A=\"$FOLDER_KEY\"\nB=\"$PLAIN_KEY\"\n");
    let ended = world.inject(["render", "a.env"]).run();
    ended.code(65);
    assert!(ended.err().contains("it ends in a backslash"), "{}", ended.whole());
    assert!(ended.err().contains("in a.env:1:4\n"), "{}", ended.whole());
    // Where no other quote follows, both read it.
    let out = render(&world, "b.env", "B='$PLAIN_KEY'\nA=\"$FOLDER_KEY\"\nC=x\n");
    assert_eq!(out, "B='s3cr3t'\nA=\"C:\\\\data\\\\\"\nC=x\n");
}

#[test]
fn ini() {
    let template = "; $NOT_ONE\n[$PLAIN_KEY]\nurl = postgres://${LINE_KEY}\n  $PORT\n";
    let out = render(&world(), "a.ini", template);
    let read = "(lambda c: (c.read_string(text), c['s3cr3t']['url'])[1])\
                (configparser.ConfigParser(interpolation=None))";
    python(&out, "configparser", read, &format!("postgres://{LINE}\n5432"));
    assert_eq!(
        out,
        template
            .replace("[$PLAIN_KEY]", "[s3cr3t]")
            .replace("${LINE_KEY}", LINE)
            .replace("$PORT", "5432")
    );
}

#[test]
fn properties() {
    let template = "! $NOT_ONE\n$PLAIN_KEY.a=$NASTY_KEY\nb : \\\n   ${PORT}\n";
    insta::assert_snapshot!(render(&world(), "a.properties", template), @r#"
    ! $NOT_ONE
    s3cr3t.a="'\\ #$DB_KEY\n- \u00E9: \uD83D\uDE00
    b : \
       5432
    "#);
}

#[test]
fn xml() {
    let template = "<?xml version=\"1.0\"?>\n<!-- $NOT_ONE -->\n<a b='$NASTY_KEY'>${NASTY_KEY}\
                    <![CDATA[$LINE_KEY]]></a>\n";
    let out = render(&world(), "a.xml.template", template);
    let read = "xml.etree.ElementTree.fromstring(text)";
    python(&out, "xml.etree.ElementTree", &format!("{read}.get('b')"), NASTY);
    python(&out, "xml.etree.ElementTree", &format!("{read}.text"), &format!("{NASTY}{LINE}"));
    insta::assert_snapshot!(out, @r#"
    <?xml version="1.0"?>
    <!-- $NOT_ONE -->
    <a b='&quot;&apos;\ #$DB_KEY&#10;- é: 😀'>"'\ #$DB_KEY
    - é: 😀<![CDATA["'\ #$DB_KEY %(x)s é: 😀]]></a>
    "#);
}

#[test]
fn text() {
    let template = "# $PLAIN_KEY\r\n'$NASTY_KEY' $host $$PORT";
    let out = render(&world(), "nginx.conf", template);
    assert_eq!(out, format!("# {PLAIN}\r\n'{NASTY}' $host $PORT"));
}

/// One refusal of each kind: what, where, and what to do.
#[test]
fn what_cannot_stand_is_refused_with_its_place() {
    let world = world();
    let mut all = String::new();
    for (name, template) in [
        ("a.json", "{\"a\":\n  é$PLAIN_KEY}"),
        ("b.json", "[1,\n $PLAIN_KEY]"),
        ("c.json", "{\"$PORT\": 1, \"${PORT}\": 2}"),
        ("a.yaml", "a: &$PLAIN_KEY x\n"),
        ("b.yaml", "a: [\n$PORT\n"),
        ("a.toml", "a = '$LINE_KEY'\n"),
        ("b.toml", "a = \"\\$PORT\"\n"),
        ("a.env", "A=\"$LINE_KEY\"\n"),
        ("a.ini", "[a]\nb = $NASTY_KEY\n"),
        ("a.properties", "a = \\u00$PORT\n"),
        ("a.xml", "<a>\n<$PLAIN_KEY/></a>"),
        ("b.xml", "<a><![CDATA[$NASTY_KEY"),
    ] {
        world.write(&format!("work/{name}"), template);
        let ended = world.inject(["render", name]).run();
        assert!(ended.code(65).out().is_empty(), "{}", ended.whole());
        let said = ended.report();
        all.extend(
            said.lines()
                .skip(2)
                .filter(|line| !line.contains("store: "))
                .map(|line| format!("{line}\n")),
        );
    }
    insta::assert_snapshot!(all, @r#"
    inject: this is no json: a value is expected here
        in a.json:2:3
        mend it there, or name another format: `--format text` reads any file, and escapes nothing
    inject: `PLAIN_KEY` cannot stand here: outside of quotes it must be a number, a boolean or null
        in b.json:2:2
        put the reference in quotes
    inject: `PORT` cannot stand here: with it two keys of one table would be the same
        in c.json:1:15
        change one of the secrets, or name the key in the template
    inject: a reference stands where the format has no value
        in a.yaml:1:5
        move the reference into a value, or keep plain text with `--literal`
    inject: this is no yaml: unclosed bracket '['
        in b.yaml:1:4
        mend it there, or name another format: `--format text` reads any file, and escapes nothing
    inject: `LINE_KEY` cannot stand here: it holds a `'`, a line end or a control character, and stands between `'`
        in a.toml:1:6
        put the reference between `"`
    inject: an escape reaches into a reference
        in b.toml:1:7
        write `$$NAME` for the plain text `$NAME`
    inject: `LINE_KEY` cannot stand here: it holds a `$` or a backtick, which a shell expands in double quotes
        in a.env:1:4
        deliver it as a file with `--as-file`
    inject: `NASTY_KEY` cannot stand here: it has more than one line, which ini cannot hold
        in a.ini:2:5
        deliver it as a file with `--as-file`, and name the file
    inject: an escape reaches into a reference
        in a.properties:1:9
        write `$$NAME` for the plain text `$NAME`
    inject: a reference stands where the format has no value
        in a.xml:2:2
        move the reference into a value, or keep plain text with `--literal`
    inject: this is no xml: CDATA not closed: `]]>` not found before end of input
        in b.xml:1:4
        mend it there, or name another format: `--format text` reads any file, and escapes nothing
    "#);
}
