//! Which characters XML 1.0 (fifth edition) has, and which of them make a name.

/// Section 2.3, production 3.
pub fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Section 2.2, production 2: without most controls, U+FFFE and U+FFFF.
pub fn is_held(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// Where the first character stands that no document holds.
pub fn first_unheld(document: &str) -> Option<usize> {
    let bytes = document.as_bytes();
    let is_control = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r');
    // A whole chunk is judged at once, which is as fast as it is read.
    let has_control = |chunk: &[u8]| chunk.iter().fold(false, |any, b| any | is_control(b));
    let control = match bytes.chunks(CHUNK_BYTES).any(has_control) {
        true => bytes.iter().position(is_control),
        false => None,
    };
    let noncharacter = memchr::memmem::find_iter(bytes, b"\xef\xbf")
        .find(|at| matches!(bytes.get(at + 2), Some(0xbe | 0xbf)));
    control.into_iter().chain(noncharacter).min()
}

const CHUNK_BYTES: usize = 4096;

/// Section 4.1, production 66: the digits behind `&#`, of a character that a document holds.
pub fn is_char(number: &str) -> bool {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let digits_only = digits.chars().all(|c| c.is_digit(radix));
    // Zeros may stand before it, as many as one likes.
    let significant = digits.trim_start_matches('0');
    let c = u32::from_str_radix(significant, radix).ok().and_then(char::from_u32);
    digits_only && c.is_some_and(is_held)
}

/// Section 2.3, production 5.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(begins_name) && chars.all(goes_on_in_name)
}

fn begins_name(c: char) -> bool {
    matches!(c,
        ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}' | '\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn goes_on_in_name(c: char) -> bool {
    begins_name(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}'
            | '\u{203f}'..='\u{2040}')
}
