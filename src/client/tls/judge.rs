//! Whether the server that answers is the one that was asked. A pin replaces what a certificate
//! says of itself (chain, name, validity) and nothing else: that the server has the certificate's
//! key is checked in each case.

use std::sync::OnceLock;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use crate::wire::Pin;

use super::{Authorities, Trust};

/// Judges one handshake.
#[derive(Debug)]
pub struct Judge {
    trusted: Trusted,
    algorithms: WebPkiSupportedAlgorithms,
    /// The key that the server showed, for who has to compare it.
    shown: OnceLock<Pin>,
}

#[derive(Debug)]
enum Trusted {
    Pin(Pin),
    Authorities(Authorities),
}

impl Judge {
    pub fn new(trust: &Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
        let trusted = match trust {
            Trust::Pin(pin) | Trust::Kept(pin, _) => Trusted::Pin(*pin),
            Trust::Authorities(authorities) => Trusted::Authorities(authorities.clone()),
            Trust::Public => Trusted::Authorities(Authorities::bundled()),
        };
        Self { trusted, algorithms, shown: OnceLock::new() }
    }

    /// The pin of the key that the server showed, once it has.
    pub fn shown(&self) -> Option<Pin> {
        self.shown.get().copied()
    }
}

/// A signature that an authority never made is told as what it is; on the handshake's own, it says
/// that the server has not the certificate's key.
fn not_vouched_for(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            CertificateError::UnknownIssuer.into()
        }
        error => error,
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let found = Pin::of(&certificate.subject_public_key_info());
        // A handshake shows one certificate; were there a second, the first is what was shown.
        let _ = self.shown.set(found);
        match &self.trusted {
            Trusted::Pin(pin) if *pin == found => {}
            Trusted::Pin(_) => {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
            Trusted::Authorities(authorities) => {
                verify_server_cert_signed_by_trust_anchor(
                    &certificate,
                    authorities.roots(),
                    intermediates,
                    now,
                    self.algorithms.all,
                )
                .map_err(not_vouched_for)?;
                verify_server_name(&certificate, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
