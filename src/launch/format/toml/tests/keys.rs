//! Few keys and fewer names, so that they meet: what is refused is what `tomllib` would refuse, or
//! would read with other tables.

use proptest::prelude::{Just, Strategy, prop, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::super::super::trial::{Failed, render};
use super::super::super::{Fault, FaultKind, Format, Refusal};
use super::readers::{replaced, toml, tomllib};

const CASES: usize = 20_000;

fn key() -> impl Strategy<Value = String> {
    let parts =
        ["a", "b", "c", "$A", "$B", "\"$A\"", "'${B}'", "\"a\"", "c$A", "\"\\u0063${A}\"", "'c'"];
    let part = prop::sample::select(parts.to_vec());
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("."))
}

fn statement() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => Just("1".to_owned()),
        1 => key().prop_map(|key| format!("{{{key} = 1}}")),
        1 => (key(), key()).prop_map(|(one, two)| format!("{{{one} = 1, {two} = {{}}}}")),
        1 => (key(), key()).prop_map(|(one, two)| format!("[{{{one} = 1}}, {{{two} = []}}]")),
    ];
    prop_oneof![
        3 => (key(), value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        2 => key().prop_map(|key| format!("[{key}]\n")),
        2 => key().prop_map(|key| format!("[[{key}]]\n")),
    ]
}

/// Renders by text alone, and not by what is tested. These values need no quotes.
fn marked(document: &str) -> String {
    let named = |text: String, name: &str, mark: &str| {
        text.replace(&format!("${{{name}}}"), mark).replace(&format!("${name}"), mark)
    };
    named(named(document.to_owned(), "A", "mark0mark"), "B", "mark1mark")
}

#[test]
fn tables_are_the_templates() {
    let statements = prop::collection::vec(statement(), 1..7);
    let values = prop::sample::select(vec!["a", "b", "c", "ca", "cca", "d", ""]);
    let cases = (statements, [values.clone(), values]);
    let mut runner = TestRunner::deterministic();
    let cases: Vec<(String, [&str; 2])> = (0..CASES)
        .map(|_| cases.new_tree(&mut runner).expect("a case").current())
        .map(|(statements, values)| (statements.concat(), values))
        .collect();
    let outputs: Vec<_> = cases
        .iter()
        .map(|(document, values)| {
            render(Format::Toml, document.as_bytes(), |name| {
                values[usize::from(name == "B")].as_bytes().to_vec()
            })
            .map(|out| String::from_utf8(out).expect("a document in UTF-8"))
        })
        .collect();
    let marks: Vec<_> = cases.iter().map(|(document, _)| marked(document)).collect();
    let marks = tomllib(marks.iter().map(String::as_str));
    let read = tomllib(outputs.iter().map(|out| out.as_deref().unwrap_or_default()));
    let (mut templates, mut same, mut rendered) = (0, 0, 0);
    for ((((document, values), out), marked), read) in
        cases.iter().zip(&outputs).zip(&marks).zip(&read)
    {
        let texts = [("mark0mark", values[0]), ("mark1mark", values[1])];
        let texts = texts.map(|(mark, value)| (mark.to_owned(), value.to_owned()));
        let expected = marked.as_ref().map(|marked| replaced(marked, &texts, &[]));
        match out {
            Ok(out) => {
                assert_eq!(Some(read), expected.as_ref(), "{document}{values:?}");
                assert_eq!(Some(&toml(out)), expected.as_ref(), "{document}{values:?}");
                rendered += 1;
            }
            Err(Failed::Output(changed)) => {
                assert_eq!(changed.why, Refusal::Duplicate);
                assert_eq!(expected, Some(None), "{document}{values:?}");
                same += 1;
            }
            Err(Failed::Template(Fault { kind: FaultKind::Syntax { .. }, .. })) => {
                assert_eq!(*marked, None, "{document}");
                templates += 1;
            }
            Err(failed) => panic!("{document}: {failed:?}"),
        }
    }
    assert!(templates > 1_000 && same > 1_000 && rendered > 1_000, "{templates} {same} {rendered}");
}
