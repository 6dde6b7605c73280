//! Connections over real sockets, from rustls' own client and from OpenSSL's.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::*;

/// Far over what a loaded machine needs.
const DEADLINE: Duration = Duration::from_secs(60);

/// A runtime, as the store has one.
fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let work = async { timeout(DEADLINE, work).await.expect("it hangs") };
    runtime.expect("a runtime").block_on(work)
}

/// One connection of a client that trusts `certificate` and nobody else, and what came of it on
/// both sides; each says a word to the other.
async fn meet(
    acceptor: &Acceptor,
    certificate: &Path,
    name: &'static str,
) -> (io::Result<u8>, io::Result<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let client = async {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name).expect("a name");
        let mut stream = TlsConnector::from(trusting(certificate)).connect(name, stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(wire::tls::HTTP_1_1));
        stream.write_u8(1).await?;
        stream.read_u8().await
    };
    let acceptor = acceptor.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = acceptor.accept(stream, ready(())).await?;
        let said = stream.read_u8().await?;
        stream.write_u8(2).await?;
        stream.shutdown().await?;
        Ok(said)
    });
    (client.await, server.await.expect("no panic"))
}

fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = fs::read(certificate).expect("it is there");
    roots.add(CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("a certificate");
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites of both")
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), wire::tls::HTTP_1_1.to_vec()];
    Arc::new(config)
}

#[test]
fn the_own_certificate_is_good_for_who_trusts_it() {
    let folder = folder();
    let acceptor = ServerIdentity::own(folder.path()).expect("an identity").acceptor();
    let certificate = folder.path().join(CERTIFICATE_NAME);
    on_a_runtime(async {
        for name in ["localhost", "127.0.0.1", "::1"] {
            let (client, server) = meet(&acceptor, &certificate, name).await;
            assert_eq!((client.expect(name), server.expect(name)), (2, 1));
        }
        let (client, server) = meet(&acceptor, &certificate, "elsewhere.example").await;
        assert!(client.is_err() && server.is_err());
    });
}

#[test]
fn a_reload_is_for_the_next_connection() {
    let folder = folder();
    let make = "openssl req -x509 -newkey ed25519 -nodes -keyout a.key -out a.crt -days 3 \
                -subj /CN=x -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE";
    run(&folder, make);
    let acceptor = files(&folder, "a.crt", "a.key").expect("an identity").acceptor();
    let clone = acceptor.clone();
    let before = acceptor.identity().pin();
    run(&folder, "cp a.crt old.crt; echo garbage > a.key");
    let error = acceptor.reload().expect_err("the key is none");
    assert!(matches!(error, TlsError::NoKey { .. }), "{error}");
    assert_eq!(acceptor.identity().pin(), before);
    let [old, new] = ["old.crt", "a.crt"].map(|name| folder.path().join(name));
    on_a_runtime(async {
        meet(&clone, &old, "localhost").await.0.expect("the old one is still shown");
        run(&folder, make);
        let after = acceptor.reload().expect("a new identity").pin();
        assert_ne!(after, before);
        assert_eq!(clone.identity().pin(), after);
        meet(&clone, &new, "localhost").await.0.expect("the new one is shown");
        assert!(meet(&clone, &old, "localhost").await.0.is_err());
    });
}

#[test]
fn what_does_not_speak_tls() {
    let folder = folder();
    let acceptor = ServerIdentity::own(folder.path()).expect("an identity").acceptor();
    let said = |text: &'static [u8]| {
        on_a_runtime(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let client = async {
                let mut stream = TcpStream::connect(address).await.expect("it listens");
                stream.write_all(text).await.expect("it reads");
                stream.shutdown().await.expect("it reads");
                let mut answer = Vec::new();
                // A reset instead of an end is an end as well.
                let _ = stream.read_to_end(&mut answer).await;
                String::from_utf8(answer).expect("text")
            };
            let acceptor = acceptor.clone();
            let server = tokio::spawn(async move {
                acceptor.accept(listener.accept().await?.0, ready(())).await
            });
            let answer = client.await;
            let accepted = server.await.expect("no panic");
            (answer, accepted.expect_err("it is no TLS").kind())
        })
    };
    let no_tls = io::ErrorKind::InvalidData;
    for text in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &b"POST "[..], &[b'G'; 300_000][..]] {
        let (answer, kind) = said(text);
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, "this port speaks TLS: use https://\n");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(kind, no_tls);
    }
    assert_eq!(said(b"\x16\x03\x01\x00\x05hello"), (String::new(), no_tls));
    assert_eq!(said(b"\x00"), (String::new(), no_tls));
    assert_eq!(said(b"*1\r\n$4\r\nPING\r\n"), (String::new(), no_tls));
    assert_eq!(said(b"").1, io::ErrorKind::UnexpectedEof);
}

