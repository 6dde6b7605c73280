//! What is written and what is refused, one by one; what is written is read again by both readers.

use super::super::trial::{Failed, lay_out, render};
use super::super::{Fault, FaultKind, Format, Refusal, Site};
use super::readers::{python_dotenv, shell};
use super::write::{AS_FILE, DIFFERS, ENDS, EXPANDED, IN_DOUBLE, IN_SINGLE, NOT_PLAIN, RETURN};

fn rendered(text: &str, value: &[u8]) -> Result<String, Failed> {
    let out = render(Format::Env, text.as_bytes(), |_| value.to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

/// Renders, and both readers must find this in `A`.
fn check(text: &str, value: &str, expected: &str) {
    let out =
        rendered(text, value.as_bytes()).unwrap_or_else(|e| panic!("{text}, {value:?}: {e:?}"));
    let pairs = python_dotenv(&out).unwrap_or_else(|| panic!("python-dotenv refuses: {out:?}"));
    assert_eq!(pairs, [("A".to_owned(), expected.to_owned())], "python-dotenv, {out:?}");
    assert_eq!(shell(&out, &["A".to_owned()]), Some(vec![expected.to_owned()]), "sh, {out:?}");
}

#[test]
fn double_quotes_hold_all_but_expansions() {
    let nasty = "'; rm -rf / #\"\\\n\t\\n\\\\ !*~(){}[]<>|&;\u{1}\u{7f}\u{81}\u{85}\u{2028}é😀%";
    for value in ["", "x", "\"", "\\", "\\\\", "\n", "\\\n", "#", " x ", "{x}", "x\n\n", nasty] {
        check("A=\"$NAME\"\n", value, value);
        check("export A=\"é ${NAME}\\\\\" # $NAME\n", value, &format!("é {value}\\"));
        check("A=\"$NAME\n$NAME\"", value, &format!("{value}\n{value}"));
    }
    for (value, what, hint) in [
        ("$", EXPANDED, IN_SINGLE),
        ("a$x", EXPANDED, IN_SINGLE),
        ("`", EXPANDED, IN_SINGLE),
        ("$(x)", EXPANDED, IN_SINGLE),
        ("${x}", EXPANDED, AS_FILE),
        ("$'", EXPANDED, AS_FILE),
        ("a\rb", RETURN, AS_FILE),
    ] {
        let refused = Err(Failed::Value(Refusal::Unheld { what, hint }));
        assert_eq!(rendered("A=\"$NAME\"", value.as_bytes()), refused, "{value}");
    }
}

#[test]
fn single_quotes_hold_all_but_themselves_and_what_python_dotenv_heeds() {
    let nasty = "; rm -rf / #\"\n\t\\n$x $(x) `x` !*~(){}[]<>|&;\u{1}\u{7f}\u{81}\u{2028}é😀$";
    for value in ["", "x", "\"", "a\\b", "$", "$x", "{x}", "\n", "\\\n", "#", " x ", nasty] {
        check("A='$NAME'\n", value, value);
        check("export A='é ${NAME}-' # $NAME\n", value, &format!("é {value}-"));
    }
    for (value, what, hint) in [
        ("'", ENDS, IN_DOUBLE),
        ("'$", ENDS, AS_FILE),
        ("a\rb", RETURN, AS_FILE),
        ("\\\\", DIFFERS, IN_DOUBLE),
        ("\\", DIFFERS, IN_DOUBLE),
        ("${x}", DIFFERS, AS_FILE),
        ("${", DIFFERS, AS_FILE),
    ] {
        let refused = Err(Failed::Value(Refusal::Unheld { what, hint }));
        assert_eq!(rendered("A='$NAME'", value.as_bytes()), refused, "{value}");
    }
    check("A='\\$NAME'", "x", "\\x");
    check("A='${NAME}{x}'", "x", "x{x}");
    check("A='$$$NAME'", "x", "$x");
    for (text, value, hint) in [
        ("A='\\$NAME'", "\\x", IN_DOUBLE),
        ("A='\\$NAME'", "", IN_DOUBLE),
        ("A='\\${NAME}\\x'", "", IN_DOUBLE),
        ("A='${NAME}\\x'", "\\", IN_DOUBLE),
        ("A='${NAME}{x}'", "$", IN_SINGLE),
        ("A='$$$NAME'", "{x}", IN_DOUBLE),
        ("A='$$${NAME}{x}'", "", IN_DOUBLE),
        ("A='$NAME${NAME}'", "\\", IN_DOUBLE),
    ] {
        let refused = Err(Failed::Value(Refusal::Unheld { what: DIFFERS, hint }));
        assert_eq!(rendered(text, value.as_bytes()), refused, "{text} {value}");
    }
}

#[test]
fn bare_holds_only_what_is_plain() {
    let plain = "AZaz09_./:@%+,=-";
    for value in ["", "x", "-n", "=", plain] {
        check("A=$NAME", value, value);
        check(
            "export\tA=http://${NAME}:80/é#x$NAME\t# $NAME\n",
            value,
            &format!("http://{value}:80/é#x{value}"),
        );
    }
    for b in (1..=0x7f).filter(|b| !plain.as_bytes().contains(b) && !b.is_ascii_alphanumeric()) {
        let refused = match b {
            b'\r' => Refusal::Unheld { what: RETURN, hint: AS_FILE },
            b'$' | b'`' => Refusal::Unheld { what: NOT_PLAIN, hint: IN_SINGLE },
            _ => Refusal::Unheld { what: NOT_PLAIN, hint: IN_DOUBLE },
        };
        assert_eq!(rendered("A=$NAME", &[b'x', b]), Err(Failed::Value(refused)), "{b}");
    }
}

#[test]
fn values_that_no_env_file_holds() {
    for text in ["A=\"$NAME\"", "A='$NAME'", "A=$NAME"] {
        assert_eq!(rendered(text, b"\0"), Err(Failed::Value(Refusal::Nul)));
        assert_eq!(rendered(text, b"\xff"), Err(Failed::Value(Refusal::NotUtf8)));
    }
}

#[test]
fn comments_hold_no_references_and_layout_stays() {
    let text = "\u{feff}# $NAME\r\n\t# ${NAME}\r\n\r\nA=\"$NAME\"\t# $$NAME\r\nB= # $NAME\r\n";
    let expected = text.replace("A=\"$NAME\"", "A=\"x\"");
    assert_eq!(rendered(text, b"x"), Ok(expected));
    let layout = lay_out(Format::Env, text.as_bytes()).expect("valid");
    let comments = layout.sites.iter().filter(|site| **site == Site::Comment).count();
    assert_eq!((layout.sites.len(), comments), (5, 4));
    // `#` in a word begins no comment.
    assert_eq!(rendered("A=x#$NAME #$NAME", b"y"), Ok("A=x#y #$NAME".to_owned()));
}

#[test]
fn what_is_not_touched_may_be_odd() {
    for line in [
        "A=hello world",
        "A = x",
        "A=it\\'s",
        "A={\"a\": \"it's\"}",
        "A=x;y|z&(a)<b>",
        "A=$host:${port}${x:-y z}",
        "A=\"$host ${x:-y z} \\` \\$ $\"",
        "A='`$(x)` ${'",
        "A=x'`a` $(b)'y'c'",
        "B.c-d=2",
        "A=$2y$10$N9qo8uLO",
        "A=a\\\\",
        "A=",
        "A",
    ] {
        let text = format!("{line}\nB=\"$NAME\"\n");
        let out = rendered(&text, b"x");
        if line == "A" {
            let said =
                syntax(0, "this line has no `=`; write `NAME=VALUE`, or `#` before a comment");
            assert_eq!(out, Err(Failed::Template(said)));
        } else {
            assert_eq!(out, Ok(format!("{line}\nB=\"x\"\n")), "{line}");
        }
    }
}

#[test]
fn an_escape_is_its_text_in_single_quotes() {
    check("A='$$PATH$$$NAME'", "x", "$PATH$x");
    check("A='$$NAME'\n", "x", "$NAME");
}

/// A shell exports what it has, and python-dotenv has no value for it.
#[test]
fn a_line_may_export_a_variable_without_a_value() {
    for line in ["export B", "export\tB_1 ", "export  _b # A=$NAME", "export B\t#\"$$NAME'"] {
        let text = format!("{line}\nA=\"$NAME\"\n");
        let out = rendered(&text, b"x").unwrap_or_else(|e| panic!("{line}: {e:?}"));
        assert_eq!(out, format!("{line}\nA=\"x\"\n"));
        let pairs = python_dotenv(&out).expect("python-dotenv reads it");
        assert_eq!(pairs.last(), Some(&("A".to_owned(), "x".to_owned())), "{line}");
        assert_eq!(shell(&out, &["A".to_owned()]), Some(vec!["x".to_owned()]), "{line}");
    }
    for text in ["export A\r\nB='$NAME'\r\n", "A=1\nexport A\nB='$NAME'", "A='$NAME'\nexport B"] {
        assert_eq!(rendered(text, b"x"), Ok(text.replace("$NAME", "x")));
    }
    let no_equals = "this line has no `=`; write `NAME=VALUE`, or `#` before a comment";
    for line in
        ["export", "export ", "export A B", "export A-b", "export 1", "export A#", "exportA"]
    {
        let fault = lay_out(Format::Env, format!("{line}\nB=\"$NAME\"").as_bytes()).err();
        assert_eq!(fault, Some(syntax(0, no_equals)), "{line}");
    }
    for text in ["export $NAME", "export A$NAME", "export A $NAME"] {
        let kind = FaultKind::NoScalar;
        let at = text.find('$').expect("a dollar");
        assert_eq!(lay_out(Format::Env, text.as_bytes()).err(), Some(Fault { at, kind }), "{text}");
    }
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "env file", message: message.to_owned() } }
}

