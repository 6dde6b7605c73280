//! The lines of an `--env-file`: `NAME=VALUE` as dotenv files have them. Pure; it expands nothing.
//!
//! A value is bare (to the end of the line, less blanks and a ` #` comment), in single quotes (as
//! it stands) or in double quotes (`\n`, `\r`, `\t`, `\"`, `\\` and `\$` are escapes). Quoted
//! values may span lines. References are those of the raw text: an escape neither makes nor hides
//! one.

use std::fmt;

use crate::byte;

/// One variable, and where each byte of its value stands in the file.
#[derive(Debug)]
pub struct Line {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
    /// `(offset in the value, offset in the file)`, ascending: each span runs to the next.
    pub spans: Vec<(usize, usize)>,
    /// Offsets in the value of dollars that were written `\$`.
    escaped_dollars: Vec<usize>,
}

/// What is wrong in the file, and at which offset.
#[derive(Debug, Eq, PartialEq)]
pub struct Fault {
    pub at: usize,
    pub kind: FaultKind,
}

#[derive(Debug, Eq, PartialEq)]
pub enum FaultKind {
    NoEquals,
    BadName,
    /// A name that the application never gets.
    Own,
    NotClosed,
    AfterQuote,
    Nul,
    EscapedReference,
}

impl Line {
    /// Where a byte of the value stands in the file.
    pub fn offset(&self, at: usize) -> usize {
        file_offset(&self.spans, at)
    }

    /// The first `\$` that reaches into one of these parts of the value, which are not plain text.
    pub fn escape_within(&self, parts: impl Iterator<Item = (usize, usize)>) -> Option<Fault> {
        let mut parts = parts;
        parts.find_map(|(start, end)| {
            let at = self.escaped_dollars.iter().find(|at| (start..end).contains(at))?;
            Some(Fault { at: self.offset(*at), kind: FaultKind::EscapedReference })
        })
    }
}

/// Where the byte at `at` of a value stands in the file that its spans point into.
pub fn file_offset(spans: &[(usize, usize)], at: usize) -> usize {
    let after = spans.partition_point(|(value, _)| *value <= at);
    spans[..after].last().map_or(at, |(value, file)| file + (at - value))
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEquals => "this line has no `=`; write `NAME=VALUE`, or `#` before a comment",
            Self::BadName => {
                "a variable's name is letters, digits, `_`, `.` and `-`, not a digit first"
            }
            Self::Own => "the application never gets a variable `INJECT_*`; choose another name",
            Self::NotClosed => "the quote that opens here is not closed",
            Self::AfterQuote => "something stands behind the closing quote; put a blank before `#`",
            Self::Nul => "no variable can hold a NUL byte",
            Self::EscapedReference => {
                "an escape reaches into a reference; write `$$NAME` for the plain text `$NAME`"
            }
        })
    }
}

