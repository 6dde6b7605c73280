//! Which keys are the same to Java: of these it keeps the last.

use std::collections::HashMap;
use std::ops::Range;

use super::super::{Changed, Refusal};
use super::lines::{Line, Lines, continuation_length};

/// Whether a key that was written with values is the same as another, in one of the encodings in
/// which the template's own bytes may be read. `first` is the scalar to blame for what no key
/// explains.
pub fn verify(first: usize, output: &[u8], written: &[Range<usize>]) -> Result<(), Changed> {
    verify_with(first, output, None, written)?;
    match std::str::from_utf8(output) {
        Ok(document) if !output.is_ascii() => verify_with(first, output, Some(document), written),
        _ => Ok(()),
    }
}

/// Without a document in UTF-8 the output is ISO-8859-1.
fn verify_with(
    first: usize,
    output: &[u8],
    document: Option<&str>,
    written: &[Range<usize>],
) -> Result<(), Changed> {
    let changed = |scalar| Changed { scalar, why: Refusal::Duplicate };
    let mut scalars_of = HashMap::new();
    for line in Lines::new(output, &[]) {
        let Line::Pair { key, .. } = line.map_err(|_| changed(first))? else { continue };
        // What begins with a continuation was written from there on.
        let before = written.partition_point(|range| range.start <= key.start).checked_sub(1);
        let scalar = before.filter(|scalar| written[*scalar].contains(&key.start));
        if let Some(earlier) = scalars_of.insert(units(output, document, key), scalar)
            && let Some(blamed) = scalar.or(earlier)
        {
            return Err(changed(blamed));
        }
    }
    Ok(())
}

/// A key's UTF-16 units, its escapes read.
fn units(output: &[u8], document: Option<&str>, key: Range<usize>) -> Vec<u16> {
    let mut units = Vec::with_capacity(key.len());
    let mut escaped = false;
    let mut at = key.start;
    while at < key.end {
        let length = continuation_length(&output[at..key.end]);
        let b = output[at];
        if length > 0 && !escaped {
            at += length;
        } else if b == b'\\' && !escaped {
            escaped = true;
            at += 1;
        } else if escaped && b == b'u' {
            let unit;
            (unit, at) = code_unit(output, at + 1);
            units.push(unit);
            escaped = false;
        } else {
            let c = match document.and_then(|document| document.get(at..)?.chars().next()) {
                Some(c) => c,
                None => char::from(b),
            };
            at += if document.is_some() { c.len_utf8() } else { 1 };
            let meant = if escaped { control(c) } else { c };
            units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
            escaped = false;
        }
    }
    units
}

/// The four digits here, which may go on over lines, and where they end. That there are four was
/// seen when the line was found.
fn code_unit(output: &[u8], from: usize) -> (u16, usize) {
    let mut unit = 0;
    let mut digits = 0;
    let mut at = from;
    while digits < 4 {
        let length = continuation_length(&output[at..]);
        if length == 0 {
            let digit = char::from(output[at]).to_digit(16).unwrap_or(0);
            unit = unit * 16 + u16::try_from(digit).unwrap_or(0);
            digits += 1;
            at += 1;
        }
        at += length;
    }
    (unit, at)
}

/// What a character behind a backslash stands for.
fn control(c: char) -> char {
    match c {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\x0c',
        c => c,
    }
}
