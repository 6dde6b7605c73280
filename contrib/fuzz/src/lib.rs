//! What all targets share: an input becomes a template and values, goes through the launcher's own
//! stages, and what comes out is read again by parsers that are not the launcher's.
//!
//! The input is the template, then a byte 0xFF and a value, as often as one likes: the template's
//! names take them in turn. So every input means something, and no UTF-8 text is out of reach.

mod answers;
mod base64;
mod chain;
mod credential;
mod cursor;
mod database;
mod field;
mod glob;
mod grammar;
mod http;
mod json;
mod manifest;
mod pipeline;
mod reader;
mod row;
mod substitute;
mod token;
mod wire;
mod world;

use inject::launch::format::Format;
use inject::launch::plan::PlannedDocument;

pub use crate::credential::check as token;
pub use crate::cursor::check as cursor;
pub use crate::database::check as database;
pub use crate::glob::check as glob;
pub use crate::grammar::check as grammar;
pub use crate::http::check as http;
pub use crate::manifest::check as manifest;
pub use crate::row::check as row;
pub use crate::wire::check as wire;

use crate::pipeline::{planned, rendered};
use crate::reader::{Read, Reader, readers};
use crate::substitute::{names, substitute};
use crate::token::{Token, difference, shape};

const NAMES_MAX: usize = 20;
const VALUE_BYTES_MAX: usize = 64 << 10;

/// A template, the names in it, and a value for each of these.
struct Case {
    template: Vec<u8>,
    names: Vec<String>,
    values: Vec<Vec<u8>>,
}

/// A template with harmless values, put in with no regard to any format.
struct Marked {
    marks: Vec<Vec<u8>>,
    document: Vec<u8>,
}

/// Panics unless what is rendered has the template's structure, with the values where the
/// references were, and the template's bytes around them.
pub fn check(format: Format, input: &[u8]) {
    let Some(case) = Case::of(input) else { return };
    let Some((document, output)) = case.rendered(format, &case.values) else { return };
    if document.edits.is_empty() && output != case.template {
        case.fail(&output, "nothing is referred to, and the template changed");
    }
    if document.edits.is_empty() {
        return;
    }
    if let Some(why) = moved(&document, &output) {
        case.fail(&output, &why);
    }
    let holds = |text: &&str| contains(&case.template, text.as_bytes());
    for reader in readers(format).iter().filter(|one| !one.misreads.iter().any(holds)) {
        match case.expected(format, reader) {
            Some((expected, marked)) => case.judge(format, reader, &expected, &marked, &output),
            None if reader.exact && (reader.read)(&output).is_none() => {
                case.fail(&output, &format!("{} cannot read it", reader.name));
            }
            None => {}
        }
    }
}

/// Panics unless a text has its values, as the grammar says.
pub fn text(input: &[u8]) {
    let Some(case) = Case::of(input) else { return };
    let expected = substitute(&case.template, |name| case.value(&case.values, name));
    let output = case.rendered(Format::Text, &case.values).map(|(_, output)| output);
    if output != expected {
        let output = output.unwrap_or_else(|| b"(refused)".to_vec());
        case.fail(&output, &format!("expected {}", shown(&expected.unwrap_or_default())));
    }
}

impl Case {
    fn of(input: &[u8]) -> Option<Self> {
        let mut parts = input.split(|b| *b == 0xff);
        let template = parts.next()?.to_vec();
        // What the marks are made of is none of the template's.
        if contains(&template, b"qzx") || contains(&template, b"73100") {
            return None;
        }
        let names = names(&template);
        if names.len() > NAMES_MAX {
            return None;
        }
        let given: Vec<&[u8]> = parts.collect();
        let value = |i| given.get(i).map_or_else(|| b"v".to_vec(), |value: &&[u8]| value.to_vec());
        let values: Vec<Vec<u8>> = (0..names.len()).map(value).collect();
        let small = values.iter().all(|value| value.len() <= VALUE_BYTES_MAX);
        small.then_some(Self { template, names, values })
    }

    fn value(&self, values: &[Vec<u8>], name: &str) -> Vec<u8> {
        let at = self.names.iter().position(|other| other == name);
        values[at.expect("every name was found")].clone()
    }

