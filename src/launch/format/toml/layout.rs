//! Where references stand in a template. It is read with a digit in the place of each byte of them,
//! which may stand wherever a reference may; the raw text decides what an escape reaches into.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use toml_parser::decoder::Encoding;
use toml_parser::{Raw, Span};

use super::super::sites::{Sites, mask};
use super::super::{Fault, FaultKind, Layout};
use super::outcome::bytes;
use super::read::{Stop, Watch, read};
use super::tables::{Key, Label};
use super::{Quoting, Style};
use crate::byte;

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    let masked = mask(text, references, b'1');
    let document = std::str::from_utf8(&masked)
        .map_err(|error| syntax(error.valid_up_to(), encoding_of(text)))?;
    let mut template = Template {
        text,
        references,
        passed: 0,
        sites: Sites::new(references),
        names: HashMap::new(),
        symbol: None,
    };
    match read(document, &mut template) {
        Ok(()) => template.sites.finish(),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Clash(clash)) => Err(syntax(clash.at, "a key or a table is there already")),
    }
}

fn encoding_of(text: &[u8]) -> &'static str {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        "it is UTF-16 or UTF-32, not UTF-8"
    } else {
        "it is not UTF-8"
    }
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "toml", message: message.to_owned() } }
}

struct Template<'t> {
    text: &'t [u8],
    references: &'t [Range<usize>],
    /// So many of the references are before what is read next.
    passed: usize,
    sites: Sites<'t>,
    /// The keys that a value decides, each with its number.
    names: HashMap<Vec<u8>, u32>,
    /// What the key that is being read is, if it holds a reference.
    symbol: Option<Vec<u8>>,
}

/// Stands in no text: what is between two of them is a reference's name.
const REFERENCE: u8 = 0xff;

impl<'t> Template<'t> {
    /// The references that stand in what is read next. No escape may reach into one.
    fn within(
        &mut self,
        range: &Range<usize>,
        encoding: Option<Encoding>,
    ) -> Result<&'t [Range<usize>], Fault> {
        let rest = &self.references[self.passed..];
        let before = rest.iter().take_while(|reference| reference.start < range.start).count();
        let rest = &rest[before..];
        let count = rest.iter().take_while(|reference| reference.end <= range.end).count();
        self.passed += before + count;
        let found = &rest[..count];
        let has_escapes = matches!(encoding, Some(Encoding::BasicString | Encoding::MlBasicString));
        if has_escapes
            && !found.is_empty()
            && let Some(at) = reached_into(&self.text[range.clone()], range.start, found)
        {
            return Err(Fault { at, kind: FaultKind::Escape });
        }
        Ok(found)
    }

    /// A key with its references as what they are, not as their values; and whether there is one
    /// that is not escaped.
    fn symbol(
        &self,
        range: &Range<usize>,
        quoting: Quoting,
        found: &[Range<usize>],
    ) -> (Vec<u8>, bool) {
        let quote = usize::from(quoting != Quoting::Bare);
        let mut symbol = Vec::new();
        let mut at = range.start + quote;
        let mut decided = false;
        for reference in found {
            push_decoded(&self.text[at..reference.start], quoting, &mut symbol);
            let text = &self.text[reference.clone()];
            let dollars = text.iter().take_while(|b| **b == b'$').count();
            symbol.resize(symbol.len() + dollars / 2, b'$');
            if dollars % 2 == 1 {
                let name = text[dollars..].iter().filter(|b| !matches!(b, b'{' | b'}'));
                symbol.push(REFERENCE);
                symbol.extend(name);
                symbol.push(REFERENCE);
                decided = true;
            }
            at = reference.end;
        }
        push_decoded(&self.text[at..range.end.saturating_sub(quote).max(at)], quoting, &mut symbol);
        (symbol, decided)
    }
}

