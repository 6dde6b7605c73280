//! How a value is written in XML, or why it cannot be. Raw text stays as it is, but where it would
//! mean something else with the values beside it.

use super::super::{Part, Refusal};
use super::characters::is_held;
use super::{Place, Style};

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    if style.place == Place::Words {
        check_words(parts)?;
    }
    let start = out.len();
    for part in parts {
        match part {
            Part::Raw(raw) => push_raw(style.place, raw, start, out),
            Part::Value(value) => push_value(style, value, out)?,
        }
    }
    let ends = style.place == Place::CData && memchr::memmem::find(&out[start..], b"]]>").is_some();
    if ends { Err(ENDS_CDATA) } else { Ok(()) }
}

fn push_raw(place: Place, raw: &[u8], start: usize, out: &mut Vec<u8>) {
    let mut rest = raw;
    if place == Place::Text {
        // The `>` that values make the end of `]]>` stands in raw text: they hold none themselves.
        let brackets = rest.iter().take_while(|b| **b == b']').count();
        out.extend_from_slice(&rest[..brackets]);
        rest = &rest[brackets..];
        if rest.starts_with(b">") && out[start..].ends_with(b"]]") {
            out.extend_from_slice(b"&gt;");
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
}

fn push_value(style: Style, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let text = std::str::from_utf8(value).map_err(|_| Refusal::NotUtf8)?;
    for c in text.chars() {
        if !is_held(c) {
            return Err(if c == '\0' { Refusal::Nul } else { UNHELD });
        }
        match style.place {
            Place::CData if c == '\r' => return Err(RETURN_IN_CDATA),
            Place::CData if style.ascii && !c.is_ascii() => return Err(BEYOND_ASCII),
            Place::CData => push_char(c, out),
            place => match written(place, c) {
                Some(entity) => out.extend_from_slice(entity.as_bytes()),
                None if is_fragile(c) || style.ascii && !c.is_ascii() => {
                    out.extend_from_slice(format!("&#{};", u32::from(c)).as_bytes());
                }
                None => push_char(c, out),
            },
        }
    }
    Ok(())
}

/// A carriage return as it is would be read as a line feed, and in an attribute all that ends a
/// line or a column as a blank (sections 2.11 and 3.3.3).
fn written(place: Place, c: char) -> Option<&'static str> {
    let in_attribute = place != Place::Text;
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '\r' => "&#13;",
        '"' if in_attribute => "&quot;",
        '\'' if in_attribute => "&apos;",
        '\t' if in_attribute => "&#9;",
        '\n' if in_attribute => "&#10;",
        _ => return None,
    })
}

/// Controls that XML 1.0 holds and advises against, and what XML 1.1 takes for the end of a line.
fn is_fragile(c: char) -> bool {
    matches!(c, '\x7f'..='\u{9f}' | '\u{2028}')
}

fn push_char(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A reader that takes an attribute for a list of words drops blanks, written as references or not.
fn check_words(parts: &[Part<'_>]) -> Result<(), Refusal> {
    let raw_bytes: usize =
        parts.iter().map(|part| if let Part::Raw(raw) = part { raw.len() } else { 0 }).sum();
    let alone = raw_bytes == 2;
    for part in parts {
        if let Part::Value(value) = part {
            let dropped = value.starts_with(b" ") || value.ends_with(b" ");
            let joined = value.windows(2).any(|pair| pair == b"  ");
            if dropped || joined || value.is_empty() && !alone {
                return Err(DROPS_BLANKS);
            }
        }
    }
    Ok(())
}

const AS_FILE: &str = "deliver it as a file with `--as-file`";
const IN_TEXT: &str = "put the reference in ordinary text, outside of the CDATA section";

pub const UNHELD: Refusal = Refusal::Unheld {
    what: "it holds a control character or U+FFFE, which no XML can",
    hint: AS_FILE,
};
pub const ENDS_CDATA: Refusal =
    Refusal::Unheld { what: "with it there is `]]>` in a CDATA section", hint: IN_TEXT };
pub const RETURN_IN_CDATA: Refusal = Refusal::Unheld {
    what: "it holds a carriage return, which a CDATA section cannot",
    hint: IN_TEXT,
};
pub const BEYOND_ASCII: Refusal = Refusal::Unheld {
    what: "it is not ASCII, as this document's CDATA sections must be",
    hint: IN_TEXT,
};
pub const DROPS_BLANKS: Refusal = Refusal::Unheld {
    what: "it is empty or has blanks at an end or together, and with this document's DTD readers \
           may drop them",
    hint: "put the reference in an element's text",
};
