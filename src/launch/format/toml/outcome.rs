//! Whether a rendered document has its template's tables: keys that differ there must not be the
//! same now, for tables with the same name would be one. Asked only where values decide keys.

use std::borrow::Cow;
use std::ops::Range;

use toml_parser::decoder::Encoding;

use super::super::{Changed, Fault, Refusal, Scalar};
use super::Style;
use super::read::{Stop, Watch, read};
use super::tables::{Key, Label};

pub fn verify(scalars: &[Scalar], output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    let names = || scalars.iter().map(name);
    let Some(first) = names().position(|name| name != 0) else {
        return Ok(());
    };
    let changed = |scalar| Changed { scalar, why: Refusal::Duplicate };
    let text = std::str::from_utf8(output).map_err(|_| changed(first))?;
    match read(text, &mut Output { scalars, written, passed: 0 }) {
        Ok(()) => Ok(()),
        Err(Stop::Clash(clash)) if clash.label.name != 0 => Err(changed(clash.label.scalar)),
        // No value is to blame: lay_out refuses such a template.
        Err(Stop::Clash(_) | Stop::Fault(_)) => Err(changed(first)),
    }
}

/// 0 where no value decides a key.
fn name(scalar: &Scalar) -> u32 {
    match scalar.style {
        super::super::Style::Toml(Style::Key { name, .. }) => name,
        _ => 0,
    }
}

struct Output<'o> {
    scalars: &'o [Scalar],
    written: &'o [Range<usize>],
    /// So many of the scalars are before the key that is read.
    passed: usize,
}

impl<'t> Watch<'t> for Output<'_> {
    fn comment(&mut self, _: Range<usize>) -> Result<(), Fault> {
        Ok(())
    }

    fn value(&mut self, _: Range<usize>, _: Option<Encoding>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn key(&mut self, _: Range<usize>, _: Option<Encoding>) -> Result<(), Fault> {
        Ok(())
    }

    fn judged(&mut self, range: Range<usize>, text: Cow<'t, str>) -> Key<'t> {
        let rest = &self.written[self.passed..];
        self.passed += rest.iter().take_while(|written| written.start < range.start).count();
        let scalar = self.passed;
        let is_written = self.written.get(scalar).is_some_and(|written| *written == range);
        let name = if is_written { name(&self.scalars[scalar]) } else { 0 };
        Key { text: bytes(text), at: range.start, label: Label { name, scalar } }
    }
}

pub fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
