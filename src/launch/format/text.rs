//! Text: no scalars and no comments; a value goes in as it is.

use std::ops::Range;

use super::{Layout, Part, Refusal, Scalar, Site, Style};

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Layout {
    let scalars = vec![Scalar { range: 0..text.len(), style: Style::Text }];
    Layout { scalars, sites: vec![Site::Scalar(0); references.len()] }
}

pub fn write(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        out.extend_from_slice(bytes);
    }
    Ok(())
}
