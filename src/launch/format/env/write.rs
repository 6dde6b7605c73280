//! How a value is written in an env file, or why it cannot be.

use super::super::{Part, Refusal};
use super::{Style, is_plain};

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match style {
        Style::Double => write_double(parts, out),
        Style::Single => write_single(parts, out),
        Style::Bare => write_bare(parts, out),
    }
}

/// `"` and `\` are escaped. A backslash before `$` or a backtick would be an escape for a shell
/// alone, and python-dotenv ends lines at a carriage return.
fn write_double(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        match part {
            Part::Raw(raw) => out.extend_from_slice(raw),
            Part::Value(value) => {
                check_text(value)?;
                for &b in *value {
                    match b {
                        b'$' | b'`' | b'\r' => return Err(QUOTING),
                        b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
                        _ => out.push(b),
                    }
                }
            }
        }
    }
    Ok(())
}

/// Nothing can be escaped. To python-dotenv a backslash escapes `'` and `\`, and `${` begins an
/// expansion: a value may make none of these, neither alone nor with the text beside it.
fn write_single(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut before = None;
    let mut behind_value = false;
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = *part;
        let is_value = matches!(part, Part::Value(_));
        if is_value {
            check_text(bytes)?;
            if memchr::memchr2(b'\'', b'\r', bytes).is_some() || bytes.windows(2).any(differs) {
                return Err(QUOTING);
            }
        }
        behind_value |= is_value;
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { continue };
        if behind_value && before.is_some_and(|before| differs(&[before, *first])) {
            return Err(QUOTING);
        }
        behind_value = is_value;
        before = Some(*last);
        out.extend_from_slice(bytes);
    }
    Ok(())
}

/// Only what means itself to everyone, wherever it stands.
fn write_bare(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = *part;
        if matches!(part, Part::Value(_)) {
            check_text(bytes)?;
            if !bytes.iter().all(|b| is_plain(*b)) {
                return Err(QUOTING);
            }
        }
        out.extend_from_slice(bytes);
    }
    Ok(())
}

fn check_text(value: &[u8]) -> Result<(), Refusal> {
    if memchr::memchr(0, value).is_some() {
        return Err(Refusal::Nul);
    }
    std::str::from_utf8(value).map(|_| ()).map_err(|_| Refusal::NotUtf8)
}

/// Whether these two bytes mean something else to python-dotenv between single quotes.
fn differs(pair: &[u8]) -> bool {
    matches!(pair, [b'\\', b'\\' | b'\''] | [b'$', b'{'])
}

pub const QUOTING: Refusal = Refusal::Unheld {
    what: "it holds what cannot stand in this kind of quotes",
    hint: "put the reference in other quotes",
};