/// Interoperability: another's TLS, in each version that is spoken, and one that is not.
#[test]
fn openssl_speaks_with_it() {
    let folder = folder();
    let acceptor = ServerIdentity::own(folder.path()).expect("an identity").acceptor();
    on_a_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A handshake that fails is the client's to tell.
                if let Ok(mut stream) = acceptor.accept(stream, ready(())).await {
                    stream.write_all(b"hello\n").await.expect("it reads");
                    stream.shutdown().await.expect("it reads");
                }
            }
        });
        let client = format!(
            "openssl s_client -connect {address} -verify_return_error -CAfile tls.crt \
             -verify_hostname localhost -alpn http/1.1 -quiet </dev/null 2>&1"
        );
        let run = move |options: &'static str| {
            let line = format!("cd {} && {client} {options}", folder.path().display());
            async move {
                let shell = tokio::task::spawn_blocking(move || {
                    Command::new("sh").args(["-c", &line]).output().expect("a shell is there")
                });
                let output = shell.await.expect("no panic");
                String::from_utf8_lossy(&output.stdout).into_owned()
            }
        };
        for options in ["-tls1_3", "-tls1_2", "-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384"] {
            let said = run(options).await;
            assert!(said.contains("hello\n"), "{options}: {said}");
        }
        for options in ["-tls1_1 -cipher ALL:@SECLEVEL=0", "-alpn h2", "-tls1_2 -cipher AES128-SHA"]
        {
            let said = run(options).await;
            assert!(said.contains("alert") && !said.contains("hello"), "{options}: {said}");
        }
    });
}

/// What a connection that says nothing costs is what its task holds: nothing is made before a byte
/// has come.
#[test]
fn a_silent_connection_costs_little() {
    let folder = folder();
    let acceptor = ServerIdentity::own(folder.path()).expect("an identity").acceptor();
    on_a_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let _silent = TcpStream::connect(address).await.expect("it listens");
        let accepting = acceptor.accept(listener.accept().await.expect("a client").0, ready(()));
        let bytes = size_of_val(&accepting);
        assert!(bytes <= 384, "{bytes} bytes");
        assert!(size_of::<io::Result<Box<TlsStream<TcpStream>>>>() <= 16);
    });
}

/// A client that sends each byte by itself.
struct Dribble(TcpStream);

impl AsyncRead for Dribble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Dribble {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[test]
fn a_greeting_may_come_byte_by_byte_and_wakes_nobody_until_it_is_whole() {
    let folder = folder();
    let acceptor = ServerIdentity::own(folder.path()).expect("an identity").acceptor();
    let certificate = folder.path().join(CERTIFICATE_NAME);
    on_a_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let client = tokio::spawn(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").expect("a name");
            let connector = TlsConnector::from(trusting(&certificate));
            connector.connect(name, Dribble(stream)).await?.read_u8().await
        });
        let (stream, _) = listener.accept().await.expect("a client");
        let mut polls = 0;
        let mut accepting = std::pin::pin!(acceptor.accept(stream, ready(())));
        let accepted = std::future::poll_fn(|cx| {
            polls += 1;
            accepting.as_mut().poll(cx)
        });
        let mut stream = accepted.await.expect("a handshake");
        stream.write_u8(7).await.expect("it reads");
        stream.flush().await.expect("it reads");
        assert_eq!(client.await.expect("no panic").expect("it is answered"), 7);
        // The greeting alone has hundreds of bytes, and what ends a handshake some tens.
        assert!(polls < 200, "it was woken {polls} times");
    });
}

#[test]
fn who_leaves_within_a_greeting_is_noticed() {
    let folder = folder();
    let acceptor = ServerIdentity::own(folder.path()).expect("an identity").acceptor();
    on_a_runtime(async {
        for begun in [1, 4, 5, 100] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("bound");
            let mut client = TcpStream::connect(address).await.expect("it listens");
            let accepting =
                acceptor.accept(listener.accept().await.expect("a client").0, ready(()));
            let mut greeting = vec![HANDSHAKE, 3, 1, 2, 0];
            greeting.resize(100, 0);
            client.write_all(&greeting[..begun]).await.expect("it reads");
            drop(client);
            assert!(accepting.await.is_err(), "{begun} bytes");
        }
    });
}
