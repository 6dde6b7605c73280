//! The logical lines of Java properties: where a key and its value stand, each of which may go on
//! over several lines. What it finds is judged by the raw text, before any escape is read.

use std::ops::Range;

use super::super::{Fault, FaultKind};
use super::syntax;
use crate::byte;

pub enum Line {
    Comment(Range<usize>),
    Pair { key: Range<usize>, value: Range<usize> },
}

/// Goes through a text whose lines end with a carriage return, a line feed or both.
pub struct Lines<'t> {
    text: &'t [u8],
    references: &'t [Range<usize>],
    /// How many of the references begin before what was asked for last.
    passed: usize,
    at: usize,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t [u8], references: &'t [Range<usize>]) -> Self {
        Self { text, references, passed: 0, at: 0 }
    }

    fn line(&mut self) -> Result<Option<Line>, Fault> {
        let mut continued = false;
        loop {
            self.at += blanks_length(&self.text[self.at..]);
            match self.text.get(self.at) {
                None => return Ok(None),
                Some(b'\n' | b'\r') => {
                    self.at += 1;
                    continued = false;
                }
                Some(b'#' | b'!') if continued => {
                    let what = "Java's versions do not agree whether this is a comment";
                    let hint = "put an empty line before it, or take away the backslash there";
                    return Err(Fault { at: self.at, kind: FaultKind::Unsafe { what, hint } });
                }
                Some(b'#' | b'!') => {
                    let rest = &self.text[self.at..];
                    let length = byte::find_either([b'\n', b'\r'], rest).unwrap_or(rest.len());
                    let start = self.at;
                    self.at += length;
                    return Ok(Some(Line::Comment(start..self.at)));
                }
                Some(_) => match continuation_length(&self.text[self.at..]) {
                    0 => return self.pair().map(Some),
                    length => {
                        self.at += length;
                        continued = true;
                    }
                },
            }
        }
    }

    fn pair(&mut self) -> Result<Line, Fault> {
        let start = self.at;
        let key = start..self.key_end(start)?;
        let value = self.value_start(key.end);
        self.at = self.value_end(value)?;
        Ok(Line::Pair { key, value: value..self.at })
    }

    /// Where the first blank, `=` or `:` stands that is not escaped, or where the line ends. What
    /// only goes on to these on the next line is not a part of it.
    fn key_end(&mut self, start: usize) -> Result<usize, Fault> {
        let mut end = start;
        loop {
            let at = self.skip_continuations(end);
            end = match self.text.get(at) {
                None | Some(b'\n' | b'\r' | b'=' | b':' | b' ' | b'\t' | b'\x0c') => {
                    return Ok(end);
                }
                Some(b'\\') => self.escape_end(at)?,
                Some(_) => at + 1,
            };
        }
    }

    /// Behind the blanks, and one `=` or `:` among them.
    fn value_start(&self, key_end: usize) -> usize {
        let mut at = self.skip_continuations(key_end);
        let mut separated = false;
        loop {
            match self.text.get(at) {
                Some(b'=' | b':') if !separated => separated = true,
                Some(b) if is_blank(*b) => {}
                _ => return at,
            }
            at = self.skip_continuations(at + 1);
        }
    }

    /// The end of the logical line.
    fn value_end(&mut self, start: usize) -> Result<usize, Fault> {
        let mut at = start;
        loop {
            let rest = &self.text[at..];
            at += byte::find_any([b'\\', b'\n', b'\r'], rest).unwrap_or(rest.len());
            if self.text.get(at) != Some(&b'\\') {
                return Ok(at);
            }
            at = match continuation_length(&self.text[at..]) {
                0 => self.escape_end(at)?,
                length => at + length,
            };
        }
    }

    /// Behind the escape that begins here. Java reads one only when all lines are joined.
    fn escape_end(&mut self, start: usize) -> Result<usize, Fault> {
        self.check_reach(start + 1)?;
        match self.text.get(start + 1) {
            None => return Ok(start + 1),
            Some(b'u') => {}
            Some(_) => return Ok(start + 2),
        }
        let mut at = start + 2;
        for _ in 0..4 {
            at = self.skip_continuations(at);
            self.check_reach(at)?;
            if !self.text.get(at).is_some_and(u8::is_ascii_hexdigit) {
                return Err(syntax(start, "`\\u` and not four hexadecimal digits"));
            }
            at += 1;
        }
        Ok(at)
    }

    /// An escape reaches to here: no reference may begin. Asked for later and later offsets.
    fn check_reach(&mut self, at: usize) -> Result<(), Fault> {
        let rest = &self.references[self.passed..];
        self.passed += rest.iter().take_while(|reference| reference.start < at).count();
        match self.references.get(self.passed) {
            Some(reference) if reference.start == at => Err(Fault { at, kind: FaultKind::Escape }),
            _ => Ok(()),
        }
    }

    fn skip_continuations(&self, at: usize) -> usize {
        let mut at = at;
        loop {
            match continuation_length(&self.text[at..]) {
                0 => return at,
                length => at += length,
            }
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
}

/// A backslash at a line's end, which does not count, nor do the blanks that the next one begins
/// with; 0 if there is none. The backslash must not be escaped.
pub fn continuation_length(text: &[u8]) -> usize {
    let line_end = match text {
        [b'\\', b'\r', b'\n', ..] => 3,
        [b'\\', b'\r' | b'\n', ..] => 2,
        _ => return 0,
    };
    line_end + blanks_length(&text[line_end..])
}

pub fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\x0c')
}

fn blanks_length(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_blank(**b)).count()
}
