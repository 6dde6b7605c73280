//! Whom a certificate must come from: authorities out of a PEM file, or those that Mozilla trusts.
//! It reads no file.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, TrustAnchor};

/// Authorities that were named, in place of the bundled ones.
#[derive(Clone)]
pub struct Authorities(Arc<RootCertStore>);

/// Why a text names no authorities.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthoritiesError {
    /// No certificate is in it.
    None,
    /// The `number`th certificate, counted from 1, is cut off or garbled.
    Garbled { number: usize },
}

impl Authorities {
    /// Every certificate in a PEM text (RFC 7468). What else is in it, such as notes, is passed by.
    pub fn parse(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        for (number, found) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
            let garbled = AuthoritiesError::Garbled { number };
            let certificate = found.map_err(|error| match error {
                PemError::NoItemsFound => AuthoritiesError::None,
                _ => garbled.clone(),
            })?;
            roots.add(certificate).map_err(|_| garbled)?;
        }
        if roots.is_empty() { Err(AuthoritiesError::None) } else { Ok(Self(Arc::new(roots))) }
    }

    /// Those that Mozilla trusts for servers, as of this build.
    pub(super) fn bundled() -> Self {
        let mut rest = BUNDLED;
        let mut roots = Vec::new();
        while !rest.is_empty() {
            let [subject, key, constraints] = [(); 3].map(|()| field(&mut rest));
            roots.push(TrustAnchor {
                subject: subject.into(),
                subject_public_key_info: key.into(),
                name_constraints: (!constraints.is_empty()).then(|| constraints.into()),
            });
        }
        Self(Arc::new(RootCertStore { roots }))
    }

    pub(super) fn roots(&self) -> &RootCertStore {
        &self.0
    }
}

/// `build.rs` says how they are written.
static BUNDLED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/authorities"));

/// Takes the next field off what is packed.
fn field(rest: &mut &'static [u8]) -> &'static [u8] {
    let (length, behind) = rest.split_first_chunk().expect("a length is before each field");
    let (field, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
    *rest = behind;
    field
}

/// The same ones, not merely equal ones.
impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Authorities {}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

impl fmt::Display for AuthoritiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(
                "there is no certificate in it; it wants PEM, with `-----BEGIN CERTIFICATE-----`",
            ),
            Self::Garbled { number } => {
                write!(f, "certificate {number} in it is cut off or garbled; export it anew")
            }
        }
    }
}

impl std::error::Error for AuthoritiesError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_are_those_that_mozilla_trusts() {
        assert_eq!(Authorities::bundled().roots().roots, webpki_roots::TLS_SERVER_ROOTS);
    }
}
