//! What `serde_json` says of a template: whether it is JSON, else where it ends to be, and why.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Fault, FaultKind, bom_length};

/// Whether the template is JSON, with a number of the same length for each of the bare tokens. For
/// what it does not keep, the parser needs no recursion, and takes any depth.
pub fn judge(text: &[u8], masks: &[Range<usize>]) -> Result<(), Fault> {
    let bom = bom_length(text);
    let mut masked = Cow::Borrowed(text);
    for token in masks {
        masked.to_mut()[token.clone()].fill(b'1');
    }
    let document = &masked[bom..];
    let Err(error) = serde_json::from_slice::<IgnoredAny>(document) else {
        return Ok(());
    };
    let mut at = if error.is_eof() { document.len() } else { offset(&error, document) };
    let said = error.to_string();
    // The offset says where, and counts the BOM.
    let message = said.split_once(" at line ").map_or(said.as_str(), |(message, _)| message);
    if message.starts_with("control character") {
        // Of this one the parser tells the position before it.
        at += document[at..].iter().position(|b| *b < 0x20).unwrap_or(0);
    }
    let kind = common(document, at).unwrap_or_else(|| FaultKind::Syntax {
        format: "json",
        message: in_other_words(message).to_owned(),
    });
    Err(Fault { at: bom + at, kind })
}

/// Lines and columns count from 1, and columns count bytes; a line's end is column 0 of the next.
fn offset(error: &serde_json::Error, document: &[u8]) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let line = match lines_before.checked_sub(1) {
        Some(last) => memchr::memchr_iter(b'\n', document).nth(last).map_or(0, |end| end + 1),
        None => 0,
    };
    (line + error.column()).saturating_sub(1)
}

/// What is no JSON, and many a reader of configurations takes for some.
fn common(document: &[u8], at: usize) -> Option<FaultKind> {
    let (before, behind) = document.split_at(at.min(document.len()));
    let after_comma = before.trim_ascii_end().ends_with(b",");
    match behind {
        [b'/', b'/' | b'*', ..] => Some(COMMENT),
        [b'}', ..] if after_comma => Some(COMMA_IN_OBJECT),
        [b']', ..] if after_comma => Some(COMMA_IN_ARRAY),
        _ => None,
    }
}

pub const COMMENT: FaultKind = FaultKind::Unread {
    what: "JSON has no comments",
    hint: "take the comments out, or use `--format text`, which escapes nothing",
};
pub const COMMA_IN_OBJECT: FaultKind = FaultKind::Unread {
    what: "a comma before `}`, where JSON has none",
    hint: "take the comma out, or use `--format text`, which escapes nothing",
};
pub const COMMA_IN_ARRAY: FaultKind = FaultKind::Unread {
    what: "a comma before `]`, where JSON has none",
    hint: "take the comma out, or use `--format text`, which escapes nothing",
};

/// The parser's words are those of who writes parsers.
fn in_other_words(message: &str) -> &str {
    match message {
        "EOF while parsing a value" => "the file ends where a value should begin",
        "EOF while parsing a string" => "the file ends within a string",
        "EOF while parsing a list" => "the file ends within an array",
        "EOF while parsing an object" => "the file ends within an object",
        "expected value" => "a value is expected here",
        "key must be a string" => "a key in double quotes is expected here",
        "trailing characters" => "something stands behind the end of the value",
        message if message.starts_with("control character") => {
            "a line end or another control character stands in a string"
        }
        message => message,
    }
}
