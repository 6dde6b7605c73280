//! The distinct names that texts refer to, and each place where one stands. Pure.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::byte;
use crate::launch::env_file;
use crate::launch::position::Positions;
use crate::launch::problem::{Place, Standing};
use crate::launch::reference::{Fault, Found, Grammar, Kind};
use crate::name::SecretName;

/// The distinct names in the order of their first place.
#[derive(Debug, Default)]
pub struct Wanted {
    names: Vec<(SecretName, Vec<Spot>)>,
    ids: HashMap<SecretName, Id>,
    /// The names that were found last, by their `slot`.
    recent: [Id; SLOTS],
    sources: Vec<Source>,
}

/// A secret's number within one plan.
pub type Id = u32;

/// Where the text is not simply copied: `text[start..end]` becomes `dollars` times `$`, and then
/// the secret's value if there is one. A large file has a great many of them, so they are small.
#[derive(Debug)]
pub struct Edit {
    start: u32,
    end: u32,
    dollars: u32,
    /// The secret's number, or `NO_SECRET`.
    secret: Id,
}

const NO_SECRET: Id = Id::MAX;

impl Edit {
    fn new(found: &Found<'_>, secret: Option<Id>) -> Self {
        let offset = |offset| u32::try_from(offset).expect("texts are below 4 GiB");
        Self {
            start: offset(found.start),
            end: offset(found.end),
            dollars: offset(found.dollars),
            secret: secret.unwrap_or(NO_SECRET),
        }
    }

    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where the reference's own `$` stands: the last of its run.
    pub fn at(&self) -> usize {
        self.start as usize + 2 * self.dollars as usize
    }

    pub fn dollars(&self) -> usize {
        self.dollars as usize
    }

    pub fn secret(&self) -> Option<Id> {
        (self.secret != NO_SECRET).then_some(self.secret)
    }
}

/// A place, as an offset into the text that it stands in. Line and column are counted when shown.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    source: u32,
    at: u32,
}

impl Spot {
    fn new(source: usize, at: usize) -> Self {
        let number = |number| u32::try_from(number).expect("texts are below 4 GiB");
        Self { source: number(source), at: number(at) }
    }

    fn at(self) -> usize {
        self.at as usize
    }
}

/// What a text is, for the places in it.
#[derive(Debug)]
pub enum Source {
    Variable {
        name: String,
        text: Cow<'static, [u8]>,
    },
    /// A variable for which the secret itself is wanted: there is no text.
    Given {
        name: String,
    },
    File(SourceFile),
}

/// A file that references stand in, or a value that a part of it gives.
#[derive(Debug)]
pub struct SourceFile {
    path: Rc<PathBuf>,
    text: Rc<Vec<u8>>,
    /// Where the bytes of the value stand in the file; empty where it is the file itself.
    spans: Vec<(usize, usize)>,
    /// Counted when the first place is shown.
    positions: OnceCell<Positions>,
}

impl SourceFile {
    pub fn new(path: &Rc<PathBuf>, text: &Rc<Vec<u8>>, spans: Vec<(usize, usize)>) -> Self {
        let (path, text) = (Rc::clone(path), Rc::clone(text));
        Self { path, text, spans, positions: OnceCell::new() }
    }

    fn place(&self, at: usize) -> Place {
        let at = env_file::file_offset(&self.spans, at);
        let positions = self.positions.get_or_init(|| Positions::new(&self.text));
        let (line, column) = positions.of(&self.text, at);
        Place::File { path: (*self.path).clone(), line, column }
    }
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn names(&self) -> impl Iterator<Item = &SecretName> {
        self.names.iter().map(|(name, _)| name)
    }

    pub fn name(&self, id: Id) -> &SecretName {
        &self.names[id as usize].0
    }

    pub fn id(&self, name: &SecretName) -> Option<Id> {
        self.ids.get(name).copied()
    }

    /// Every place where the name stands.
    pub fn places(&self, name: &SecretName) -> Vec<Place> {
        let Some(id) = self.id(name) else { return Vec::new() };
        let mut places = Vec::new();
        let mut seen = HashSet::new();
        for place in self.names[id as usize].1.iter().map(|spot| self.place(*spot)) {
            // A file may be there for more than one use.
            if seen.insert(place.clone()) {
                places.push(place);
            }
        }
        places
    }

    /// Whether there is a text that the name stands in, and one of them looks like a password hash
    /// (crypt(5): `$id$…`).
    pub fn standing(&self, name: &SecretName) -> Standing {
        let Some(id) = self.id(name) else { return Standing::Text };
        let mut standing = Standing::Options;
        for spot in &self.names[id as usize].1 {
            let hash = match &self.sources[spot.source as usize] {
                Source::Given { .. } => continue,
                Source::Variable { text, .. } => looks_like_hash(text, spot.at()),
                Source::File(file) => {
                    looks_like_hash(&file.text, env_file::file_offset(&file.spans, spot.at()))
                }
            };
            if hash {
                return Standing::Hash;
            }
            standing = Standing::Text;
        }
        standing
    }