#[test]
fn what_only_one_of_the_readers_heeds_is_refused_where_it_stands() {
    for (text, at, kind) in [
        ("A=it's\nB=\"$NAME\"", 4, super::GOES_ON),
        ("A={\"a\nB=\"$NAME\"", 3, super::GOES_ON),
        ("A=x \"a # $NAME\"", 4, super::GOES_ON),
        ("A=x\\\nB=\"$NAME\"", 3, super::GOES_ON),
        ("A=x <<EOF\nB=\"$NAME\"\nEOF", 4, super::GOES_ON),
        ("A=x$'\\''\nB=\"$NAME\"", 3, super::GOES_ON),
        ("A=`x`\nB=\"$NAME\"", 2, super::RUNS),
        ("A=\"`echo $NAME`\"", 3, super::RUNS),
        ("A=\"$(echo $NAME)\"", 3, super::RUNS),
        ("A=x$(echo $NAME)", 3, super::RUNS),
        ("A=\"$[$NAME]\"", 3, super::RUNS),
        ("A=\"${x:-$NAME}\"", 3, super::NESTED),
        ("A=\"${x:-\"a\"}\"", 3, super::EXPANDS),
        ("A=\"${$NAME}\"", 3, super::NESTED),
        ("A=\"\\${$NAME\"", 4, super::NESTED),
        ("A='${$NAME}'", 3, super::NESTED),
        ("A='${NAME} ${x:-$NAME}'", 11, super::NESTED),
        ("A='} ${x $NAME'", 5, super::NESTED),
        ("A=$(x)\nB=\"$NAME\"", 2, super::RUNS),
        ("A='$${NAME:-$NAME}'", 3, super::BRACED),
        ("A='x$${NAME}'", 4, super::BRACED),
        ("A='$$$${NAME'", 3, super::BRACED),
        ("A=\"$x$NAME\"", 3, super::JOINS),
        ("A=\"$\\\n$NAME\"", 3, super::EXPANDS),
        ("A=\"$x\\\n$NAME\"", 3, super::EXPANDS),
        ("A=\"${x}\\\n$NAME\"", 3, super::EXPANDS),
        ("A=\"$\\\n($NAME)\"", 3, super::EXPANDS),
        ("A=\"$$NAME${NAME}\"", 3, super::ESCAPED),
        ("A=\"$$PATH\"", 3, super::ESCAPED),
        ("A=\"$${PATH}\"", 3, super::ESCAPED),
        ("A=\"x $$$$PATH\"", 5, super::ESCAPED),
        ("A=$$PATH", 2, super::ESCAPED),
        ("A=x/$${PATH}", 4, super::ESCAPED),
        ("A=$x$$PATH", 2, super::JOINS),
        ("A=\"$$$NAME\"", 3, super::ESCAPED),
        ("A=$x$NAME", 2, super::JOINS),
        ("A= $NAME", 3, super::BLANKS),
        ("A =\"$NAME\"", 3, super::BLANKS),
        ("A=\t'$NAME'", 3, super::BLANKS),
        ("A=x $NAME", 3, super::QUOTE_IT),
        ("A=x;$NAME", 3, super::QUOTE_IT),
        ("A=~$NAME", 2, super::QUOTE_IT),
        ("A=#$NAME", 2, super::QUOTE_IT),
        ("A=$NAME'x'", 7, super::QUOTE_IT),
        ("A=x\u{a0}#$NAME", 3, super::QUOTE_IT),
        ("A=\u{a0}'x\nB=\"$NAME\"", 2, super::QUOTE_IT),
        ("A=\u{1c}\"x\nB=\"$NAME\"", 2, super::QUOTE_IT),
        ("A=\\x$NAME", 2, super::QUOTE_IT),
        ("A=$NAME\\", 7, super::QUOTE_IT),
        ("A='it\\'s $NAME'", 5, super::ESCAPES),
        ("A=\"x\\\\\"\nB='$NAME'\n", 5, super::READS_ON),
        ("A='x\\\\'\nB=\"$NAME\"\n", 5, super::READS_ON),
        ("B=$NAME\nA=\"x\\\\\"\n# \"\n", 13, super::READS_ON),
        ("A=x\rB=$NAME\n", 3, super::LONE_RETURN),
        ("A=\\\r=\n", 3, super::LONE_RETURN),
        ("# x\rB=$NAME\n", 3, super::LONE_RETURN),
        ("A=x\rB\n", 3, super::LONE_RETURN),
        ("\r\r\n", 0, super::LONE_RETURN),
        ("A='$NAME'\nexport A # again\n", 10, super::FORGETS),
        ("A=\"x\r${NAME}\"", 4, super::LONE_RETURN),
        ("A='x\r${NAME}'", 4, super::LONE_RETURN),
        ("A='\r'", 3, super::LONE_RETURN),
    ] {
        let fault = lay_out(Format::Env, text.as_bytes()).err();
        assert_eq!(fault, Some(Fault { at, kind }), "{text:?}");
    }
}

