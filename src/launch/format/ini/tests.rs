//! Tables: what is read, what is written, and what is refused, and where.

use super::super::trial::{Failed, lay_out, render};
use super::super::{Changed, Fault, FaultKind, Format, Refusal, Site};
use super::lines::{LONE_RETURN, NO_NAME, NO_VALUE, NOT_UTF8, NUL, WIDE};
use super::peer::{Configparser, Sections};
use super::properties::replaced;

fn rendered(text: &str, value: &[u8]) -> Result<String, Failed> {
    let out = render(Format::Ini, text.as_bytes(), |_| value.to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn sections(sections: &[(&str, &[(&str, &str)])]) -> Sections {
    let own = |(key, value): &(&str, &str)| (key.to_string(), Some(value.to_string()));
    let options = |options: &[(&str, &str)]| options.iter().map(own).collect();
    sections.iter().map(|(name, found)| (name.to_string(), options(found))).collect()
}

#[test]
fn values_names_sections_and_further_lines() {
    let mut peer = Configparser::start();
    let nasty = "a=b:c;d#e % %(x)s \"'[x] \\ $NAME ${NAME} é😀\u{1}\u{7f}\u{ad}\u{200b}";
    for value in ["x", "#x", ";x", "[x]", "=", ": y", nasty] {
        for (text, expected) in [
            ("[s]\nk = $NAME\n", format!("[s]\nk = {value}\n")),
            ("[s]\nk: \"${NAME}\" ; x", format!("[s]\nk: \"{value}\" ; x")),
            ("[s]\nk =$NAME$$NAME$$$NAME", format!("[s]\nk ={value}$NAME${value}")),
            ("[s]\nk = a\n\t- $NAME\n\n b", format!("[s]\nk = a\n\t- {value}\n\n b")),
        ] {
            let out = rendered(text, value.as_bytes());
            assert_eq!(out.as_deref(), Ok(expected.as_str()), "{text}");
            let read = peer.read(&expected).expect("it is read");
            let read = read[1].1[0].1.as_deref();
            assert!(read.is_some_and(|read| read.contains(value)), "{read:?}");
        }
    }
    let text = "[a $NAME]\nk${NAME}.b = 1\n$NAME: 2\n[${NAME}] ; $NAME\n  x y = ${NAME}\n";
    let out = rendered(text, b"n\xc3\xa9 m").expect("it is rendered");
    let found = [
        ("DEFAULT", &[][..]),
        ("a né m", &[("kné m.b", "1"), ("né m", "2")]),
        ("né m", &[("x y", "né m")]),
    ];
    assert_eq!(peer.read(&out), Ok(sections(&found)), "{out}");
    assert!(out.contains("] ; $NAME\n"), "{out}");
}

#[test]
fn an_empty_value_is_one_where_a_text_may_be_empty() {
    for (text, expected) in [
        ("[s]\nk = $NAME", Ok("[s]\nk = ")),
        ("[s]\nk = $NAME\n b", Ok("[s]\nk = \n b")),
        ("[s]\nk$NAME = a$NAME", Ok("[s]\nk = a")),
        ("[s]\nk = a\n b$NAME\n", Ok("[s]\nk = a\n b\n")),
        ("[$NAME x]\n", Ok("[ x]\n")),
        ("[s]\nk = a\n $NAME\n", Err(super::EMPTY_LINE)),
        ("[s]\nk = a\n $NAME\n b", Err(super::EMPTY_LINE)),
        ("[s]\n$NAME = a", Err(super::EMPTY_NAME)),
        ("[$NAME]\n", Err(super::EMPTY_NAME)),
        ("[s]\nk = $NAME b", Err(super::EDGES)),
        ("[s]\nk = a $NAME", Err(super::EDGES)),
        ("[s]\nk = a\n $NAME b", Err(super::EDGES)),
        ("[s]\nk = a\n $NAME#b", Err(super::COMMENT)),
        ("[s]\n$NAME#b = a", Err(super::OPENING)),
        ("[s]\n$NAME[b = a", Err(super::OPENING)),
        ("[s]\n$NAME b = a", Err(super::EDGES)),
        ("[s]\nb $NAME= a", Err(super::EDGES)),
    ] {
        let out = rendered(text, b"");
        assert_eq!(out, expected.map(str::to_owned).map_err(Failed::Value), "{text:?}");
    }
}

#[test]
fn what_does_not_read_back_is_refused() {
    let (value, further) = ("[s]\nk = $NAME", "[s]\nk = a\n $NAME");
    let (option, section) = ("[s]\nx$NAME = 1", "[x$NAME]");
    let (begins_option, begins_section) = ("[s]\n$NAME = 1", "[$NAME]");
    for text in [value, further, option, section] {
        for line_end in "\n\r\u{b}\u{c}\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}".chars() {
            let refused = rendered(text, format!("a{line_end}b").as_bytes());
            assert_eq!(refused, Err(Failed::Value(super::LINES)), "{text:?} {line_end:?}");
        }
        assert_eq!(rendered(text, b"a\0"), Err(Failed::Value(Refusal::Nul)));
        assert_eq!(rendered(text, b"a\xff"), Err(Failed::Value(Refusal::NotUtf8)));
    }
    for blank in [" ", "\t", "\u{1f}", "\u{a0}", "\u{1680}", "\u{2003}", "\u{3000}"] {
        for text in [value, further, begins_option] {
            for value in [blank.to_owned(), format!("{blank}a"), format!("a{blank}")] {
                let refused = rendered(text, value.as_bytes());
                assert_eq!(refused, Err(Failed::Value(super::EDGES)), "{text:?} {value:?}");
            }
        }
    }
    for (text, values, refusal) in [
        (further, &["#", "# x", ";x"][..], super::COMMENT),
        (begins_option, &["#", ";x", "[", "[x]"], super::OPENING),
        (begins_option, &["\u{feff}", "\u{feff}a"], super::MARK),
        (option, &["=", "a:b"], super::DELIMITER),
        (section, &["]", "a]b", "] ["], super::DELIMITER),
        (option, &["A", "aÉ", "İ"], super::CASE),
        (begins_section, &["DEFAULT"], super::DEFAULTS),
    ] {
        for value in values {
            let refused = rendered(text, value.as_bytes());
            assert_eq!(refused, Err(Failed::Value(refusal)), "{text:?} {value}");
        }
    }
    // A final sigma would be one no more.
    assert_eq!(rendered("[s]\nΑΣ$NAME = 1", b"a"), Err(Failed::Value(super::CASE)));
    assert!(rendered("[s]\nX$NAME = 1", b"a").is_ok());
    assert!(rendered("[DEFAULT]\nx = $NAME", b"A").is_ok());
}

#[test]
fn names_that_become_the_same_are_refused() {
    for (text, value, scalar) in [
        ("[s]\na = 1\n$NAME = 2", "a", 0),
        ("[s]\nA = 1\n$NAME = 2", "a", 0),
        ("[s]\n$NAME = 1\na = 2", "a", 0),
        ("[s]\nv = $NAME\n$NAME = 1\nX${NAME} = 2\nxa = 3", "a", 2),
        ("[s]\n$NAME = 1\n${NAME} = 2", "a", 1),
        ("[s]\nÄB = 1\näB$NAME = 2", "", 0),
        ("[a]\n[b]\nv = $NAME\n[$NAME]", "a", 1),
        ("[$NAME]\n[b]\nv = $NAME\n[a]", "a", 0),
        ("[DEFAULT]\na = 1\n[s]\n$NAME = 2", "a", 0),
        ("[s]\na = 1\n[DEFAULT]\n$NAME = 2", "a", 0),
        ("[DEFAULT]\n[s]\n[DEFAULT]\n$NAME = 2\n[DEFAULT]\na = 1", "a", 0),
        ("[s]\na = 1\n[t]\n[s]\n$NAME = 2", "a", 0),
        ("[s]\n$NAME = 2\n[t]\n[s]\nb\nb\na", "a", 0),
        ("a = 1\n$NAME = 2", "a", 0),
        ("$NAME = 2\n[s]\n[DEFAULT]\na", "a", 0),
        ("[s]\n[s]\n[$NAME]", "s", 0),
    ] {
        let changed = Changed { scalar, why: Refusal::Duplicate };
        assert_eq!(rendered(text, value.as_bytes()), Err(Failed::Output(changed)), "{text:?}");
        assert!(rendered(text, b"other").is_ok() || text.contains("${NAME} = 2"), "{text:?}");
    }
    // These are of different sections, or the template's own.
    for text in [
        "[s]\na = 1\n[$NAME]\na = 2",
        "[DEFAULT]\na = 1\n[$NAME]\na = 2\n[DEFAULT]",
        "x = 1\n[s]\n$NAME = 2\n[t]\nx = 3",
        "[s]\na = 1\na = 2\n[s]\na\n$NAME = 2",
    ] {
        assert!(rendered(text, b"x").is_ok(), "{text:?}");
    }
}

#[test]
fn comments_hold_no_references_and_layout_stays() {
    let text = "\u{feff}# $NAME\r\n ; ${NAME}\r\n\t[s] # $NAME\r\n\r\n  k\t:\t$NAME  \r\n    \
                # $NAME\r\n\r\n\u{a0}\u{a0}\u{a0} # no $NAME\n   v$NAME\r\n";
    let expected = text.replace(":\t$NAME", ":\tx").replace("v$NAME", "vx");
    assert_eq!(rendered(text, b"x"), Ok(expected));
    let layout = lay_out(Format::Ini, text.as_bytes()).expect("valid");
    let comments = layout.sites.iter().filter(|site| **site == Site::Comment).count();
    assert_eq!((layout.sites.len(), comments), (7, 5));
    // Behind text there are no comments.
    assert_eq!(rendered("[s]\nk = a # $NAME", b"x"), Ok("[s]\nk = a # x".to_owned()));
}

/// What an application's own reader takes, and Python's only if it is told to.
#[test]
fn what_stands_before_any_section_or_comes_again_or_has_no_value_is_read() {
    let mut peer = Configparser::start();
    for (text, error) in [
        // grafana.ini, and Gitea's app.ini.
        ("app_mode = production\n\n[server]\ncert = $NAME\n", "MissingSectionHeaderError"),
        ("\u{feff}# $NAME\nAPP = $NAME\n[a]\n[b]\n", "MissingSectionHeaderError"),
        // php.ini, uwsgi.ini and a unit of systemd's.
        ("[PHP]\nextension=a\nextension=$NAME\n", "DuplicateOptionError"),
        ("[uwsgi]\nenv = A=$NAME\nenv = B=${NAME}\n", "DuplicateOptionError"),
        ("[Peer]\nkey = $NAME\n[Peer]\nother = $NAME\n", "DuplicateSectionError"),
        // my.cnf.
        ("[mysqld]\nskip-networking\n\npassword = $NAME\n", "ParsingError"),
        ("!includedir /etc/x\n[a]\nb\n$NAME = 1\n  c\n", "MissingSectionHeaderError"),
    ] {
        for value in ["x", "a b = \"#;\\", "[x]"] {
            let Ok(out) = rendered(text, value.as_bytes()) else {
                assert!(text.contains("\n$NAME =") && value != "x", "{text}");
                continue;
            };
            assert_eq!(peer.read(&out), Err(error.to_owned()), "{out}");
            let expected = peer.read_leniently(&text.replace("${NAME}", "$NAME"));
            let expected = expected.map(|found| replaced(found, &["$NAME", "$name"], value));
            assert_eq!(peer.read_leniently(&out), expected, "{out}");
            assert!(out.contains(value), "{out}");
        }
    }
}

fn fault(text: &[u8]) -> (usize, &'static str, &'static str) {
    match lay_out(Format::Ini, text) {
        Err(Fault { at, kind: FaultKind::Unsafe { what, hint } }) => (at, what, hint),
        other => panic!("{}: {other:?}", text.escape_ascii()),
    }
}

#[test]
fn a_reference_in_a_name_without_a_value_is_refused() {
    for (text, at) in [
        ("$NAME\n", 0),
        ("[s]\n  a${NAME} b\n", 7),
        ("[s]\n[$NAME\n", 5),
        ("[s]\nk = 1\n$NAME\n", 10),
    ] {
        let fault = Some(Fault { at, kind: super::BARE });
        assert_eq!(lay_out(Format::Ini, text.as_bytes()).err(), fault, "{text}");
    }
}

#[test]
fn what_is_no_ini_is_refused_where_it_stands() {
    for (text, at, message) in [
        (&b"[s]\n = $NAME\n"[..], 5, NO_NAME),
        (b": $NAME", 0, NO_NAME),
        (b"[s]\na\n\n b$NAME", 8, NO_VALUE),
        (b"[s]\na = $NAME\0", 13, NUL),
        (b"[s]\na = \r$NAME", 8, LONE_RETURN),
        (b"[s]\na = 1\r\r\n", 9, LONE_RETURN),
        (b"[s]\na = \xe9$NAME", 8, NOT_UTF8),
        (b"\xff\xfe[\0s\0]\0", 0, WIDE),
    ] {
        let (found, what, hint) = fault(text);
        assert_eq!((found, what), (at, message), "{}", text.escape_ascii());
        assert!(hint.contains("`--format text`"), "{hint}");
    }
    for (text, at) in [("[s] $NAME\n", 4), ("[s] a # $NAME\na = 1", 8), ("[s] $NAME\na\n", 4)] {
        let fault = Some(Fault { at, kind: FaultKind::NoScalar });
        assert_eq!(lay_out(Format::Ini, text.as_bytes()).err(), fault, "{text}");
    }
    for (text, at) in [("[s]\n[a = $NAME", 4), ("[s]\n[$NAME = 1", 4), ("[a]$NAME]", 2)] {
        let fault = lay_out(Format::Ini, text.as_bytes()).expect_err("it is refused");
        let ambiguous = matches!(fault.kind, FaultKind::Unsafe { .. });
        assert_eq!((fault.at, ambiguous), (at, true), "{text}");
    }
}

#[test]
fn length_is_no_matter() {
    let long = "x".repeat(5_000_000);
    let text = format!("[s]\nk = {long}${{NAME}}{long}\n");
    assert_eq!(rendered(&text, long.as_bytes()).map(|out| out.len()), Ok(15_000_009));
    let names = (0..1_000).map(|i| format!("[{i}]\nk{i} = $NAME\n$NAME = 1\n"));
    let text = names.collect::<String>();
    assert_eq!(rendered(&text, b"x"), Ok(text.replace("$NAME", "x")));
    let names = (0..200_000).map(|i| format!("[{i}$NAME]\nk{i} = $NAME\n$NAME = 1\n"));
    let layout = lay_out(Format::Ini, names.collect::<String>().as_bytes());
    assert_eq!(layout.map(|layout| layout.scalars.len()), Ok(600_000));
    let deep = (0..3_000).map(|i| format!("{}k{i} = $NAME\n", " ".repeat(3_000 - i)));
    let text = format!("[s]\n{}", deep.collect::<String>());
    assert_eq!(rendered(&text, b"x"), Ok(text.replace("$NAME", "x")));
}
