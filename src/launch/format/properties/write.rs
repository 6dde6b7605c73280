//! How a key or a value is written: as Java's own `store` does, but for what need not be escaped.

use super::super::{Part, Refusal};
use super::Style;
use super::lines::{continuation_length, is_blank};
use crate::byte;

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut writer =
        Writer { style, out, begins: true, emptied: false, is_empty: true, goes_on: None };
    for part in parts {
        match part {
            Part::Raw(raw) => writer.raw(raw),
            Part::Value(value) => writer.value(value)?,
        }
    }
    match (style, writer.is_empty, writer.goes_on) {
        // With nothing before its separator, readers do not agree on a line.
        (Style::Key, true, _) => Err(EMPTY_KEY),
        // Blanks behind the key would begin the line that it goes on to, and separate nothing; and
        // the line feed that ends a value's line would belong to the carriage return before it.
        (Style::Key, false, Some(at)) => {
            out.truncate(at);
            Ok(())
        }
        (Style::Value, _, Some(at)) if out.ends_with(b"\r") => {
            out.truncate(at);
            Ok(())
        }
        _ => Ok(()),
    }
}

struct Writer<'o> {
    style: Style,
    out: &'o mut Vec<u8>,
    /// At the scalar's beginning, or behind a continuation: blanks are skipped here, and `=`, `:`,
    /// `#` and `!` may be more than text.
    begins: bool,
    /// An empty value stood here, so that what follows begins where it did not in the template.
    emptied: bool,
    is_empty: bool,
    /// Where the continuations begin, if nothing was written behind them.
    goes_on: Option<usize>,
}

impl Writer<'_> {
    fn raw(&mut self, raw: &[u8]) {
        let mut at = 0;
        while at < raw.len() {
            let rest = &raw[at..];
            let length = match continuation_length(rest) {
                0 => self.raw_text(rest),
                length => {
                    self.begins = true;
                    self.goes_on.get_or_insert(self.out.len());
                    length
                }
            };
            self.out.extend_from_slice(&rest[..length]);
            at += length;
        }
    }

    /// How much of this comes before the next backslash, or is an escape.
    fn raw_text(&mut self, text: &[u8]) -> usize {
        // At the file's end it escapes nothing, and is no text.
        if text == b"\\" {
            return 1;
        }
        if self.begins && self.emptied && (is_blank(text[0]) || is_special(text[0].into())) {
            self.out.push(b'\\');
        }
        self.passed();
        match byte::find(b'\\', text) {
            Some(0) => text.len().min(2),
            Some(length) => length,
            None => text.len(),
        }
    }

    fn value(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let text = std::str::from_utf8(value).map_err(|_| Refusal::NotUtf8)?;
        self.emptied |= self.begins && text.is_empty();
        for (i, c) in text.char_indices() {
            let begins_or_ends = self.begins || i + c.len_utf8() == text.len();
            match c {
                // Editors and other readers strip what Java keeps at a line's end.
                ' ' if begins_or_ends || self.style == Style::Key => self.escape_units(c),
                c if is_special(c) && (self.begins || self.style == Style::Key) => {
                    self.out.extend_from_slice(&[b'\\', c as u8]);
                }
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\x0c' => self.out.extend_from_slice(b"\\f"),
                ' '..='~' => self.out.push(c as u8),
                _ => self.escape_units(c),
            }
            self.passed();
        }
        Ok(())
    }

    /// One escape, or two for what UTF-16 has as a surrogate pair.
    fn escape_units(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            self.out.extend_from_slice(b"\\u");
            for shift in [12, 8, 4, 0] {
                self.out.push(b"0123456789ABCDEF"[usize::from(*unit >> shift & 15)]);
            }
        }
    }

    /// Some text was written.
    fn passed(&mut self) {
        self.begins = false;
        self.emptied = false;
        self.is_empty = false;
        self.goes_on = None;
    }
}

/// What separates a key from its value, or begins a comment.
fn is_special(c: char) -> bool {
    matches!(c, '=' | ':' | '#' | '!')
}

pub const EMPTY_KEY: Refusal = Refusal::Unheld {
    what: "with it the key is empty",
    hint: "change the secret, or write the key in the template",
};
