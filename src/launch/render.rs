//! Plan and values → what the application will find. Pure; nothing is written anywhere.

mod document;

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::ops::Range;

use crate::launch::document::Target;
use crate::launch::plan::{Planned, PlannedDocument, PlannedValue};
use crate::launch::problem::{Problem, Unplaceable};
use crate::launch::wanted::{Edit, Id};
use crate::name::SecretName;
use crate::secret::Secret;
use crate::sys::expect_large;

/// How much all documents of a launch may be with their values, in bytes: small templates may refer
/// to large values often, and all of it is held in memory at once.
const RENDERED_BYTES_MAX: usize = 1 << 30;

/// The values of a plan's names, by their numbers.
pub struct Values(Vec<(SecretName, Secret)>);

/// The environment, but for the paths of memory files that do not exist yet, and the files.
pub struct Rendered {
    pub variables: Vec<RenderedVariable>,
    /// One for each document, in their order.
    pub files: Vec<RenderedFile>,
    pub values: Values,
}

/// A document with its values, and where it goes.
pub struct RenderedFile {
    pub target: Option<Target>,
    pub contents: Secret,
}

pub enum RenderedVariable {
    Entry(Cow<'static, CStr>),
    AsFile {
        name: Vec<u8>,
        secret: Id,
    },
    /// The path of the memory file that holds the file of this number.
    Memory {
        name: Vec<u8>,
        file: usize,
    },
}

impl Values {
    pub fn new(values: Vec<(SecretName, Secret)>) -> Self {
        Self(values)
    }

    pub fn get(&self, id: Id) -> &Secret {
        &self.0[id as usize].1
    }

    fn name(&self, id: Id) -> &SecretName {
        &self.0[id as usize].0
    }
}

/// Substitutes every variable and document. All that cannot be placed is told, not only the first.
pub fn render(
    planned: Vec<Planned>,
    documents: Vec<PlannedDocument>,
    values: Values,
    entry_bytes_max: usize,
) -> Result<Rendered, Vec<Problem>> {
    let mut variables = Vec::with_capacity(planned.len());
    let mut problems = Vec::new();
    for variable in planned {
        match render_one(variable, &values, entry_bytes_max) {
            Ok(rendered) => variables.push(rendered),
            Err(problem) => problems.push(problem),
        }
    }
    let (files, failed) = render_documents(documents, &values, RENDERED_BYTES_MAX);
    problems.extend(failed);
    if problems.is_empty() { Ok(Rendered { variables, files, values }) } else { Err(problems) }
}

/// The documents that can be written, of so many bytes at most together, and what keeps the others.
fn render_documents(
    documents: Vec<PlannedDocument>,
    values: &Values,
    bytes_max: usize,
) -> (Vec<RenderedFile>, Vec<Problem>) {
    let (mut files, mut problems) = (Vec::with_capacity(documents.len()), Vec::new());
    let mut bytes_left = bytes_max;
    for document in documents {
        match document::write(&document, values, bytes_left) {
            Ok(contents) => {
                bytes_left -= contents.len();
                files.push(RenderedFile { target: document.target, contents });
            }
            Err(failed) => problems.extend(failed),
        }
    }
    (files, problems)
}

fn render_one(
    Planned { name, value }: Planned,
    values: &Values,
    entry_bytes_max: usize,
) -> Result<RenderedVariable, Problem> {
    // The kernel counts the NUL at the end of an entry.
    let limit = entry_bytes_max - 1;
    let mut entry = [name.as_slice(), b"="].concat();
    let (bytes, names) = match &value {
        PlannedValue::Untouched(_) | PlannedValue::AsFile(_) | PlannedValue::Memory { .. } => {
            (0, Vec::new())
        }
        PlannedValue::Secret(id) => (values.get(*id).len(), vec![values.name(*id).clone()]),
        PlannedValue::Text { text, edits } => {
            let ids = edits.iter().filter_map(Edit::secret);
            let names = ids.map(|id| values.name(id).clone()).collect();
            (rendered_length(text, edits, values), names)
        }
    };
    let bytes = entry.len() + bytes;
    let unplaceable = |names, why| {
        let variable = String::from_utf8_lossy(&name).into_owned();
        Problem::Unplaceable { variable, names, why }
    };
    // Judged before it is made: what is too long may be far too long.
    if bytes > limit && !matches!(value, PlannedValue::Untouched(_)) {
        return Err(unplaceable(names, Unplaceable::TooLong { bytes, limit }));
    }
    match value {
        PlannedValue::Untouched(entry) => {
            return Ok(RenderedVariable::Entry(Cow::Borrowed(entry)));
        }
        PlannedValue::Memory { file } => return Ok(RenderedVariable::Memory { name, file }),
        PlannedValue::AsFile(secret) => return Ok(RenderedVariable::AsFile { name, secret }),
        PlannedValue::Secret(id) => entry.extend_from_slice(values.get(id).expose_secret()),
        PlannedValue::Text { text, edits } => substitute(&text, &edits, values, &mut entry),
    }
    let entry = CString::new(entry).map_err(|_| unplaceable(names, Unplaceable::Nul))?;
    Ok(RenderedVariable::Entry(Cow::Owned(entry)))
}

/// Appends the text with each edit made. One pass; a value is never looked at.
pub fn substitute(text: &[u8], edits: &[Edit], values: &Values, out: &mut Vec<u8>) {
    out.reserve_exact(rendered_length(text, edits, values));
    expect_large(out);
    let mut copied = 0;
    for edit in edits {
        let Range { start, end } = edit.range();
        out.extend_from_slice(&text[copied..start]);
        out.resize(out.len() + edit.dollars(), b'$');
        if let Some(id) = edit.secret() {
            out.extend_from_slice(values.get(id).expose_secret());
        }
        copied = end;
    }
    out.extend_from_slice(&text[copied..]);
}

fn rendered_length(text: &[u8], edits: &[Edit], values: &Values) -> usize {
    let value = |edit: &Edit| edit.secret().map_or(0, |id| values.get(id).len());
    let removed: usize = edits.iter().map(|edit| edit.range().len()).sum();
    text.len() - removed + edits.iter().map(|edit| edit.dollars() + value(edit)).sum::<usize>()
}

#[cfg(test)]
mod tests;
