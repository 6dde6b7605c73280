//! Every value, read again by Java's rules, and by a library of others.

use std::cell::Cell;

use java_properties::{LineContent, PropertiesIter};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::test_runner::TestRunner;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::trial::{Failed, lay_out, render};
use super::super::{Changed, Fault, FaultKind, Format, Refusal, Site};
use super::java::{Pairs, load};
use super::write::EMPTY_KEY;

fn rendered(text: &str, value: &[u8]) -> Result<String, Failed> {
    let out = render(Format::Properties, text.as_bytes(), |_| value.to_vec())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

fn load_latin(document: &[u8]) -> Option<Pairs> {
    load(&document.iter().copied().map(u16::from).collect::<Vec<_>>())
}

fn load_utf8(document: &[u8]) -> Option<Pairs> {
    let document = std::str::from_utf8(document).ok()?;
    load(&document.encode_utf16().collect::<Vec<_>>())
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// Renders, and Java must find this one pair.
fn check(text: &str, value: &str, expected: (&str, &str)) {
    let out = rendered(text, value.as_bytes());
    let out = out.unwrap_or_else(|error| panic!("{text:?}, {value:?}: {error:?}"));
    let expected = Some(vec![(units(expected.0), units(expected.1))]);
    assert_eq!(load_latin(out.as_bytes()), expected, "{out:?}");
    assert_eq!(load_utf8(out.as_bytes()), expected, "{out:?}");
}

#[test]
fn values_are_escaped_where_they_stand() {
    for (text, value, expected) in [
        ("k=$NAME", "https://x/?a=b#c!", "k=https://x/?a=b#c!"),
        ("k=$NAME", "=:#! x", "k=\\=:#! x"),
        ("k a$NAME", "=", "k a="),
        ("k==$NAME", "=", "k==="),
        ("k $NAME", "=x", "k \\=x"),
        ("k=$NAME", " a  b ", "k=\\u0020a  b\\u0020"),
        ("k=$NAME", "\\n\\", "k=\\\\n\\\\"),
        ("k=$NAME", "\t\n\r\x0c\0\u{7f}\u{b}", "k=\\t\\n\\r\\f\\u0000\\u007F\\u000B"),
        ("k=$NAME", "é\u{2028}😀", "k=\\u00E9\\u2028\\uD83D\\uDE00"),
        ("k=$NAME${NAME}$$NAME$$$NAME", "#", "k=\\##$NAME$#"),
        ("k=\\\n  $NAME", " #a", "k=\\\n  \\u0020#a"),
        ("k=a\\\r\n\t$NAME\\\r  b", "#", "k=a\\\r\n\t\\#\\\r  b"),
        ("k=a\\\r\n #$NAME", "x", "k=a\\\r\n #x"),
        ("$NAME=1", "a =:#!\\é", "a\\u0020\\=\\:\\#\\!\\\\\\u00E9=1"),
        ("a$NAME b$NAME", "#", "a\\# b#"),
        ("k\\=$NAME: $NAME", ":", "k\\=\\:: \\:"),
        (
            "\\u0024NAME=\\u0024NAME${NAME}\\u00\\\n  e9",
            "x",
            "\\u0024NAME=\\u0024NAMEx\\u00\\\n  e9",
        ),
        ("k=\\\\$NAME", "x", "k=\\\\x"),
        ("k=$NAME\\", "x", "k=x\\"),
    ] {
        assert_eq!(rendered(text, value.as_bytes()).as_deref(), Ok(expected), "{text:?} {value:?}");
    }
    let nasty = " =:#!\\ \t\n\r\x0c\0\u{7f}\u{85}é\u{2028}😀\u{feff} \\u0041 \\";
    for value in ["", "x", "=", " ", "\\", "#", "\n", nasty] {
        for separator in ["=", " = ", ":", " ", "\t", "\\\n =\\\n "] {
            check(&format!("k{separator}$NAME"), value, ("k", value));
            check(&format!(" k{separator}${{NAME}} b\\\n c"), value, ("k", &format!("{value} bc")));
            let long = format!("k{separator}a\\\n ${{NAME}}\\\n\tc");
            check(&long, value, ("k", &format!("a{value}c")));
            if !value.is_empty() {
                check(&format!("$NAME{separator}v"), value, (value, "v"));
                check(
                    &format!("a\\\n $NAME{separator}$NAME"),
                    value,
                    (&format!("a{value}"), value),
                );
                check(&format!("\\\n $NAME{separator}$NAME"), value, (value, value));
            }
        }
        check("k$NAME", value, (&format!("k{value}"), ""));
    }
    let refused = render(Format::Properties, b"k=$NAME", |_| b"\xff".to_vec());
    assert_eq!(refused, Err(Failed::Value(Refusal::NotUtf8)));
}

#[test]
fn an_empty_value_does_not_change_how_a_line_is_read() {
    for (text, expected) in [
        ("k=$NAME b", "k=\\ b"),
        ("k ${NAME}=b", "k \\=b"),
        ("k=${NAME}=b", "k=\\=b"),
        ("k=a\\\n  ${NAME} b", "k=a\\\n  \\ b"),
        ("k=a\\\n  ${NAME}", "k=a\\\n  "),
        ("k ${NAME}\\\n  :b", "k \\\n  \\:b"),
        ("${NAME}#a=b", "\\#a=b"),
        ("${NAME}\\\n!a=b", "\\\n\\!a=b"),
        ("a$NAME=b", "a=b"),
        ("a${NAME}\\\n#b=c", "a\\\n#b=c"),
        ("$NAME\\ a=b", "\\ a=b"),
        ("a\\\n  $NAME !b", "a !b"),
        ("a\\\n  $NAME\\\n\\\r\t${NAME}\\\n b", "a\\\n  \\\n\\\r\t\\\n b"),
        ("\\\n a\\\r\n$NAME\\\n\t $NAME\\\n b", "\\\n a\\\r\n\\\n\t \\\n b"),
    ] {
        assert_eq!(rendered(text, b"").as_deref(), Ok(expected), "{text:?}");
        let (mark, out) = (rendered(text, b"M").expect("valid"), expected.as_bytes());
        let without = |text: Vec<u16>| text.into_iter().filter(|c| *c != 77).collect::<Vec<_>>();
        let marked = load_latin(mark.as_bytes()).expect("it is read").remove(0);
        assert_eq!(load_latin(out), Some(vec![(without(marked.0), without(marked.1))]), "{text:?}");
    }
    for text in
        ["$NAME=a", "$NAME a", "$NAME", " \\\n $NAME:b", "$NAME\\\n =b", "$NAME\\\n", "$NAME\\"]
    {
        assert_eq!(rendered(text, b""), Err(Failed::Value(EMPTY_KEY)), "{text:?}");
    }
}

#[test]
fn a_carriage_return_stays_apart_from_the_next_line_feed() {
    assert_eq!(rendered("k=x\\\r${NAME}\nb=1", b"").as_deref(), Ok("k=x\nb=1"));
    assert_eq!(rendered("k=x\\\r${NAME}\nb=1", b"y").as_deref(), Ok("k=x\\\ry\nb=1"));
    for text in ["k=\\\r$NAME\nb=1", "k \\\r$NAME", "k\\\r=\\\r$NAME"] {
        let at = text.find('$').expect("a reference");
        let refused = Fault { at, kind: super::RETURN };
        assert_eq!(rendered(text, b""), Err(Failed::Template(refused)), "{text:?}");
    }
    assert_eq!(rendered("a=1\r$NAME=2\rb=$NAME", b"x").as_deref(), Ok("a=1\rx=2\rb=x"));
}

#[test]
fn comments_hold_no_references_and_layout_stays() {
    let text = "# $NAME\r\n\x0c ! ${NAME} \\\r\n\n\tk\t:\t$NAME  \r # $NAME\\\\\\\rl m\\\n # $NAME";
    let expected = text.replace(":\t$NAME", ":\tx").replace("\n # $NAME", "\n # x");
    assert_eq!(rendered(text, b"x"), Ok(expected));
    let layout = lay_out(Format::Properties, text.as_bytes()).expect("valid");
    let comments = layout.sites.iter().filter(|site| **site == Site::Comment).count();
    assert_eq!((layout.sites.len(), comments), (5, 3));
}

#[test]
fn the_templates_own_bytes_may_be_of_any_encoding() {
    let text = b"caf\xe9=\xff\\\xe9$NAME\xe2\x82\xac\n";
    let out = render(Format::Properties, text, |_| "é".into());
    assert_eq!(out, Ok(b"caf\xe9=\xff\\\xe9\\u00E9\xe2\x82\xac\n".to_vec()));
}

#[test]
fn keys_that_become_the_same_are_refused() {
    for (text, value, scalar) in [
        (&b"a=1\n$NAME=2"[..], "a", 0),
        (b"$NAME=1\na", "a", 0),
        (b"v=$NAME\n$NAME=1\n${NAME} 2", "x", 2),
        (b"${NAME}\\\na=1\na=2", "", 0),
        (b"\\u0061\\\n \\b=1\n$NAME=2", "ab", 0),
        (b"\\u00\\\n  61\\t\\=1\n$NAME=2", "a\t=1", 0),
        (b"\\u00\\\n  61\\t\\==1\n$NAME=2", "a\t=", 0),
        // As ISO-8859-1, as UTF-8.
        (b"\xe9=1\n$NAME=2", "\u{e9}", 0),
        (b"\xc3\xa9=1\n$NAME=2", "\u{c3}\u{a9}", 0),
        (b"\xc3\xa9=1\n$NAME=2", "\u{e9}", 0),
        (b"\xf0\x9f\x98\x80\\n=1\n$NAME=2", "\u{1f600}\n", 0),
        (b"\\ud83d\\ude00=1\n$NAME=2", "\u{1f600}", 0),
    ] {
        let out = render(Format::Properties, text, |_| value.into());
        let changed = Changed { scalar, why: Refusal::Duplicate };
        assert_eq!(out, Err(Failed::Output(changed)), "{}", text.escape_ascii());
    }
    assert!(rendered("a=1\na=2\n$NAME=3", b"x").is_ok());
    assert!(rendered("a=1\na=$NAME", b"x").is_ok());
}

#[test]
fn an_escape_that_reaches_into_a_reference_is_refused() {
    for (text, at) in [
        ("k=\\$NAME", 3),
        ("\\${NAME}=1", 1),
        ("k=\\\\\\$$NAME", 5),
        ("k=$NAME\\$NAME", 8),
        ("k=\\u$NAME", 4),
        ("k=\\u004${NAME}", 7),
        ("k=\\u00\\\n  $NAME", 10),
        ("k\\u00$NAME=1", 5),
    ] {
        let fault = Some(Fault { at, kind: FaultKind::Escape });
        assert_eq!(lay_out(Format::Properties, text.as_bytes()).err(), fault, "{text:?}");
    }
}

#[test]
fn what_java_does_not_read_is_refused_where_it_stands() {
    let malformed = "`\\u` and not four hexadecimal digits";
    for (text, at, message) in [
        (&b"k=$NAME\\u12"[..], 7, malformed),
        (b"k\\u12=4$NAME", 1, malformed),
        (b"\\uu0061=$NAME", 0, malformed),
        (b"k=\\u00\\\n\n41 $NAME", 2, malformed),
        (b"k=\\u00\xc3\xa9", 2, malformed),
        (b"k=$NAME\0", 7, "a NUL byte"),
        (b"\xfe\xff\0k", 0, "it is UTF-16 or UTF-32"),
    ] {
        let kind = FaultKind::Syntax { format: "properties", message: message.to_owned() };
        let fault = lay_out(Format::Properties, text).err();
        assert_eq!(fault, Some(Fault { at, kind }), "{}", text.escape_ascii());
    }
    for (text, at) in [("\u{feff}# $NAME", 0), ("a\n\\\n # $NAME", 5)] {
        let fault = lay_out(Format::Properties, text.as_bytes()).expect_err("it is refused");
        let ambiguous = matches!(fault.kind, FaultKind::Unsafe { .. });
        assert_eq!((fault.at, ambiguous), (at, true), "{text:?}");
    }
    assert!(lay_out(Format::Properties, b"# \\u12 $NAME").is_ok());
}

#[test]
fn length_is_no_matter() {
    let long = "x".repeat(5_000_000);
    let text = format!("k={long}${{NAME}}{long}\n");
    assert_eq!(rendered(&text, long.as_bytes()).map(|out| out.len()), Ok(15_000_003));
    let text = format!("k={}$NAME", "\\\n ".repeat(1_000_000));
    assert_eq!(rendered(&text, b"x"), Ok(text.replace("$NAME", "x")));
    let text = format!("k={}$NAME", "\\u\\\n00\\\n41\\\\".repeat(300_000));
    assert_eq!(rendered(&text, b"x"), Ok(text.replace("$NAME", "x")));
    let text = (0..1_000).map(|i| format!("a{i}$NAME=$NAME\n")).collect::<String>();
    assert_eq!(rendered(&text, b"x"), Ok(text.replace("$NAME", "x")));
    let layout = lay_out(Format::Properties, text.repeat(200).as_bytes());
    assert_eq!(layout.map(|layout| layout.scalars.len()), Ok(400_000));
}

fn line() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => prop::sample::select(vec!["$S0", "${S1}", "${S2}", "$S3", "$$S0", "$$$S1", "$${S2}"]),
        8 => prop::sample::select(vec![
            "a", "b c", " ", "\t", "\x0c", "=", ":", "#", "!", "\\\\", "\\n", "\\ ", "\\=", "\\:",
            "\\#", "\\q", "\\u00e9", "\\u0024", "\\uD83D\\ude00", "\\\n", "\\\r\n  ", "\\\r\t",
            "é", "$host", "$", "\\u00\\\n 41",
        ]),
        1 => prop::sample::select(vec!["\\", "\\u", "\\u00", "\n", "\r", "\u{b}", "ÿ"]),
    ];
    let text = move |most| prop::collection::vec(pieces.clone(), 0..most);
    let text = move |most| text(most).prop_map(|pieces| pieces.concat());
    let separator = vec!["=", " = ", ":", " : ", " ", "\t", "\\\n = \\\n ", " \\\r\n "];
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\r", " \n", "\\\n", "\n \n"]);
    let body = prop_oneof![
        6 => (text(4), prop::sample::select(separator), text(5))
            .prop_map(|(key, separator, value)| format!("{key}k{separator}{value}")),
        4 => (text(3), text(4)).prop_map(|(key, value)| format!("k{key}={value}")),
        1 => (text(3), text(4)).prop_map(|(key, value)| format!("{key} {value}")),
        1 => text(3).prop_map(|text| format!("# {text}")),
        1 => text(3).prop_map(|text| format!(" ! {text}")),
        1 => Just("\\\n ".to_owned()),
        1 => Just(String::new()),
    ];
    (body, end).prop_map(|(body, end)| body + end)
}

