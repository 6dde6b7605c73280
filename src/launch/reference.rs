//! The `$NAME` grammar: bytes → what they refer to. Pure; it reads no file and knows no value.
//!
//! A run of n `$` that ends in a reference gives ⌊n/2⌋ dollars, then the reference if n is odd and
//! its plain text if n is even. Every other `$` is plain text. One pass over the original text.

use std::collections::BTreeSet;
use std::fmt;

use crate::byte;
use crate::name::{Environment, SECRET_NAME_BYTES_MAX, SecretName, is_secret_name};

/// What a text is read with: names that are plain text, and what `@` stands for.
#[derive(Clone, Debug, Default)]
pub struct Grammar {
    pub literal: BTreeSet<SecretName>,
    pub environment: Option<Environment>,
    /// Environments whose suffix marks a secret as theirs.
    pub environments: Vec<Environment>,
}

/// One place where the text is not simply copied: `text[start..end]` becomes `dollars` times `$`,
/// and then what `kind` says.
#[derive(Debug)]
pub struct Found<'t> {
    pub start: usize,
    pub end: usize,
    pub dollars: usize,
    pub kind: Kind<'t>,
}

#[derive(Debug)]
pub enum Kind<'t> {
    /// An escape: nothing follows the dollars.
    Escape,
    /// The name stands in the text as it is.
    Reference(&'t str),
    /// The name was made from one with `@`.
    ReferenceFor(SecretName),
    Fault(Fault),
}

/// A reference that must be rewritten. The names are of the text, never of a value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// `${NAME` and then something else than `}`.
    NotClosed { name: String, behind: Option<Behind> },
    /// `${NAME_@}`, and no environment is set.
    NoEnvironment { name: String },
    /// With the environment's name in its place the name is too long.
    TooLong { name: String },
    /// The name belongs to another environment than the one that is set.
    Crossed { name: String, other: Environment, set: Environment },
}

/// What stands behind a name in the place of `}`, if it is fit to be shown.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Behind {
    Blank,
    LineEnd,
    Punctuation(char),
}

impl Found<'_> {
    /// Where the reference's own `$` stands: the last of its run.
    pub fn at(&self) -> usize {
        self.start + 2 * self.dollars
    }
}

impl Fault {
    /// The name as it stands in the text.
    pub fn name(&self) -> &str {
        match self {
            Self::NotClosed { name, .. }
            | Self::NoEnvironment { name }
            | Self::TooLong { name }
            | Self::Crossed { name, .. } => name,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotClosed { name, behind } => {
                let begins_default =
                    matches!(behind, Some(Behind::Punctuation(':' | '-' | '=' | '?' | '+')));
                let why = if begins_default { ", for there are no defaults" } else { "" };
                // With `@` it is the name that it makes which must be named.
                let literal = match name.contains('@') {
                    true => String::new(),
                    false => format!(" or name it with `--literal {name}`"),
                };
                format!("write `${{{name}}}`{why}; for plain text, write `$${{{name}`{literal}")
            }
            Self::NoEnvironment { .. } => {
                "set `--environment` or `INJECT_ENVIRONMENT`, such as `PROD`".to_owned()
            }
            Self::TooLong { .. } => {
                format!("a secret's name has {SECRET_NAME_BYTES_MAX} characters at most")
            }
            Self::Crossed { set, .. } => format!(
                "refer to the secret of `{set}`, or write `@` for the environment; `--literal` \
                 keeps what is plain text"
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotClosed { name, behind: None } => {
                write!(f, "`${{{name}` is not closed by `}}`")
            }
            Self::NotClosed { name, behind: Some(behind) } => {
                write!(f, "`${{{name}` is followed by {behind}, not by `}}`")
            }
            Self::NoEnvironment { name } => {
                write!(f, "`${{{name}}}` asks for the environment, and none is set")
            }
            Self::TooLong { name } => write!(f, "`${{{name}}}` makes too long a name"),
            Self::Crossed { name, other, set } => {
                write!(f, "`{name}` belongs to `{other}`, and the environment is `{set}`")
            }
        }
    }
}

impl Behind {
    fn of(b: u8) -> Option<Self> {
        match b {
            b' ' | b'\t' => Some(Self::Blank),
            b'\n' | b'\r' => Some(Self::LineEnd),
            // It would look like the quotes around it.
            b'`' => None,
            b if b.is_ascii_punctuation() => Some(Self::Punctuation(char::from(b))),
            _ => None,
        }
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("a blank"),
            Self::LineEnd => f.write_str("a line end"),
            Self::Punctuation(c) => write!(f, "`{c}`"),
        }
    }
}

