//! INI files, as Python's configparser reads them without interpolation: `=` or `:` behind an
//! option's name, `#` and `;` at the start of a comment's line. Options before any section,
//! sections and options that come again, and names without a value are what it takes when it is
//! told to (`allow_unnamed_section`, `strict`, `allow_no_value`), as the readers of grafana.ini,
//! php.ini or my.cnf do.
//!
//! Each line's text is a scalar of its own, and is written as it is: there is nothing to escape
//! with. So a value either reads back exactly, or is refused. Quotes, `%` and a `#` behind text are
//! plain text to configparser; what other readers make of them is not judged.

mod lines;
mod names;

use std::ops::Range;

use self::lines::{Line, Lines, is_space};
use self::names::DEFAULT_SECTION;
use super::sites::Sites;
use super::{Changed, Fault, FaultKind, Layout, Part, Refusal, Scalar};
use crate::byte;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// Between the brackets.
    Section,
    /// An option's name, which is read in lower case.
    Option,
    /// Behind the delimiter, to the end of the line.
    Value,
    /// A further line of a value.
    Continuation,
}

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    let document = lines::decode(text)?;
    let mut reader = Reader { document, sites: Sites::new(references) };
    for line in Lines::new(document) {
        match line? {
            Line::Comment(range) => reader.sites.comment(range)?,
            Line::Section { name, behind } => reader.section(name, behind)?,
            Line::Option { name, value: Some(value) } => reader.option(name, value)?,
            Line::Option { name, value: None } => reader.bare(&name)?,
            Line::Continuation(range) => {
                reader.scalar(range, Style::Continuation)?;
            }
        }
    }
    reader.sites.finish()
}

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let start = out.len();
    for part in parts {
        match part {
            Part::Raw(raw) => out.extend_from_slice(raw),
            Part::Value(value) => {
                check_value(value)?;
                out.extend_from_slice(value);
            }
        }
    }
    let written = std::str::from_utf8(&out[start..]).map_err(|_| Refusal::NotUtf8)?;
    match style {
        Style::Section => check_section(written),
        Style::Option => check_option(written, parts),
        Style::Value => check_edges(written),
        Style::Continuation => check_continuation(written),
    }
}

/// Without a name that values changed, no two names became the same.
pub fn verify(scalars: &[Scalar], output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    let is_name =
        |scalar: &Scalar| matches!(scalar.style, super::Style::Ini(Style::Section | Style::Option));
    match scalars.iter().position(is_name) {
        Some(first) => names::verify(first, output, written),
        None => Ok(()),
    }
}

struct Reader<'t> {
    document: &'t str,
    sites: Sites<'t>,
}

impl Reader<'_> {
    fn section(&mut self, name: Range<usize>, behind: Range<usize>) -> Result<(), Fault> {
        let text = &self.document[name.clone()];
        if self.scalar(name.clone(), Style::Section)?
            && let Some(bracket) = text.find(']')
        {
            return Err(ambiguous(name.start + bracket, BRACKETS));
        }
        // It is read over, whatever it is; a reference in it is one, if this is no comment.
        let remark = lines::trim_start(&self.document[behind.clone()]);
        if remark.starts_with(['#', ';']) {
            self.sites.comment(behind)?;
        }
        Ok(())
    }

    fn option(&mut self, name: Range<usize>, value: Range<usize>) -> Result<(), Fault> {
        let text = &self.document[name.clone()];
        let named = self.scalar(name.clone(), Style::Option)?;
        let touched = self.scalar(value, Style::Value)? || named;
        // A `]` would make it a section's.
        if touched && text.starts_with('[') {
            return Err(ambiguous(name.start, "this line begins with `[`, and is no section's"));
        }
        Ok(())
    }

    /// A name without a value: with what a secret holds, it could be any other line.
    fn bare(&self, name: &Range<usize>) -> Result<(), Fault> {
        match self.sites.next_before(name.end) {
            None => Ok(()),
            Some(reference) if reference.start < name.start => {
                Err(Fault { at: reference.start, kind: FaultKind::NoScalar })
            }
            Some(reference) => Err(Fault { at: reference.start, kind: BARE }),
        }
    }

    fn scalar(&mut self, range: Range<usize>, style: Style) -> Result<bool, Fault> {
        self.sites.scalar(range, super::Style::Ini(style))
    }
}

