//! One connection to an endpoint. It sends nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::endpoint::{Host, Target};
use super::error::Failure;

/// The most addresses of one name that are tried in one attempt.
const ADDRESSES_MAX: usize = 8;

/// What http is spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Connects within `time_max`, which the addresses of a name share, so that the first one hanging
/// does not hide the others.
pub async fn connect(target: &Target, time_max: Duration) -> Result<Box<dyn Stream>, Failure> {
    match target {
        Target::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(Failure::Connect)?;
            Ok(Box::new(stream))
        }
        Target::Tcp { host: Host::Address(address), port } => {
            first_of(&[SocketAddr::new(*address, *port)], time_max).await
        }
        Target::Tcp { host: Host::Localhost, port } => {
            let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            first_of(&addresses.map(|address| SocketAddr::new(address, *port)), time_max).await
        }
        Target::Tcp { host: Host::Name(name), port } => {
            let found = lookup_host((&**name, *port)).await.map_err(Failure::LookUp)?;
            let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
            first_of(&addresses, time_max).await
        }
    }
}

/// The first address that takes the connection; else what the first one said.
async fn first_of(
    addresses: &[SocketAddr],
    time_max: Duration,
) -> Result<Box<dyn Stream>, Failure> {
    let share = time_max / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut first = None;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A request is written in few pieces, none of which should wait for another.
                stream.set_nodelay(true).map_err(Failure::Connect)?;
                return Ok(Box::new(stream));
            }
            Ok(Err(error)) => first = first.or(Some(Failure::Connect(error))),
            Err(_) => first = first.or(Some(Failure::TimedOut { after: share })),
        }
    }
    Err(first.unwrap_or_else(|| Failure::LookUp(io::ErrorKind::AddrNotAvailable.into())))
}
