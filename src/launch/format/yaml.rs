//! YAML 1.2, written so that readers of YAML 1.1 agree. `granit-parser` judges the template and
//! says where its scalars are; no node is built and no alias is followed.
//!
//! A scalar with a reference is written anew, and is a string whatever the value looks like, unless
//! a tag before it says otherwise (`!!int $PORT`). A double-quoted one keeps its raw text; what
//! cannot stay single-quoted or in a block becomes double-quoted, and what is plain always does: on
//! one line, where nothing is folded, with escapes that every reader knows. A block scalar stays
//! one if its text is plain lines, such as those of a certificate; a folded one becomes literal,
//! unless its values are mere words.

mod between;
mod escape;
mod layout;
mod reading;
mod verify;
mod writing;

pub use self::layout::lay_out;
pub use self::verify::verify;
pub use self::writing::write;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    form: Form,
    /// It may be a key, or stand in one.
    key: bool,
}

/// How a scalar is written in the template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Plain,
    Single,
    Double,
    /// From its header to before the line break that ends it.
    Block(Block),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Block {
    folded: bool,
    /// How many spaces its lines have before their text.
    indent: usize,
    /// The document ends with its last line, without a line break. Unless it is stripped (`|-`),
    /// some readers add that to its text, and some do not.
    unended: bool,
}

/// The length of the line break that a text begins with, or 0.
fn break_length(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

fn is_break(b: u8) -> bool {
    matches!(b, b'\n' | b'\r')
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

#[cfg(test)]
mod carriers;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod tests;
