//! Which secrets somebody may resolve: exact names and globs such as `STRIPE_*`. Parsed once; it
//! decides nothing by itself.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::name::{SECRET_NAME_BYTES_MAX, SecretName};
use crate::pattern::Pattern;

/// The most names and globs in one list.
pub const GRANT_PATTERNS_MAX: usize = 256;

/// A list of names and globs; an empty one grants nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Grant {
    texts: Vec<Box<str>>,
    #[serde(skip)]
    patterns: Vec<Pattern>,
}

/// Why texts are no such list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantError {
    /// The text at this place, counted from 1, is neither a name nor a glob.
    Pattern {
        number: usize,
    },
    TooMany,
}

impl Grant {
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, GrantError> {
        if texts.len() > GRANT_PATTERNS_MAX {
            return Err(GrantError::TooMany);
        }
        for (index, text) in texts.iter().enumerate() {
            if !is_pattern(text.as_ref().as_bytes()) {
                return Err(GrantError::Pattern { number: index + 1 });
            }
        }
        let texts = texts.iter().map(|text| text.as_ref().into());
        Ok(Self::of(texts.collect()))
    }

    /// Every name there is and will be.
    pub fn all() -> Self {
        Self::of(vec!["*".into()])
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub fn covers(&self, name: &SecretName) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name.as_str().as_bytes()))
    }

    /// As it was given.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    fn of(texts: Vec<Box<str>>) -> Self {
        let patterns = texts.iter().map(|text| Pattern::new(text.as_bytes())).collect();
        Self { texts, patterns }
    }
}

/// What a name can look like, with `*` anywhere.
fn is_pattern(text: &[u8]) -> bool {
    let first = |b: &u8| b.is_ascii_uppercase() || *b == b'*';
    let rest = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'_' | b'*');
    text.len() <= SECRET_NAME_BYTES_MAX && text.first().is_some_and(first) && text.iter().all(rest)
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts: Vec<String> = Vec::deserialize(deserializer)?;
        Self::parse(&texts).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern { number } => write!(
                f,
                "number {number} of the names is neither a secret's name nor a glob; write such as \
                 `DB_PASSWORD_PROD`, `STRIPE_*` or `*_PROD`"
            ),
            Self::TooMany => {
                write!(f, "there are more than {GRANT_PATTERNS_MAX} names; use globs")
            }
        }
    }
}

impl std::error::Error for GrantError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_covers() {
        let grant = Grant::parse(&["STRIPE_*", "DB_PASSWORD", "*_PROD"]).expect("a list");
        let covers = |name| grant.covers(&SecretName::parse(name).expect("a name"));
        assert!(covers("STRIPE_KEY") && covers("DB_PASSWORD") && covers("A_PROD"));
        assert!(!covers("STRIPE") && !covers("DB_PASSWORD_OLD") && !covers("A_PROD_OLD"));
        assert!(!Grant::default().covers(&SecretName::parse("A").expect("a name")));
        assert!(Grant::all().covers(&SecretName::parse("A").expect("a name")));
    }

    #[test]
    fn what_is_no_list() {
        for bad in ["", "a*", "1*", "A B", "A?", "[A]", "_*", "Ä"] {
            assert_eq!(Grant::parse(&["A", bad]), Err(GrantError::Pattern { number: 2 }), "{bad}");
        }
        assert_eq!(Grant::parse(&vec!["A"; GRANT_PATTERNS_MAX + 1]), Err(GrantError::TooMany));
    }

    #[test]
    fn a_list_has_256_at_most() {
        let most = Grant::parse(&["A"; GRANT_PATTERNS_MAX]).expect("as many as there may be");
        assert_eq!(most.texts().count(), GRANT_PATTERNS_MAX);
        let longest = "A".repeat(SECRET_NAME_BYTES_MAX);
        assert!(Grant::parse(&[&longest]).is_ok());
        assert!(Grant::parse(&[longest + "A"]).is_err());
    }

    #[test]
    fn it_is_read_and_written_as_it_was_given() {
        let texts = r#"["STRIPE_*","A1*","*_2","*"]"#;
        let grant: Grant = serde_json::from_str(texts).expect("a list");
        assert_eq!(serde_json::to_string(&grant).expect("JSON"), texts);
        assert_eq!(grant.texts().collect::<Vec<_>>(), ["STRIPE_*", "A1*", "*_2", "*"]);
        assert!(!grant.is_empty() && Grant::default().is_empty());
        let bad = serde_json::from_str::<Grant>(r#"["A","b"]"#).expect_err("no list");
        assert!(bad.to_string().starts_with("number 2 of the names is neither"), "{bad}");
        assert!(GrantError::TooMany.to_string().contains("more than 256"));
    }
}
