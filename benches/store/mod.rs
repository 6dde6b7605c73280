//! A store that knows five secrets and does nothing else: one thread, blocking, the same for floor
//! and `inject`. It counts what it answers, so that a contestant cannot win by not asking.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertifiedKey, PublicKeyData};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};

use crate::document::SECRETS;

/// The longest body of a request that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the store has answered so far.
#[derive(Clone, Default)]
pub struct Answered(Arc<AtomicUsize>);

impl Answered {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Listens on loopback; gives what goes into `INJECT_STORE`.
pub fn over_tcp(answered: &Answered) -> io::Result<String> {
    answering(body(), answered)
}

/// The same for whoever expects another body. It answers any request with that.
pub fn answering(body: String, answered: &Answered) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let store = format!("http://{}", listener.local_addr()?);
    let answered = answered.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| {
                stream.set_nodelay(true)?;
                serve(stream, &body, &answered)
            });
            served.expect("the contestants send whole requests");
        }
    });
    Ok(store)
}

/// Listens on loopback with TLS and a fresh key, which what goes into `INJECT_STORE` pins.
pub fn over_tls(answered: &Answered) -> Result<String, Box<dyn Error>> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let pin = URL_SAFE_NO_PAD.encode(Sha256::digest(signing_key.subject_public_key_info()));
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // As the store does: nothing is resumed.
    config.send_tls13_tickets = 0;
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let store = format!("https://{}#sha256-{pin}", listener.local_addr()?);
    let answered = answered.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| {
                stream.set_nodelay(true)?;
                let connection = ServerConnection::new(Arc::clone(&config));
                let connection = connection.map_err(io::Error::other)?;
                serve(StreamOwned::new(connection, stream), &body(), &answered)
            });
            // Exec closes the connection without TLS' own farewell.
            let left = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
            assert!(served.as_ref().err().is_none_or(left), "{served:?}");
        }
    });
    Ok(store)
}

/// Listens on a socket at `path`; gives what goes into `INJECT_STORE`.
pub fn over_unix(path: &Path, answered: &Answered) -> io::Result<String> {
    let listener = UnixListener::bind(path)?;
    let answered = answered.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| serve(stream, &body(), &answered));
            served.expect("the contestants send whole requests");
        }
    });
    Ok(format!("unix:{}", path.display()))
}

/// Answers each request of a connection until the other side closes it, which exec does.
fn serve(stream: impl Read + Write, body: &str, answered: &Answered) -> io::Result<()> {
    let answer = answer(body);
    let mut stream = BufReader::new(stream);
    while let Some(length) = read_head(&mut stream)? {
        let mut body = vec![0; length.min(BODY_BYTES_MAX)];
        stream.read_exact(&mut body)?;
        answered.0.fetch_add(1, Ordering::SeqCst);
        stream.get_mut().write_all(&answer)?;
    }
    Ok(())
}

/// Reads a request's head; gives the length of its body, or `None` at the connection's end.
fn read_head(stream: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some(length));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}

/// What a store of ours says to a resolve of all five.
fn body() -> String {
    let secrets =
        SECRETS.map(|(name, value)| format!("\"{name}\":{{\"value\":\"{value}\",\"version\":3}}"));
    format!("{{\"secrets\":{{{}}}}}", secrets.join(","))
}

fn answer(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