    /// The document as it was planned, and what was made of it; none if it was refused.
    fn rendered(&self, format: Format, values: &[Vec<u8>]) -> Option<(PlannedDocument, Vec<u8>)> {
        let document = planned(format, &self.template).ok()?.documents.pop()?;
        let output = rendered(format, &self.template, |name| self.value(values, name))?;
        Some((document, output))
    }

    fn marked(&self, mark: fn(usize) -> String) -> Option<Marked> {
        let marks: Vec<_> = (0..self.names.len()).map(|i| mark(i).into_bytes()).collect();
        let document = substitute(&self.template, |name| self.value(&marks, name))?;
        Some(Marked { marks, document })
    }

    /// What a reader makes of the template with marks: words, or numbers where they have to stand.
    fn expected(&self, format: Format, reader: &Reader) -> Option<(Vec<Token>, Marked)> {
        let marked = [self.marked(word), self.marked(number)];
        let read = |marked: Marked| Some(((reader.read)(&marked.document)?, marked));
        let (tokens, marked) = marked.into_iter().flatten().find_map(read)?;
        // A mark can also be what a reader makes of the template's own bytes, as where a line is
        // continued in the middle of it. Other marks are then read otherwise.
        if let Some((others, other)) = self.marked(other_word).and_then(read)
            && difference(&tokens, &marked.marks, &other.marks, &others).is_some()
        {
            return None;
        }
        let agrees = |standard: Read| {
            standard(&marked.document).is_some_and(|other| shape(&other) == shape(&tokens))
        };
        if reader.standard.is_none_or(agrees) {
            return Some((tokens, marked));
        }
        let (_, document) = self.rendered(format, &marked.marks)?;
        Some(((reader.read)(&document)?, marked))
    }

    /// Compares what a reader makes of the output with what it makes of the marked document, and
    /// then that with what is rendered with the marks themselves.
    fn judge(
        &self,
        format: Format,
        reader: &Reader,
        expected: &[Token],
        marked: &Marked,
        output: &[u8],
    ) {
        let with_marks = self.rendered(format, &marked.marks).map(|(_, output)| output);
        let outputs = [(&self.values, Some(output)), (&marked.marks, with_marks.as_deref())];
        for (values, output) in outputs {
            let Some(output) = output else { continue };
            let Some(found) = (reader.read)(output) else {
                if reader.fickle {
                    continue;
                }
                self.fail(output, &format!("{} cannot read it", reader.name));
            };
            if let Some(why) = difference(expected, &marked.marks, values, &found) {
                self.fail(output, &format!("{}: {why}", reader.name));
            }
        }
    }

    fn fail(&self, output: &[u8], why: &str) -> ! {
        let values = self.names.iter().zip(&self.values);
        let values: String =
            values.map(|(name, value)| format!("\n{name} = {}", shown(value))).collect();
        let (template, output) = (shown(&self.template), shown(output));
        panic!("{why}\ntemplate = {template}{values}\noutput = {output}");
    }
}

/// What tells, if anything does, that the bytes outside of the scalars are not the template's.
fn moved(document: &PlannedDocument, output: &[u8]) -> Option<String> {
    let text = &document.text;
    let (first, last) = document.scalars.first().zip(document.scalars.last())?;
    let (head, tail) = (&text[..first.range.start], &text[last.range.end..]);
    let Some(mut rest) = output.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail)) else {
        return Some("the bytes before the first scalar, or behind the last, changed".to_owned());
    };
    for pair in document.scalars.windows(2) {
        let between = &text[pair[0].range.end..pair[1].range.start];
        let found = (0..=rest.len()).find(|at| rest[*at..].starts_with(between));
        match found {
            Some(at) => rest = &rest[at + between.len()..],
            None => return Some(format!("the bytes {} are gone", shown(between))),
        }
    }
    None
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

fn other_word(i: usize) -> String {
    format!("jvw{}vj", char::from(b'a' + u8::try_from(i).expect("few names")))
}

fn word(i: usize) -> String {
    format!("qzx{}zq", char::from(b'a' + u8::try_from(i).expect("few names")))
}

fn number(i: usize) -> String {
    format!("73100{i:02}")
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    }
}