impl<'t> Watch<'t> for Template<'_> {
    fn comment(&mut self, range: Range<usize>) -> Result<(), Fault> {
        self.sites.comment(range)
    }

    fn value(&mut self, range: Range<usize>, encoding: Option<Encoding>) -> Result<bool, Fault> {
        let found = self.within(&range, encoding)?;
        let style = match encoding {
            None => Style::Bare,
            Some(Encoding::BasicString) => Style::Basic,
            Some(Encoding::LiteralString) => Style::Literal,
            Some(Encoding::MlBasicString) => Style::MultiBasic,
            Some(Encoding::MlLiteralString) => Style::MultiLiteral,
        };
        let is_bare = style == Style::Bare && !found.is_empty();
        if is_bare && !fits_bare(&self.text[range.clone()], range.start, found) {
            return Err(syntax(range.start, "string values must be quoted"));
        }
        self.sites.scalar(range, super::super::Style::Toml(style))?;
        // Only its value shows what it is.
        Ok(!is_bare)
    }

    fn key(&mut self, range: Range<usize>, encoding: Option<Encoding>) -> Result<(), Fault> {
        self.symbol = None;
        let found = self.within(&range, encoding)?;
        if found.is_empty() {
            return Ok(());
        }
        let quoting = match encoding {
            None => Quoting::Bare,
            Some(Encoding::BasicString | Encoding::MlBasicString) => Quoting::Basic,
            Some(Encoding::LiteralString | Encoding::MlLiteralString) => Quoting::Literal,
        };
        let (symbol, decided) = self.symbol(&range, quoting, found);
        let mut name = 0;
        if decided {
            let next = u32::try_from(self.names.len() + 1).unwrap_or(u32::MAX);
            name = *self.names.entry(symbol.clone()).or_insert(next);
        }
        self.symbol = Some(symbol);
        let style = super::super::Style::Toml(Style::Key { quoting, name });
        self.sites.scalar(range, style).map(|_| ())
    }

    fn judged(&mut self, range: Range<usize>, text: Cow<'t, str>) -> Key<'t> {
        let text = self.symbol.take().map_or_else(|| bytes(text), Cow::Owned);
        Key { text, at: range.start, label: Label::default() }
    }
}

/// Appends what a part of a key means. What is wrong with it is told by who judges the whole.
fn push_decoded(part: &[u8], quoting: Quoting, symbol: &mut Vec<u8>) {
    let quoted = [b"\"", part, b"\""].concat();
    match std::str::from_utf8(&quoted) {
        Ok(quoted) if quoting == Quoting::Basic && part.contains(&b'\\') => {
            let mut decoded = String::new();
            let encoding = Some(Encoding::BasicString);
            Raw::new_unchecked(quoted, encoding, Span::default()).decode_key(&mut decoded, &mut ());
            symbol.extend_from_slice(decoded.as_bytes());
        }
        _ => symbol.extend_from_slice(part),
    }
}

/// Where the first reference begins that an escape in this string, which begins at `start`, would
/// go on with.
fn reached_into(string: &[u8], start: usize, references: &[Range<usize>]) -> Option<usize> {
    let mut at = 0;
    while let Some(length) = byte::find(b'\\', string.get(at..)?) {
        let escape = at + length;
        let digits_wanted = match string.get(escape + 1) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => 0,
        };
        let digits = string.iter().skip(escape + 2).take(digits_wanted);
        let digits = digits.take_while(|b| b.is_ascii_hexdigit()).count();
        let unfinished = match digits_wanted {
            0 => Some(escape + 1),
            _ if digits < digits_wanted => Some(escape + 2 + digits),
            _ => None,
        };
        let reached = unfinished.map(|at| start + at);
        let begins = |at: &usize| references.binary_search_by_key(at, |one| one.start).is_ok();
        if let Some(at) = reached.filter(begins) {
            return Some(at);
        }
        at = escape + 2 + digits;
    }
    None
}

/// Whether what stands around the references may be part of a number or a boolean.
fn fits_bare(token: &[u8], start: usize, references: &[Range<usize>]) -> bool {
    let mut at = 0;
    let fits = |part: &[u8]| {
        part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_'))
    };
    for reference in references {
        // An escape leaves its dollars there.
        let is_escape = token[..reference.end - start].ends_with(b"$");
        if is_escape || !fits(&token[at..reference.start - start]) {
            return false;
        }
        at = reference.end - start;
    }
    fits(&token[at..])
}
