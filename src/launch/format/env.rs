//! Env files, as both python-dotenv and a POSIX shell read them: lines of `[export ]NAME=VALUE`.
//!
//! Where the two would read a value differently, or would not agree where a quote ends, the
//! document is refused. So no value can get into another line, nor be expanded or run. What they
//! make of a line that holds no reference is not judged, as long as both are at its end behind it.

mod faults;
mod names;
mod write;

use std::collections::HashSet;
use std::ops::Range;

use self::faults::{
    BLANKS, BRACED, ESCAPED, ESCAPES, EXPANDS, FORGETS, GOES_ON, JOINS, LONE_RETURN, NESTED,
    QUOTE_IT, READS_ON, RUNS,
};
use self::names::{exported, is_blank, is_name, is_word};
pub use self::write::write;
use super::sites::Sites;
use super::{Fault, FaultKind, Layout};
use crate::byte;
use crate::launch::env_file::FaultKind as Line;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    Double,
    /// The same where no other quote can come behind it.
    DoubleLast,
    Single,
    Bare,
}

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    let document = std::str::from_utf8(text)
        .map_err(|error| syntax(error.valid_up_to(), "it is not UTF-8"))?;
    if let Some(at) = byte::find(0, text) {
        return Err(line_fault(at, &Line::Nul));
    }
    // One alone ends a line for python-dotenv, which reads it as a line feed, and none for a shell.
    let lone = |at: &usize| text.get(at + 1) != Some(&b'\n');
    if let Some(at) = byte::each(b'\r', text).find(lone) {
        return Err(Fault { at, kind: LONE_RETURN });
    }
    let bom = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let sites = Sites::new(references);
    let mut reader = Reader { document, text, at: bom, sites, touched: HashSet::new() };
    while reader.at < text.len() {
        reader.line()?;
    }
    reader.sites.finish()
}

struct Reader<'t> {
    document: &'t str,
    /// The document's bytes.
    text: &'t [u8],
    at: usize,
    sites: Sites<'t>,
    /// The names whose values hold references.
    touched: HashSet<&'t [u8]>,
}

impl<'t> Reader<'t> {
    fn line(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if !matches!(self.peek(), None | Some(b'#' | b'\n' | b'\r')) {
            let line = &self.text[self.at..self.line_limit()];
            match exported(line) {
                Some(name) if self.touched.contains(&line[name.clone()]) => {
                    return Err(Fault { at: self.at, kind: FORGETS });
                }
                Some(name) => self.at += name.end,
                None => self.assignment()?,
            }
        }
        self.pass_line()
    }

