//! What a variable may be called, and the lines that say no more than that.

use std::ops::Range;

/// As the launcher's own reader of such files has it.
pub fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(|b| !b.is_ascii_digit())
        && name.iter().all(|b| is_word(*b) || matches!(b, b'.' | b'-'))
}

/// Where the name stands in a line `export NAME`: a shell's word that programs get the variable.
/// At what is no name to a shell it would end, so here it must be one.
pub fn exported(line: &[u8]) -> Option<Range<usize>> {
    let rest = line.strip_prefix(b"export")?;
    let blanks = rest.iter().take_while(|b| is_blank(**b)).count();
    let rest = &rest[blanks..];
    let (name, behind) = rest.split_at(rest.iter().take_while(|b| is_word(**b)).count());
    let ends = match behind {
        [] | [b'\r'] => true,
        [b' ' | b'\t', ..] => matches!(behind.trim_ascii_start(), [] | [b'#', ..]),
        _ => false,
    };
    let end = line.len() - behind.len();
    (blanks > 0 && ends && is_name(name)).then(|| end - name.len()..end)
}

pub fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

pub fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}
