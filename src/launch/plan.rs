//! Environment and files → the distinct names, and each place where one stands. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::launch::env_file;
use crate::launch::problem::{Place, Problem};
use crate::launch::reference::{Fault, Found, Grammar, Kind};
use crate::name::SecretName;

/// What the application will find in its environment, as far as it is known without a store.
#[derive(Debug)]
pub struct Variable {
    pub name: Vec<u8>,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    /// An inherited entry that is not read: it is handed on as it stands.
    Untouched(&'static CStr),
    /// An inherited entry, whose value begins at `value_start`.
    Inherited { entry: &'static CStr, value_start: usize },
    /// A value from `--env` or the manifest.
    Given(Vec<u8>),
    /// A line of an `--env-file`.
    Line { path: Rc<PathBuf>, text: Rc<[u8]>, line: env_file::Line },
    /// `--export`: the secret itself.
    Export(SecretName),
    /// `--as-file`: the path of a memory file that holds the secret.
    AsFile(SecretName),
}

/// A file of which only the references are wanted.
#[derive(Debug)]
pub struct Document {
    pub path: Rc<PathBuf>,
    pub text: Rc<[u8]>,
}

/// A secret's number within one plan.
pub type Id = u32;

/// Where the text is not simply copied: `text[start..end]` becomes `dollars` times `$`, and then the
/// secret's value if there is one.
#[derive(Debug)]
pub struct Edit {
    pub start: usize,
    pub end: usize,
    pub dollars: usize,
    pub secret: Option<Id>,
}

#[derive(Debug, Default)]
pub struct Plan {
    pub wanted: Wanted,
    pub variables: Vec<Planned>,
    pub problems: Vec<Problem>,
}

/// The distinct names in the order of their first place.
#[derive(Debug, Default)]
pub struct Wanted {
    names: Vec<(SecretName, Vec<Spot>)>,
    ids: HashMap<SecretName, Id>,
    sources: Vec<Source>,
}

#[derive(Debug)]
pub struct Planned {
    pub name: Vec<u8>,
    pub value: PlannedValue,
}

#[derive(Debug)]
pub enum PlannedValue {
    Untouched(&'static CStr),
    Text { text: Cow<'static, [u8]>, edits: Vec<Edit> },
    Secret(Id),
    AsFile(Id),
}

/// A place, as an offset into the text that it stands in. Line and column are counted when shown.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    source: usize,
    at: usize,
}

/// What a text is, for the places in it.
#[derive(Debug)]
pub enum Source {
    Variable { name: String, text: Cow<'static, [u8]> },
    File { path: Rc<PathBuf>, text: Rc<[u8]>, spans: Vec<(usize, usize)> },
}

/// Reads every variable and document with the grammar.
pub fn plan(
    variables: Vec<Variable>,
    documents: &[Document],
    grammar: &Grammar,
    require: &[SecretName],
) -> Plan {
    let mut plan = Plan::default();
    for variable in variables {
        plan.variable(variable, grammar);
    }
    for document in documents {
        plan.document(document, grammar);
    }
    for name in require {
        if !plan.wanted.ids.contains_key(name) {
            plan.problems.push(Problem::Unreferenced { name: name.clone() });
        }
    }
    plan
}

impl Plan {
    fn variable(&mut self, variable: Variable, grammar: &Grammar) {
        let Variable { name, content } = variable;
        let value = match content {
            Content::Untouched(entry) => PlannedValue::Untouched(entry),
            Content::Inherited { entry, value_start } => {
                let text = &entry.to_bytes()[value_start..];
                let source = || variable_source(&name, Cow::Borrowed(text));
                match self.edits(text, grammar, source) {
                    edits if edits.is_empty() => PlannedValue::Untouched(entry),
                    edits => PlannedValue::Text { text: Cow::Borrowed(text), edits },
                }
            }
            Content::Given(text) => {
                let source = || variable_source(&name, Cow::Owned(text.clone()));
                let edits = self.edits(&text, grammar, source);
                PlannedValue::Text { text: Cow::Owned(text), edits }
            }
            Content::Line { path, text, line } => {
                self.refuse_escapes(&line, &path, &text, grammar);
                let source = || Source::File { path, text, spans: line.spans.clone() };
                let edits = self.edits(&line.value, grammar, source);
                PlannedValue::Text { text: Cow::Owned(line.value), edits }
            }
            Content::Export(secret) => PlannedValue::Secret(self.given(secret, &name, grammar)),
            Content::AsFile(secret) => PlannedValue::AsFile(self.given(secret, &name, grammar)),
        };
        self.variables.push(Planned { name, value });
    }

    /// The references of a document that is left alone count as wanted.
    fn document(&mut self, document: &Document, grammar: &Grammar) {
        let source = || Source::File {
            path: Rc::clone(&document.path),
            text: Rc::clone(&document.text),
            spans: Vec::new(),
        };
        self.edits(&document.text, grammar, source);
    }

    /// Scans one text; what is malformed in it becomes a problem.
    fn edits(
        &mut self,
        text: &[u8],
        grammar: &Grammar,
        source: impl FnOnce() -> Source,
    ) -> Vec<Edit> {
        let (edits, faults) = self.wanted.scan(text, grammar, source);
        for (fault, spot) in faults {
            let places = vec![self.wanted.place(spot)];
            self.problems.push(Problem::Malformed { fault, places });
        }
        edits
    }

    /// A name that an option gave in full; its place is the variable that it is for.
    fn given(&mut self, secret: SecretName, variable: &[u8], grammar: &Grammar) -> Id {
        let source = self.wanted.add(variable_source(variable, Cow::Borrowed(b"")));
        let spot = Spot { source, at: 0 };
        if let Some(fault) = grammar.crossed(secret.as_str()) {
            let places = vec![self.wanted.place(spot)];
            self.problems.push(Problem::Malformed { fault, places });
        }
        self.wanted.want(secret, spot)
    }

    fn refuse_escapes(
        &mut self,
        line: &env_file::Line,
        path: &Rc<PathBuf>,
        text: &[u8],
        grammar: &Grammar,
    ) {
        let parts = grammar.scan(&line.value).map(|found| (found.start, found.end));
        if let Some(fault) = line.escape_within(parts) {
            let place = file_place(path, text, fault.at);
            self.problems.push(Problem::EnvFile { kind: fault.kind, place });
        }
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
        self.names[id as usize].1.iter().map(|spot| self.place(*spot)).collect()
    }

    /// Whether a place of the name looks like a password hash (crypt(5): `$id$…`).
    pub fn stands_in_hash(&self, name: &SecretName) -> bool {
        let Some(id) = self.id(name) else { return false };
        self.names[id as usize].1.iter().any(|spot| match &self.sources[spot.source] {
            Source::Variable { text, .. } => looks_like_hash(text, spot.at),
            Source::File { text, spans, .. } => {
                looks_like_hash(text, env_file::file_offset(spans, spot.at))
            }
        })
    }

    /// Finds every reference of a text, and what is malformed in it.
    pub fn scan(
        &mut self,
        text: &[u8],
        grammar: &Grammar,
        source: impl FnOnce() -> Source,
    ) -> (Vec<Edit>, Vec<(Fault, Spot)>) {
        let (mut edits, mut faults) = (Vec::new(), Vec::new());
        let mut all = grammar.scan(text).peekable();
        if all.peek().is_none() {
            return (edits, faults);
        }
        let source = self.add(source());
        for found in all {
            let Found { start, end, dollars, .. } = found;
            let spot = Spot { source, at: found.at() };
            let secret = match found.kind {
                Kind::Escape => None,
                Kind::Reference(name) => Some(self.want_str(name, spot)),
                Kind::ReferenceFor(name) => Some(self.want(name, spot)),
                Kind::Fault(fault) => {
                    faults.push((fault, spot));
                    continue;
                }
            };
            edits.push(Edit { start, end, dollars, secret });
        }
        (edits, faults)
    }

    fn add(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    fn want_str(&mut self, name: &str, spot: Spot) -> Id {
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

    fn place(&self, spot: Spot) -> Place {
        match &self.sources[spot.source] {
            Source::Variable { name, text } => {
                Place::Variable { name: name.clone(), column: position(text, spot.at).1 }
            }
            Source::File { path, text, spans } => {
                file_place(path, text, env_file::file_offset(spans, spot.at))
            }
        }
    }
}

fn variable_source(name: &[u8], text: Cow<'static, [u8]>) -> Source {
    Source::Variable { name: String::from_utf8_lossy(name).into_owned(), text }
}

/// The place of an offset in a file.
pub fn file_place(path: &Path, text: &[u8], at: usize) -> Place {
    let (line, column) = position(text, at);
    Place::File { path: path.to_owned(), line, column }
}

/// Line and column of an offset, both from 1; a column is a character, or a byte that is none.
fn position(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    let characters = before[line_start..]
        .utf8_chunks()
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum::<usize>();
    (line, characters + 1)
}

/// Whether `text[at..]` lies in a word such as `$2y$10$N9qo8uLOickgx2ZMRZoMye`: a dollar, a short
/// id, a dollar, and enough behind it to be a salt or a hash.
fn looks_like_hash(text: &[u8], at: usize) -> bool {
    const HASH_BYTES_MIN: usize = 20;
    let of_a_hash = |b: &u8| b.is_ascii_alphanumeric() || b"./$+=,-_".contains(b);
    let start = text[..at].iter().rposition(|b| !of_a_hash(b)).map_or(0, |i| i + 1);
    let length = text[at..].iter().position(|b| !of_a_hash(b)).unwrap_or(text.len() - at);
    let word = &text[start..at + length];
    let Some(first) = memchr::memchr(b'$', word) else { return false };
    let word = &word[first + 1..];
    let id = memchr::memchr(b'$', word).unwrap_or(0);
    (1..=12).contains(&id) && word.len() >= HASH_BYTES_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        let text = "ä$A\nüß$B".as_bytes();
        let at = |needle: u8| text.iter().position(|b| *b == needle).expect("there") - 1;
        assert_eq!(position(text, at(b'A')), (1, 2));
        assert_eq!(position(text, at(b'B')), (2, 3));
        assert_eq!(position(b"\xff\xfe$A", 2), (1, 3));
    }

    #[test]
    fn hashes() {
        for (text, expected) in [
            ("$2y$10$Abcdefghijklmnopqrstuv", true),
            ("user:$P$BabcdefghijklmnopqrstuvQ", true),
            ("$argon2id$v=19$m=65536,t=2,p=1$ABC$abc", true),
            ("postgres://u:$P@host/db", false),
            ("$P$short", false),
        ] {
            let at = memchr::memrchr(b'$', text.as_bytes()).expect("a dollar");
            assert_eq!(looks_like_hash(text.as_bytes(), at), expected, "{text}");
        }
    }
}
