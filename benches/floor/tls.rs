//! The floor of a launch over TLS: tokio and rustls as `inject` has them, a pinned key, one HTTP
//! request written by hand, exec. Like `floor-fetch` it tries once and checks next to nothing, but
//! that the server has the key.
//!
//!     INJECT_STORE=https://127.0.0.1:PORT#sha256-… INJECT_TOKEN=… floor-tls -- COMMAND [ARG…]

mod job;

use std::env;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use job::wrong;

fn main() -> io::Result<()> {
    let store = env::var("INJECT_STORE").map_err(io::Error::other)?;
    let references = job::references();
    let request = job::request(&references);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let answer = runtime.block_on(exchange(&store, &request))?;
    drop(runtime);
    job::exec(references, &answer)
}

async fn exchange(store: &str, request: &[u8]) -> io::Result<String> {
    let address = store.strip_prefix("https://").ok_or_else(|| wrong("`INJECT_STORE`"))?;
    let (address, pin) = address.split_once("#sha256-").ok_or_else(|| wrong("the pin"))?;
    let pin = URL_SAFE_NO_PAD.decode(pin).map_err(io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = address.split(':').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let mut stream = TlsConnector::from(Arc::new(config(pin))).connect(name, stream).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(wrong("the answer's end"));
        }
        if let Some(body) = job::body(&answer)? {
            return Ok(body.to_owned());
        }
    }
}

fn config(pin: Vec<u8>) -> ClientConfig {
    let provider = ring::default_provider();
    let pinned = Pinned { pin, algorithms: provider.signature_verification_algorithms };
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites of both")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth()
}

/// Believes whoever has this key.
#[derive(Debug)]
struct Pinned {
    pin: Vec<u8>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        match Sha256::digest(&key)[..] == self.pin[..] {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
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
