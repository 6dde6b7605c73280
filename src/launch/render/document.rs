//! A document's text with each scalar that holds references written anew, as its format has it.

use std::ops::Range;

use crate::launch::format::{Part, Refusal, Scalar};
use crate::launch::plan::PlannedDocument;
use crate::launch::position::Positions;
use crate::launch::problem::{Place, Problem};
use crate::launch::render::{RENDERED_BYTES_MAX, Values, rendered_length, substitute};
use crate::launch::wanted::Edit;
use crate::name::SecretName;
use crate::secret::Secret;
use crate::sys::expect_large;

/// The largest scalar with its values, in bytes before they are escaped, which may make them six
/// times as long: the limit of all documents is looked at only behind it.
const SCALAR_BYTES_MAX: usize = 64 << 20;

const SCALAR_TOO_LARGE: Refusal = Refusal::Unheld {
    what: "with it this one scalar would have more than 64 MiB",
    hint: "refer to it less often, or deliver it as a file with `--as-file`",
};

/// The rendered text of so many bytes at most, or everything that cannot stand in it. A file that
/// is left alone has none, nor has one with a fault, which was told.
pub fn write(
    document: &PlannedDocument,
    values: &Values,
    bytes_max: usize,
) -> Result<Secret, Vec<Problem>> {
    let PlannedDocument { text, scalars, edits, target, whole, .. } = document;
    let mut out = Vec::new();
    if target.is_none() || !whole {
        return Ok(Secret::new(out));
    }
    let length = rendered_length(text, edits, values);
    if length > bytes_max {
        return Err(vec![too_large(document)]);
    }
    if scalars.is_empty() {
        substitute(text, edits, values, &mut out);
        return Ok(Secret::new(out));
    }
    out.reserve(length + length / 8);
    expect_large(&mut out);
    let mut writer = Writer { document, values, refused: Vec::new(), written: Vec::new() };
    writer.scalars(&mut out, bytes_max)?;
    let out = Secret::new(out);
    writer.verify(out.expose_secret());
    if writer.refused.is_empty() { Ok(out) } else { Err(writer.problems()) }
}

struct Writer<'d> {
    document: &'d PlannedDocument,
    values: &'d Values,
    /// Scalars by their number, and why each cannot be written.
    refused: Vec<(usize, Refusal)>,
    /// Where in the output each scalar is.
    written: Vec<Range<usize>>,
}

impl<'d> Writer<'d> {
    fn scalars(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> Result<(), Vec<Problem>> {
        let document = self.document;
        let text = &document.text;
        let mut edits = document.edits.as_slice();
        let mut parts = Vec::new();
        let mut copied = 0;
        for (number, scalar) in document.scalars.iter().enumerate() {
            let (own, rest) = edits.split_at(own_edits(scalar, edits));
            edits = rest;
            out.extend_from_slice(&text[copied..scalar.range.start]);
            let start = out.len();
            self.parts(scalar, own, &mut parts);
            let written = match length(&parts) > SCALAR_BYTES_MAX {
                true => Err(SCALAR_TOO_LARGE),
                false => scalar.style.write(&parts, out),
            };
            if let Err(why) = written {
                self.refused.push((number, why));
                out.truncate(start);
            }
            self.written.push(start..out.len());
            if out.len() > bytes_max {
                return Err(vec![too_large(document)]);
            }
            copied = scalar.range.end;
        }
        out.extend_from_slice(&text[copied..]);
        match out.len() > bytes_max {
            true => Err(vec![too_large(document)]),
            false => Ok(()),
        }
    }

    /// A scalar in pieces: its raw text between the edits, and what each edit puts in.
    fn parts(&self, scalar: &Scalar, edits: &[Edit], parts: &mut Vec<Part<'d>>) {
        let text: &'d [u8] = &self.document.text;
        let values: &'d Values = self.values;
        parts.clear();
        let mut copied = scalar.range.start;
        for edit in edits {
            let Range { start, end } = edit.range();
            // The dollars that stay are the first of the run.
            parts.push(Part::Raw(&text[copied..start + edit.dollars()]));
            parts.extend(edit.secret().map(|id| Part::Value(values.get(id).expose_secret())));
            copied = end;
        }
        parts.push(Part::Raw(&text[copied..scalar.range.end]));
    }

    /// What is refused already has no output to be judged.
    fn verify(&mut self, output: &[u8]) {
        let PlannedDocument { format, scalars, .. } = self.document;
        if self.refused.is_empty()
            && let Err(changed) = format.verify(scalars, output, &self.written)
        {
            self.refused.push((changed.scalar, changed.why));
        }
    }

    /// One problem for the same names and reason, with each place.
    fn problems(self) -> Vec<Problem> {
        let document = self.document;
        let positions = Positions::new(&document.text);
        let mut problems: Vec<Problem> = Vec::new();
        for (number, why) in self.refused {
            let scalar = &document.scalars[number];
            let before = document.edits.partition_point(|e| e.range().start < scalar.range.start);
            let own = &document.edits[before..][..own_edits(scalar, &document.edits[before..])];
            let names = names(own, self.values);
            let with_value = own.iter().find(|edit| edit.secret().is_some());
            let at = with_value.map_or(scalar.range.start, Edit::at);
            let (line, column) = positions.of(&document.text, at);
            let place = Place::File { path: (*document.path).clone(), line, column };
            let known = problems.iter_mut().find_map(|problem| match problem {
                Problem::Unwritable { names: other, why: reason, places }
                    if *other == names && *reason == why =>
                {
                    Some(places)
                }
                _ => None,
            });
            match known {
                Some(places) => places.push(place),
                None => problems.push(Problem::Unwritable { names, places: vec![place], why }),
            }
        }
        problems
    }
}

/// How many of the first edits stand in the scalar.
fn own_edits(scalar: &Scalar, edits: &[Edit]) -> usize {
    edits.iter().take_while(|edit| edit.range().end <= scalar.range.end).count()
}

fn length(parts: &[Part<'_>]) -> usize {
    let bytes = |part: &Part<'_>| {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        bytes.len()
    };
    parts.iter().map(bytes).sum()
}

fn names(edits: &[Edit], values: &Values) -> Vec<SecretName> {
    let mut names: Vec<SecretName> = Vec::new();
    for id in edits.iter().filter_map(Edit::secret) {
        if !names.contains(values.name(id)) {
            names.push(values.name(id).clone());
        }
    }
    names
}

fn too_large(document: &PlannedDocument) -> Problem {
    let path = (*document.path).clone();
    Problem::RenderedTooLarge { path, limit: RENDERED_BYTES_MAX }
}
