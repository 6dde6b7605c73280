//! Tables: what is written for each kind of scalar, and what is refused, and where.

use super::super::trial::{Failed, lay_out, render};
use super::super::{Changed, Fault, FaultKind, Format, Refusal, Style};
use super::between::{ANCHOR, TAB};
use super::layout::{DEEP, INNER_MARK, LONE_TAG, RETURN, UNENDED};
use super::readers::READERS;

fn rendered(text: &str, value: &str) -> Result<String, Failed> {
    let out = render(Format::Yaml, text.as_bytes(), |_| value.as_bytes().to_vec())?;
    let out = String::from_utf8(out).expect("a document in UTF-8");
    for reader in READERS {
        // The port of libyaml panics at a block scalar that the document's end cuts short.
        let read = reader(&format!("{out}\n"));
        assert!(read.is_ok(), "{read:?}\n{out}");
    }
    Ok(out)
}

fn fault(text: &[u8]) -> Fault {
    lay_out(Format::Yaml, text).expect_err("it is refused")
}

fn check(value: &str, table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(rendered(text, value).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn plain_scalars_become_strings_in_double_quotes() {
    check(
        "5",
        &[
            ("a: $NAME", "a: \"5\""),
            ("$NAME\n", "\"5\"\n"),
            ("- $NAME # $NAME\n- ${NAME}\t# x\n", "- \"5\" # $NAME\n- \"5\"\t# x\n"),
            ("$NAME: x\n? ${NAME}y\n: z\n", "\"5\": x\n? \"5y\"\n: z\n"),
            ("[$NAME,${NAME},{a: $NAME},x$NAME]", "[\"5\",\"5\",{a: \"5\"},\"x5\"]"),
            ("{$NAME: 1, \"b\":$NAME}", "{\"5\": 1, \"b\":\"5\"}"),
            ("a: !!int $NAME\nb: &x $NAME\nc: *x\n", "a: !!int \"5\"\nb: &x \"5\"\nc: *x\n"),
            ("url: http://$NAME:80/#x\n", "url: \"http://5:80/#x\"\n"),
            ("a: one $NAME\n  two  \n\n  \t${NAME}\nb: 1\n", "a: \"one 5 two\\n5\"\nb: 1\n"),
            ("a: \\$NAME '$$NAME\"$$$NAME\n", "a: \"\\\\5 '$NAME\\\"$5\"\n"),
            ("---\n$NAME\n--- $NAME\n...\n", "---\n\"5\"\n--- \"5\"\n...\n"),
            ("\u{feff}# $NAME\r\na: $NAME\r\n", "\u{feff}# $NAME\r\na: \"5\"\r\n"),
            ("%YAML 1.1 # $NAME\n---\na: $NAME\n", "%YAML 1.1 # $NAME\n---\na: \"5\"\n"),
            ("base: &b {x: 1}\na: {<<: *b, y: $NAME}", "base: &b {x: 1}\na: {<<: *b, y: \"5\"}"),
            ("- &a_b-1 $NAME", "- &a_b-1 \"5\""),
            ("$host: no reference\n", "$host: no reference\n"),
        ],
    );
}

#[test]
fn quoted_scalars_keep_their_raw_text() {
    check(
        "it's \"a\"",
        &[
            ("\"\\x41$NAME\\\"\"", "\"\\x41it's \\\"a\\\"\\\"\""),
            ("'$NAME''s'", "'it''s \"a\"''s'"),
            ("'\\''$NAME'", "'\\''it''s \"a\"'"),
            ("{'$NAME':1}", "{'it''s \"a\"':1}"),
            ("- \" $NAME \" # '$NAME'\n", "- \" it's \\\"a\\\" \" # '$NAME'\n"),
            // What is folded is written on one line.
            ("a: \"x \n  $NAME\\\n   y\"", "a: \"x it's \\\"a\\\"y\""),
            ("a: 'x\n\n  $NAME'", "a: \"x\\nit's \\\"a\\\"\""),
        ],
    );
    check("", &[("a: \"x \n  $NAME \n  y\"", "a: \"x  y\""), ("'$NAME'", "''"), ("$NAME", "\"\"")]);
    check("\t", &[("'$NAME'", "\"\\t\""), ("\"\\\t$NAME\"", "\"\\\t\\t\"")]);
    check("a\nb", &[("'x''$NAME'", "\"x'a\\nb\""), ("\"$NAME\"", "\"a\\nb\"")]);
}

#[test]
fn escapes_are_those_that_every_reader_knows() {
    for (value, expected) in [
        ("\0\u{1}\t\n\r\u{1b}", "\\0\\x01\\t\\n\\r\\x1b"),
        ("\u{7f}\u{85}\u{9f}\u{a0}", "\\x7f\\x85\\x9f\u{a0}"),
        ("\u{2028}\u{2029}\u{feff}\u{fffe}", "\\u2028\\u2029\\ufeff\\ufffe"),
        ("\u{fdd0}\u{1f600}\u{1fffe}\u{fffd}é", "\\ufdd0\u{1f600}\\U0001fffe\u{fffd}é"),
        ("\\\"/'", "\\\\\\\"/'"),
    ] {
        assert_eq!(rendered("\"$NAME\"", value), Ok(format!("\"{expected}\"")));
    }
    let refused = render(Format::Yaml, b"a: $NAME", |_| b"\xff".to_vec());
    assert_eq!(refused, Err(Failed::Value(Refusal::NotUtf8)));
}

#[test]
fn a_block_scalar_stays_one_where_its_text_is_plain_lines() {
    check(
        "one\ntwo\n",
        &[
            ("a: |\n  $NAME\nb: 1\n", "a: |+\n  one\n  two\n\nb: 1\n"),
            ("a: |-  # $NAME\n    $NAME\n\n\nb: 1", "a: |  # $NAME\n    one\n    two\n\n\nb: 1"),
            ("a: |\n  $NAME\n\n\nb: 1\n", "a: |+\n  one\n  two\n\nb: 1\n"),
            ("a: |\r\n  x\r\n  $NAME.\r\n", "a: |\r\n  x\r\n  one\r\n  two\r\n  .\r\n"),
            ("a: |2\n   x$NAME-\n", "a: |2\n   xone\n  two\n  -\n"),
            ("--- |\n$NAME.\n", "--- |\n  one\n  two\n  .\n"),
            ("a: >\n  x\n  $NAME.\n", "a: |\n  x one\n  two\n  .\n"),
            ("a: &x !!str\n  |\n  $NAME.\n", "a: &x !!str\n  |\n  one\n  two\n  .\n"),
        ],
    );
    check(
        "x",
        &[
            ("a: |+\n  $NAME\n\n# $NAME\n", "a: |+\n  x\n\n# $NAME\n"),
            ("a: |-\n  $NAME", "a: |-\n  x"),
            ("a: |+\r\n  $NAME\r\n\r\nb: 1", "a: |+\r\n  x\r\n\r\nb: 1"),
            ("a:\n  b: |\n    $NAME\n # c\n  d: 1", "a:\n  b: |\n    x\n # c\n  d: 1"),
            ("a: |\n  $NAME\n # &c?d\nb: 1", "a: |\n  x\n # &c?d\nb: 1"),
            ("? |\n  $NAME\n: y\n", "? |\n  x\n: y\n"),
            ("a: |\n  #$NAME\n  ---\n", "a: |\n  #x\n  ---\n"),
        ],
    );
}

#[test]
fn a_folded_block_scalar_stays_as_it_is_where_the_values_are_words() {
    let text = "a: >  # c\n  x\n  $NAME,\n\n   - ${NAME}\n\nb: >+2\n  $$NAME ${NAME}\n\n";
    for value in ["x", "a: b # c", "---", "é \\ \""] {
        let expected = text.replace("$$NAME", "$").replace("$NAME", value);
        let expected = expected.replace("${NAME}", value).replace("$ ", "$NAME ");
        assert_eq!(rendered(text, value), Ok(expected));
    }
    check("", &[("a: >\n  x\n  ${NAME}y\n", "a: |\n  x y\n")]);
    check(" x", &[("a: >\n  x\n  $NAME\n", "a: |\n  x  x\n")]);
    check("x ", &[("a: >\n  $NAME\n  x\n", "a: |\n  x  x\n")]);
    check("...", &[("--- >\n$NAME\n", "--- |\n  ...\n")]);
    check("\u{85}", &[("a: >\n  $NAME\n", "a: \"\\x85\\n\"\n")]);
}

/// Whether the last line break is there, readers see as they see it in the template.
#[test]
fn a_block_scalar_that_ends_the_file_without_a_line_break_stays_one() {
    for (text, expected) in [
        ("a: |\n  $NAME", "a: |\n  one\n  two"),
        ("a: |+ # c\n  x\n\n  $NAME", "a: |+ # c\n  x\n\n  one\n  two"),
        ("a: |2\r\n   x\r\n  $NAME ", "a: |2\r\n   x\r\n  one\r\n  two "),
        ("- >\n  x\n  $NAME", "- |\n  x one\n  two"),
        ("- >+\n  x\n  $NAME", "- |+\n  x one\n  two"),
        ("--- |\n$NAME", "--- |\n  one\n  two"),
    ] {
        assert_eq!(rendered(text, "one\ntwo").as_deref(), Ok(expected), "{text}");
    }
    check("x", &[("- >\n  x\n  $NAME", "- >\n  x\n  x"), ("- >+1\n $NAME", "- >+1\n x")]);
    for value in ["", "x\n", "\n", " ", " x", "\tx", "x\n ", "\u{85}"] {
        for text in ["a: |\n  $NAME", "a: |+\n  $NAME", "a: >\n  $NAME", "a: >+\n  $NAME"] {
            let refused = Err(Failed::Value(super::writing::UNENDED));
            assert_eq!(rendered(text, value), refused, "{text} {value:?}");
        }
        assert!(rendered("a: |-\n  $NAME", value).is_ok(), "{value:?}");
        assert!(rendered("a: >-\n  $NAME", value).is_ok(), "{value:?}");
    }
    check("x\n", &[("a: |\n  $NAME.", "a: |\n  x\n  .")]);
}

#[test]
fn a_block_scalar_that_cannot_hold_the_text_becomes_double_quoted() {
    for (value, expected) in [
        ("", "\"\\n\" # c"),
        (" x", "\" x\\n\" # c"),
        ("\tx", "\"\\tx\\n\" # c"),
        ("a\n  \nb", "\"a\\n  \\nb\\n\" # c"),
        ("a\r\nb", "\"a\\r\\nb\\n\" # c"),
        ("\u{85}", "\"\\x85\\n\" # c"),
        ("\u{feff}", "\"\\ufeff\\n\" # c"),
        ("\n\n", "\"\\n\\n\\n\" # c"),
    ] {
        let out = rendered("a: | # c\n  $NAME\n\nb: 1\n", value);
        assert_eq!(out, Ok(format!("a: {expected}\n\nb: 1\n")), "{value:?}");
    }
    check("a\n", &[("a: |-\n  $NAME", "a: \"a\\n\""), ("- >-\n $NAME", "- \"a\\n\"")]);
    check(
        " x",
        &[
            ("a: |+\n  $NAME\n\nb: 1\n", "a: \" x\\n\\n\"\nb: 1\n"),
            ("a: |-\n  $NAME\n  \n\nb: 1\n", "a: \" x\"\n\n\nb: 1\n"),
        ],
    );
}

#[test]
fn a_template_that_is_no_yaml_is_refused_where_it_ends_to_be_some() {
    for (text, at, message) in [
        (&b"a: [$NAME"[..], 3, "unclosed bracket '['"),
        (b"a: $NAME\n b: x\n", 11, "mapping values are not allowed in this context"),
        (b"a: *x\nb: $NAME\n", 3, "while parsing node, found unknown anchor"),
        (b"['a long text', *x, $NAME]", 16, "while parsing node, found unknown anchor"),
        (b"a: \"x\\q $NAME\"", 5, "while parsing a quoted scalar, found unknown escape character"),
        (b"a: \"$NAME\" x", 11, "invalid trailing content after double-quoted scalar"),
        (b"a: \"x\" $NAME", 7, "invalid trailing content after double-quoted scalar"),
        (b"a: $NAME\xff", 8, "it is not UTF-8"),
        (b"\xff\xfea\0", 0, "it is UTF-16 or UTF-32, not UTF-8"),
        (b"\xfe\xff\0a", 0, "it is UTF-16 or UTF-32, not UTF-8"),
        (b"a: x\0y", 4, "unexpected character: `\\u{0}'"),
        (b"a:\n\t- $NAME\n", 4, "tabs disallowed within this context (block indentation)"),
    ] {
        let kind = FaultKind::Syntax { format: "yaml", message: message.to_owned() };
        assert_eq!(fault(text), Fault { at, kind }, "{}", text.escape_ascii());
    }
}

#[test]
fn a_reference_where_no_scalar_is_or_in_an_escape_is_refused() {
    for (text, at, kind) in [
        ("a: &$NAME x", 4, FaultKind::NoScalar),
        ("a: &x#$NAME x", 6, FaultKind::NoScalar),
        ("a: &x y\nb: *$NAME", 12, FaultKind::NoScalar),
        ("a: !$NAME x", 4, FaultKind::NoScalar),
        ("%TAG ! $NAME\n---\nx", 7, FaultKind::NoScalar),
        ("%YAML 1.$NAME\n---\nx", 8, FaultKind::NoScalar),
        ("a: |$NAME\n  x", 4, FaultKind::NoScalar),
        ("a: \"\\$NAME\"", 5, FaultKind::Escape),
        ("a: \"\\x4$NAME\"", 7, FaultKind::Escape),
        ("a: \"\\\\\\u00${NAME}\"", 10, FaultKind::Escape),
        ("a: \"\\$$NAME\"", 5, FaultKind::Escape),
        ("a: \"\\U0001F600\\$NAME\"", 15, FaultKind::Escape),
        ("a: |\n  $NAME\n  ", 3, UNENDED),
        ("a: >+\n  $NAME\n\n ", 3, UNENDED),
        ("- &a?b $NAME", 2, ANCHOR),
        ("[&a:b '$NAME']", 1, ANCHOR),
        ("&a.b\n$NAME: 1", 0, ANCHOR),
        ("# c\n\u{feff} k $NAME", 4, INNER_MARK),
        ("1\n\u{feff}---\n- $NAME", 2, INNER_MARK),
        ("a: '\u{feff}'\nb: $NAME", 4, INNER_MARK),
        ("a: $NAME\n \t\nb: 1", 9, TAB),
        ("a:\n\t\n  '$NAME'", 3, TAB),
        ("a: |+\r  $NAME\n  o\n\n", 5, RETURN),
        ("a: >\n  $NAME\r", 12, RETURN),
        ("a: |\r\n  $NAME\r\n  b\r  c\r\n", 18, RETURN),
        ("a: ! $NAME", 5, LONE_TAG),
        ("a: ! '$NAME'", 5, LONE_TAG),
        ("a: &x ! \"$NAME\"", 8, LONE_TAG),
        ("- ! &x |-\n  $NAME\n", 7, LONE_TAG),
        ("- ! # x\n  >\n  $NAME\n", 10, LONE_TAG),
        ("{! $NAME : 1}", 3, LONE_TAG),
        ("%TAG ! !x\n---\n! $NAME", 16, LONE_TAG),
        ("a: \"x\\\n\n  $NAME\"", 3, super::layout::unsure(3).kind),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind }, "{text}");
    }
}

