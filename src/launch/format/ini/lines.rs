//! The lines of an INI file, told apart as the `_read` of CPython's `Lib/configparser.py` does with
//! its default options (3.10 to 3.14; earlier ones end a section's name at its first `]`). It knows
//! no references.

use std::ops::Range;

use super::super::Fault;
use super::syntax;

/// What a line is, with the ranges of its texts. Blank lines, which only count where they stand
/// between the lines of one value, are left out.
pub enum Line {
    Comment(Range<usize>),
    Section { name: Range<usize>, behind: Range<usize> },
    Option { name: Range<usize>, value: Range<usize> },
    Continuation(Range<usize>),
}

/// The document, if all of configparser's ways to read it find the same lines in it.
pub fn decode(text: &[u8]) -> Result<&str, Fault> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(syntax(0, "it is UTF-16 or UTF-32, not UTF-8"));
    }
    let document = std::str::from_utf8(text)
        .map_err(|error| syntax(error.valid_up_to(), "it is not UTF-8"))?;
    if let Some(at) = memchr::memchr(0, text) {
        return Err(syntax(at, "a NUL byte"));
    }
    // One alone ends a line of a file, and none of a string.
    let lone = |at: &usize| text.get(at + 1) != Some(&b'\n');
    if let Some(at) = memchr::memchr_iter(b'\r', text).find(lone) {
        return Err(syntax(at, "a carriage return stands alone"));
    }
    Ok(document)
}

pub struct Lines<'t> {
    document: &'t str,
    at: usize,
    in_section: bool,
    in_option: bool,
    /// How far the last line that began a section or an option is indented, in characters.
    indent: usize,
}

impl<'t> Lines<'t> {
    pub fn new(document: &'t str) -> Self {
        // With a byte order mark only those read it who skip it (`utf-8-sig`).
        let at = if document.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { document, at, in_section: false, in_option: false, indent: 0 }
    }

    /// A line's text, and what it is indented by.
    fn judge(&mut self, range: Range<usize>, indent: usize) -> Result<Line, Fault> {
        let text = &self.document[range.clone()];
        if text.starts_with(['#', ';']) {
            return Ok(Line::Comment(range));
        }
        if self.in_option && indent > self.indent {
            return Ok(Line::Continuation(range));
        }
        self.indent = indent;
        if let Some(close) = header_close(text) {
            (self.in_section, self.in_option) = (true, false);
            let close = range.start + close;
            return Ok(Line::Section {
                name: range.start + 1..close,
                behind: close + 1..range.end,
            });
        }
        if !self.in_section {
            return Err(syntax(range.start, "no `[section]` stands before this line"));
        }
        let delimiter = memchr::memchr2(b'=', b':', text.as_bytes())
            .ok_or_else(|| syntax(range.start, "this line has no `=` and no `:`"))?;
        if delimiter == 0 {
            return Err(syntax(range.start, "this option has no name"));
        }
        self.in_option = true;
        let name = text[..delimiter].trim_end_matches(is_space);
        let value = trim_start(&text[delimiter + 1..]);
        Ok(Line::Option {
            name: range.start..range.start + name.len(),
            value: range.end - value.len()..range.end,
        })
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.document.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = &rest[..memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len())];
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
