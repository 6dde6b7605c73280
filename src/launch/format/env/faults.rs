//! What the readers of env files would not read alike, each with the way out.

use super::FaultKind;

pub const BLANKS: FaultKind = FaultKind::Unsafe {
    what: "a shell runs a value behind a blank",
    hint: "write `NAME=VALUE` with no blanks",
};
pub const BRACED: FaultKind = FaultKind::Unsafe {
    what: "python-dotenv expands the text that this escape stands for, in single quotes too",
    hint: "write `$$NAME` without braces, or keep `${NAME}` to be expanded with `--literal NAME`",
};
pub const ESCAPED: FaultKind = FaultKind::Unsafe {
    what: "a shell expands the text that this escape stands for",
    hint: "put the value in single quotes",
};
pub const ESCAPES: FaultKind = FaultKind::Unsafe {
    what: "python-dotenv reads on behind `\\'`, and a shell does not",
    hint: "put the value in double quotes",
};
pub const EXPANDS: FaultKind = FaultKind::Unsafe {
    what: "python-dotenv and a shell may not agree where this expansion ends",
    hint: "put the value in single quotes",
};
pub const FORGETS: FaultKind = FaultKind::Unsafe {
    what: "python-dotenv forgets the variable's value here, and a shell does not",
    hint: "write `export NAME=VALUE` in one line",
};
pub const GOES_ON: FaultKind = FaultKind::Unsafe {
    what: "a shell reads on from here past the value",
    hint: "put the value in quotes",
};
pub const JOINS: FaultKind = FaultKind::Unsafe {
    what: "the reference's value would be taken for a part of this expansion",
    hint: "write `${name}`, or put the value in single quotes",
};
pub const LONE_RETURN: FaultKind = FaultKind::Unsafe {
    what: "a lone carriage return ends a line for python-dotenv, and none for a shell",
    hint: "end the lines with line feeds",
};
/// In single quotes too: python-dotenv heeds none.
pub const NESTED: FaultKind = FaultKind::Unsafe {
    what: "the reference's value would be taken for a part of this expansion",
    hint: "move the reference out of the `${…}`",
};
pub const QUOTE_IT: FaultKind = FaultKind::Unsafe {
    what: "python-dotenv and a shell may not agree on this",
    hint: "put the value in quotes",
};
pub const READS_ON: FaultKind = FaultKind::Unsafe {
    what: "behind a backslash python-dotenv sees no closing quote, as long as another one follows",
    hint: "end the value in something else, or move the line to the end",
};
pub const RUNS: FaultKind = FaultKind::Unsafe {
    what: "a shell runs what begins here",
    hint: "put the value in single quotes",
};