    /// Finds every reference of a text, and what is malformed in it. `counts` says by its place in
    /// their order which are any at all.
    pub fn scan(
        &mut self,
        text: &[u8],
        grammar: &Grammar,
        counts: impl Fn(usize) -> bool,
        source: impl FnOnce() -> Source,
    ) -> (Vec<Edit>, Vec<(Fault, Spot)>) {
        let (mut edits, mut faults) = (Vec::new(), Vec::new());
        let counted = grammar.scan(text).enumerate().filter(|(index, _)| counts(*index));
        let mut all = counted.map(|(_, found)| found).peekable();
        if all.peek().is_none() {
            return (edits, faults);
        }
        let source = self.add(source());
        for found in all {
            let spot = Spot::new(source, found.at());
            let secret = match &found.kind {
                Kind::Escape => None,
                Kind::Reference(name) => Some(self.want_str(name, spot)),
                Kind::ReferenceFor(name) => Some(self.want(name.clone(), spot)),
                Kind::Fault(fault) => {
                    faults.push((fault.clone(), spot));
                    continue;
                }
            };
            edits.push(Edit::new(&found, secret));
        }
        (edits, faults)
    }

    /// A name that was given in full, for a variable of which it is all.
    pub fn give(&mut self, name: SecretName, variable: String) -> Id {
        let spot = Spot::new(self.add(Source::Given { name: variable }), 0);
        self.want(name, spot)
    }

    fn add(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    fn want_str(&mut self, name: &str, spot: Spot) -> Id {
        // A text tends to repeat the names that it has used, and to compare is less than to hash.
        let slot = slot(name);
        let recent = self.recent[slot];
        if let Some((known, spots)) = self.names.get_mut(recent as usize)
            && known.as_str() == name
        {
            spots.push(spot);
            return recent;
        }
        self.recent[slot] = self.look_up(name, spot);
        self.recent[slot]
    }

    fn look_up(&mut self, name: &str, spot: Spot) -> Id {
        match self.ids.get(name) {
            Some(id) => {
                self.names[*id as usize].1.push(spot);
                *id
            }
            None => self.want(SecretName::parse(name).expect("the grammar finds names"), spot),
        }
    }

    fn want(&mut self, name: SecretName, spot: Spot) -> Id {
        let next = Id::try_from(self.names.len()).expect("fewer names than bytes of memory");
        let id = *self.ids.entry(name.clone()).or_insert(next);
        if id == next {
            self.names.push((name, Vec::new()));
        }
        self.names[id as usize].1.push(spot);
        id
    }

    pub fn place(&self, spot: Spot) -> Place {
        match &self.sources[spot.source as usize] {
            Source::Variable { name, text } => {
                let column = Positions::new(text).of(text, spot.at()).1;
                Place::Variable { name: name.clone(), column }
            }
            Source::Given { name } => Place::Variable { name: name.clone(), column: 1 },
            Source::File(file) => file.place(spot.at()),
        }
    }
}

/// Where a name is kept that was found just now.
const SLOTS: usize = 16;

fn slot(name: &str) -> usize {
    let bytes = name.as_bytes();
    let ends = bytes.first().zip(bytes.last()).map_or(0, |(first, last)| first ^ last);
    (bytes.len() ^ usize::from(ends)) % SLOTS
}

/// The place of one offset in a file.
pub fn file_place(path: &Path, text: &[u8], at: usize) -> Place {
    let (line, column) = Positions::new(&text[..at]).of(text, at);
    Place::File { path: path.to_owned(), line, column }
}

/// Whether `text[at..]` lies in a word such as `$2y$10$N9qo8uLOickgx2ZMRZoMye`: a dollar, a short
/// id, a dollar, and enough behind it to be a salt or a hash.
fn looks_like_hash(text: &[u8], at: usize) -> bool {
    const HASH_BYTES_MIN: usize = 20;
    let of_a_hash = |b: &u8| b.is_ascii_alphanumeric() || b"./$+=,-_".contains(b);
    let start = text[..at].iter().rposition(|b| !of_a_hash(b)).unwrap_or(0);
    let length = text[at..].iter().position(|b| !of_a_hash(b)).unwrap_or(text.len() - at);
    let word = &text[start..at + length];
    let Some(first) = byte::find(b'$', word) else { return false };
    let word = &word[first + 1..];
    let id = byte::find(b'$', word).unwrap_or(0);
    (1..=12).contains(&id) && word.len() >= HASH_BYTES_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_once() {
        let mut wanted = Wanted::default();
        assert!(wanted.is_empty());
        let scanned = b"$A ${B_1} $$A $A".as_slice();
        let source = || Source::Variable { name: "X".to_owned(), text: Cow::Borrowed(scanned) };
        let (edits, faults) = wanted.scan(scanned, &Grammar::default(), |_| true, source);
        assert_eq!((edits.len(), faults.len(), wanted.len()), (4, 0, 2));
        let names = wanted.names().map(SecretName::as_str).collect::<Vec<_>>();
        assert_eq!((wanted.is_empty(), names), (false, vec!["A", "B_1"]));
    }

    #[test]
    fn hashes() {
        for (text, expected) in [
            ("$2y$10$Abcdefghijklmnopqrstuv", true),
            ("user:$P$BabcdefghijklmnopqrstuvQ", true),
            ("$argon2id$v=19$m=65536,t=2,p=1$ABC$abc", true),
            ("postgres://u:$P@host/db", false),
            ("$P$short", false),
            ("x $P$BabcdefghijklmnopqrstuvQ y", true),
            ("$ $ABCDEFGHIJKLMNOPQRSTUVWX", false),
        ] {
            let at = memchr::memrchr(b'$', text.as_bytes()).expect("a dollar");
            assert_eq!(looks_like_hash(text.as_bytes(), at), expected, "{text}");
        }
    }
}
