//! The attributes of a tag with their positions, which `quick-xml` finds and does not tell.

use std::iter::FusedIterator;
use std::ops::Range;

use quick_xml::events::attributes::{AttrError, Attributes as Inner};

use super::characters::is_blank;
use super::faults::UNQUOTED;
use super::{Fault, syntax};

/// One attribute; its value without the quotes, which stand right beside it.
pub struct Attribute {
    pub name: Range<usize>,
    pub value: Range<usize>,
}

/// Ends behind the first fault, which it tells with its offset.
pub struct Attributes<'t> {
    document: &'t str,
    inner: Inner<'t>,
    /// Where the inner positions count from.
    start: usize,
    /// Up to where it was read.
    at: usize,
    broken: bool,
}

impl<'t> Attributes<'t> {
    /// The range is that of a tag behind its name.
    pub fn new(document: &'t str, range: Range<usize>) -> Self {
        let inner = Inner::new(&document[range.clone()], 0);
        Self { document, inner, start: range.start, at: range.start, broken: false }
    }

    fn find(&mut self, name: &str, value: &str) -> Result<Attribute, Fault> {
        let bytes = self.document.as_bytes();
        let blanks = bytes[self.at..].iter().take_while(|b| is_blank(**b)).count();
        let start = self.at + blanks;
        if blanks == 0 {
            return Err(syntax(start, "a blank is missing before this attribute"));
        }
        let name = start..start + name.len();
        let quote = bytes[name.end..].iter().position(|b| matches!(b, b'"' | b'\''));
        let value_start = name.end + quote.map_or(0, |quote| quote + 1);
        let value = value_start..value_start + value.len();
        self.at = value.end + 1;
        Ok(Attribute { name, value })
    }

    fn fault(&self, error: &AttrError) -> Fault {
        let (at, message) = match error {
            AttrError::UnquotedValue(at) => {
                return Fault { at: self.start + at, kind: UNQUOTED };
            }
            AttrError::ExpectedEq(at) => (at, "expected `=` and a value"),
            AttrError::ExpectedValue(at) => (at, "expected a value"),
            AttrError::ExpectedQuote(at, _) => (at, "the value's quote is not closed"),
            AttrError::Duplicated(at, _) => (at, "this attribute is there already"),
        };
        syntax(self.start + at, message)
    }
}

impl Iterator for Attributes<'_> {
    type Item = Result<Attribute, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let next = match self.inner.next()? {
            Ok(found) => self.find(found.key.as_ref(), &found.value),
            Err(error) => Err(self.fault(&error)),
        };
        self.broken = next.is_err();
        Some(next)
    }
}

impl FusedIterator for Attributes<'_> {}
