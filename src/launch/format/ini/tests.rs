//! Every value, read again by Python's configparser.

use std::cell::{Cell, RefCell};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::test_runner::TestRunner;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::trial::{Failed, lay_out, render};
use super::super::{Changed, Fault, FaultKind, Format, Refusal, Site};
use super::peer::{Configparser, Sections};

fn rendered(text: &str, value: &[u8]) -> Result<String, Failed> {
    let out = render(Format::Ini, text.as_bytes(), |_| value.to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn sections(sections: &[(&str, &[(&str, &str)])]) -> Sections {
    let own = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
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
            assert!(read[1].1[0].1.contains(value), "{read:?}");
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
        ("[s]\n$NAME = 1\na = 2", "a", 0),
        ("[s]\nv = $NAME\n$NAME = 1\nX${NAME} = 2\nxa = 3", "a", 2),
        ("[s]\n$NAME = 1\n${NAME} = 2", "a", 1),
        ("[s]\nÄB = 1\näB$NAME = 2", "", 0),
        ("[a]\n[b]\nv = $NAME\n[$NAME]", "a", 1),
        ("[$NAME]\n[b]\nv = $NAME\n[a]", "a", 0),
        ("[DEFAULT]\na = 1\n[s]\n$NAME = 2", "a", 0),
        ("[s]\na = 1\n[DEFAULT]\n$NAME = 2", "a", 0),
        ("[DEFAULT]\n[s]\n[DEFAULT]\n$NAME = 2\n[DEFAULT]\na = 1", "a", 0),
    ] {
        let changed = Changed { scalar, why: Refusal::Duplicate };
        assert_eq!(rendered(text, value.as_bytes()), Err(Failed::Output(changed)), "{text:?}");
        assert!(rendered(text, b"other").is_ok() || text.contains("${NAME} = 2"), "{text:?}");
    }
    for text in ["[s]\na = 1\n[$NAME]\na = 2", "[DEFAULT]\na = 1\n[$NAME]\na = 2\n[DEFAULT]"] {
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

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "ini", message: message.to_owned() } }
}

#[test]
fn what_is_no_ini_is_refused_where_it_stands() {
    for (text, at, message) in [
        (&b"$NAME = 1"[..], 0, "no `[section]` stands before this line"),
        (b"# c\n  a = $NAME", 6, "no `[section]` stands before this line"),
        (b"\xef\xbb\xbf\xef\xbb\xbf[s]", 3, "no `[section]` stands before this line"),
        (b"[]\n", 0, "no `[section]` stands before this line"),
        (b"[s]\n[$NAME\n", 4, "this line has no `=` and no `:`"),
        (b"[s]\n a\n", 5, "this line has no `=` and no `:`"),
        (b"[s]\n = $NAME\n", 5, "this option has no name"),
        (b"[s]\na = 1\nA: $NAME", 10, "this option is there already in its section"),
        (b"[DEFAULT]\na=1\n[DEFAULT]\na=1", 24, "this option is there already in its section"),
        (b"[s]\n[t]\n[s]", 9, "this section is there already"),
        (b"[s]\na = $NAME\0", 13, "a NUL byte"),
        (b"[s]\na = \r$NAME", 8, "a carriage return stands alone"),
        (b"[s]\na = 1\r\r\n", 9, "a carriage return stands alone"),
        (b"[s]\na = \xe9$NAME", 8, "it is not UTF-8"),
        (b"\xff\xfe[\0s\0]\0", 0, "it is UTF-16 or UTF-32, not UTF-8"),
    ] {
        let refused = lay_out(Format::Ini, text).err();
        assert_eq!(refused, Some(syntax(at, message)), "{}", text.escape_ascii());
    }
    for (text, at) in [("[s] $NAME\n", 4), ("[s] a # $NAME\na = 1", 8)] {
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

/// Marks are in lower case, as an option's name is read.
fn marks() -> Vec<String> {
    (0..4).map(|i| format!("mark{i}mark")).collect()
}

fn line() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => prop::sample::select(vec!["$S0", "${S1}", "${S2}", "$S3", "$$S0", "$$$S1", "$${S2}"]),
        8 => prop::sample::select(vec![
            "a", "Bx", "c d", " ", "  ", "\t", "=", ":", "#", ";", "[", "]", "\"", "'", "%", "\\",
            "é", "Σ", "$host", "$", "\u{a0}", "\u{b}", "\u{1f}", "\u{85}", "\u{2028}", "\u{200b}",
        ]),
    ];
    let text = move |most| prop::collection::vec(pieces.clone(), 0..most);
    let text = move |most| text(most).prop_map(|pieces| pieces.concat());
    let indent = prop::sample::select(vec!["", "", "", " ", "  ", "\t", "\u{a0} "]);
    let indented = move |line: &str| (indent.clone(), Just(line.to_owned()));
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", " \n", ""]);
    let body = prop_oneof![
        6 => (indented(""), text(3), prop::sample::select(vec!["=", " = ", ":", ": "]), text(4))
            .prop_map(|((i, _), name, delimiter, value)| format!("{i}k{name}{delimiter}{value}")),
        2 => (indented(""), text(3), text(3)).prop_map(|((i, _), a, b)| format!("{i}{a}={b}")),
        2 => (text(2)).prop_map(|name| format!("[s{name}]")),
        1 => (indented(""), text(2)).prop_map(|((i, _), name)| format!("{i}[{name}] ; $S0")),
        2 => text(3).prop_map(|text| format!("   {text}")),
        1 => text(2).prop_map(|text| format!("# {text}")),
        1 => text(2).prop_map(|text| format!(" ;{text}")),
        1 => Just(String::new()),
        1 => text(4),
    ];
    // What only ends lines for `str.splitlines` is to be told from those that are empty.
    (body, end).prop_map(|(body, end)| if end.is_empty() { body + "\n" } else { body + end })
}

