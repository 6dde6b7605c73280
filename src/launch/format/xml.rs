//! XML 1.0, for readers of UTF-8. `quick-xml` splits the template and matches its tags; here is
//! found where its text and its attributes stand, and checked what else a strict reader refuses.
//!
//! Nothing is expanded, and of a DTD only what matters to the scalars is looked at. A document in
//! another encoding is refused, one of XML 1.1 too: readers do not agree on its line ends.

mod attributes;
mod characters;
mod dtd;
mod encoding;
mod faults;
mod write;

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::Event;

use self::attributes::Attributes;
use self::characters::{first_unheld, is_blank, is_char, is_name};
use self::dtd::Dtd;
use self::encoding::{is_utf8, not_utf8};
use self::faults::{DECLARATION, ENCODING, NO_NAME, OUTSIDE, RETURN, UNQUOTED, VERSION};
pub use self::write::write;
use super::sites::{Sites, mask};
use super::{Fault, FaultKind, Layout};
use crate::byte;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    place: Place,
    /// The document can hold nothing beyond ASCII but as a character reference.
    ascii: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Text,
    Attribute,
    /// An attribute that a DTD may say to be a list of words: its readers drop blanks.
    Words,
    CData,
}

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    let masked = mask(text, references, b'A');
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'<', 0, ..] | [0, b'<', ..] = text {
        return Err(syntax(0, "it is UTF-16, and not UTF-8"));
    }
    let document =
        std::str::from_utf8(&masked).map_err(|error| not_utf8(text, error.valid_up_to()))?;
    let mut walker = Walker {
        text,
        document,
        sites: Sites::new(references),
        open: Vec::new(),
        root: false,
        dtd: None,
        ascii: false,
    };
    let walked = walker.document();
    let unheld = first_unheld(document);
    match (walked, unheld) {
        (Err(fault), Some(at)) if fault.at < at => Err(fault),
        (_, Some(at)) => Err(syntax(at, "a character that XML cannot hold")),
        (Err(fault), None) => Err(fault),
        (Ok(()), None) => walker.sites.finish(),
    }
}

struct Walker<'t> {
    text: &'t [u8],
    /// The text with its references masked.
    document: &'t str,
    sites: Sites<'t>,
    /// Where each of the elements begins that are not closed yet.
    open: Vec<usize>,
    /// Whether the root element has begun.
    root: bool,
    dtd: Option<Dtd<'t>>,
    ascii: bool,
}

