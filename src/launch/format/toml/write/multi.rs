//! Strings of several lines. The line end behind the opening quotes is no part of the string, a
//! backslash at a line's end takes blanks and line ends behind it along, and three quotes close it:
//! what comes to stand there by a value, even an empty one, must not be taken for that.

use super::super::super::{Part, Refusal};
use super::{is_control, utf8, write_escape, write_escaped};
use crate::byte;

/// Three quotes.
const FENCE: usize = 3;

pub fn write_basic(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut writer = Basic::new(out);
    for part in inside(parts) {
        match part {
            Part::Raw(raw) => writer.raw(raw)?,
            Part::Value(value) => writer.value(utf8(value)?),
        }
    }
    out.extend_from_slice(b"\"\"\"");
    Ok(())
}

struct Basic<'o> {
    out: &'o mut Vec<u8>,
    /// Where the string's text begins.
    start: usize,
    blanks: Blanks,
    /// The part before was an empty value, or such a value and its next quotes.
    after_empty: bool,
}

/// What becomes of blanks and line ends that are next.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Blanks {
    /// They are text.
    Text,
    /// A backslash takes them along.
    Taken,
    /// It would, but they are text: between the two is an empty value.
    Kept,
}

impl<'o> Basic<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        out.extend_from_slice(b"\"\"\"");
        let start = out.len();
        Self { out, start, blanks: Blanks::Text, after_empty: false }
    }

    fn value(&mut self, value: &[u8]) {
        let mut rest = value;
        if !value.is_empty() {
            rest = self.kept(value);
        } else if self.blanks == Blanks::Taken {
            self.blanks = Blanks::Kept;
        }
        self.after_empty = value.is_empty();
        write_escaped(rest, self.out);
    }

    fn raw(&mut self, raw: &[u8]) -> Result<(), Refusal> {
        let first = is_line_end(raw) && self.out.len() == self.start && self.after_empty;
        if first {
            // The first line end is no part of the string; this one is.
            self.out.push(b'\n');
        }
        if raw.starts_with(b"\r") && self.blanks == Blanks::Kept {
            // What a reader makes of both of its bytes no escape says.
            return Err(UNHELD_LINE_END);
        }
        let mut rest = if self.blanks == Blanks::Kept { self.kept(raw) } else { raw };
        while let Some(b) = rest.first() {
            let length = match b {
                b'\\' => {
                    // The blanks behind the backslash belong to what it takes along.
                    let takes = rest.get(1).is_some_and(|b| is_blank(*b));
                    self.blanks = if takes { Blanks::Taken } else { Blanks::Text };
                    if takes { 1 } else { rest.len().min(2) }
                }
                b if is_blank(*b) && self.blanks == Blanks::Taken => 1,
                b'"' if self.after_empty => {
                    write_escape(b'"', self.out);
                    rest = &rest[1..];
                    self.blanks = Blanks::Text;
                    continue;
                }
                _ => {
                    self.blanks = Blanks::Text;
                    byte::find(b'\\', rest).unwrap_or(rest.len())
                }
            };
            self.out.extend_from_slice(&rest[..length]);
            self.after_empty = false;
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Writes the first blank of what a backslash would take along, and returns what is behind it.
    fn kept<'v>(&mut self, text: &'v [u8]) -> &'v [u8] {
        let first = std::str::from_utf8(text).ok().and_then(|text| text.chars().next());
        // To some readers, all that Unicode calls so is a blank.
        let Some(first) = first.filter(|_| self.blanks != Blanks::Text) else {
            return text;
        };
        self.blanks = Blanks::Text;
        if !first.is_whitespace() {
            return text;
        }
        match text[0] {
            b if b.is_ascii() => write_escape(b, self.out),
            _ => self.out.extend_from_slice(format!("\\u{:04X}", u32::from(first)).as_bytes()),
        }
        self.after_empty = false;
        &text[first.len_utf8()..]
    }
}

const UNHELD_LINE_END: Refusal = Refusal::Unheld {
    what: "it is empty, and a backslash before it would take the line end behind it along",
    hint: "write the line end as `\\n`",
};

pub fn write_literal(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.extend_from_slice(b"'''");
    let start = out.len();
    let mut values = 0;
    // Quotes at the end that are the template's own.
    let mut quotes = 0;
    for part in inside(parts) {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        if let Part::Value(value) = part {
            values += 1;
            quotes = 0;
            if utf8(value)?.iter().any(|b| is_control(*b) && *b != b'\n') {
                return Err(UNHELD_IN_LITERAL);
            }
        } else if !bytes.is_empty() {
            quotes = quotes_at_end(bytes);
        }
        if is_line_end(bytes) && out.len() == start && values > 0 {
            // The first line end is no part of the string; this one is.
            out.push(b'\n');
        }
        out.extend_from_slice(bytes);
    }
    let text = &out[start..];
    let closes = memchr::memmem::find(text, b"'''").is_some() || quotes_at_end(text) > quotes;
    if closes {
        return Err(UNHELD_QUOTES);
    }
    out.extend_from_slice(b"'''");
    Ok(())
}

const UNHELD_IN_LITERAL: Refusal = Refusal::Unheld {
    what: "it holds a control character, and stands between `'''`",
    hint: "put the reference between `\"`",
};

const UNHELD_QUOTES: Refusal = Refusal::Unheld {
    what: "with it the string between `'''` would end there",
    hint: "put the reference between `\"`",
};

/// The parts without the quotes around them.
fn inside<'p, 'a>(parts: &'p [Part<'a>]) -> impl Iterator<Item = Part<'a>> + use<'p, 'a> {
    let last = parts.len().saturating_sub(1);
    parts.iter().enumerate().map(move |(number, part)| match *part {
        Part::Raw(raw) => {
            let from = if number == 0 { FENCE } else { 0 };
            let to = if number == last { raw.len().saturating_sub(FENCE) } else { raw.len() };
            Part::Raw(raw.get(from..to).unwrap_or_default())
        }
        value @ Part::Value(_) => value,
    })
}

fn quotes_at_end(text: &[u8]) -> usize {
    text.iter().rev().take_while(|b| **b == b'\'').count()
}

fn is_line_end(text: &[u8]) -> bool {
    text.starts_with(b"\n") || text.starts_with(b"\r\n")
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}
