//! What a document says of its encoding, where its bytes show that it is not UTF-8.

use super::attributes::Attributes;
use super::faults::ENCODING;
use super::{Fault, syntax};

/// A document in another encoding mostly says so before its first byte that shows it.
pub fn not_utf8(text: &[u8], at: usize) -> Fault {
    let before = text.get(..at).and_then(|before| std::str::from_utf8(before).ok());
    match before.and_then(declared_encoding) {
        Some(declared) => Fault { at: declared, kind: ENCODING },
        None => syntax(at, "it is not UTF-8"),
    }
}

/// Where a declaration names another encoding than UTF-8.
fn declared_encoding(start: &str) -> Option<usize> {
    let bom = if start.starts_with('\u{feff}') { 3 } else { 0 };
    if !start[bom..].starts_with("<?xml") {
        return None;
    }
    let end = memchr::memmem::find(start.as_bytes(), b"?>")?;
    let attributes = Attributes::new(start, bom + 5..end).map_while(Result::ok);
    let mut named = attributes.filter(|one| &start[one.name.clone()] == "encoding");
    let value = named.next()?.value;
    let is_other = !is_utf8(&start[value.clone()]) && !start[value.clone()].contains('$');
    is_other.then_some(value.start)
}

pub fn is_utf8(encoding: &str) -> bool {
    encoding.eq_ignore_ascii_case("utf-8") || encoding.eq_ignore_ascii_case("utf8")
}