fn check_value(value: &[u8]) -> Result<(), Refusal> {
    if byte::find(0, value).is_some() {
        return Err(Refusal::Nul);
    }
    let text = std::str::from_utf8(value).map_err(|_| Refusal::NotUtf8)?;
    if text.contains(ends_line) { Err(LINES) } else { Ok(()) }
}

/// Where Python's `str.splitlines` ends one: configparser takes any list of lines, and only the
/// first two of these end a line of a file.
fn ends_line(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Blanks of all kinds are stripped.
fn check_edges(written: &str) -> Result<(), Refusal> {
    if written.starts_with(is_space) || written.ends_with(is_space) { Err(EDGES) } else { Ok(()) }
}

/// Blank lines at a value's end are dropped, so that none may become one.
fn check_continuation(written: &str) -> Result<(), Refusal> {
    check_edges(written)?;
    if written.is_empty() {
        return Err(EMPTY_LINE);
    }
    if written.starts_with(['#', ';']) { Err(COMMENT) } else { Ok(()) }
}

/// Its blanks are kept.
fn check_section(written: &str) -> Result<(), Refusal> {
    match written {
        "" => Err(EMPTY_NAME),
        DEFAULT_SECTION => Err(DEFAULTS),
        _ if written.contains(']') => Err(DELIMITER),
        _ => Ok(()),
    }
}

fn check_option(written: &str, parts: &[Part<'_>]) -> Result<(), Refusal> {
    check_edges(written)?;
    if written.is_empty() {
        return Err(EMPTY_NAME);
    }
    if written.starts_with(['#', ';', '[']) {
        return Err(OPENING);
    }
    // In the first line of a file it would be none of the name.
    if written.starts_with('\u{feff}') {
        return Err(MARK);
    }
    if written.contains(['=', ':']) {
        return Err(DELIMITER);
    }
    // The template's own upper case is lost to every reader; that of a value is part of it.
    let mut expected = String::with_capacity(written.len());
    for part in parts {
        match part {
            Part::Raw(raw) => expected += &String::from_utf8_lossy(raw).to_lowercase(),
            Part::Value(value) => expected += &String::from_utf8_lossy(value),
        }
    }
    if written.to_lowercase() == expected { Ok(()) } else { Err(CASE) }
}

const BARE: FaultKind = FaultKind::Unsafe {
    what: "this line has no `=` and no `:`, so that with a value it could become any other line",
    hint: "write it as `name = $NAME`, or use `--format text`, which writes the value as it is",
};
const BRACKETS: &str = "this section's name holds a `]`, where other readers end it";

const AS_FILE: &str = "deliver it as a file with `--as-file`, and name the file";
const NAME_IT: &str = "change the secret, or write the name in the template";

const LINES: Refusal =
    Refusal::Unheld { what: "it has more than one line, which ini cannot hold", hint: AS_FILE };
const EDGES: Refusal = Refusal::Unheld {
    what: "with it the text begins or ends with a blank, which ini does not keep",
    hint: AS_FILE,
};
const EMPTY_LINE: Refusal = Refusal::Unheld {
    what: "with it this line of the value would be empty, and could be dropped",
    hint: "put the reference in the value's first line, or text beside it",
};
const COMMENT: Refusal = Refusal::Unheld {
    what: "with it this line of the value would be a comment",
    hint: "put the reference in the value's first line, or text before it",
};
const EMPTY_NAME: Refusal = Refusal::Unheld { what: "with it the name is empty", hint: NAME_IT };
const DEFAULTS: Refusal = Refusal::Unheld {
    what: "with it the section is `DEFAULT`, whose options all others have",
    hint: NAME_IT,
};
const OPENING: Refusal =
    Refusal::Unheld { what: "with it the option would be a comment or a section", hint: NAME_IT };
const MARK: Refusal =
    Refusal::Unheld { what: "with it the line begins with a byte order mark", hint: NAME_IT };
const DELIMITER: Refusal =
    Refusal::Unheld { what: "it holds what ends a name, such as `=` or `]`", hint: NAME_IT };
const CASE: Refusal = Refusal::Unheld {
    what: "it holds upper case, and the name of an option is read in lower case",
    hint: NAME_IT,
};

fn ambiguous(at: usize, what: &'static str) -> Fault {
    let hint = "write the line without a reference, or without the bracket";
    Fault { at, kind: FaultKind::Unsafe { what, hint } }
}

#[cfg(test)]
mod peer;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
