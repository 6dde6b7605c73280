//! The `$NAME` grammar once more, from its description alone: a second opinion on what is a
//! reference, and the plainest way to put a value in its place.

use crate::pipeline::ENVIRONMENT;

const NAME_BYTES_MAX: usize = 128;

/// A stretch of the text.
enum Piece<'t> {
    Plain(&'t [u8]),
    /// Dollars that an escape leaves.
    Dollars(usize),
    Reference(String),
    Malformed,
}

/// The text with each reference's value; none if a reference is malformed.
pub fn substitute(text: &[u8], value: impl Fn(&str) -> Vec<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Plain(bytes) => out.extend_from_slice(bytes),
            Piece::Dollars(count) => out.resize(out.len() + count, b'$'),
            Piece::Reference(name) => out.extend(value(&name)),
            Piece::Malformed => return None,
        }
    }
    Some(out)
}

/// The distinct names, in the order of their first places.
pub fn names(text: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Reference(name) if !names.contains(&name) => names.push(name),
            _ => {}
        }
    }
    names
}

fn pieces(text: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.iter().take_while(|b| **b != b'$').count();
        pieces.push(Piece::Plain(&rest[..plain]));
        rest = &rest[plain..];
        let run = rest.iter().take_while(|b| **b == b'$').count();
        match named(&rest[run..]) {
            _ if run == 0 => {}
            None => {
                pieces.push(Piece::Plain(&rest[..run]));
                rest = &rest[run..];
            }
            Some(_) if run.is_multiple_of(2) => {
                pieces.push(Piece::Dollars(run / 2));
                let name = rest[run..].iter().take_while(|b| **b != b'$').count().min(1);
                pieces.push(Piece::Plain(&rest[run..run + name]));
                rest = &rest[run + name..];
            }
            Some((name, length)) => {
                pieces.push(Piece::Dollars(run / 2));
                pieces.push(name.map_or(Piece::Malformed, Piece::Reference));
                rest = &rest[run + length..];
            }
        }
    }
    pieces
}

/// What stands behind a `$`: the name, or none where it is malformed, and the length of both.
fn named(text: &[u8]) -> Option<(Option<String>, usize)> {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let Some(inside) = text.strip_prefix(b"{") else {
        let length = text.iter().take_while(|b| word(b)).count();
        let name = std::str::from_utf8(&text[..length]).ok()?;
        return is_name(name).then(|| (Some(name.to_owned()), length));
    };
    let length = inside.iter().take_while(|b| word(b) || **b == b'@').count();
    let written = std::str::from_utf8(&inside[..length]).ok()?;
    let is_pattern = written.contains('@')
        && written.bytes().any(|b| b != b'@')
        && is_name(&written.replace('@', "A"));
    if !is_name(written) && !is_pattern {
        return None;
    }
    let name = written.replace('@', ENVIRONMENT);
    if inside.get(length) == Some(&b'}') && is_name(&name) {
        Some((Some(name), length + 2))
    } else {
        Some((None, length + 1))
    }
}

fn is_name(name: &str) -> bool {
    let rest = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(rest)
}
