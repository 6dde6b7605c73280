//! Environment and files → the distinct names, and each place where one stands. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::CStr;
use std::path::PathBuf;
use std::rc::Rc;

use crate::launch::document::{Document, Target};
use crate::launch::env_file;
use crate::launch::format::{Format, Layout, Scalar};
use crate::launch::problem::{Place, Problem};
use crate::launch::reference::{Fault, Grammar};
use crate::launch::wanted::{Edit, Id, Source, SourceFile, Wanted, file_place};
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
    Line { path: Rc<PathBuf>, text: Rc<Vec<u8>>, line: env_file::Line },
    /// `--export`: the secret itself.
    Export(SecretName),
    /// `--as-file`: the path of a memory file that holds the secret.
    AsFile(SecretName),
    /// `--memfd`: the path of a memory file that holds the rendered document of this number.
    Memory { file: usize },
}

#[derive(Debug, Default)]
pub struct Plan {
    pub wanted: Wanted,
    pub variables: Vec<Planned>,
    pub documents: Vec<PlannedDocument>,
    pub problems: Vec<Problem>,
    /// Where each fault's problem is, as long as problems are only added.
    malformed: HashMap<Fault, usize>,
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
    Memory { file: usize },
}

/// A document with what is to be put in.
#[derive(Debug)]
pub struct PlannedDocument {
    pub path: Rc<PathBuf>,
    pub text: Rc<Vec<u8>>,
    pub format: Format,
    /// In order, as the edits are that stand in them; none where all of the text is one.
    pub scalars: Vec<Scalar>,
    pub edits: Vec<Edit>,
    pub target: Option<Target>,
    /// Whether nothing is wrong with it: else it is not rendered.
    pub whole: bool,
}

/// Reads every variable and document with the grammar.
pub fn plan(
    variables: Vec<Variable>,
    documents: Vec<Document>,
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
        if grammar.literal.contains(name) {
            let fault = format!("`{name}` is required, and it is literal; keep one of both");
            plan.problems.push(Problem::Setting { fault, hint: None });
        } else if plan.wanted.id(name).is_none() {
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
                let source = || Source::File(SourceFile::new(&path, &text, line.spans.clone()));
                // A reference that an escape reaches into is none that could be asked for.
                let edits = if self.refuse_escapes(&line, &path, &text, grammar) {
                    Vec::new()
                } else {
                    self.edits(&line.value, grammar, source)
                };
                PlannedValue::Text { text: Cow::Owned(line.value), edits }
            }
            Content::Export(secret) => {
                let Some(id) = self.given(secret, &name, grammar) else { return };
                PlannedValue::Secret(id)
            }
            Content::AsFile(secret) => {
                let Some(id) = self.given(secret, &name, grammar) else { return };
                PlannedValue::AsFile(id)
            }
            Content::Memory { file } => PlannedValue::Memory { file },
        };
        self.variables.push(Planned { name, value });
    }

    /// Finds a document's references, each in its scalar. Where it cannot be read in its format,
    /// all that looks like one counts, so that what is missing is known all the same; but nothing
    /// with a fault is rendered.
    fn document(&mut self, document: Document, grammar: &Grammar) {
        let grammar = document.grammar(grammar);
        let faults_before = self.problems.len();
        let layout = document.lay_out(&grammar).unwrap_or_else(|fault| {
            let place = file_place(&document.path, &document.text, fault.at);
            self.problems.push(Problem::Document { kind: fault.kind, place });
            Layout::default()
        });
        let source = || Source::File(SourceFile::new(&document.path, &document.text, Vec::new()));
        let counts = |index| layout.counts(index);
        let (edits, malformed) = self.counted(&document.text, &grammar, counts, source);
        let whole = !malformed && self.problems.len() == faults_before;
        let Document { path, text, format, target, .. } = document;
        let scalars = layout.scalars;
        self.documents.push(PlannedDocument { path, text, format, scalars, edits, target, whole });
    }

    /// Scans one text; what is malformed in it becomes a problem.
    fn edits(
        &mut self,
        text: &[u8],
        grammar: &Grammar,
        source: impl FnOnce() -> Source,
    ) -> Vec<Edit> {
        self.counted(text, grammar, |_| true, source).0
    }

    /// Says too whether anything is malformed: the same fault elsewhere may have been told before.
    fn counted(
        &mut self,
        text: &[u8],
        grammar: &Grammar,
        counts: impl Fn(usize) -> bool,
        source: impl FnOnce() -> Source,
    ) -> (Vec<Edit>, bool) {
        let (edits, faults) = self.wanted.scan(text, grammar, counts, source);
        let malformed = !faults.is_empty();
        for (fault, spot) in faults {
            let place = self.wanted.place(spot);
            self.problem_at(fault, place);
        }
        (edits, malformed)
    }

    /// A name that an option gave in full; its place is the variable that it is for. One of another
    /// environment is not even asked for.
    fn given(&mut self, secret: SecretName, variable: &[u8], grammar: &Grammar) -> Option<Id> {
        let name = String::from_utf8_lossy(variable).into_owned();
        if let Some(fault) = grammar.crossed(secret.as_str()) {
            self.problem_at(fault, Place::Variable { name, column: 1 });
            return None;
        }
        Some(self.wanted.give(secret, name))
    }

    /// The same fault in several places is one problem.
    fn problem_at(&mut self, fault: Fault, place: Place) {
        let next = self.problems.len();
        let index = *self.malformed.entry(fault.clone()).or_insert(next);
        match self.problems.get_mut(index) {
            Some(Problem::Malformed { places, .. }) => places.push(place),
            _ => self.problems.push(Problem::Malformed { fault, places: vec![place] }),
        }
    }

    fn refuse_escapes(
        &mut self,
        line: &env_file::Line,
        path: &Rc<PathBuf>,
        text: &[u8],
        grammar: &Grammar,
    ) -> bool {
        let parts = grammar.scan(&line.value).map(|found| (found.start, found.end));
        let Some(fault) = line.escape_within(parts) else { return false };
        let place = file_place(path, text, fault.at);
        self.problems.push(Problem::EnvFile { kind: fault.kind, place });
        true
    }
}

fn variable_source(name: &[u8], text: Cow<'static, [u8]>) -> Source {
    Source::Variable { name: String::from_utf8_lossy(name).into_owned(), text }
}

#[cfg(test)]
pub(super) mod tests;
