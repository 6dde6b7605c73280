//! The store's side of TLS: the identity that it shows, and connections that are made safe with it.
//! It knows no listener and nothing of what is said inside.

mod certificate;
mod error;
mod files;
mod own;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind::WouldBlock};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::sys::serving::is_readable;
use crate::sys::set_low_water;
use crate::wire::{self, Pin};

use certificate::Validity;
use files::Owner;

pub use error::{OwnKeyFault, TlsError, TlsWarning};
pub use own::{CERTIFICATE_NAME, KEY_NAME};

/// The first byte of TLS: a record of the handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// The bytes of a record's head, the last two of which are its length, and the longest that it says
/// (RFC 8446, section 5.1; a greeting is not encrypted).
const RECORD_HEAD_BYTES: usize = 5;
const RECORD_BYTES_MAX: u16 = 1 << 14;
/// What waits in one connection for a client that does not read, in bytes, at most.
const WAITING_BYTES_MAX: usize = 32 * 1024;
/// What is read, at most, of a request that came without TLS.
const PLAIN_BYTES_MAX: u64 = 64 * 1024;
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 35\r\nConnection: close\r\n\r\nthis port speaks TLS: use https://\n";

/// A certificate with its key: who the store is to those that connect.
#[derive(Debug)]
pub struct ServerIdentity {
    source: Source,
    pin: Pin,
    validity: Option<Validity>,
    config: Arc<ServerConfig>,
}

/// Where an identity is read again.
#[derive(Clone, Debug)]
enum Source {
    Own { directory: PathBuf },
    Files { certificate: PathBuf, key: PathBuf },
}

impl ServerIdentity {
    /// The store's own, made once in its data directory and kept there.
    pub fn own(data_directory: &Path) -> Result<Self, TlsError> {
        let (certificate, key) = own::find_or_make(data_directory)?;
        let source = Source::Own { directory: data_directory.to_owned() };
        Self::load(source, &certificate, &key, Owner::Judged)
    }

    /// One that was given: a chain in PEM, the store's own certificate first, and its key.
    pub fn files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let source = Source::Files { certificate: certificate.to_owned(), key: key.to_owned() };
        Self::load(source, certificate, key, Owner::Foreign)
    }

    fn load(
        source: Source,
        certificate: &Path,
        key: &Path,
        owner: Owner,
    ) -> Result<Self, TlsError> {
        let chain = files::read_chain(certificate)?;
        let garbled = |_| TlsError::CertificateForm { path: certificate.to_owned() };
        let first = ParsedCertificate::try_from(&chain[0]).map_err(garbled)?;
        let pin = Pin::of(&first.subject_public_key_info());
        let validity = Validity::of(&chain[0]);
        let certified = CertifiedKey::new(chain, files::read_key(key, owner)?);
        certified.keys_match().map_err(|_| TlsError::KeyOfAnother {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })?;
        Ok(Self { source, pin, validity, config: Arc::new(config(certified)) })
    }

    /// What an address ends in to believe nobody else: `sha256-…`.
    pub fn pin(&self) -> String {
        self.pin.to_string()
    }

    /// Until when its certificate holds, for those who do not pin its key.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.validity.map(|validity| validity.not_after)
    }

    /// What the operator should know of a certificate that was given.
    pub fn warning(&self, now: Timestamp) -> Option<TlsWarning> {
        let Source::Files { certificate: path, .. } = &self.source else { return None };
        let Validity { not_before, not_after } = self.validity?;
        if now > not_after {
            return Some(TlsWarning::Expired { path: path.clone(), since: not_after });
        }
        let early = TlsWarning::NotYetValid { path: path.clone(), until: not_before };
        (now < not_before).then_some(early)
    }

    pub fn acceptor(self) -> Acceptor {
        Acceptor { current: Arc::new(RwLock::new(Arc::new(self))) }
    }
}

fn config(certified: CertifiedKey) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(wire::tls::provider()))
        .with_protocol_versions(wire::tls::VERSIONS)
        .expect("the provider has suites of both")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![wire::tls::HTTP_1_1.to_vec()];
    // A launch asks once and a page keeps its connection: nothing is kept to resume, and no ticket
    // outlives a certificate that was replaced.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// Makes connections safe. A clone is another handle on the same identity.
#[derive(Clone, Debug)]
pub struct Acceptor {
    current: Arc<RwLock<Arc<ServerIdentity>>>,
}

impl Acceptor {
    /// The identity that is shown to the next connection.
    pub fn identity(&self) -> Arc<ServerIdentity> {
        // No holder of the lock panics: it is held for a clone, or to put another in.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again, for the connections from now on. What cannot be used changes nothing.
    pub fn reload(&self) -> Result<Arc<ServerIdentity>, TlsError> {
        let fresh = Arc::new(match &self.identity().source {
            Source::Own { directory } => ServerIdentity::own(directory)?,
            Source::Files { certificate, key } => ServerIdentity::files(certificate, key)?,
        });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// The handshake. Until the client's whole greeting has come, the connection costs its socket
    /// and nothing else, and wakes nobody; then it waits for its `place`. How long all of it may
    /// take is for the caller to say.
    pub async fn accept<P>(
        &self,
        stream: TcpStream,
        place: impl Future<Output = P>,
    ) -> io::Result<Box<TlsStream<TcpStream>>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[0] != HANDSHAKE {
            // A method's name begins so; what else speaks here would not understand an answer.
            if first[0].is_ascii_uppercase() {
                Box::pin(answer_plain(stream)).await?;
            }
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak TLS"));
        }
        // Boxed: the task of a silent socket has no room for these.
        Box::pin(greeted(&stream)).await?;
        let _place = Box::pin(place).await;
        Box::pin(self.shake(stream)).await
    }

    async fn shake(&self, stream: TcpStream) -> io::Result<Box<TlsStream<TcpStream>>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.identity().config));
        let limited = |connection: &mut rustls::ServerConnection| {
            connection.set_buffer_limit(Some(WAITING_BYTES_MAX));
        };
        Ok(Box::new(acceptor.accept_with(stream, limited).await?))
    }
}

/// Waits for the client's first record to be there whole. The kernel is told how much that is, so
/// who sends it byte by byte wakes nobody with them.
async fn greeted(stream: &TcpStream) -> io::Result<()> {
    let mut head = [0; RECORD_HEAD_BYTES];
    holds(stream, RECORD_HEAD_BYTES).await?;
    // At the end of a stream there is less. TLS says what is wrong then, or with a longer record.
    if stream.peek(&mut head).await? == RECORD_HEAD_BYTES {
        let length = u16::from_be_bytes([head[3], head[4]]);
        if length <= RECORD_BYTES_MAX {
            holds(stream, RECORD_HEAD_BYTES + usize::from(length)).await?;
        }
    }
    set_low_water(stream, 1)
}

/// Waits until there are so many bytes, or the stream's end.
async fn holds(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    set_low_water(stream, bytes)?;
    loop {
        stream.readable().await?;
        let look = || if is_readable(stream)? { Ok(()) } else { Err(WouldBlock.into()) };
        match stream.try_io(Interest::READABLE, look) {
            Err(error) if error.kind() == WouldBlock => {}
            looked => return looked,
        }
    }
}

/// Says in plain http that it is not spoken here. What was sent is read first: a socket that is
/// closed with something unread takes the answer back (RFC 9112, section 9.6).
async fn answer_plain(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    if stream.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    stream.write_all(PLAIN_ANSWER).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(PLAIN_BYTES_MAX);
    while rest.read(&mut buffer).await? != 0 {}
    Ok(())
}
