//! Names, parsed once and valid ever after. It knows no grammar of references and no store.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// The longest name of a secret, in bytes.
pub const SECRET_NAME_BYTES_MAX: usize = 128;
/// The longest name of an organization or a workload, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;
/// The longest address (RFC 5321, section 4.5.3.1.3, less the brackets), in bytes.
pub const EMAIL_BYTES_MAX: usize = 254;
/// The length of a token's public part.
pub const TOKEN_ID_BYTES: usize = 12;
/// The longest name of an environment, in bytes.
pub const ENVIRONMENT_BYTES_MAX: usize = 32;

/// The name of a secret: `[A-Z][A-Z0-9_]{0,127}`, compared byte for byte.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct SecretName(Box<str>);

/// The slug of an organization: `[a-z][a-z0-9-]{0,62}`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct OrgName(Box<str>);

/// The name under which a program is launched: `[a-z0-9][a-z0-9._-]{0,62}`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct WorkloadName(Box<str>);

/// An environment such as `PROD`: `[A-Z][A-Z0-9_]{0,31}`; given in any case, kept in upper case.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Environment(Box<str>);

/// A member's e-mail address, in lower case: one `@`, and nothing that ends a word or quotes one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(Box<str>);

/// The public part of a token, by which it is listed and revoked: 12 of base62.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TokenId(Box<str>);

/// Why a text is not a name. Its `Display` says what is wrong and what to write instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NameError {
    /// The text, where it can be shown: what does not look like a name may be a value.
    shown: Option<Box<str>>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Secret,
    Org,
    Workload,
    Environment,
    Email,
    TokenId,
}

impl SecretName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_secret_name(text.as_bytes()) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::new(text, Kind::Secret))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What to do about a legal name that says too little, or `None` for a good one.
    pub fn hint(&self) -> Option<String> {
        let stem = self.0.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
        let says_little = VAGUE.contains(&stem);
        says_little.then(|| {
            format!(
                "`{self}` says little; a name that says what the secret is for, such as \
                 `DB_PASSWORD_PROD`, is easier to rotate"
            )
        })
    }
}

