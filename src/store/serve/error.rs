//! What keeps a server from serving, with the way out of each.

use std::fmt;
use std::io;

use crate::listen::ListenAddress;

/// Why an address is not listened on.
#[derive(Debug)]
pub struct BindError {
    pub address: ListenAddress,
    pub error: io::Error,
}

/// Why there is no server.
#[derive(Debug)]
pub enum ServeError {
    /// Each address that is not listened on.
    Bind(Vec<BindError>),
    /// `doing` reads as in "cannot `doing`".
    System { doing: &'static str, error: io::Error },
}

impl BindError {
    fn hint(&self) -> Option<&'static str> {
        let is_unix = matches!(self.address, ListenAddress::Unix(_));
        match self.error.kind() {
            io::ErrorKind::AddrInUse if is_unix => {
                Some("another server answers there; end it, or choose another path")
            }
            io::ErrorKind::AddrInUse => {
                Some("another program listens there; end it, or choose another port")
            }
            io::ErrorKind::AddrNotAvailable => Some("name an address that this machine has"),
            io::ErrorKind::AlreadyExists => {
                Some("something that is no socket is at this path; choose another")
            }
            io::ErrorKind::NotFound if is_unix => Some("make its folder first"),
            io::ErrorKind::PermissionDenied if is_unix => {
                Some("see to the owner and mode of the socket and of its folder")
            }
            io::ErrorKind::PermissionDenied => {
                Some("ports below 1024 are for root; choose a higher one")
            }
            _ => None,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        write!(f, "cannot listen on `{address}`: {error}")?;
        self.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(errors) => {
                let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
            Self::System { doing, error } => write!(f, "cannot {doing}: {error}"),
        }
    }
}

impl std::error::Error for BindError {}
impl std::error::Error for ServeError {}