impl Walker<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        // The reader does not count a BOM.
        let bom = if self.document.starts_with('\u{feff}') { 3 } else { 0 };
        let mut reader = Reader::from_str(self.document);
        loop {
            let start = bom + reader.buffer_position() as usize;
            let event = reader.read_event();
            let end = bom + reader.buffer_position() as usize;
            match event {
                Ok(Event::Eof) => break,
                Ok(Event::Decl(_)) if start > bom => {
                    return Err(self.syntax(start, "an XML declaration behind the start"));
                }
                Ok(event) => self.event(&event, start..end)?,
                Err(error) => {
                    let at = bom + reader.error_position() as usize;
                    return Err(self.unread(&error, at, end));
                }
            }
        }
        match self.open.last() {
            Some(start) => Err(self.syntax(*start, "the element that begins here is not closed")),
            None if self.root => Ok(()),
            None => Err(self.syntax(self.text.len(), "there is no element")),
        }
    }

    fn event(&mut self, event: &Event<'_>, range: Range<usize>) -> Result<(), Fault> {
        match event {
            Event::Start(tag) => {
                self.tag(tag.name().as_ref().len(), range.start, range.end - 1)?;
                self.open.push(range.start);
                Ok(())
            }
            Event::Empty(tag) => self.tag(tag.name().as_ref().len(), range.start, range.end - 2),
            Event::End(_) => {
                self.open.pop();
                Ok(())
            }
            Event::Text(_) => self.characters(range),
            Event::GeneralRef(_) if self.open.is_empty() => Err(self.syntax(range.start, OUTSIDE)),
            Event::GeneralRef(_) => self.entity(range.start),
            Event::CData(_) if self.open.is_empty() => Err(self.syntax(range.start, OUTSIDE)),
            Event::CData(_) => self.put(range.start + 9..range.end - 3, Place::CData),
            Event::Comment(_) => self.comment(range),
            Event::PI(instruction) => {
                let target = instruction.target();
                let named = is_name(target) && !target.eq_ignore_ascii_case("xml");
                if named { Ok(()) } else { Err(self.syntax(range.start + 2, NO_NAME)) }
            }
            Event::Decl(_) => self.declaration(range),
            Event::DocType(_) => self.doctype(range),
            Event::Eof => Ok(()),
        }
    }

    /// A start tag, of which the name and the attributes end at `end`.
    fn tag(&mut self, name_length: usize, start: usize, end: usize) -> Result<(), Fault> {
        if self.open.is_empty() && self.root {
            return Err(self.syntax(start, "a second root element"));
        }
        self.root = true;
        let name_end = start + 1 + name_length;
        if !is_name(&self.document[start + 1..name_end]) {
            return Err(self.syntax(start + 1, NO_NAME));
        }
        if name_end == end {
            return Ok(());
        }
        let words = self.dtd.as_ref().is_some_and(|dtd| dtd.types_attributes);
        let place = if words { Place::Words } else { Place::Attribute };
        for attribute in Attributes::new(self.document, name_end..end) {
            let attribute = attribute.map_err(|fault| self.or_no_scalar(fault))?;
            let name = &self.document[attribute.name.clone()];
            if !is_name(name) {
                return Err(self.syntax(attribute.name.start, NO_NAME));
            }
            let value = attribute.value;
            let names_space = name == "xmlns" || name.starts_with("xmlns:");
            if names_space && let Some(reference) = self.sites.next_before(value.end) {
                return Err(Fault { at: reference.start, kind: FaultKind::NoScalar });
            }
            self.put(value.start - 1..value.end + 1, place)?;
            self.attribute_value(value)?;
        }
        Ok(())
    }

    fn attribute_value(&self, value: Range<usize>) -> Result<(), Fault> {
        let bytes = &self.document.as_bytes()[value.clone()];
        for found in memchr::memchr2_iter(b'<', b'&', bytes) {
            match bytes[found] {
                b'<' => {
                    return Err(self.syntax(
                        value.start + found,
                        "`<` in an attribute, where it is written `&lt;`",
                    ));
                }
                _ => self.entity(value.start + found)?,
            }
        }
        Ok(())
    }

    /// Text between two tags, or what else ends it.
    fn characters(&mut self, range: Range<usize>) -> Result<(), Fault> {
        let bytes = &self.document.as_bytes()[range.clone()];
        if self.open.is_empty() {
            let outside = bytes.iter().position(|b| !is_blank(*b));
            return match outside {
                Some(at) => Err(self.syntax(range.start + at, OUTSIDE)),
                None => Ok(()),
            };
        }
        self.put(range.clone(), Place::Text)?;
        match memchr::memmem::find(bytes, b"]]>") {
            Some(at) => {
                Err(self.syntax(range.start + at, "`]]>` in text, where it is written `]]&gt;`"))
            }
            None => Ok(()),
        }
    }

    fn comment(&mut self, range: Range<usize>) -> Result<(), Fault> {
        self.sites.comment(range.clone())?;
        // With the first hyphen of its end: it may stand behind none.
        let inner = range.start + 4..range.end - 2;
        match memchr::memmem::find(&self.document.as_bytes()[inner.clone()], b"--") {
            Some(at) => Err(self.syntax(inner.start + at, "`--` in a comment")),
            None => Ok(()),
        }
    }

    /// `&name;` or `&#10;`: what stands for another character, or for a text of the DTD.
    fn entity(&self, at: usize) -> Result<(), Fault> {
        let rest = &self.document[at + 1..];
        let ends = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"#:_-.".contains(c);
        let length = rest.find(ends).unwrap_or(rest.len());
        // In the masked text a dollar would have ended it: it is a reference's own.
        if let Some(masked) = byte::find(b'$', &self.text[at..=at + length]) {
            return Err(Fault { at: at + masked, kind: FaultKind::Escape });
        }
        if !rest[length..].starts_with(';') {
            return Err(self.syntax(at, "a lone `&`, which is written `&amp;`"));
        }
        let name = &rest[..length];
        match name.strip_prefix('#') {
            Some(number) if is_char(number) => Ok(()),
            Some(_) => Err(self.syntax(at, "a number that stands for no character")),
            None if matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") => Ok(()),
            None if self.dtd.as_ref().is_some_and(|dtd| dtd.declares(name)) => Ok(()),
            None => Err(self.syntax(at, "an entity that is not declared")),
        }
    }

    fn declaration(&mut self, range: Range<usize>) -> Result<(), Fault> {
        let mut expected = ["version", "encoding", "standalone"].iter();
        let mut first = true;
        for attribute in Attributes::new(self.document, range.start + 5..range.end - 2) {
            let attribute = attribute.map_err(|fault| self.or_no_scalar(fault))?;
            let name = &self.document[attribute.name.clone()];
            let value = &self.document[attribute.value.clone()];
            if !expected.any(|one| *one == name) || first != (name == "version") {
                return Err(self.syntax(attribute.name.start, DECLARATION));
            }
            first = false;
            let at = attribute.value.start;
            match name {
                "version" if value != "1.0" => {
                    return Err(self.or_no_scalar(Fault { at, kind: VERSION }));
                }
                "encoding" => self.encoding(at, value)?,
                "standalone" if !matches!(value, "yes" | "no") => {
                    return Err(self.syntax(at, DECLARATION));
                }
                _ => {}
            }
        }
        if first { Err(self.syntax(range.start, DECLARATION)) } else { Ok(()) }
    }

    fn encoding(&mut self, at: usize, name: &str) -> Result<(), Fault> {
        if is_utf8(name) {
            return Ok(());
        }
        let name = name.to_ascii_lowercase();
        let beyond = self.document.bytes().position(|b| !b.is_ascii());
        self.ascii = true;
        match (name.as_str(), beyond) {
            ("us-ascii" | "ascii", None) => Ok(()),
            ("us-ascii" | "ascii", Some(at)) => {
                Err(self.syntax(at, "it declares to be ASCII, and is not"))
            }
            // As long as nothing uses what they add to ASCII, they are it.
            (name, None) if name.starts_with("iso-8859-") || name.starts_with("windows-125") => {
                Ok(())
            }
            _ => Err(self.or_no_scalar(Fault { at, kind: ENCODING })),
        }
    }

    fn doctype(&mut self, range: Range<usize>) -> Result<(), Fault> {
        if self.root || self.dtd.is_some() {
            return Err(self.syntax(range.start, "a DOCTYPE behind another, or behind the root"));
        }
        let Some(dtd) = Dtd::read(&self.document[range.clone()]) else {
            return Err(self.syntax(range.start, "a DOCTYPE that cannot be read"));
        };
        for comment in &dtd.comments {
            self.sites.comment(range.start + comment.start..range.start + comment.end)?;
        }
        self.dtd = Some(dtd);
        Ok(())
    }

    fn put(&mut self, range: Range<usize>, place: Place) -> Result<(), Fault> {
        let style = super::Style::Xml(Style { place, ascii: self.ascii });
        if self.sites.scalar(range.clone(), style)? {
            let alone = |at: &usize| self.text.get(at + 1) != Some(&b'\n');
            let returns = byte::each(b'\r', &self.text[range.clone()]);
            let mut returns = returns.map(|at| range.start + at);
            if let Some(at) = returns.find(alone) {
                return Err(Fault { at, kind: RETURN });
            }
        }
        Ok(())
    }

    /// The reader's own error, in the words that it has for it.
    fn unread(&self, error: &Error, at: usize, end: usize) -> Fault {
        match error {
            Error::IllFormed(IllFormedError::UnclosedReference) => match self.entity(at) {
                Err(fault) => fault,
                Ok(()) => self.syntax(at, "a lone `&`, which is written `&amp;`"),
            },
            Error::IllFormed(
                IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_),
            ) => {
                // It may stand in the tag itself.
                let reference = self.no_scalar_before(end);
                reference.unwrap_or_else(|| syntax(at, &message(error)))
            }
            _ => self.syntax(at, &message(error)),
        }
    }

    fn syntax(&self, at: usize, message: &str) -> Fault {
        self.or_no_scalar(syntax(at, message))
    }

    /// A reference up to there that no scalar took is what is wrong, and not what its mask makes.
    /// One that is an attribute's value only lacks its quotes.
    fn or_no_scalar(&self, fault: Fault) -> Fault {
        let limit = if fault.kind == UNQUOTED { fault.at } else { fault.at + 1 };
        self.no_scalar_before(limit).unwrap_or(fault)
    }

    fn no_scalar_before(&self, limit: usize) -> Option<Fault> {
        let reference = self.sites.next_before(limit)?;
        Some(Fault { at: reference.start, kind: FaultKind::NoScalar })
    }
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "xml", message: message.to_owned() } }
}

/// What the reader says, without what kind of error it takes it for.
fn message(error: &Error) -> String {
    match error {
        Error::Syntax(error) => error.to_string(),
        Error::IllFormed(error) => error.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod tests;