impl OrgName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let valid = label(text, |b| b.is_ascii_lowercase(), |b| is_lower_or_digit(b) || b == b'-');
        if valid { Ok(Self(text.into())) } else { Err(NameError::new(text, Kind::Org)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl WorkloadName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let rest = |b: u8| is_lower_or_digit(b) || matches!(b, b'.' | b'_' | b'-');
        let valid = label(text, is_lower_or_digit, rest);
        if valid { Ok(Self(text.into())) } else { Err(NameError::new(text, Kind::Workload)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EmailAddress {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let lower = text.to_lowercase();
        let (local, domain) = lower.split_once('@').unwrap_or_default();
        let valid = lower.len() <= EMAIL_BYTES_MAX
            && !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && lower.chars().all(may_stand_in_address);
        if valid { Ok(Self(lower.into())) } else { Err(NameError::new(text, Kind::Email)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As one segment of a path: what RFC 3986 does not let stand there is percent-encoded.
    pub fn in_path(&self) -> String {
        let mut path = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@') {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
        path
    }
}

impl TokenId {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let valid = text.len() == TOKEN_ID_BYTES && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if valid { Ok(Self(text.into())) } else { Err(NameError::new(text, Kind::TokenId)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Environment {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let upper = text.to_ascii_uppercase();
        if upper.len() <= ENVIRONMENT_BYTES_MAX && is_secret_name(upper.as_bytes()) {
            Ok(Self(upper.into()))
        } else {
            Err(NameError::new(text, Kind::Environment))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether these bytes are a secret's name.
pub fn is_secret_name(bytes: &[u8]) -> bool {
    bytes.len() <= SECRET_NAME_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_uppercase)
        && bytes.iter().all(|b| OF_SECRET_NAME[usize::from(*b)])
}

/// Looked up, for a large text has a great many of them.
static OF_SECRET_NAME: [bool; 256] = {
    let mut all = [false; 256];
    let mut b = 0;
    while b < all.len() {
        let byte = b as u8;
        all[b] = byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        b += 1;
    }
    all
};

/// Names that say nothing of what they are for; compared without trailing digits.
const VAGUE: [&str; 14] = [
    "A",
    "API",
    "CREDENTIAL",
    "CREDENTIALS",
    "DATA",
    "KEY",
    "PASS",
    "PASSWORD",
    "PWD",
    "SECRET",
    "SECRETS",
    "TEST",
    "TOKEN",
    "VALUE",
];

/// No blank, no control, nothing invisible that passes for something else, and none of what quotes,
/// brackets, separates or stands for something.
fn may_stand_in_address(c: char) -> bool {
    let special = matches!(
        c,
        '"' | '\''
            | '`'
            | '('
            | ')'
            | '<'
            | '>'
            | '['
            | ']'
            | ','
            | ';'
            | ':'
            | '\\'
            | '*'
            | '/'
            | '?'
            | '#'
            | '%'
            | '&'
            | '|'
            | '$'
    );
    if c.is_ascii() { c.is_ascii_graphic() && !special } else { c.is_alphanumeric() }
}

fn is_lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn label(text: &str, first: impl Fn(u8) -> bool, rest: impl Fn(u8) -> bool) -> bool {
    text.len() <= LABEL_BYTES_MAX
        && text.bytes().next().is_some_and(first)
        && text.bytes().skip(1).all(rest)
}

impl NameError {
    fn new(text: &str, kind: Kind) -> Self {
        let like_a_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let shown = text.len() <= 40 && !text.is_empty() && text.bytes().all(like_a_name);
        Self { shown: shown.then(|| text.into()), kind }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Some(text) => write!(f, "`{text}`")?,
            None => f.write_str("this")?,
        }
        f.write_str(match self.kind {
            Kind::Secret => {
                " is not a secret name; use upper case and say what it is for, such as \
                 `DB_PASSWORD_PROD`"
            }
            Kind::Org => {
                " is not an organization's name; use lower case, digits and `-`, such as `acme`"
            }
            Kind::Workload => {
                " is not a workload's name; use lower case, digits, `.`, `_` and `-`, such as \
                 `billing`"
            }
            Kind::Email => " is not an e-mail address; write one such as `alice@acme.com`",
            Kind::TokenId => {
                " is not a token's id; `inject token list` shows them, and a token itself is never \
                 an argument"
            }
            Kind::Environment => {
                " is not an environment's name; use letters, digits and `_`, such as `PROD`"
            }
        })
    }
}

impl std::error::Error for NameError {}

macro_rules! text_like {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_like!(SecretName);
text_like!(OrgName);
text_like!(WorkloadName);
text_like!(EmailAddress);
text_like!(TokenId);

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names() {
        for good in ["A", "DB_PASSWORD_PROD", "A1", "A_", &"A".repeat(128)] {
            assert!(SecretName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "1A", "_A", "A-B", "A B", "Ä", "A\n", &"A".repeat(129)] {
            assert!(SecretName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for good in ["alice@acme.com", "a.b+c@x", "O_o-1@sub.acme.com", "jörg@bücher.example"] {
            let address = EmailAddress::parse(good).expect(good);
            assert_eq!(address.as_str(), good.to_lowercase());
        }
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "*@acme.com",
            "a b@c",
            "a@b\n",
            "<a@b>",
            "a/b@c",
            "a\u{202e}@b",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(EmailAddress::parse("Jö+x@a.b").expect("one").in_path(), "j%C3%B6%2Bx@a.b");
    }

    #[test]
    fn what_may_be_a_value_is_not_repeated() {
        let shown = SecretName::parse("hunter2 with spaces").expect_err("spaces").to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
        let shown = SecretName::parse("password").expect_err("lower case").to_string();
        assert!(shown.starts_with("`password` is not a secret name"), "{shown}");
    }

    #[test]
    fn poor_names_get_a_hint() {
        for poor in ["KEY1", "PASSWORD", "SECRET123", "TOKEN_2"] {
            assert!(SecretName::parse(poor).expect("legal").hint().is_some(), "{poor}");
        }
        for good in ["DB_PASSWORD_PROD", "STRIPE_API_KEY", "SLACK_WEBHOOK_URL", "KEY_OF_X"] {
            assert!(SecretName::parse(good).expect("legal").hint().is_none(), "{good}");
        }
    }

    #[test]
    fn labels() {
        assert!(OrgName::parse("acme-2").is_ok());
        assert!(OrgName::parse("2acme").is_err());
        assert!(OrgName::parse(&"a".repeat(64)).is_err());
        assert!(WorkloadName::parse("2.billing_api-v1").is_ok());
        assert!(WorkloadName::parse("-x").is_err());
        assert_eq!(Environment::parse("prod").expect("any case").as_str(), "PROD");
        assert!(Environment::parse("pr-od").is_err());
    }
}
