//! How a scalar is written with its values: escaped with what TOML 1.0 has, or refused where its
//! quoting has no escapes. Raw text stays as it is, but for what an empty value would change in it.

mod multi;

use super::super::{Part, Refusal};
use super::bare::is_number_or_boolean;
use super::{Quoting, Style};

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match style {
        Style::Basic | Style::Key { quoting: Quoting::Basic, .. } => write_basic(parts, out),
        Style::Literal | Style::Key { quoting: Quoting::Literal, .. } => write_literal(parts, out),
        Style::MultiBasic => multi::write_basic(parts, out),
        Style::MultiLiteral => multi::write_literal(parts, out),
        Style::Bare => write_bare(parts, out),
        // What stands around its references needs no escape.
        Style::Key { quoting: Quoting::Bare, .. } => {
            out.push(b'"');
            write_basic(parts, out)?;
            out.push(b'"');
            Ok(())
        }
    }
}

fn write_basic(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        match part {
            Part::Raw(raw) => out.extend_from_slice(raw),
            Part::Value(value) => write_escaped(utf8(value)?, out),
        }
    }
    Ok(())
}

fn write_literal(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        if let Part::Value(value) = part
            && utf8(value)?.iter().any(|b| *b == b'\'' || is_control(*b))
        {
            return Err(UNHELD_IN_LITERAL);
        }
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        out.extend_from_slice(bytes);
    }
    Ok(())
}

const UNHELD_IN_LITERAL: Refusal = Refusal::Unheld {
    what: "it holds a `'`, a line end or a control character, and stands between `'`",
    hint: "put the reference between `\"`",
};

/// All parts together must be one number or one boolean, with no blanks around it.
fn write_bare(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let start = out.len();
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        out.extend_from_slice(bytes);
    }
    let token = std::str::from_utf8(&out[start..]);
    if token.is_ok_and(is_number_or_boolean) { Ok(()) } else { Err(NOT_BARE) }
}

const NOT_BARE: Refusal = Refusal::NotBare { allowed: "a boolean, or a number that 64 bits hold" };

fn utf8(value: &[u8]) -> Result<&[u8], Refusal> {
    std::str::from_utf8(value).map(str::as_bytes).map_err(|_| Refusal::NotUtf8)
}

/// Of those that TOML forbids in a string without escapes.
fn is_control(b: u8) -> bool {
    b < 0x20 && b != b'\t' || b == 0x7f
}

fn write_escaped(value: &[u8], out: &mut Vec<u8>) {
    let is_plain = |b: u8| b >= 0x20 && !matches!(b, b'"' | b'\\' | 0x7f);
    let mut rest = value;
    while let Some(length) = rest.iter().position(|b| !is_plain(*b)) {
        out.extend_from_slice(&rest[..length]);
        write_escape(rest[length], out);
        rest = &rest[length + 1..];
    }
    out.extend_from_slice(rest);
}

fn write_escape(b: u8, out: &mut Vec<u8>) {
    let letter = match b {
        b'\x08' => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        b'\x0c' => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => b,
        _ => {
            let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
            out.extend_from_slice(b"\\u00");
            return out.extend_from_slice(&[digit(b >> 4), digit(b & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}
