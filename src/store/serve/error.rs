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
    /// What is so and what to do, where the system's words alone do not say it.
    fn cause(&self) -> Option<&'static str> {
        let is_unix = matches!(self.address, ListenAddress::Unix(_));
        match self.error.kind() {
            io::ErrorKind::AddrInUse if is_unix => {
                Some("another server answers there; end it, or choose another path")
            }
            io::ErrorKind::AddrInUse => {
                Some("another program listens there; end it, or choose another port")
            }
            io::ErrorKind::AddrNotAvailable => {
                Some("this machine does not have that address; name one that it has")
            }
            io::ErrorKind::AlreadyExists => {
                Some("something that is no socket is there; choose another path")
            }
            io::ErrorKind::InvalidFilename => {
                Some("the folder's name holds a control character; choose another path")
            }
            io::ErrorKind::NotFound if is_unix => Some("there is no such folder; make it first"),
            io::ErrorKind::PermissionDenied if is_unix => {
                Some("this user may not; see to the owner and mode of the socket and of its folder")
            }
            io::ErrorKind::PermissionDenied => {
                Some("this user may not; choose a port from 1024 on")
            }
            _ => None,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        match self.cause() {
            Some(cause) => write!(f, "cannot listen on `{address}`: {cause}"),
            None => write!(f, "cannot listen on `{address}`: {error}"),
        }
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
