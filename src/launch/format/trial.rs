//! Renders a document by its layout, for the formats' own tests.

use std::ops::Range;

use super::{Changed, Fault, Format, Layout, Part, Refusal, Site};
use crate::launch::reference::{Found, Grammar, Kind};

#[derive(Debug, Eq, PartialEq)]
pub enum Failed {
    Template(Fault),
    Value(Refusal),
    Output(Changed),
}

/// The document with each reference's value, which is given by the name.
pub fn render(
    format: Format,
    text: &[u8],
    value: impl Fn(&str) -> Vec<u8>,
) -> Result<Vec<u8>, Failed> {
    let grammar = Grammar::default();
    let found: Vec<Found<'_>> = grammar.scan(text).collect();
    let layout = lay_out(format, text).map_err(Failed::Template)?;
    assert_eq!(layout.sites.len(), found.len(), "a site for each");
    let mut out = Vec::new();
    let mut copied = 0;
    let mut written = Vec::new();
    for (number, scalar) in layout.scalars.iter().enumerate() {
        assert!(copied <= scalar.range.start, "scalars are in order");
        out.extend_from_slice(&text[copied..scalar.range.start]);
        let mut parts = Vec::new();
        let mut at = scalar.range.start;
        let mut values = Vec::new();
        for (found, _) in within(&found, &layout, number) {
            values.push(match found.kind {
                Kind::Reference(name) => Some(value(name)),
                _ => None,
            });
        }
        assert!(!values.is_empty(), "a scalar is there for its references");
        for ((found, _), value) in within(&found, &layout, number).zip(&values) {
            assert!(at <= found.start && found.end <= scalar.range.end, "it is in its scalar");
            parts.push(Part::Raw(&text[at..found.start]));
            parts.push(Part::Raw(&b"$$$$$$$$"[..found.dollars]));
            parts.extend(value.as_deref().map(Part::Value));
            at = found.end;
        }
        parts.push(Part::Raw(&text[at..scalar.range.end]));
        let start = out.len();
        scalar.style.write(&parts, &mut out).map_err(Failed::Value)?;
        written.push(start..out.len());
        copied = scalar.range.end;
    }
    out.extend_from_slice(&text[copied..]);
    format.verify(&layout.scalars, &out, &written).map_err(Failed::Output)?;
    Ok(out)
}

pub fn lay_out(format: Format, text: &[u8]) -> Result<Layout, Fault> {
    let found = Grammar::default();
    let ranges: Vec<Range<usize>> = found.scan(text).map(|found| found.start..found.end).collect();
    format.lay_out(text, &ranges)
}

fn within<'f, 't>(
    found: &'f [Found<'t>],
    layout: &'f Layout,
    number: usize,
) -> impl Iterator<Item = (&'f Found<'t>, &'f Site)> {
    found.iter().zip(&layout.sites).filter(move |(_, site)| **site == Site::Scalar(number))
}
