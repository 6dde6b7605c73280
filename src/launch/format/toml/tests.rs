//! Tables of what is written and what is refused; the rest is read again by others.

mod keys;
mod random;
mod readers;
mod suite;

use super::super::trial::{Failed, lay_out, render};
use super::super::{Changed, Fault, FaultKind, Format, Refusal};
use super::read::TOO_DEEP;

fn rendered(text: &str, value: &str) -> Result<String, Failed> {
    let out = render(Format::Toml, text.as_bytes(), |_| value.as_bytes().to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn fault(text: &[u8]) -> Fault {
    lay_out(Format::Toml, text).expect_err("it is refused")
}

fn refused(what: &str) -> impl Fn(&Result<String, Failed>) -> bool + '_ {
    move |result| match result {
        Err(Failed::Value(refusal)) => refusal.to_string().contains(what),
        _ => false,
    }
}

#[test]
fn strings_keys_and_bare_values() {
    for (text, value, expected) in [
        ("a = \"$NAME\"", "x", "a = \"x\""),
        ("a = \"$NAME\"", "", "a = \"\""),
        ("a = '${NAME}'", "\t\"\\é", "a = '\t\"\\é'"),
        ("a = \"\"\"$NAME\"\"\"", "x\"\"\"\ny", r#"a = """x\"\"\"\ny""""#),
        ("a = '''$NAME'''", "x'y\nz", "a = '''x'y\nz'''"),
        ("a = $NAME", "7", "a = 7"),
        ("a = [${NAME},-${NAME} , 1${NAME}.5, 0x$NAME]", "2", "a = [2,-2 , 12.5, 0x2]"),
        ("a = [$NAME, \"$$NAME$$$NAME\"]", "true", "a = [true, \"$NAME$true\"]"),
        ("$NAME = 1\n", "a.b", "\"a.b\" = 1\n"),
        ("$NAME = 1\n", "", "\"\" = 1\n"),
        ("a.${NAME}.b-$NAME\t= 1\n", "\"", "a.\"\\\"\".\"b-\\\"\"\t= 1\n"),
        ("$$NAME = 1", "x", "\"$NAME\" = 1"),
        ("\"a $NAME\".'$NAME' = 1", "x y", "\"a x y\".'x y' = 1"),
        ("[a.$NAME]\nb = { $NAME = '$NAME' }", "x", "[a.\"x\"]\nb = { \"x\" = 'x' }"),
        ("[[ \"$NAME\" . a ]] # $NAME", "x", "[[ \"x\" . a ]] # $NAME"),
        (
            "a = [ # $NAME\n\t'$NAME', # ${NAME}\n]#$NAME",
            "x",
            "a = [ # $NAME\n\t'x', # ${NAME}\n]#$NAME",
        ),
        (r#"a = "\\$NAME\"${NAME}\u00e9$NAME""#, "x", r#"a = "\\x\"x\u00e9x""#),
        // What is written as an escape is no reference.
        (r#"a = ["\u0024NAME", "$NAME"]"#, "x", r#"a = ["\u0024NAME", "x"]"#),
        ("\u{feff}a = '$NAME'\r\n\r\n[b]\r\n", "x", "\u{feff}a = 'x'\r\n\r\n[b]\r\n"),
        ("a = '$host'", "no reference at all", "a = '$host'"),
        (
            "a = 9223372036854775808\nb = -9223372036854775809\nc = '$NAME'",
            "x",
            "a = 9223372036854775808\nb = -9223372036854775809\nc = 'x'",
        ),
        ("", "x", ""),
    ] {
        assert_eq!(rendered(text, value).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn values_are_escaped_with_what_every_reader_has() {
    for (value, expected) in [
        ("\"\\/'", r#"\"\\/'"#),
        ("\0\u{1}\u{8}\t\n\u{c}\r\u{1b}\u{7f}", r"\u0000\u0001\b\t\n\f\r\u001B\u007F"),
        ("\u{85}\u{2028}\u{feff}é😀$NAME${NAME}", "\u{85}\u{2028}\u{feff}é😀$NAME${NAME}"),
        ("\"\nadmin = true\nx = \"", r#"\"\nadmin = true\nx = \""#),
    ] {
        assert_eq!(rendered("a = \"$NAME\"", value), Ok(format!("a = \"{expected}\"")));
        assert_eq!(rendered("\"$NAME\" = 1", value), Ok(format!("\"{expected}\" = 1")));
        assert_eq!(rendered("$NAME = 1", value), Ok(format!("\"{expected}\" = 1")));
        let multi = rendered("a = \"\"\"$NAME\"\"\"", value);
        assert_eq!(multi, Ok(format!("a = \"\"\"{expected}\"\"\"")));
    }
    for text in ["a = \"$NAME\"", "$NAME = 1", "a = '$NAME'", "a = '''$NAME'''", "a='''$NAME'''"] {
        let refused = render(Format::Toml, text.as_bytes(), |_| b"\xff".to_vec());
        assert_eq!(refused, Err(Failed::Value(Refusal::NotUtf8)), "{text}");
    }
}

#[test]
fn what_a_literal_string_cannot_hold_is_refused() {
    for value in ["'", "a'b", "\n", "\r", "\0", "\u{7f}", "\u{1b}"] {
        for text in ["a = '$NAME'", "'$NAME' = 1", "a = 'x${NAME}y'"] {
            assert!(refused("stands between `'`")(&rendered(text, value)), "{text} {value:?}");
        }
    }
    for value in ["\r", "\r\n", "\0", "\u{7f}", "\u{1b}"] {
        assert!(refused("a control character")(&rendered("a = '''$NAME'''", value)), "{value:?}");
    }
    for (text, value) in [
        ("a = '''$NAME'''", "'''"),
        ("a = '''$NAME'''", "x'"),
        ("a = '''$NAME''''", "x'"),
        ("a = '''$NAME'''''", "x'"),
        ("a = '''x'${NAME}y'''", "''"),
        ("a = '''x''${NAME}y'''", "'"),
        ("a = '''x''${NAME}'y'''", ""),
        ("a = '''x''${NAME}'''", ""),
    ] {
        assert!(refused("would end there")(&rendered(text, value)), "{text} {value:?}");
    }
}

#[test]
fn what_stands_at_the_edge_of_a_string_of_several_lines_stays_there() {
    for (text, value, expected) in [
        // The line end behind the opening quotes is none of the string's.
        ("a = '''$NAME'''", "\nx", "a = '''\n\nx'''"),
        ("a = '''\n$NAME'''", "\nx", "a = '''\n\nx'''"),
        ("a = '''${NAME}\nx'''", "", "a = '''\n\nx'''"),
        ("a = '''${NAME}\r\nx'''", "", "a = '''\n\r\nx'''"),
        ("a = '''${NAME}${NAME}\nx'''", "", "a = '''\n\nx'''"),
        ("a = '''$$NAME\n$NAME'''", "", "a = '''$NAME\n'''"),
        ("a = \"\"\"${NAME}\nx\"\"\"", "", "a = \"\"\"\n\nx\"\"\""),
        ("a = \"\"\"\n${NAME}\nx\"\"\"", "", "a = \"\"\"\n\nx\"\"\""),
        ("a = \"\"\"${NAME}\nx\"\"\"", "\n", "a = \"\"\"\\n\nx\"\"\""),
        // Quotes on both sides of nothing.
        ("a = \"\"\"x\"${NAME}\"\"y\"\"\"", "", "a = \"\"\"x\"\\\"\\\"y\"\"\""),
        ("a = \"\"\"x\"\"${NAME}\"\"\"", "", "a = \"\"\"x\"\"\"\"\""),
        ("a = \"\"\"${NAME}\"\"\"\"", "", "a = \"\"\"\\\"\"\"\""),
        ("a = \"\"\"${NAME}\"y\"\"\"", "x", "a = \"\"\"x\"y\"\"\""),
        ("a = '''''${NAME}x'''", "", "a = '''''x'''"),
        // What a backslash takes along.
        ("a = \"\"\"x \\\n  $NAME\"\"\"", " y", "a = \"\"\"x \\\n  \\u0020y\"\"\""),
        ("a = \"\"\"x \\\n  $NAME\"\"\"", "\n y", "a = \"\"\"x \\\n  \\n y\"\"\""),
        ("a = \"\"\"x \\\n  $NAME\"\"\"", "\u{a0} y", "a = \"\"\"x \\\n  \\u00A0 y\"\"\""),
        ("a = \"\"\"x \\\n${NAME}\u{3000}y\"\"\"", "", "a = \"\"\"x \\\n\\u3000y\"\"\""),
        ("a = \"\"\"x \\\n${NAME} y\"\"\"", "", "a = \"\"\"x \\\n\\u0020y\"\"\""),
        ("a = \"\"\"x\\\n${NAME}${NAME}\ty\"\"\"", "", "a = \"\"\"x\\\n\\ty\"\"\""),
        ("a = \"\"\"x\\\n${NAME}\n y\"\"\"", "", "a = \"\"\"x\\\n\\n y\"\"\""),
        ("a = \"\"\"x\\\n${NAME}\\\n y\"\"\"", "", "a = \"\"\"x\\\n\\\n y\"\"\""),
        ("a = \"\"\"x\\\n${NAME}\"y\"\"\"", "", "a = \"\"\"x\\\n\\\"y\"\"\""),
        ("a = \"\"\"x\\\n$$NAME$NAME y\"\"\"", "", "a = \"\"\"x\\\n$NAME y\"\"\""),
        ("a = \"\"\"x\\\\\n$NAME\"\"\"", " y", "a = \"\"\"x\\\\\n y\"\"\""),
    ] {
        assert_eq!(rendered(text, value).as_deref(), Ok(expected), "{text}");
    }
    let text = "a = \"\"\"x\\\r\n${NAME}\r\ny\"\"\"";
    assert!(refused("take the line end behind it along")(&rendered(text, "")));
}

#[test]
fn a_number_or_a_boolean_may_stand_outside_of_quotes() {
    for value in [
        "0",
        "-0",
        "+7",
        "1_000",
        "0xDEAD_beef",
        "0o17",
        "0b1",
        "true",
        "false",
        "1.5",
        "-1e5",
        "1E+05",
        "1_0.0_1",
        "inf",
        "-inf",
        "+nan",
        "nan",
        "9223372036854775807",
        "1e-999",
        "-9223372036854775808",
    ] {
        assert_eq!(rendered("a = $NAME", value), Ok(format!("a = {value}")));
    }
}

#[test]
fn what_is_no_number_and_no_boolean_is_refused_outside_of_quotes() {
    for value in [
        "",
        "x",
        "01",
        "-01",
        "1.",
        ".5",
        "0X10",
        "0x",
        "-0x1",
        "1__0",
        "_1",
        "1_",
        "0_1",
        "1_e5",
        "1e+_5",
        "NaN",
        "Inf",
        "infinity",
        "True",
        "TRUE",
        "tru",
        "null",
        "1 ",
        " 1",
        "1\n",
        "1,2",
        "1]",
        "[]",
        "{}",
        "\"x\"",
        "'x'",
        "1#",
        "1 # x",
        "-",
        "1e",
        "\0",
        "1\u{a0}",
        "1_a",
        "+-1",
        "9223372036854775808",
        "-9223372036854775809",
        "0xffffffffffffffff",
        "1e999",
        "-1e999",
        "1979-05-27",
        "07:32:00",
        "1979-05-27T07:32:00Z",
        "1979-05-27 07:32:00",
        "1\nb = 2",
        "1,",
        "0d1",
        "1u",
        "\u{661}",
    ] {
        let allowed = "a boolean, or a number that 64 bits hold";
        let expected = Err(Failed::Value(Refusal::NotBare { allowed }));
        assert_eq!(rendered("a = $NAME", value), expected, "{value:?}");
        assert_eq!(rendered("a = [$NAME]", value), expected, "{value:?}");
    }
    let refused = render(Format::Toml, b"a = $NAME", |_| b"\xff".to_vec());
    assert!(matches!(refused, Err(Failed::Value(Refusal::NotBare { .. }))));
}

#[test]
fn a_template_that_is_no_toml_is_refused_where_it_ends_to_be_some() {
    for (text, at, message) in [
        (&b"a = \"$NAME\nb = 1"[..], 10, "invalid basic string, expected `\"`"),
        (b"a = $NAME $NAME", 4, "string values must be quoted"),
        (b"a = $$NAME", 4, "string values must be quoted"),
        (b"a = $NAME%", 4, "string values must be quoted"),
        (b"a = 07:$NAME", 4, "string values must be quoted"),
        (b"a = ", 4, "missing value"),
        (b"= $NAME", 0, "missing key"),
        (b"[]\na = '$NAME'", 1, "missing key"),
        (b"a = {b = }", 9, "missing value"),
        (b"$NAME", 5, "key with no value, expected `=`"),
        (b"a = 1 $NAME", 4, "string values must be quoted"),
        (b"a = '$NAME' $NAME", 12, "unexpected key or value, expected a line end or `#`"),
        (b"a = ['$NAME' '$NAME']", 13, "missing comma between array elements, expected `,`"),
        (b"a = ['$NAME'", 12, "unclosed array, expected `]`"),
        (
            b"\"\"\"$NAME\"\"\" = 1",
            0,
            "keys cannot be multi-line basic strings, expected basic string or literal string",
        ),
        (b"a$NAME% = 1", 6, "invalid unquoted key, expected letters, numbers, `-` or `_`"),
        (b"a = 1\r# $NAME", 6, "carriage return must be followed by newline, expected a line end"),
        (b"# $NAME\0", 7, "invalid comment character, expected printable characters"),
        (
            b"a = \"$NAME\\q\"",
            11,
            "missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\\`, `\"`, `x`, `u` or `U`",
        ),
        (b"a = '$NAME\xff'", 10, "it is not UTF-8"),
        (b"\xff\xfea\0=\0", 0, "it is UTF-16 or UTF-32, not UTF-8"),
        (
            b"\xef\xbb\xbf\xef\xbb\xbfa = 1",
            3,
            "invalid unquoted key, expected letters, numbers, `-` or `_`",
        ),
        (b"a = 1979-13-27", 4, "invalid date-time"),
        (b"a = 0x", 4, "invalid hexadecimal number"),
        (b"$NAME = 1\n${NAME} = 2", 10, "a key or a table is there already"),
        (b"[a]\nb = '$NAME'\n[a]", 17, "a key or a table is there already"),
        (b"\"$$NAME\" = 1\n\"\\u0024NAME\" = 2", 13, "a key or a table is there already"),
        // The first fault is the one that is told.
        (b"a = 1\na = 2\nb = \"\\$NAME\"", 6, "a key or a table is there already"),
        (
            b"a = '$NAME' b\nc = \"\\$NAME\"",
            12,
            "unexpected key or value, expected a line end or `#`",
        ),
    ] {
        let kind = FaultKind::Syntax { format: "toml", message: message.to_owned() };
        assert_eq!(fault(text), Fault { at, kind }, "{}", text.escape_ascii());
    }
}

#[test]
fn an_escape_that_reaches_into_a_reference_is_refused() {
    for (text, at) in [
        (r#"a = "\$NAME""#, 6),
        (r#"a = "\\\$NAME""#, 8),
        (r#"a = "\$$NAME""#, 6),
        (r#"a = "\u$NAME""#, 7),
        (r#"a = "\u004$NAME""#, 10),
        (r#"a = "\x4$NAME""#, 8),
        (r#"a = "\U0000004$NAME""#, 14),
        (r#""\u00${NAME}" = 1"#, 5),
        (r#"[a."\${NAME}"]"#, 5),
        ("a = \"\"\"\n\\u00${NAME}\"\"\"", 12),
    ] {
        assert_eq!(fault(text.as_bytes()), Fault { at, kind: FaultKind::Escape }, "{text}");
    }
}

#[test]
fn a_value_of_many_lines_is_one_value() {
    for item in ["'$NAME',\n", "{ a = '$NAME' }, # c\n", "[ '$NAME',\n ],\n"] {
        let text = format!("a = [\n{}]\nb = '$NAME'\n", item.repeat(1_000));
        assert_eq!(rendered(&text, "x"), Ok(text.replace("$NAME", "x")), "{item}");
    }
}

#[test]
fn depth_is_bounded_and_size_is_not() {
    let nested = |depth| format!("a = {}\"$NAME\"{}", "[".repeat(depth), "]".repeat(depth));
    let text = nested(100);
    assert_eq!(rendered(&text, "\""), Ok(text.replace("$NAME", "\\\"")));
    let deep = |at| Fault { at, kind: TOO_DEEP };
    assert!(lay_out(Format::Toml, nested(256).as_bytes()).is_ok());
    assert_eq!(fault(nested(257).as_bytes()), deep(4 + 256));
    assert_eq!(fault(nested(100_000).as_bytes()), deep(4 + 256));
    assert_eq!(fault(nested(100_000).trim_end_matches(']').as_bytes()).at, 4 + 256);
    let tables = |depth| format!("a = {}1{}", "{$NAME=".repeat(depth), "}".repeat(depth));
    assert_eq!(rendered(&tables(100), "x"), Ok(tables(100).replace("$NAME", "\"x\"")));
    assert_eq!(fault(tables(100_000).as_bytes()), deep(4 + 7 * 256));
    assert_eq!(fault(tables(100_000).trim_end_matches('}').as_bytes()).at, 4 + 7 * 256);
    let dotted = |count| format!("[{}b]\n", "$NAME.".repeat(count));
    assert_eq!(rendered(&dotted(1_000), "x"), Ok(dotted(1_000).replace("$NAME", "\"x\"")));
    let laid_out = |text: &str| lay_out(Format::Toml, text.as_bytes()).map(|l| l.scalars.len());
    assert_eq!(laid_out(&dotted(100_000)), Ok(100_000));
    let lines = "[[c]]\na = \"$NAME\" # b\n";
    assert_eq!(rendered(&lines.repeat(1_000), "x"), Ok(lines.replace("$NAME", "x").repeat(1_000)));
    assert_eq!(laid_out(&lines.repeat(500_000)), Ok(500_000));
}

#[test]
fn keys_that_become_the_same_are_refused() {
    let same = |scalar| Err(Failed::Output(Changed { scalar, why: Refusal::Duplicate }));
    for (text, expected) in [
        ("$A = 1\n$B = 2", same(1)),
        ("x = 1\n$A = 2", same(0)),
        ("$A = 1\nx = '$B'\n", same(0)),
        ("a = {$A = 1, b = '$A', \"x\" = 2}", same(0)),
        ("[[$A]]\n[[$B]]", same(1)),
        ("[$A.b]\n[$B.c]", same(1)),
        ("$A.b = 1\nx.c = 2", same(0)),
        ("[x]\n[[y.$A.b]]\n[y.x]", same(0)),
        ("[[$A]]\n[[\"${A}\"]]", Ok("[[\"x\"]]\n[[\"x\"]]")),
        ("[$A.b]\n['$A'.c]", Ok("[\"x\".b]\n['x'.c]")),
        ("[$A.$B]\n[$B.$A]", same(2)),
        ("[a]\n$A = 1\n[b]\n$B = 1", Ok("[a]\n\"x\" = 1\n[b]\n\"x\" = 1")),
        ("a = [{$A = 1}, {$B = 1}]", Ok("a = [{\"x\" = 1}, {\"x\" = 1}]")),
        ("$A.$B = 1", Ok("\"x\".\"x\" = 1")),
        ("\"$$A\" = 1\n\"A\" = 2", Ok("\"$A\" = 1\n\"A\" = 2")),
        ("$$$A = 1\n$A = 2\n'$A$$A' = 3", Ok("\"$x\" = 1\n\"x\" = 2\n'x$A' = 3")),
        ("$A$A = 1\nx = 2", Ok("\"xx\" = 1\nx = 2")),
    ] {
        assert_eq!(rendered(text, "x"), expected.map(str::to_owned), "{text}");
    }
}
