//! References are put in their scalars as a format's reader goes through the text, in order; one
//! that no scalar and no comment takes is refused. It knows no format.

use std::borrow::Cow;
use std::ops::Range;

use super::{Fault, FaultKind, Layout, Scalar, Site, Style};

/// The references of a text, of which the first ones are put already.
#[derive(Debug)]
pub struct Sites<'r> {
    references: &'r [Range<usize>],
    /// It has a site for each of the references that were passed.
    layout: Layout,
}

impl<'r> Sites<'r> {
    pub fn new(references: &'r [Range<usize>]) -> Self {
        Self { references, layout: Layout::default() }
    }

    /// The references that were not put yet.
    pub fn pending(&self) -> &'r [Range<usize>] {
        &self.references[self.layout.sites.len()..]
    }

    /// The first reference that was not put yet, if it begins before `limit`.
    pub fn next_before(&self, limit: usize) -> Option<Range<usize>> {
        let reference = self.pending().first()?;
        (reference.start < limit).then(|| reference.clone())
    }

    /// What begins before the end of a comment, and was not put, stands in it, and is no reference.
    pub fn comment(&mut self, range: Range<usize>) -> Result<(), Fault> {
        self.refuse_before(range.start)?;
        while self.next_before(range.end).is_some() {
            self.layout.sites.push(Site::Comment);
        }
        Ok(())
    }

    /// What stands in this scalar is put there; without any, it is no scalar that must be written.
    /// Says whether there is one.
    pub fn scalar(&mut self, range: Range<usize>, style: Style) -> Result<bool, Fault> {
        self.refuse_before(range.start)?;
        let passed = self.layout.sites.len();
        while let Some(reference) = self.next_before(range.end) {
            if reference.end > range.end {
                return Err(Fault { at: reference.start, kind: FaultKind::NoScalar });
            }
            self.layout.sites.push(Site::Scalar(self.layout.scalars.len()));
        }
        let touched = self.layout.sites.len() > passed;
        if touched {
            self.layout.scalars.push(Scalar { range, style });
        }
        Ok(touched)
    }

    /// The layout, if every reference was put somewhere.
    pub fn finish(self) -> Result<Layout, Fault> {
        self.refuse_before(usize::MAX)?;
        Ok(self.layout)
    }

    fn refuse_before(&self, limit: usize) -> Result<(), Fault> {
        match self.next_before(limit) {
            Some(reference) => Err(Fault { at: reference.start, kind: FaultKind::NoScalar }),
            None => Ok(()),
        }
    }
}

/// The text with each reference overwritten, at the same length, for a parser that cannot read it.
pub fn mask<'t>(text: &'t [u8], references: &[Range<usize>], with: u8) -> Cow<'t, [u8]> {
    let mut masked = Cow::Borrowed(text);
    for reference in references {
        masked.to_mut()[reference.clone()].fill(with);
    }
    masked
}
