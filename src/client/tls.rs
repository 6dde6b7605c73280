//! TLS to a store: who is believed to be it, and the handshake. Nothing of this is touched unless
//! an endpoint is `https`. It connects to nothing and sends no request.

mod authorities;
mod fault;
mod judge;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wire::{self, Pin};

use judge::Judge;

pub use authorities::{Authorities, AuthoritiesError};
pub use fault::TlsFault;

/// Whom one endpoint is believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Whoever has this key.
    Pin(Pin),
    /// The same, where a login has kept the key in this file.
    Kept(Pin, Arc<Path>),
    /// Whom one of these vouches for.
    Authorities(Authorities),
    /// Whom an authority vouches for that Mozilla trusts.
    Public,
}

/// The handshake, to be done by a point in time that is `time_max` after the attempt's start.
pub async fn handshake(
    stream: TcpStream,
    name: ServerName<'static>,
    trust: &Trust,
    until: Instant,
    time_max: Duration,
) -> Result<TlsStream<TcpStream>, TlsFault> {
    let provider = wire::tls::provider();
    let judge = Arc::new(Judge::new(trust, provider.signature_verification_algorithms));
    let config = Arc::new(config(provider, Arc::clone(&judge)));
    // Large, and only there for a moment.
    let shaken = Box::pin(TlsConnector::from(config).connect(name, stream));
    match timeout_at(until, shaken).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(TlsFault::of(&error, judge.shown()).against(trust)),
        Err(_) => Err(TlsFault::Silent { after: time_max }),
    }
}

fn config(provider: CryptoProvider, judge: Arc<Judge>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(wire::tls::VERSIONS)
        .expect("the provider has suites of both")
        .dangerous()
        .with_custom_certificate_verifier(judge)
        .with_no_client_auth();
    config.alpn_protocols = vec![wire::tls::HTTP_1_1.to_vec()];
    // A launch asks once: there is nothing to resume.
    config.resumption = Resumption::disabled();
    config
}