/// Every variable of the file in order, and everything that is wrong with it.
pub fn parse(text: &[u8]) -> (Vec<Line>, Vec<Fault>) {
    let bom = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut reader = Reader { text, at: bom };
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    while reader.at < text.len() {
        match reader.line() {
            Ok(line) => lines.extend(line),
            Err(fault) => {
                faults.push(fault);
                reader.skip_line();
            }
        }
    }
    (lines, faults)
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn line(&mut self) -> Result<Option<Line>, Fault> {
        self.skip_blanks();
        if matches!(self.peek(), None | Some(b'\n' | b'\r' | b'#')) {
            self.skip_line();
            return Ok(None);
        }
        let name = self.name()?;
        let mut line =
            Line { name, value: Vec::new(), spans: Vec::new(), escaped_dollars: Vec::new() };
        self.skip_blanks();
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(&mut line, quote)?,
            _ => self.bare(&mut line),
        }
        if let Some(at) = line.value.iter().position(|b| *b == 0) {
            return Err(Fault { at: line.offset(at), kind: FaultKind::Nul });
        }
        Ok(Some(line))
    }

    fn name(&mut self) -> Result<Vec<u8>, Fault> {
        let start = self.at;
        let rest = &self.text[start..];
        let line = &rest[..byte::find(b'\n', rest).unwrap_or(rest.len())];
        let Some(equals) = byte::find(b'=', line) else {
            return Err(Fault { at: start, kind: FaultKind::NoEquals });
        };
        let written = line[..equals].trim_ascii();
        let name = match written.strip_prefix(b"export") {
            Some(name) if name.starts_with(b" ") || name.starts_with(b"\t") => name.trim_ascii(),
            _ => written,
        };
        let valid = name.first().is_some_and(|b| !b.is_ascii_digit())
            && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !valid {
            return Err(Fault { at: start, kind: FaultKind::BadName });
        }
        if name.starts_with(b"INJECT_") {
            return Err(Fault { at: start, kind: FaultKind::Own });
        }
        self.at = start + equals + 1;
        Ok(name.to_vec())
    }

    /// To the end of the line, or to a comment, less the blanks before it.
    fn bare(&mut self, line: &mut Line) {
        let start = self.at;
        let rest = &self.text[start..];
        let mut end = byte::find(b'\n', rest).unwrap_or(rest.len());
        // Only behind a blank: `A=#x` has the value `#x`.
        let comment = (0..end).find(|i| {
            rest[*i] == b'#' && matches!(self.text.get(start + i - 1), Some(b' ' | b'\t'))
        });
        end = comment.unwrap_or(end);
        line.value = rest[..end].trim_ascii_end().to_vec();
        line.spans.push((0, start));
        self.skip_line();
    }

    fn quoted(&mut self, line: &mut Line, quote: u8) -> Result<(), Fault> {
        let opened = self.at;
        self.at += 1;
        line.spans.push((0, self.at));
        loop {
            let Some(b) = self.peek() else {
                self.at = opened;
                return Err(Fault { at: opened, kind: FaultKind::NotClosed });
            };
            self.at += 1;
            match (b, self.peek()) {
                (b, _) if b == quote => break,
                (b'\\', Some(next)) if quote == b'"' => self.escape(line, next),
                _ => line.value.push(b),
            }
        }
        self.skip_blanks();
        let blank_before = matches!(self.text.get(self.at - 1), Some(b' ' | b'\t'));
        match self.peek() {
            None | Some(b'\n' | b'\r') => {}
            Some(b'#') if blank_before => {}
            Some(_) => return Err(Fault { at: self.at, kind: FaultKind::AfterQuote }),
        }
        self.skip_line();
        Ok(())
    }

    /// Behind a backslash in double quotes. What is no escape stays as it is, backslash included.
    fn escape(&mut self, line: &mut Line, next: u8) {
        let meant = match next {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'$' => next,
            _ => {
                line.value.push(b'\\');
                return;
            }
        };
        if next == b'$' {
            line.escaped_dollars.push(line.value.len());
        }
        line.spans.push((line.value.len(), self.at));
        line.value.push(meant);
        self.at += 1;
        line.spans.push((line.value.len(), self.at));
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += byte::find(b'\n', rest).map_or(rest.len(), |end| end + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (lines, faults) = parse(text.as_bytes());
        assert_eq!(faults, [], "{text}");
        lines.iter().map(|line| (text_of(&line.name), text_of(&line.value))).collect()
    }

    fn value(text: &str) -> String {
        pairs(&format!("A={text}\nB=end")).swap_remove(0).1
    }

    #[test]
    fn values() {
        for (written, expected) in [
            ("x", "x"),
            ("", ""),
            (" x y ", "x y"),
            ("x # comment", "x"),
            ("x#y", "x#y"),
            (" # comment", ""),
            ("#x", "#x"),
            ("x\r", "x"),
            ("'x \\n $NAME' # c", "x \\n $NAME"),
            ("\"x\\n\\\"y\\\" \\\\ \\t \\q\"", "x\n\"y\" \\ \t \\q"),
            ("\"two\nlines\"", "two\nlines"),
            ("a=b=c", "a=b=c"),
            ("it's", "it's"),
        ] {
            assert_eq!(value(written), expected, "{written}");
        }
        assert_eq!(
            pairs("\u{feff}export A=1\n\n # c\n B.c-d = 2"),
            [("A".to_owned(), "1".to_owned()), ("B.c-d".to_owned(), "2".to_owned())]
        );
    }

    #[test]
    fn every_fault_is_reported_with_its_offset() {
        let (lines, faults) = parse(b"A\n1B=x\nE=$OK\nC='x' y\nD=\"x");
        assert_eq!(lines.len(), 1);
        let found: Vec<_> = faults.iter().map(|fault| (fault.at, &fault.kind)).collect();
        assert_eq!(
            found,
            [
                (0, &FaultKind::NoEquals),
                (2, &FaultKind::BadName),
                (19, &FaultKind::AfterQuote),
                (23, &FaultKind::NotClosed)
            ]
        );
    }

    #[test]
    fn offsets_lead_back_into_the_file() {
        let text = b"A=\"x\\n$B\\\"$C\"";
        let (lines, _) = parse(text);
        let at = lines[0].value.iter().position(|b| *b == b'C').expect("there");
        assert_eq!(text[lines[0].offset(at)], b'C');
        assert_eq!(text[lines[0].offset(2)], b'$');
    }
}
