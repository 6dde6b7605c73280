//! Where a server listens: `HOST:PORT` or `unix:PATH`, parsed once. It looks no name up; `socket`
//! binds.

pub mod socket;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The most addresses that one server listens on.
pub const ADDRESSES_MAX: usize = 16;
/// The longest path that fits `sockaddr_un` (unix(7)).
const UNIX_PATH_BYTES_MAX: usize = 107;

/// One address to listen on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListenAddress {
    /// Port 0 leaves the choice to the system.
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Why a text is not an address to listen on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListenError {
    Host,
    Port,
    UnixPath,
}

impl ListenAddress {
    /// `localhost` is 127.0.0.1; any other name would have to be looked up, and could be anybody's.
    pub fn parse(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let fits = (1..=UNIX_PATH_BYTES_MAX).contains(&path.len());
            let plain = fits && !path.chars().any(char::is_control);
            return if plain { Ok(Self::Unix(path.into())) } else { Err(ListenError::UnixPath) };
        }
        let (host, port) = text.rsplit_once(':').ok_or(ListenError::Port)?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(inner)) => inner.parse().map(IpAddr::V6).map_err(|_| ListenError::Host)?,
            Some(None) => return Err(ListenError::Host),
            None => plain_host(host)?,
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or(ListenError::Port)?;
        Ok(Self::Tcp(SocketAddr::new(host, port)))
    }

    /// Whether nobody but this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

fn plain_host(host: &str) -> Result<IpAddr, ListenError> {
    match host {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => host.parse().map(IpAddr::V4).map_err(|_| ListenError::Host),
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str(
                "the host is no IP address; write one, such as `127.0.0.1:7410`, `0.0.0.0:7410` \
                 or `[::]:7410`",
            ),
            Self::Port => {
                f.write_str("write `HOST:PORT` with a port from 0 to 65535, or `unix:PATH`")
            }
            Self::UnixPath => write!(
                f,
                "`unix:` is followed by a path of 1 to {UNIX_PATH_BYTES_MAX} bytes, such as \
                 `unix:/run/inject.sock`"
            ),
        }
    }
}

impl std::error::Error for ListenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listened_on() {
        for (text, shown, local) in [
            ("127.0.0.1:7410", "127.0.0.1:7410", true),
            ("127.9.9.9:0", "127.9.9.9:0", true),
            ("localhost:7410", "127.0.0.1:7410", true),
            ("0.0.0.0:7410", "0.0.0.0:7410", false),
            ("[::1]:65535", "[::1]:65535", true),
            ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true),
            ("[::]:7410", "[::]:7410", false),
            ("unix:/run/inject.sock", "unix:/run/inject.sock", true),
            ("unix:a b", "unix:a b", true),
        ] {
            let address = ListenAddress::parse(text).expect(text);
            assert_eq!((address.to_string().as_str(), address.is_local()), (shown, local));
        }
    }

    #[test]
    fn what_is_not() {
        for (text, expected) in [
            ("", ListenError::Port),
            ("7410", ListenError::Port),
            (":7410", ListenError::Host),
            ("*:7410", ListenError::Host),
            ("127.0.0.1", ListenError::Port),
            ("127.0.0.1:", ListenError::Port),
            ("127.0.0.1:+1", ListenError::Port),
            ("127.0.0.1:65536", ListenError::Port),
            ("127.1:1", ListenError::Host),
            ("::1:7410", ListenError::Host),
            ("[::1:7410", ListenError::Host),
            ("[127.0.0.1]:1", ListenError::Host),
            ("store.acme.com:7410", ListenError::Host),
            ("http://127.0.0.1:1", ListenError::Host),
            ("unix:", ListenError::UnixPath),
            ("unix:a\nb", ListenError::UnixPath),
        ] {
            assert_eq!(ListenAddress::parse(text), Err(expected), "{text}");
        }
        let long = format!("unix:{}", "a".repeat(UNIX_PATH_BYTES_MAX + 1));
        assert_eq!(ListenAddress::parse(&long), Err(ListenError::UnixPath));
    }
}
