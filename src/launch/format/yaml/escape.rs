//! Which characters stand as they are, and the escapes of the others: only those that every reader
//! knows, of YAML 1.1 and 1.2.

use std::io::Write as _;

/// Whether it may not stand as it is, in quotes or in a block: some reader refuses it, or takes it
/// for a line break, as YAML 1.1 does with U+0085, U+2028 and U+2029.
pub fn is_unprintable(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}'
    ) || u32::from(c) & 0xfffe == 0xfffe
}

/// Appends text for double quotes.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write_but(text, out, |c| is_unprintable(c) || matches!(c, '"' | '\\'));
}

/// Appends what stands in double quotes already. A tab may follow a backslash.
pub fn write_raw(raw: &[u8], out: &mut Vec<u8>) {
    write_but(raw, out, |c| is_unprintable(c) && c != '\t');
}

fn write_but(text: &[u8], out: &mut Vec<u8>, needs_escape: impl Fn(char) -> bool) {
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| needs_escape(*c)) {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            write_escape(c, out);
            rest = &rest[at + c.len_utf8()..];
        }
        out.extend_from_slice(rest.as_bytes());
    }
}

/// Of a text that is known to be UTF-8.
pub fn chars(text: &[u8]) -> impl Iterator<Item = char> {
    text.utf8_chunks().flat_map(|chunk| chunk.valid().chars())
}

fn write_escape(c: char, out: &mut Vec<u8>) {
    let written = match c {
        '\0' => write!(out, "\\0"),
        '\t' => write!(out, "\\t"),
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '"' | '\\' => write!(out, "\\{c}"),
        '\0'..='\u{ff}' => write!(out, "\\x{:02x}", u32::from(c)),
        '\0'..='\u{ffff}' => write!(out, "\\u{:04x}", u32::from(c)),
        _ => write!(out, "\\U{:08x}", u32::from(c)),
    };
    written.expect("a vector takes what is written to it");
}
