//! The sockets that the store listens on, and who connects there. How they are bound is the same
//! for every server.

use std::io;

use tokio::net::{TcpListener, UnixListener};

use crate::listen::ListenAddress;
use crate::listen::socket::{SocketFile, bind_tcp, bind_unix};
use crate::store::serve::Acceptor;
use crate::store::serve::admission::Peer;
use crate::store::serve::connection::Accepted;
use crate::store::serve::error::BindError;
use crate::sys::serving::host_name;

/// A socket that is bound; from then on clients can connect.
pub enum Listener {
    Tcp(TcpListener, Acceptor),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Binds one address; `mode` is a unix socket's.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(
        address: &ListenAddress,
        mode: u32,
        acceptor: &Acceptor,
    ) -> Result<Self, BindError> {
        match address {
            ListenAddress::Tcp(address) => {
                let listener = bind_tcp(*address);
                listener.map(|listener| Self::Tcp(listener, acceptor.clone()))
            }
            ListenAddress::Unix(path) => {
                bind_unix(path, mode).map(|(listener, file)| Self::Unix(listener, file))
            }
        }
        .map_err(|error| BindError { address: address.clone(), error })
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> io::Result<(Accepted, Peer)> {
        match self {
            Self::Tcp(listener, acceptor) => {
                let (stream, from) = listener.accept().await?;
                // An answer is written in one piece: there is nothing to wait for.
                stream.set_nodelay(true)?;
                Ok((Accepted::Tcp(stream, acceptor.clone()), Peer::Address(from.ip())))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Accepted::Unix(stream), Peer::Unix))
            }
        }
    }

    /// How a client names it. Where every address is listened on, the machine's name stands.
    pub fn shown(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener, acceptor) => {
                let address = listener.local_addr()?;
                let host = match (address.ip().to_canonical().is_unspecified(), host_name()) {
                    (true, Some(name)) => format!("{name}:{}", address.port()),
                    _ => address.to_string(),
                };
                Ok(acceptor.url(&host))
            }
            Self::Unix(_, file) => Ok(format!("unix:{}", file.path().display())),
        }
    }
}
