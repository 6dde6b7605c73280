//! Java properties, as `java.util.Properties.load` reads them from bytes (ISO-8859-1) and from
//! characters alike: a value is written in ASCII, with `\uXXXX` for all else. The template's own
//! bytes stay as they are, in whatever encoding: all that has a meaning in the format is ASCII.

mod lines;
mod names;
mod write;

use std::ops::Range;

use self::lines::{Line, Lines};
use super::sites::Sites;
use super::{Changed, Fault, FaultKind, Layout, Scalar};
use crate::byte;

pub use self::write::write;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    Key,
    /// From its first character that is no blank to the end of the last line it goes on to.
    Value,
}

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    check_encoding(text)?;
    let mut sites = Sites::new(references);
    for line in Lines::new(text, references) {
        match line? {
            Line::Comment(range) => sites.comment(range)?,
            Line::Pair { key, value } => {
                sites.scalar(key, super::Style::Properties(Style::Key))?;
                let start = value.start;
                if sites.scalar(value, super::Style::Properties(Style::Value))?
                    && text[..start].ends_with(b"\r")
                {
                    return Err(Fault { at: start, kind: RETURN });
                }
            }
        }
    }
    sites.finish()
}

/// Without a key that values changed, no two keys became the same.
pub fn verify(scalars: &[Scalar], output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    let is_key = |scalar: &Scalar| scalar.style == super::Style::Properties(Style::Key);
    match scalars.iter().position(is_key) {
        Some(first) => names::verify(first, output, written),
        None => Ok(()),
    }
}

/// An empty value would let the line feed behind it belong to that carriage return.
const RETURN: FaultKind = FaultKind::Unsafe {
    what: "a reference begins a line, and the one before ends in a carriage return alone",
    hint: "end the file's lines with line feeds, or put a blank before the reference",
};

fn check_encoding(text: &[u8]) -> Result<(), Fault> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(syntax(0, "it is UTF-16 or UTF-32"));
    }
    if let Some(at) = byte::find(0, text) {
        return Err(syntax(at, "a NUL byte"));
    }
    if text.starts_with(b"\xef\xbb\xbf") {
        let what = "a byte order mark, which Java takes for the beginning of the first key";
        let kind = FaultKind::Unsafe { what, hint: "save the file without a byte order mark" };
        return Err(Fault { at: 0, kind });
    }
    Ok(())
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "properties", message: message.to_owned() } }
}

#[cfg(test)]
mod java;
#[cfg(test)]
mod tests;