fn refused(text: &str, value: &str) -> (usize, Refusal) {
    match rendered(text, value) {
        Err(Failed::Output(Changed { scalar, why })) => (scalar, why),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn keys_that_become_the_same_are_refused() {
    for (text, value, scalar) in [
        ("a: 1\n$NAME: 2\n", "a", 0),
        ("x: $NAME\ny: {1: x, '$NAME': y}\n", "1", 1),
        ("$NAME: 1\n${NAME}: 2\n", "a", 0),
        ("k: &x $NAME\n*x : 1\na: 2\n", "a", 0),
        ("? [$NAME]\n: 1\n? [a]\n: 2\n", "a", 0),
        ("- {a: 1, b: {c: $NAME, $NAME: 1, d: 2}}\n", "d", 1),
    ] {
        assert_eq!(refused(text, value), (scalar, Refusal::Duplicate), "{text}");
        assert!(rendered(text, "z").is_ok() || text.contains("${"), "{text}");
    }
    // These are of different tables, or no keys, or the template's own.
    for text in ["a: {$NAME: 1}\nb: $NAME\n", "[{a: 1}, {$NAME: 1}]", "b: 1\nb: 2\n$NAME: a\n"] {
        assert!(rendered(text, "a").is_ok(), "{text}");
    }
    assert_eq!(refused("$NAME: *x\nb: &x {}\n".replace("*x", "{}").as_str(), "<<").0, 0);
}

#[test]
fn an_output_is_judged_where_a_value_is_in_a_key() {
    for (text, expected) in [
        ("$NAME", &[false][..]),
        (
            "a: $NAME\n$NAME: [$NAME]\nb: {$NAME: $NAME}\nc$NAME: 1",
            &[false, true, false, true, false, true],
        ),
        ("? [$NAME, {a: $NAME}]\n: $NAME", &[true, true, false]),
        ("- $NAME\n- [$NAME, $NAME]\n- $NAME: $NAME", &[false, false, false, true, false]),
        ("a: &x $NAME\n*x : $NAME", &[true, true]),
    ] {
        let layout = lay_out(Format::Yaml, text.as_bytes()).expect("valid");
        let is_key = |style| matches!(style, Style::Yaml(style) if style.key);
        let keys: Vec<_> = layout.scalars.iter().map(|scalar| is_key(scalar.style)).collect();
        assert_eq!(keys, expected, "{text}");
    }
}

#[test]
fn a_key_is_as_long_as_readers_take() {
    let long = |text: &str, extra: usize| {
        let value = "é".to_owned() + &"x".repeat(1024 - 4 - extra);
        assert!(rendered(text, &value).is_ok(), "{text}");
        let (_, why) = refused(text, &(value + "x"));
        assert_eq!(why, super::verify::LONG, "{text}");
    };
    long("$NAME: 1", 0);
    long("- x: $NAME\n  '$NAME' : 1\n", 1);
    long("&a !!str $NAME: 1", 9);
    long("{&a !!str $NAME: 1}", 9);
    long("{  &a $NAME: 1}", 3);
    long("a: 1\n# &b\n&a $NAME: 1", 3);
    long("{a: 1, [x, $NAME]: 1}", 5);
    // Of several keys, the one that is too long is to blame.
    let several = "$NAME: 1\nb: $NAME\n$NAME$NAME: 2\n$NAME : 3\n";
    assert_eq!(refused(several, &"x".repeat(600)), (2, super::verify::LONG));
    for (text, long) in [
        ("$LONG: 1\n$SHORT: 2\n", 0),
        ("$SHORT: 1\n$LONG: 2\n", 1),
        ("- $SHORT: 1\n- $LONG: 2\n- $SHORT: 1\n", 1),
        ("a: $SHORT\n$LONG: $SHORT\n$SHORT: 1\n", 1),
    ] {
        let of = |name: &str| vec![b'x'; if name == "LONG" { 2_000 } else { 5 }];
        let out = render(Format::Yaml, text.as_bytes(), of);
        let Err(Failed::Output(Changed { scalar, why })) = out else { panic!("{text}: {out:?}") };
        assert_eq!((scalar, why), (long, super::verify::LONG), "{text}");
    }
    let value = "x".repeat(5_000);
    assert!(rendered("? $NAME\n: 1\n", &value).is_ok());
    assert!(rendered("? - $NAME\n: 1\n", &value).is_ok());
    assert!(rendered("a: $NAME\n", &value).is_ok());
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: usize| format!("{}$NAME{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(rendered(&nested(100), "x"), Ok(nested(100).replace("$NAME", "\"x\"")));
    let steps: String = (0..100).map(|depth| " ".repeat(depth) + "a:\n").collect();
    let block = |value: &str| format!("{steps}{}{value}\n", " ".repeat(100));
    assert_eq!(rendered(&block("$NAME"), "x"), Ok(block("\"x\"")));
    for deep in ["[", "{a: ", "- ", "? ", "[{"] {
        let text = format!("{}$NAME", deep.repeat(100_000));
        assert_eq!(fault(text.as_bytes()).kind, DEEP, "{deep}");
    }
    for (begins, ends) in [("[", "]"), ("- ", "\n"), ("{a: ", "}")] {
        let nested = |depth| format!("{}$NAME{}", begins.repeat(depth), ends.repeat(depth));
        assert!(rendered(&nested(255), "x").is_ok(), "{begins}");
        let deep = Fault { at: 255 * begins.len(), kind: DEEP };
        assert_eq!(fault(nested(256).as_bytes()), deep, "{begins}");
    }
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ('b'..='z').zip('a'..) {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", "));
    }
    assert!(rendered(&(bomb + "k$NAME: $NAME\n"), "x").is_ok());
}
