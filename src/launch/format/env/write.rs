//! How a value is written in an env file, or why it cannot be.

use super::super::{Part, Refusal};
use super::{Style, is_plain};
use crate::byte;

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match style {
        Style::Double => write_double(parts, out).and_then(|()| check_end(out)),
        Style::DoubleLast => write_double(parts, out),
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
                if !fits_double(value) {
                    return Err(refusal(EXPANDED, value));
                }
                for &b in *value {
                    if matches!(b, b'"' | b'\\') {
                        out.push(b'\\');
                    }
                    out.push(b);
                }
            }
        }
    }
    Ok(())
}

/// To python-dotenv, which has not read escapes yet where it looks for the end, a quote behind a
/// backslash is none as long as another one follows: it would go on into other lines.
fn check_end(out: &[u8]) -> Result<(), Refusal> {
    match out.ends_with(b"\\\"") {
        true => Err(Refusal::Unheld { what: READS_ON, hint: LAST_OR_AS_FILE }),
        false => Ok(()),
    }
}

/// Nothing can be escaped. To python-dotenv a backslash escapes `'` and `\`, and `${` begins an
/// expansion: a value may make none of these, neither alone nor with the text beside it.
fn write_single(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut before = None;
    let mut last_value: Option<&[u8]> = None;
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = *part;
        if matches!(part, Part::Value(_)) {
            check_text(bytes)?;
            if bytes.contains(&b'\'') {
                return Err(refusal(ENDS, bytes));
            }
            if !fits_single(bytes) {
                return Err(refusal(DIFFERS, bytes));
            }
            last_value = Some(bytes);
        }
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { continue };
        if let Some(value) = last_value
            && before.is_some_and(|before| differs(&[before, *first]))
        {
            return Err(refusal(DIFFERS, value));
        }
        last_value = last_value.filter(|_| matches!(part, Part::Value(_)));
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
                return Err(refusal(NOT_PLAIN, bytes));
            }
        }
        out.extend_from_slice(bytes);
    }
    Ok(())
}

fn check_text(value: &[u8]) -> Result<(), Refusal> {
    if byte::find(0, value).is_some() {
        return Err(Refusal::Nul);
    }
    std::str::from_utf8(value).map_err(|_| Refusal::NotUtf8)?;
    match byte::find(b'\r', value) {
        Some(_) => Err(Refusal::Unheld { what: RETURN, hint: AS_FILE }),
        None => Ok(()),
    }
}

fn fits_double(value: &[u8]) -> bool {
    byte::find_either([b'$', b'`'], value).is_none()
}

fn fits_single(value: &[u8]) -> bool {
    !value.contains(&b'\'') && !value.windows(2).any(differs)
}

/// Whether these two bytes mean something else to python-dotenv between single quotes.
fn differs(pair: &[u8]) -> bool {
    matches!(pair, [b'\\', b'\\' | b'\''] | [b'$', b'{'])
}

/// With the quotes that hold the value, if there are some.
fn refusal(what: &'static str, value: &[u8]) -> Refusal {
    let hint = match (fits_double(value), fits_single(value)) {
        (true, _) => IN_DOUBLE,
        (false, true) => IN_SINGLE,
        (false, false) => AS_FILE,
    };
    Refusal::Unheld { what, hint }
}

pub const RETURN: &str = "it holds a carriage return, which an env file cannot";
pub const EXPANDED: &str = "it holds a `$` or a backtick, which a shell expands in double quotes";
pub const ENDS: &str = "it holds a `'`, which nothing can stand for in single quotes";
pub const DIFFERS: &str =
    "with it there is `\\\\`, `\\'` or `${` in single quotes, which python-dotenv takes for more";
pub const NOT_PLAIN: &str =
    "outside of quotes it must be letters, digits and `_ . / : @ % + , = -`";

pub const READS_ON: &str =
    "it ends in a backslash, behind which python-dotenv sees no closing quote and reads on";

pub const LAST_OR_AS_FILE: &str =
    "move the line to the end, behind all other quotes, or deliver it as a file with `--as-file`";
pub const IN_DOUBLE: &str = "put the reference in double quotes";
pub const IN_SINGLE: &str = "put the reference in single quotes";
pub const AS_FILE: &str = "deliver it as a file with `--as-file`";
