//! What a DTD may mean to the rest of the document, as far as can be told without reading it.

use std::collections::HashSet;
use std::ops::Range;

use super::characters::{is_blank, is_name};

#[derive(Debug, Default)]
pub struct Dtd<'t> {
    /// In the text of the DOCTYPE.
    pub comments: Vec<Range<usize>>,
    /// Some attributes may be lists of words.
    pub types_attributes: bool,
    entities: HashSet<&'t str>,
    /// Some declarations stand in other files, or are made of parameters.
    elsewhere: bool,
}

impl<'t> Dtd<'t> {
    /// From `<!DOCTYPE` to `>`; `None` if it does not begin as one.
    pub fn read(doctype: &'t str) -> Option<Self> {
        let rest = doctype.strip_prefix(OPENING)?;
        let named = rest.trim_start_matches(|c: char| c.is_ascii() && is_blank(c as u8));
        let name_end = |c: char| c.is_ascii() && (is_blank(c as u8) || matches!(c, '[' | '>'));
        let name = &named[..named.find(name_end)?];
        let behind_name = named[name.len()..].trim_ascii_start();
        let goes_on = [">", "[", "SYSTEM", "PUBLIC"].iter().any(|one| behind_name.starts_with(one));
        if named.len() == rest.len() || !is_name(name) || !goes_on {
            return None;
        }
        let mut dtd = Self::default();
        let bytes = doctype.as_bytes();
        let mut at = OPENING.len();
        let mut inside = false;
        while let Some(length) = bytes[at..].iter().position(|b| b"\"'[<%".contains(b)) {
            at += length;
            match bytes[at] {
                // Before the `[`, that is the address of another file.
                quote @ (b'"' | b'\'') => {
                    dtd.elsewhere |= !inside;
                    at = behind(bytes, at + 1, &[quote]);
                }
                b'<' => at = dtd.markup(doctype, at),
                b'%' => {
                    dtd.elsewhere = true;
                    at += 1;
                }
                _ => {
                    inside = true;
                    at += 1;
                }
            }
        }
        dtd.types_attributes |= dtd.elsewhere;
        Some(dtd)
    }

    /// Whether it may declare the entity of this name.
    pub fn declares(&self, name: &str) -> bool {
        self.elsewhere && is_name(name) || self.entities.contains(name)
    }

    /// Returns where the text goes on: behind a comment or an instruction, or within a declaration.
    fn markup(&mut self, doctype: &'t str, at: usize) -> usize {
        let rest = &doctype[at..];
        if rest.starts_with("<!--") {
            let end = behind(doctype.as_bytes(), at + 4, b"-->");
            self.comments.push(at..end);
            return end;
        }
        if rest.starts_with("<?") {
            return behind(doctype.as_bytes(), at + 2, b"?>");
        }
        self.types_attributes |= rest.starts_with("<!ATTLIST");
        if let Some(entity) = rest.strip_prefix("<!ENTITY") {
            self.entities.extend(entity.split_ascii_whitespace().next());
        }
        at + 1
    }
}

const OPENING: &str = "<!DOCTYPE";

fn behind(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    memchr::memmem::find(&bytes[from..], end).map_or(bytes.len(), |at| from + at + end.len())
}