/// Mostly each line has a section and a name of its own.
fn document() -> impl Strategy<Value = String> {
    let start =
        prop::sample::select(vec!["[x]\n", "[DEFAULT]\n", "# c $S0\n[x]\n", "\u{feff}[x]\n"]);
    (start, prop::collection::vec(line(), 1..6)).prop_map(|(start, lines)| {
        let lines = lines.iter().enumerate();
        let lines = lines.map(|(i, line)| line.replacen('k', &format!("k{i}"), 1));
        start.to_owned() + &lines.collect::<String>()
    })
}

fn text_value() -> impl Strategy<Value = String> {
    let nasty = vec![
        "", "#", ";", "=", ":", "[", "]", "[x]", "x=1", "\n", "\r", "x\n[y]", "\nk = 1", " ", " a",
        "a ", "\t", "\u{b}", "\u{1c}", "\u{85}", "\u{a0}", "\u{2028}", "\"", "'", "\\", "%(x)s",
        "${S0}", "DEFAULT", "k0", "s", "A", "é",
    ];
    let nasty = prop::collection::vec(prop::sample::select(nasty), 1..3);
    prop_oneof![
        4 => "[ -~é]{0,6}",
        2 => nasty.prop_map(|parts| parts.concat()),
        1 => any::<String>(),
    ]
}

fn replaced(sections: Sections, texts: &[String]) -> Sections {
    let text = |text: String| {
        let texts = texts.iter().zip(marks());
        texts.fold(text, |text, (value, mark)| text.replace(&mark, value))
    };
    let option = |(name, value)| (text(name), text(value));
    let options = |found: Vec<_>| found.into_iter().map(option).collect();
    sections.into_iter().map(|(name, found)| (text(name), options(found))).collect()
}

fn rendered_with(document: &str, texts: &[String]) -> Result<String, Failed> {
    let value = |name: &str| texts[name[1..].parse::<usize>().expect("a number")].clone();
    let out = render(Format::Ini, document.as_bytes(), |name| value(name).into_bytes())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

/// What configparser reads from an accepted document is what it reads with plain marks in the
/// places of the values; what it does not read at all is refused.
#[test]
fn configparser_finds_the_values_and_nothing_else() {
    let peer = RefCell::new(Configparser::start());
    let accepted = Cell::new(0);
    let strategy = (document(), prop::collection::vec(text_value(), 4));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let checked = runner.run(&strategy, |(document, texts)| {
        let mut peer = peer.borrow_mut();
        let marked = rendered_with(&document, &marks());
        if let Err(Failed::Template(Fault { kind: FaultKind::Syntax { .. }, .. })) = marked {
            let grammar = crate::launch::reference::Grammar::default();
            let mut plain = document.clone();
            for found in grammar.scan(document.as_bytes()).collect::<Vec<_>>().iter().rev() {
                plain.replace_range(found.start..found.end, "mark");
            }
            prop_assert!(peer.read(&plain).is_err(), "{}", plain);
        }
        let Ok(marked) = marked else { return Ok(()) };
        let expected = peer.read(&marked);
        prop_assert!(expected.is_ok(), "{}", marked);
        if let Ok(out) = rendered_with(&document, &texts) {
            accepted.set(accepted.get() + 1);
            prop_assert_eq!(peer.read(&out), expected.map(|found| replaced(found, &texts)));
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted.get() > 500, "most are refused: {}", accepted.get());
}

proptest! {
    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "[s]\n", "[", "]", "=", ":", "#", ";", "\n", "\r", " ", "$S0", "${S1}", "$$S0",
                    "a", "é", "\u{feff}", "\u{a0}", "[DEFAULT]\n", "k = ",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        value in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let text = pieces.concat();
        if let Err(Failed::Template(fault)) = render(Format::Ini, &text, |_| value.clone()) {
            prop_assert!(fault.at <= text.len());
        }
    }
}