#[test]
fn what_is_no_line_of_a_variable_is_refused() {
    for (text, at, message) in [
        ("A=\"$NAME\"x", 9, "something stands behind the closing quote; put a blank before `#`"),
        ("A=\"$NAME\"#x", 9, "something stands behind the closing quote; put a blank before `#`"),
        ("A=\"$NAME", 2, "the quote that opens here is not closed"),
        ("A='$NAME", 2, "the quote that opens here is not closed"),
        ("1=$NAME", 0, "a variable's name is letters, digits, `_`, `.` and `-`, not a digit first"),
        ("A=x\0", 3, "no variable can hold a NUL byte"),
    ] {
        assert_eq!(
            lay_out(Format::Env, text.as_bytes()).err(),
            Some(syntax(at, message)),
            "{text:?}"
        );
    }
    let latin = lay_out(Format::Env, b"# caf\xe9\nA=$NAME").err();
    assert_eq!(latin, Some(syntax(5, "it is not UTF-8")));
}

#[test]
fn a_reference_in_a_name_or_behind_an_escape() {
    for (text, at) in [("$NAME=x", 0), ("export A_${NAME}=x", 9), ("# c\nA $NAME", 6), ("$NAME", 0)]
    {
        let fault = Some(Fault { at, kind: FaultKind::NoScalar });
        assert_eq!(lay_out(Format::Env, text.as_bytes()).err(), fault, "{text}");
    }
    for (text, at) in [("A=\"\\$NAME\"", 4), ("A=\"\\\\\\$$NAME\"", 6), ("A=x\\$NAME", 4)] {
        let fault = Some(Fault { at, kind: FaultKind::Escape });
        assert_eq!(lay_out(Format::Env, text.as_bytes()).err(), fault, "{text}");
    }
}

#[test]
fn export_is_a_word() {
    // What only begins with it is another name, which the second line does not export.
    assert!(rendered("exportA=\"$NAME\"\nexport A\n", b"x").is_ok());
    assert!(rendered("export\tA=\"$NAME\"\nexport A\n", b"x").is_err());
}

#[test]
fn an_expansion_may_end_before_a_reference() {
    assert_eq!(rendered("A=\"${x}$NAME\"", b"y").as_deref(), Ok("A=\"${x}y\""));
    assert_eq!(rendered("A='${x}$NAME'", b"y").as_deref(), Ok("A='${x}y'"));
}