    fn assignment(&mut self) -> Result<(), Fault> {
        let (name, blanks) = self.name()?;
        let start = self.at;
        let pending = self.sites.pending().len();
        self.skip_blanks();
        let behind_blanks = self.at > start;
        match self.peek() {
            None | Some(b'\n' | b'\r') => {}
            Some(b'#') if behind_blanks => {}
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote, blanks || behind_blanks)?,
            Some(_) => self.bare(blanks || behind_blanks)?,
        }
        if self.sites.pending().len() < pending {
            self.touched.insert(name);
        }
        Ok(())
    }

    /// Up to behind the `=`. Returns the name, and whether there are blanks behind it.
    fn name(&mut self) -> Result<(&'t [u8], bool), Fault> {
        let start = self.at;
        let line = &self.text[start..self.line_limit()];
        let equals = byte::find(b'=', line);
        let limit = start + equals.unwrap_or(line.len());
        if let Some(reference) = self.sites.next_before(limit) {
            return Err(Fault { at: reference.start, kind: FaultKind::NoScalar });
        }
        let equals = equals.ok_or_else(|| line_fault(start, &Line::NoEquals))?;
        let written = &line[..equals];
        let name = match written.strip_prefix(b"export") {
            Some(name) if name.starts_with(b" ") || name.starts_with(b"\t") => {
                name.trim_ascii_start()
            }
            _ => written,
        };
        let trimmed = name.trim_ascii_end();
        if !is_name(trimmed) {
            return Err(line_fault(start, &Line::BadName));
        }
        self.at = start + equals + 1;
        Ok((trimmed, trimmed.len() < name.len()))
    }

    /// What is left of the line is nothing or a comment: what looks like a reference there is none.
    fn pass_line(&mut self) -> Result<(), Fault> {
        let limit = self.line_limit();
        self.sites.comment(self.at..limit)?;
        self.at = (limit + 1).min(self.text.len());
        Ok(())
    }

    fn quoted(&mut self, quote: u8, blanks: bool) -> Result<(), Fault> {
        let open = self.at;
        let touched = if quote == b'"' { self.double()? } else { self.single()? };
        if blanks && touched {
            return Err(Fault { at: open, kind: BLANKS });
        }
        let closed = self.at;
        if self.text[closed - 2] == b'\\' && self.another_follows(quote) {
            return Err(Fault { at: closed - 2, kind: READS_ON });
        }
        self.skip_blanks();
        match self.peek() {
            None | Some(b'\n' | b'\r') => Ok(()),
            Some(b'#') if self.at > closed => Ok(()),
            Some(_) => Err(line_fault(self.at, &Line::AfterQuote)),
        }
    }

    /// Whether there is a reference in it.
    fn double(&mut self) -> Result<bool, Fault> {
        let open = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(line_fault(open, &Line::NotClosed)),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.escape()?;
                    // No backslash keeps python-dotenv from an expansion.
                    if self.text[..self.at].ends_with(b"$") && self.peek() == Some(b'{') {
                        self.at = self.expansion(self.at)?;
                    }
                }
                Some(b'`') => return Err(Fault { at: self.at, kind: RUNS }),
                Some(b'$') => self.dollar()?,
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let style = if self.another_follows(b'"') { Style::Double } else { Style::DoubleLast };
        self.put(open..self.at, style)
    }

    /// A backslash and what it stands before.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.reference_at(self.at + 1) {
            Some(reference) => Err(Fault { at: reference.start, kind: FaultKind::Escape }),
            None => {
                self.at = (self.at + 2).min(self.text.len());
                Ok(())
            }
        }
    }

    /// A reference, or what a shell may expand.
    fn dollar(&mut self) -> Result<(), Fault> {
        if let Some(reference) = self.reference_at(self.at) {
            // Of two dollars, the first escapes the second.
            if self.text.get(reference.start + 1) == Some(&b'$') {
                return Err(Fault { at: reference.start, kind: ESCAPED });
            }
            self.at = reference.end;
            return Ok(());
        }
        let behind = self.at + 1;
        let rest = &self.text[behind..];
        self.at = match rest.first() {
            // `$[` is arithmetic to some shells.
            Some(b'(' | b'[') => return Err(Fault { at: behind - 1, kind: RUNS }),
            Some(b'{') => self.expansion(behind)?,
            _ => behind + rest.iter().take_while(|b| is_word(**b)).count(),
        };
        // A shell takes both away, and what it expands goes on in the next line.
        if self.text[self.at..].starts_with(b"\\\n") {
            return Err(Fault { at: behind - 1, kind: EXPANDS });
        }
        match self.reference_at(self.at) {
            Some(_) if is_word(self.text[self.at - 1]) => {
                Err(Fault { at: behind - 1, kind: JOINS })
            }
            _ => Ok(()),
        }
    }

    /// Behind the brace that closes the one here, which follows a dollar.
    fn expansion(&self, open: usize) -> Result<usize, Fault> {
        let rest = &self.text[open..];
        let odd = |b: &u8| matches!(b, b'"' | b'\'' | b'`' | b'$' | b'\\' | b'(' | b'\n');
        let end = rest.iter().position(|b| *b == b'}' || odd(b));
        match end {
            Some(end) if rest[end] == b'}' => Ok(open + end + 1),
            Some(end) if self.reference_at(open + end).is_some() => {
                Err(Fault { at: open - 1, kind: NESTED })
            }
            _ => Err(Fault { at: open - 1, kind: EXPANDS }),
        }
    }

    /// Whether there is a reference in it.
    fn single(&mut self) -> Result<bool, Fault> {
        let open = self.at;
        let rest = &self.text[open + 1..];
        let Some(length) = byte::find(b'\'', rest) else {
            return Err(line_fault(open, &Line::NotClosed));
        };
        let backslashes = rest[..length].iter().rev().take_while(|b| **b == b'\\').count();
        let close = open + 1 + length;
        if !backslashes.is_multiple_of(2) {
            return Err(Fault { at: close - 1, kind: ESCAPES });
        }
        let mut raw = open;
        let references = self.sites.pending().iter();
        for reference in references.take_while(|reference| reference.end <= close) {
            if self.text[reference.end - 1] == b'$' {
                if self.text[reference.end] == b'{' {
                    return Err(Fault { at: reference.start, kind: BRACED });
                }
                continue;
            }
            let before = &self.text[raw..reference.start];
            if let Some(opened) = memchr::memmem::rfind(before, b"${")
                && !before[opened..].contains(&b'}')
            {
                return Err(Fault { at: raw + opened, kind: NESTED });
            }
            raw = reference.end;
        }
        self.at = close + 1;
        self.put(open..self.at, Style::Single)
    }

    /// To the end of the line, or to a comment, less the blanks before it.
    fn bare(&mut self, blanks: bool) -> Result<(), Fault> {
        let start = self.at;
        // A blank of another kind: python-dotenv looks for a quote behind it.
        let first = self.document[start..].chars().next();
        if first.is_some_and(|c| c.is_whitespace() || c.is_ascii_control()) {
            return Err(Fault { at: start, kind: QUOTE_IT });
        }
        let line = &self.text[start..self.line_limit()];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let comment = line.windows(2).position(|pair| matches!(pair, [b' ' | b'\t', b'#']));
        let value = &line[..comment.unwrap_or(line.len())];
        let end = start + value.iter().rposition(|b| !is_blank(*b)).map_or(0, |last| last + 1);
        match self.sites.next_before(end) {
            None => self.bare_without(end),
            Some(_) if blanks => Err(Fault { at: start, kind: BLANKS }),
            Some(_) => self.bare_with(end),
        }
    }

    /// A bare value with references: nothing may stand in it that only one of the readers heeds.
    fn bare_with(&mut self, end: usize) -> Result<(), Fault> {
        let start = self.at;
        while self.at < end {
            let b = self.text[self.at];
            match b {
                b'$' => self.dollar()?,
                b'#' if self.at > start => self.at += 1,
                b'\\' => {
                    let at = self.at;
                    return self.escape().and(Err(Fault { at, kind: QUOTE_IT }));
                }
                _ if is_plain(b) => self.at += 1,
                _ => {
                    let next = self.document[self.at..].chars().next();
                    let next = next.filter(|c| !c.is_ascii() && !c.is_whitespace());
                    self.at += next.ok_or(Fault { at: self.at, kind: QUOTE_IT })?.len_utf8();
                }
            }
        }
        self.put(start..end, Style::Bare).map(|_| ())
    }

    /// A bare value without references: a shell must have come to its end with the line.
    fn bare_without(&mut self, end: usize) -> Result<(), Fault> {
        while self.at < end {
            let from = self.at;
            match self.text[from] {
                b'\\' => self.at += 2,
                b'`' => return Err(Fault { at: from, kind: RUNS }),
                // A here-document; a string in which escapes count.
                b'<' | b'$'
                    if matches!(&self.text[from..end], [b'<', b'<', ..] | [b'$', b'\'', ..]) =>
                {
                    return Err(Fault { at: from, kind: GOES_ON });
                }
                b'$' => self.dollar()?,
                b'"' => {
                    self.double()?;
                }
                b'\'' => {
                    let closed = byte::find(b'\'', &self.text[from + 1..end]);
                    self.at += closed.ok_or(Fault { at: from, kind: GOES_ON })? + 2;
                }
                _ => self.at += 1,
            }
            if self.at > end {
                return Err(Fault { at: from, kind: GOES_ON });
            }
        }
        Ok(())
    }

    /// Whether another quote may come from here on, be it in a value: between quotes of the other
    /// kind one may hold it.
    fn another_follows(&self, quote: u8) -> bool {
        let rest = &self.text[self.at..];
        let pending = self.sites.pending().last();
        let is_later = pending.is_some_and(|last| last.start >= self.at);
        byte::find(quote, rest).is_some()
            || is_later && byte::find_either([b'"', b'\''], rest).is_some()
    }

    fn line_limit(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + byte::find(b'\n', rest).unwrap_or(rest.len())
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The reference that begins there.
    fn reference_at(&self, at: usize) -> Option<Range<usize>> {
        let pending = self.sites.pending();
        let found = pending.binary_search_by_key(&at, |reference| reference.start).ok()?;
        Some(pending[found].clone())
    }

    fn put(&mut self, range: Range<usize>, style: Style) -> Result<bool, Fault> {
        self.sites.scalar(range, super::Style::Env(style))
    }
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "env file", message: message.to_owned() } }
}

fn line_fault(at: usize, fault: &Line) -> Fault {
    syntax(at, &fault.to_string())
}

/// What means itself to everyone, wherever it stands.
fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'_' | b'.' | b'/' | b':' | b'@' | b'%' | b'+' | b',' | b'=' | b'-')
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod tests;
