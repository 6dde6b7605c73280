//! The keys of an object, of which no two may be the same by their values. In JSON as it is: the
//! document was judged before.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter::Peekable;
use std::ops::Range;

use super::super::{Changed, Refusal};
use crate::byte;

/// `touched` are the keys that hold values, each with its start in the output and its scalar.
pub fn verify(output: &[u8], touched: impl Iterator<Item = (usize, usize)>) -> Result<(), Changed> {
    let mut reader = Reader { output, touched: touched.peekable(), keys: Vec::new() };
    // Where the keys of each open object begin among the keys.
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(length) = byte::find_any([b'"', b'{', b'}'], &output[at..]) {
        at += length;
        match output[at] {
            b'"' => {
                at = reader.string(at);
                continue;
            }
            b'{' => open.push(reader.keys.len()),
            _ => reader.close(open.pop().unwrap_or(0))?,
        }
        at += 1;
    }
    Ok(())
}

/// Whether a string that ends there is a key.
pub fn is_before_colon(text: &[u8], end: usize) -> bool {
    let mut behind = text[end..].iter().skip_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    behind.next() == Some(&b':')
}

struct Reader<'t, I: Iterator<Item = (usize, usize)>> {
    output: &'t [u8],
    touched: Peekable<I>,
    /// Those of the open objects.
    keys: Vec<Key>,
}

struct Key {
    /// With its quotes.
    range: Range<usize>,
    scalar: Option<usize>,
}

impl<I: Iterator<Item = (usize, usize)>> Reader<'_, I> {
    /// Returns where the text goes on behind the string that begins here.
    fn string(&mut self, start: usize) -> usize {
        let end = string_end(self.output, start);
        if is_before_colon(self.output, end) {
            let scalar = self.touched.next_if(|(at, _)| *at == start).map(|(_, scalar)| scalar);
            self.keys.push(Key { range: start..end, scalar });
        }
        end
    }

    /// Ends the object whose first key is that one.
    fn close(&mut self, first: usize) -> Result<(), Changed> {
        let keys = &self.keys[first..];
        if keys.iter().any(|key| key.scalar.is_some()) {
            let mut seen = HashMap::with_capacity(keys.len());
            for key in keys {
                let text = text_of(&self.output[key.range.clone()]);
                let before = seen.insert(text, key.scalar);
                // That two of the template's own are the same is its author's affair.
                if let Some(scalar) = before.and_then(|before| key.scalar.or(before)) {
                    return Err(Changed { scalar, why: Refusal::Duplicate });
                }
            }
        }
        self.keys.truncate(first);
        Ok(())
    }
}

fn string_end(output: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(length) = byte::find_either([b'"', b'\\'], output.get(at..).unwrap_or_default())
    {
        at += length;
        match output[at] {
            b'"' => return at + 1,
            _ => at += 2,
        }
    }
    output.len()
}

fn text_of(quoted: &[u8]) -> Cow<'_, [u8]> {
    if byte::find(b'\\', quoted).is_some()
        && let Ok(text) = serde_json::from_slice::<String>(quoted)
    {
        return Cow::Owned(text.into_bytes());
    }
    Cow::Borrowed(&quoted[1..quoted.len() - 1])
}
