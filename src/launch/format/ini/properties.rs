//! Random documents and values, read again by Python's configparser.

use std::cell::{Cell, RefCell};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof};
use proptest::test_runner::TestRunner;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::trial::{Failed, render};
use super::super::{Fault, FaultKind, Format};
use super::lines::{NO_NAME, NO_VALUE};
use super::peer::{Configparser, Reading, Sections};

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
        1 => Just("skip".to_owned()),
        1 => text(3).prop_map(|value| format!("again = {value}")),
    ];
    // What only ends lines for `str.splitlines` is to be told from those that are empty.
    (body, end).prop_map(|(body, end)| if end.is_empty() { body + "\n" } else { body + end })
}

/// Mostly each line has a section and a name of its own.
fn document() -> impl Strategy<Value = String> {
    let start =
        vec!["[x]\n", "[x]\n", "[DEFAULT]\n", "# c $S0\n[x]\n", "\u{feff}[x]\n", "", "\u{feff}"];
    let start = prop::sample::select(start);
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

/// With the value for each of the marks.
pub fn replaced(sections: Sections, marks: &[impl AsRef<str>], value: &str) -> Sections {
    let text =
        |text: String| marks.iter().fold(text, |text, mark| text.replace(mark.as_ref(), value));
    let option = |(name, value): (String, Option<String>)| (text(name), value.map(text));
    let options = |found: Vec<_>| found.into_iter().map(option).collect();
    sections.into_iter().map(|(name, found)| (text(name), options(found))).collect()
}

/// Errors stay what they are.
fn with_texts(reading: Reading, texts: &[String]) -> Reading {
    let marks = marks();
    let texts = texts.iter().zip(&marks);
    reading.map(|found| texts.fold(found, |found, (text, mark)| replaced(found, &[mark], text)))
}

fn rendered_with(document: &str, texts: &[String]) -> Result<String, Failed> {
    let value = |name: &str| texts[name[1..].parse::<usize>().expect("a number")].clone();
    let out = render(Format::Ini, document.as_bytes(), |name| value(name).into_bytes())?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

/// What configparser reads from an accepted document is what it reads with plain marks in the
/// places of the values, with its own options and with those of the lines here; what it does not
/// read with these is refused.
#[test]
fn configparser_finds_the_values_and_nothing_else() {
    let peer = RefCell::new(Configparser::start());
    let accepted = [Cell::new(0), Cell::new(0)];
    let strategy = (document(), prop::collection::vec(text_value(), 4));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let checked = runner.run(&strategy, |(document, texts)| {
        let mut peer = peer.borrow_mut();
        let marked = rendered_with(&document, &marks());
        if let Err(Failed::Template(Fault { kind: FaultKind::Unsafe { what, .. }, .. })) = marked
            && [NO_NAME, NO_VALUE].contains(&what)
        {
            let grammar = crate::launch::reference::Grammar::default();
            let mut plain = document.clone();
            for found in grammar.scan(document.as_bytes()).collect::<Vec<_>>().iter().rev() {
                plain.replace_range(found.start..found.end, "mark");
            }
            prop_assert!(peer.read_leniently(&plain).is_err(), "{}", plain);
        }
        let Ok(marked) = marked else { return Ok(()) };
        let (strict, lenient) = peer.readings(&marked);
        prop_assert!(lenient.is_ok(), "{}", marked);
        if let Ok(out) = rendered_with(&document, &texts) {
            let accepted = &accepted[usize::from(strict.is_ok())];
            accepted.set(accepted.get() + 1);
            let expected = (with_texts(strict, &texts), with_texts(lenient, &texts));
            prop_assert_eq!(peer.readings(&out), expected);
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    for accepted in accepted {
        assert!(accepted.get() > 300, "most are refused: {}", accepted.get());
    }
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
