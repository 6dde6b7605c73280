//! JSON (RFC 8259). `serde_json` judges the template; here is only found where its strings are, and
//! what stands outside of them and holds a reference.

mod judge;
mod keys;

use std::ops::Range;

use serde::de::IgnoredAny;

use self::judge::judge;
use super::sites::Sites;
use super::{Changed, Fault, FaultKind, Layout, Part, Refusal, Scalar};
use crate::byte;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    String,
    /// A string before a colon.
    Key,
    /// What is outside of any string: it must become a number, a boolean or null.
    Bare,
}

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(syntax(error.valid_up_to(), "it is not UTF-8"));
    }
    let mut lexer = Lexer { text, sites: Sites::new(references), masks: Vec::new() };
    let lexed = lexer.document();
    let judged = judge(text, &lexer.masks);
    match (lexed, judged) {
        (Ok(()), Ok(())) => lexer.sites.finish(),
        // Behind what is no JSON, strings are only guessed at: the first fault is the true one.
        (Err(lexed), Err(judged)) if judged.at < lexed.at => Err(judged),
        (Err(fault), _) | (Ok(()), Err(fault)) => Err(fault),
    }
}

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match style {
        Style::String | Style::Key => write_string(parts, out),
        Style::Bare => write_bare(parts, out),
    }
}

/// Values may have made a key the same as another one of its object.
pub fn verify(scalars: &[Scalar], output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    let is_key = |number: &usize| scalars[*number].style == super::Style::Json(Style::Key);
    let touched: Vec<_> = (0..scalars.len()).filter(is_key).collect();
    if touched.is_empty() {
        return Ok(());
    }
    keys::verify(output, touched.into_iter().map(|number| (written[number].start, number)))
}

/// The raw text as it is, and the values with as many escapes as RFC 8259, section 7, asks for.
fn write_string(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        match part {
            Part::Raw(raw) => out.extend_from_slice(raw),
            Part::Value(value) => {
                std::str::from_utf8(value).map_err(|_| Refusal::NotUtf8)?;
                write_escaped(value, out);
            }
        }
    }
    Ok(())
}

/// All parts together must be one number, `true`, `false` or `null`, with no blanks around it.
fn write_bare(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let start = out.len();
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        out.extend_from_slice(bytes);
    }
    let token = &out[start..];
    let is_one =
        token.iter().all(|b| fits_bare(*b)) && serde_json::from_slice::<IgnoredAny>(token).is_ok();
    if !is_one {
        return Err(Refusal::NotBare { allowed: ALLOWED });
    }
    // To most readers it would be infinity.
    let number = std::str::from_utf8(token).ok().and_then(|token| token.parse::<f64>().ok());
    match number.is_none_or(f64::is_finite) {
        true => Ok(()),
        false => Err(Refusal::NotBare { allowed: FINITE }),
    }
}

const ALLOWED: &str = "a number, a boolean or null";
const FINITE: &str = "a number below 1.8e308, as 64 bits hold it";

fn write_escaped(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(length) = rest.iter().position(|b| *b < 0x20 || matches!(b, b'"' | b'\\')) {
        out.extend_from_slice(&rest[..length]);
        match rest[length] {
            b @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', b]),
            b => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(b >> 4), digit(b & 15)]);
            }
        }
        rest = &rest[length + 1..];
    }
    out.extend_from_slice(rest);
}

/// Finds the strings and the bare tokens that hold references, in any text, JSON or not.
struct Lexer<'t> {
    text: &'t [u8],
    sites: Sites<'t>,
    /// The bare tokens that may become a number, a boolean or null.
    masks: Vec<Range<usize>>,
}

impl Lexer<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        let mut at = bom_length(self.text);
        while let Some(length) = byte::find(b'"', &self.text[at..]) {
            self.bare(at, at + length)?;
            at = self.string(at + length)?;
        }
        self.bare(at, self.text.len())
    }

    /// What stands between two strings.
    fn bare(&mut self, from: usize, limit: usize) -> Result<(), Fault> {
        let mut from = from;
        while let Some(first) = self.sites.next_before(limit) {
            let before = &self.text[from..first.start];
            let start = before.iter().rposition(|b| ends_token(*b)).map_or(from, |i| from + i + 1);
            let mut end = first.start;
            let mut fits = self.text[start..end].iter().all(|b| fits_bare(*b));
            let mut references = self.sites.pending().iter().peekable();
            while end < limit {
                if let Some(reference) = references.next_if(|one| one.start == end) {
                    // Its braces belong to the token.
                    end = reference.end;
                    // An escape leaves its dollars there.
                    fits &= self.text[end - 1] != b'$';
                } else if ends_token(self.text[end]) {
                    break;
                } else {
                    fits &= fits_bare(self.text[end]);
                    end += 1;
                }
            }
            if fits {
                self.masks.push(start..end);
            }
            self.sites.scalar(start..end, super::Style::Json(Style::Bare))?;
            from = end;
        }
        Ok(())
    }

    /// Returns where the text goes on behind the closing quote.
    fn string(&mut self, open: usize) -> Result<usize, Fault> {
        let mut at = open + 1;
        loop {
            let rest = &self.text[at..];
            at += byte::find_either([b'"', b'\\'], rest).unwrap_or(rest.len());
            match self.text.get(at) {
                Some(b'\\') => at = self.escape(at)?,
                Some(_) => {
                    at += 1;
                    break;
                }
                None => break,
            }
        }
        if self.sites.next_before(at).is_some() {
            let style =
                if keys::is_before_colon(self.text, at) { Style::Key } else { Style::String };
            self.sites.scalar(open..at, super::Style::Json(style))?;
        }
        Ok(at)
    }

    /// Returns where the text goes on behind the escape that begins here.
    fn escape(&self, at: usize) -> Result<usize, Fault> {
        let unicode = self.text.get(at + 1) == Some(&b'u');
        let digits = if unicode { hex_length(&self.text[at + 2..]) } else { 0 };
        let unfinished = match (unicode, digits) {
            (true, 4) => None,
            (true, _) => Some(at + 2 + digits),
            (false, _) => Some(at + 1),
        };
        if let Some(at) = unfinished.filter(|at| self.text.get(*at) == Some(&b'$'))
            && self.sites.pending().binary_search_by_key(&at, |one| one.start).is_ok()
        {
            return Err(Fault { at, kind: FaultKind::Escape });
        }
        // The parser has no opinion on lone surrogates in a string that it does not keep; but an
        // empty value between two of them would join them.
        match (self.code_unit(at), self.code_unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => Ok(at + 12),
            (Some(0xd800..=0xdfff), _) => Err(syntax(at, "lone surrogate in a `\\u` escape")),
            _ => Ok((at + 2 + digits).min(self.text.len())),
        }
    }

    /// The code unit of the `\u` escape that begins here.
    fn code_unit(&self, at: usize) -> Option<u16> {
        let escape = self.text.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u").filter(|digits| hex_length(digits) == 4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "json", message: message.to_owned() } }
}

/// RFC 8259, section 8.1: a parser may ignore it.
fn bom_length(text: &[u8]) -> usize {
    if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 }
}

fn fits_bare(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')
}

fn ends_token(b: u8) -> bool {
    // A comment is none of JSON's, but is told of where it begins.
    matches!(
        b,
        b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"' | b'/' | b' ' | b'\t' | b'\n' | b'\r'
    )
}

/// How many of the up to four hexadecimal digits of a `\u` escape are there.
fn hex_length(bytes: &[u8]) -> usize {
    bytes.iter().take(4).take_while(|b| b.is_ascii_hexdigit()).count()
}

#[cfg(test)]
mod tests;
