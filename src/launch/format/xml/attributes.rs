//! The attributes of a tag with their positions, which `quick-xml` finds and does not tell.

use std::iter::FusedIterator;
use std::ops::Range;

use quick_xml::events::attributes::{AttrError, Attributes as Inner};

use super::characters::is_blank;

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

    fn find(&mut self, name: &str, value: &str) -> Result<Attribute, (usize, &'static str)> {
        let bytes = self.document.as_bytes();
        let blanks = bytes[self.at..].iter().take_while(|b| is_blank(**b)).count();
        let start = self.at + blanks;
        if blanks == 0 {
            return Err((start, "an attribute begins behind a blank"));
        }
        let name = start..start + name.len();
        let quote = bytes[name.end..].iter().position(|b| matches!(b, b'"' | b'\''));
        let value_start = name.end + quote.map_or(0, |quote| quote + 1);
        let value = value_start..value_start + value.len();
        self.at = value.end + 1;
        Ok(Attribute { name, value })
    }

    fn fault(&self, error: &AttrError) -> (usize, &'static str) {
        match error {
            AttrError::ExpectedEq(at) => (self.start + at, "expected `=` and a value"),
            AttrError::ExpectedValue(at) => (self.start + at, "expected a value"),
            AttrError::UnquotedValue(at) => (self.start + at, "a value without quotes"),
            AttrError::ExpectedQuote(at, _) => (self.start + at, "the value's quote is not closed"),
            AttrError::Duplicated(at, _) => (self.start + at, "an attribute that is there already"),
        }
    }
}

impl Iterator for Attributes<'_> {
    type Item = Result<Attribute, (usize, &'static str)>;

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
