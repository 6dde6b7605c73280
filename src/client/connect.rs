//! One connection to an endpoint. It sends no request.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::endpoint::{Host, Target};
use super::error::Failure;
use super::tls::handshake;
use crate::sys;

/// The most addresses of one name that are tried in one attempt.
const ADDRESSES_MAX: usize = 8;

/// What http is spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Connects, and with TLS makes sure of who answers, within `time_max`.
pub async fn connect(target: &Target, time_max: Duration) -> Result<Box<dyn Stream>, Failure> {
    let until = Instant::now() + time_max;
    let timed_out = |_| Failure::TimedOut { after: time_max };
    match target {
        Target::Unix(path) => {
            let stream = timeout_at(until, UnixStream::connect(path)).await.map_err(timed_out)?;
            Ok(Box::new(stream.map_err(Failure::Connect)?))
        }
        Target::Tcp { host, port } => {
            let stream = timeout_at(until, open(host, *port, time_max)).await;
            Ok(Box::new(stream.map_err(timed_out)??))
        }
        Target::Tls { host, port, name, trust } => {
            let stream = timeout_at(until, open(host, *port, time_max)).await;
            let stream = stream.map_err(timed_out)??;
            // Behind a pointer, so that a connection without TLS sets no stack aside for it.
            let secured: Pin<Box<dyn Future<Output = _>>> =
                Box::pin(handshake(stream, name.clone(), trust, until, time_max));
            Ok(Box::new(secured.await.map_err(Failure::Tls)?))
        }
    }
}

/// The addresses of a name share `time_max`, so that the first one hanging does not hide the
/// others.
async fn open(host: &Host, port: u16, time_max: Duration) -> Result<TcpStream, Failure> {
    match host {
        Host::Address(address) => first_of(&[SocketAddr::new(*address, port)], time_max).await,
        Host::Localhost => {
            let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            first_of(&addresses.map(|address| SocketAddr::new(address, port)), time_max).await
        }
        Host::Name(name) => {
            let addresses = look_up(name, port).await.map_err(Failure::LookUp)?;
            first_of(&addresses, time_max).await
        }
    }
}

/// The addresses of a name, which the C library waits for on a thread of its own. Where no thread
/// can be started, that is an error that can pass: tokio's own look-up would panic.
async fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (tell, told) = oneshot::channel();
    let name = name.to_owned();
    thread::Builder::new().name("names".to_owned()).spawn(move || {
        sys::look_up_without_libraries();
        let found = (name.as_str(), port).to_socket_addrs();
        // Who asked may have given up by now.
        let _ = tell.send(found.map(|found| found.take(ADDRESSES_MAX).collect()));
    })?;
    told.await.unwrap_or_else(|_| Err(io::ErrorKind::AddrNotAvailable.into()))
}

/// The first address that takes the connection; else what the first one said.
async fn first_of(addresses: &[SocketAddr], time_max: Duration) -> Result<TcpStream, Failure> {
    let share = time_max / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut first = None;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A request is written in few pieces, none of which should wait for another.
                stream.set_nodelay(true).map_err(Failure::Connect)?;
                return Ok(stream);
            }
            Ok(Err(error)) => first = first.or(Some(Failure::Connect(error))),
            Err(_) => first = first.or(Some(Failure::TimedOut { after: share })),
        }
    }
    Err(first.unwrap_or_else(|| Failure::LookUp(io::ErrorKind::AddrNotAvailable.into())))
}
