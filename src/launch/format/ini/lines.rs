//! The lines of an INI file, told apart as the `_read` of CPython's `Lib/configparser.py` does
//! (3.10 to 3.14; earlier ones end a section's name at its first `]`) with
//! `allow_unnamed_section=True`, `strict=False` and `allow_no_value=True`; what it reads without
//! them, it reads the same with them. It knows no references.

use std::ops::Range;

use super::super::{Fault, FaultKind};
use crate::byte;

/// What a line is, with the ranges of its texts. Blank lines, which only count where they stand
/// between the lines of one value, are left out.
pub enum Line {
    Comment(Range<usize>),
    Section {
        name: Range<usize>,
        behind: Range<usize>,
    },
    /// Without a delimiter behind its name it has no value.
    Option {
        name: Range<usize>,
        value: Option<Range<usize>>,
    },
    Continuation(Range<usize>),
}

/// The document, if all of configparser's ways to read it find the same lines in it.
pub fn decode(text: &[u8]) -> Result<&str, Fault> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(unread(0, WIDE));
    }
    let document =
        std::str::from_utf8(text).map_err(|error| unread(error.valid_up_to(), NOT_UTF8))?;
    if let Some(at) = byte::find(0, text) {
        return Err(unread(at, NUL));
    }
    // One alone ends a line of a file, and none of a string.
    let lone = |at: &usize| text.get(at + 1) != Some(&b'\n');
    if let Some(at) = byte::each(b'\r', text).find(lone) {
        return Err(unread(at, LONE_RETURN));
    }
    Ok(document)
}

pub const WIDE: &str = "the file is UTF-16 or UTF-32, not UTF-8";
pub const NOT_UTF8: &str = "the file is not UTF-8";
pub const NUL: &str = "there is a NUL byte, which most readers of ini do not take";
pub const LONE_RETURN: &str = "a carriage return stands alone, which ends a line to some readers";
pub const NO_NAME: &str = "Python's configparser does not read this: the option has no name";
pub const NO_VALUE: &str =
    "Python's configparser does not read this: a further line behind a name without a value";

/// It may be what another reader takes, and then is none of configparser's.
pub fn unread(at: usize, what: &'static str) -> Fault {
    let hint = "mend it there, or use `--format text`, which writes the values as they are";
    Fault { at, kind: FaultKind::Unsafe { what, hint } }
}

pub struct Lines<'t> {
    document: &'t str,
    at: usize,
    in_option: bool,
    /// That option has no value.
    is_bare: bool,
    /// How far the last line that began a section or an option is indented, in characters.
    indent: usize,
}

impl<'t> Lines<'t> {
    pub fn new(document: &'t str) -> Self {
        // With a byte order mark only those read it who skip it (`utf-8-sig`).
        let at = if document.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { document, at, in_option: false, is_bare: false, indent: 0 }
    }

    /// A line's text, and what it is indented by.
    fn judge(&mut self, range: Range<usize>, indent: usize) -> Result<Line, Fault> {
        let text = &self.document[range.clone()];
        if text.starts_with(['#', ';']) {
            return Ok(Line::Comment(range));
        }
        if self.in_option && indent > self.indent {
            if self.is_bare {
                return Err(unread(range.start, NO_VALUE));
            }
            return Ok(Line::Continuation(range));
        }
        self.indent = indent;
        if let Some(close) = header_close(text) {
            self.in_option = false;
            let close = range.start + close;
            return Ok(Line::Section {
                name: range.start + 1..close,
                behind: close + 1..range.end,
            });
        }
        let delimiter = byte::find_either([b'=', b':'], text.as_bytes());
        (self.in_option, self.is_bare) = (true, delimiter.is_none());
        let Some(delimiter) = delimiter else {
            return Ok(Line::Option { name: range, value: None });
        };
        if delimiter == 0 {
            return Err(unread(range.start, NO_NAME));
        }
        let name = text[..delimiter].trim_end_matches(is_space);
        let value = trim_start(&text[delimiter + 1..]);
        Ok(Line::Option {
            name: range.start..range.start + name.len(),
            value: Some(range.end - value.len()..range.end),
        })
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.document.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = &rest[..byte::find(b'\n', rest.as_bytes()).unwrap_or(rest.len())];
            let indented = trim_start(line);
            let blanks = &line[..line.len() - indented.len()];
            let start = self.at + blanks.len();
            self.at += line.len() + 1;
            let text = indented.trim_end_matches(is_space);
            if !text.is_empty() {
                return Some(self.judge(start..start + text.len(), blanks.chars().count()));
            }
        }
    }
}

/// Where the last `]` of a section's line is, if there is something between the brackets.
fn header_close(text: &str) -> Option<usize> {
    let close = text.starts_with('[').then(|| memchr::memrchr(b']', text.as_bytes()))??;
    (close > 1).then_some(close)
}

pub fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// Python's `str.isspace`.
pub fn is_space(c: char) -> bool {
    matches!(c, '\x1c'..='\x1f') || c.is_whitespace()
}