/// Mostly each line has a key of its own, and the last one may have no end.
fn document() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(line(), 1..6);
    (lines, any::<bool>()).prop_map(|(lines, ended)| {
        let lines = lines.iter().enumerate();
        let lines = lines.map(|(i, line)| line.replacen('k', &format!("k{i}"), 1));
        let document = lines.collect::<String>();
        if ended { document } else { document.trim_end_matches(['\r', '\n']).to_owned() }
    })
}

fn text_value() -> impl Strategy<Value = String> {
    let nasty = vec![
        "", " ", "\\", "=", ":", "#", "!", "\n", "\r", "\t", "\x0c", "\0", "x=1", "\nx=1", "u0041",
        "\\u0041", "é", "\u{85}", "\u{a0}", "\u{2028}", "${S0}", "k0", "\u{feff}", "\u{7f}",
    ];
    let nasty = prop::collection::vec(prop::sample::select(nasty), 1..4);
    prop_oneof![
        2 => "[ -~é]{0,6}",
        2 => nasty.prop_map(|parts| parts.concat()),
        1 => any::<String>(),
    ]
}

fn marks() -> Vec<String> {
    (0..4).map(|i| format!("mark{i}mark")).collect()
}

fn rendered_with(document: &str, texts: &[String]) -> Result<Vec<u8>, Failed> {
    let value = |name: &str| texts[name[1..].parse::<usize>().expect("a number")].clone();
    render(Format::Properties, document.as_bytes(), |name| value(name).into_bytes())
}

