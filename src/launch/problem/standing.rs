//! What a missing name stands in, and the way out of that. It prints nothing.

use crate::name::SecretName;

/// Whether a missing name's text may be meant as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    Text,
    /// Something like a password hash.
    Hash,
    /// Options, or keys of the manifest, that want the secret itself: there is no text to keep.
    Options,
}

impl Standing {
    pub fn hint(self, name: &SecretName) -> String {
        match self {
            Self::Text => format!(
                "set it with `inject secret set {name}`, or keep the text with `--literal {name}`"
            ),
            Self::Hash => format!(
                "this looks like a password hash: keep it with `--literal {name}`, or double its \
                 dollars"
            ),
            Self::Options => format!("set it with `inject secret set {name}`"),
        }
    }
}