impl Grammar {
    /// Everything in the text that is not simply copied, in order.
    pub fn scan<'g, 't>(&'g self, text: &'t [u8]) -> impl Iterator<Item = Found<'t>> + use<'g, 't> {
        Candidates { text, from: 0 }.filter_map(|candidate| self.judge(candidate))
    }

    /// Whether a name that was given in full, by an export, may be used in this environment.
    pub fn crossed(&self, name: &str) -> Option<Fault> {
        let set = self.environment.as_ref()?;
        // Where one suffix ends in another, as `_EU_PROD` does, the longest says whose name it is.
        let fitting = self.environments.iter().chain([set]).filter(|one| has_suffix(name, one));
        let owner = fitting.max_by_key(|one| one.as_str().len());
        let other = owner.filter(|owner| *owner != set)?;
        Some(Fault::Crossed { name: name.to_owned(), other: other.clone(), set: set.clone() })
    }

    fn judge<'t>(&self, candidate: Candidate<'t>) -> Option<Found<'t>> {
        let made = candidate.has_at.then(|| self.with_environment(candidate.name));
        let name = match &made {
            Some(Ok(name)) => Some(name.as_str()),
            Some(Err(_)) => None,
            None => Some(candidate.name),
        };
        if name.is_some_and(|name| self.literal.contains(name)) {
            return None;
        }
        let Candidate { start, dollars_end, end, closed, behind, .. } = candidate;
        let run = dollars_end - start;
        let dollars = run / 2;
        if run.is_multiple_of(2) {
            return Some(Found { start, end: dollars_end, dollars, kind: Kind::Escape });
        }
        let crossed = name.and_then(|name| self.crossed(name));
        let kind = match (closed, made, crossed) {
            (false, ..) => {
                let name = candidate.name.to_owned();
                Kind::Fault(Fault::NotClosed { name, behind: behind.and_then(Behind::of) })
            }
            (true, Some(Err(fault)), _) | (true, _, Some(fault)) => Kind::Fault(fault),
            (true, Some(Ok(name)), None) => Kind::ReferenceFor(name),
            (true, None, None) => Kind::Reference(candidate.name),
        };
        Some(Found { start, end, dollars, kind })
    }

    /// The name with the environment in the place of each `@`.
    fn with_environment(&self, name: &str) -> Result<SecretName, Fault> {
        let Some(environment) = &self.environment else {
            return Err(Fault::NoEnvironment { name: name.to_owned() });
        };
        let made = name.replace('@', environment.as_str());
        SecretName::parse(&made).map_err(|_| Fault::TooLong { name: name.to_owned() })
    }
}

fn has_suffix(name: &str, environment: &Environment) -> bool {
    name.strip_suffix(environment.as_str()).is_some_and(|stem| stem.ends_with('_'))
}

/// A run of `$` that ends in what would be a reference or its error.
struct Candidate<'t> {
    start: usize,
    dollars_end: usize,
    end: usize,
    name: &'t str,
    /// Whether the environment belongs into the name.
    has_at: bool,
    closed: bool,
    /// The byte behind the name.
    behind: Option<u8>,
}

struct Candidates<'t> {
    text: &'t [u8],
    from: usize,
}

impl<'t> Iterator for Candidates<'t> {
    type Item = Candidate<'t>;

    fn next(&mut self) -> Option<Candidate<'t>> {
        loop {
            let start = self.from + byte::find(b'$', &self.text[self.from..])?;
            let dollars_end = start + run_length(&self.text[start..], |b| b == b'$');
            let braced = self.text.get(dollars_end) == Some(&b'{');
            let name_start = dollars_end + usize::from(braced);
            let name_length = if braced {
                run_length(&self.text[name_start..], |b| is_word(b) || b == b'@')
            } else {
                run_length(&self.text[name_start..], is_word)
            };
            let name_end = name_start + name_length;
            self.from = name_end;
            let name = &self.text[name_start..name_end];
            let has_at = !is_secret_name(name);
            if has_at && !(braced && is_pattern(name)) {
                continue;
            }
            let behind = self.text.get(name_end).copied();
            let closed = !braced || behind == Some(b'}');
            let end = name_end + usize::from(braced && closed);
            self.from = end;
            let name = std::str::from_utf8(name).expect("a name is ASCII");
            return Some(Candidate { start, dollars_end, end, name, has_at, closed, behind });
        }
    }
}

/// Whether a name holds `@`, and would be a secret's name with a letter in its place. `@` alone is
/// none: `${@}` is a shell's word for its arguments.
fn is_pattern(name: &[u8]) -> bool {
    name.contains(&b'@')
        && name.len() <= SECRET_NAME_BYTES_MAX
        && !name.first().is_some_and(|b| b.is_ascii_digit() || *b == b'_')
        && name.iter().any(|b| *b != b'@')
        && name.iter().all(|b| is_word(*b) && !b.is_ascii_lowercase() || *b == b'@')
}

/// A large text has a great many of these to judge, and to look one up is one step.
static WORD: [bool; 256] = {
    let mut all = [false; 256];
    let mut b = 0;
    while b < all.len() {
        all[b] = (b as u8).is_ascii_alphanumeric() || b as u8 == b'_';
        b += 1;
    }
    all
};

fn is_word(b: u8) -> bool {
    WORD[usize::from(b)]
}

fn run_length(bytes: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| !holds(*b)).unwrap_or(bytes.len())
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