/// The pairs of a rendering with marks, with what each mark stands for.
fn replaced(pairs: Pairs, texts: &[String]) -> Pairs {
    let texts: Vec<_> = texts.iter().map(|text| units(text)).collect();
    let marks: Vec<_> = marks().iter().map(|mark| units(mark)).collect();
    let text = |text: Vec<u16>| {
        let mut out = Vec::new();
        let mut rest = &text[..];
        while let Some(first) = rest.first() {
            let mark = marks.iter().position(|mark| rest.starts_with(mark));
            out.extend_from_slice(mark.map_or(std::slice::from_ref(first), |i| &texts[i]));
            rest = &rest[mark.map_or(1, |i| marks[i].len())..];
        }
        out
    };
    pairs.into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

/// What the library finds, which knows no surrogate pairs and strips blanks that are none.
fn others(document: &[u8]) -> Option<Pairs> {
    let mut pairs = Vec::new();
    for line in PropertiesIter::new(document) {
        if let LineContent::KVPair(key, value) = line.ok()?.consume_content() {
            pairs.push((units(&key), units(&value)));
        }
    }
    Some(pairs)
}

#[test]
fn all_readers_find_the_values_and_nothing_else() {
    let accepted = Cell::new((0, 0));
    let strategy = (document(), prop::collection::vec(text_value(), 4));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let checked = runner.run(&strategy, |(document, texts)| {
        let marked = rendered_with(&document, &marks());
        if let Err(Failed::Template(Fault { kind: FaultKind::Syntax { .. }, .. })) = marked {
            prop_assert_eq!(load_utf8(document.as_bytes()), None, "{}", document);
        }
        let (Ok(marked), Ok(out)) = (marked, rendered_with(&document, &texts)) else {
            return Ok(());
        };
        let latin = load_latin(&marked).map(|pairs| replaced(pairs, &texts));
        prop_assert!(latin.is_some());
        prop_assert_eq!(load_latin(&out), latin, "{}", out.escape_ascii());
        let utf8 = load_utf8(&marked).map(|pairs| replaced(pairs, &texts));
        prop_assert_eq!(load_utf8(&out), utf8, "{}", out.escape_ascii());
        let (all, with_others) = accepted.get();
        let theirs = others(&marked).map(|pairs| replaced(pairs, &texts));
        let odd = texts.concat().contains(|c| c > '\u{ffff}') || document.contains('\u{b}');
        let is_theirs = theirs.is_some() && !odd;
        if is_theirs {
            prop_assert_eq!(others(&out), theirs, "{}", out.escape_ascii());
        }
        accepted.set((all + 1, with_others + usize::from(is_theirs)));
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    let (all, with_others) = accepted.get();
    assert!(all > 2_000 && with_others > 500, "most are refused: {all}, {with_others}");
}

proptest! {
    #[test]
    fn no_text_at_all_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "k", "=", ":", " ", "#", "\\", "\\u", "\\\n", "\n", "\r", "$S0", "${S1}",
                    "$$S0", "a", "é", "\u{feff}", "0041",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 1..3),
            ],
            0..24,
        ),
        value in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let text = pieces.concat();
        if let Err(Failed::Template(fault)) = render(Format::Properties, &text, |_| value.clone()) {
            prop_assert!(fault.at <= text.len());
        }
    }
}
