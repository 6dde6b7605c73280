//! A server's key as an address pins it: the form that the store prints and the launcher reads. It
//! judges no certificate.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What says how a key was hashed.
const METHOD: &str = "sha256-";
const HASH_BYTES: usize = 32;

/// The SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7): the key with
/// its kind, whatever the certificate around it says. It is compared in constant time.
#[derive(Clone, Copy)]
pub struct Pin([u8; HASH_BYTES]);

impl Pin {
    /// The pin of a SubjectPublicKeyInfo in DER.
    pub fn of(public_key_info: &[u8]) -> Self {
        Self(Sha256::digest(public_key_info).into())
    }

    /// Reads `sha256-` and base64url without padding, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let hash = URL_SAFE_NO_PAD.decode(text.strip_prefix(METHOD)?).ok()?;
        Some(Self(hash.try_into().ok()?))
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Pin {}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{METHOD}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        // SHA-256 of "abc": FIPS 180-4's first example.
        let shown = Pin::of(b"abc").to_string();
        assert_eq!(shown, "sha256-ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert!(Pin::parse(&shown) == Some(Pin::of(b"abc")));
        assert!(Pin::parse(&shown) != Some(Pin::of(b"abd")));
    }

    #[test]
    fn what_is_nearly_a_pin_is_none() {
        let good = Pin::of(b"abc").to_string();
        let short = &good[..good.len() - 1];
        for text in [
            "",
            "sha256-",
            short,
            &format!("{good}A"),
            &format!("{good}="),
            // The last character holds four bits: two that say nothing must be none.
            &format!("{short}1"),
            &good.replace('-', "+"),
            &good.replace("sha256", "SHA256"),
            &good.replace("sha256", "sha512"),
            &format!(" {good}"),
        ] {
            assert!(Pin::parse(text).is_none(), "{text}");
        }
    }
}
