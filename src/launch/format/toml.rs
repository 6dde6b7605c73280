//! TOML 1.1. `toml_parser`, which the `toml` crate parses with, says where keys, scalars and
//! comments are; values are written so that readers of TOML 1.0 agree on them.
//!
//! A key is written as its quoting allows, a bare one in double quotes. What the values make of
//! keys must leave the tables as they are in the template: the output is judged for that.

mod bare;
mod layout;
mod outcome;
mod read;
mod tables;
mod write;

pub use self::layout::lay_out;
pub use self::outcome::verify;
pub use self::write::write;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// `"…"`
    Basic,
    /// `'…'`
    Literal,
    /// `"""…"""`
    MultiBasic,
    /// `'''…'''`
    MultiLiteral,
    /// A value outside of quotes: it must become a number or a boolean.
    Bare,
    Key {
        quoting: Quoting,
        /// The same for keys that are the same whatever the values are; 0 where no value decides.
        name: u32,
    },
}

/// How a key stands in the template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Quoting {
    Bare,
    Basic,
    Literal,
}

#[cfg(test)]
mod tests;
