//! Where a store is: `https://HOST[:PORT][#PIN]`, `http://HOST[:PORT]` or `unix:PATH`, parsed once.
//! It looks no name up and connects to nothing, and its errors never repeat what may hold
//! credentials.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rustls::pki_types::ServerName;

use crate::wire::Pin;

use super::tls::{Authorities, Trust};

/// The most endpoints that one setting may name.
pub const ENDPOINTS_MAX: usize = 16;
/// The longest host name (RFC 1035, section 2.3.4), and the longest path that fits `sockaddr_un`.
const HOST_BYTES_MAX: usize = 253;
const UNIX_PATH_BYTES_MAX: usize = 107;
/// What `http://HOST` and `https://HOST` mean without a port (RFC 9110, section 4.2).
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// One address of a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// How reports name it; there are never credentials in it.
    shown: Box<str>,
    /// What the `Host` header says.
    authority: Box<str>,
    pub(super) target: Target,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Target {
    Tcp { host: Host, port: u16 },
    Tls { host: Host, port: u16, name: ServerName<'static>, trust: Trust },
    Unix(PathBuf),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Host {
    Address(IpAddr),
    /// `localhost` is never looked up (RFC 6761, section 6.3).
    Localhost,
    Name(Box<str>),
}

/// Why a text is not an endpoint. What might be a credential is not in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EndpointError {
    Empty,
    TooMany,
    Scheme,
    Pin,
    Credentials,
    Path,
    Query,
    Fragment,
    Host,
    Port,
    UnixPath,
    Plaintext { host: String },
}

impl Endpoint {
    /// Plain http leaves the machine only if `allow_plaintext` says so.
    pub fn parse(text: &str, allow_plaintext: bool) -> Result<Self, EndpointError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(path);
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(EndpointError::Scheme),
        };
        let (authority, fragment) = split_url(rest)?;
        let (host, port) = split_authority(authority)?;
        if tls {
            return Self::tls(host, port.unwrap_or(HTTPS_PORT), fragment);
        }
        if fragment.is_some() {
            return Err(EndpointError::Fragment);
        }
        if !(allow_plaintext || host.is_loopback()) {
            return Err(EndpointError::Plaintext { host: host.to_string() });
        }
        Ok(Self::tcp(host, port.unwrap_or(HTTP_PORT)))
    }

    /// A comma-separated list; all that is wrong in it is answered at once.
    pub fn parse_list(text: &str, allow_plaintext: bool) -> Result<Vec<Self>, Vec<EndpointError>> {
        if text.split(',').count() > ENDPOINTS_MAX {
            return Err(vec![EndpointError::TooMany]);
        }
        let mut endpoints = Vec::new();
        let mut errors = Vec::new();
        for part in text.split(',') {
            match Self::parse(part, allow_plaintext) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(endpoints) } else { Err(errors) }
    }

    /// How reports name it.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The path of the socket, where it is one: a request to it may go without a token.
    pub fn unix_path(&self) -> Option<&Path> {
        match &self.target {
            Target::Unix(path) => Some(path),
            Target::Tcp { .. } | Target::Tls { .. } => None,
        }
    }

    /// Whether it is believed to whom the public authorities vouch for: an address with a pin is
    /// not, and one without TLS asks for no proof.
    pub fn trusts_public(&self) -> bool {
        matches!(&self.target, Target::Tls { trust: Trust::Public, .. })
    }

    /// Whether it is spoken to over TLS, whoever is believed.
    pub fn is_tls(&self) -> bool {
        matches!(&self.target, Target::Tls { .. })
    }

    /// Believes these instead of the public authorities. A pin stays as it is.
    pub fn trust(&mut self, authorities: &Authorities) {
        if let Target::Tls { trust: trust @ Trust::Public, .. } = &mut self.target {
            *trust = Trust::Authorities(authorities.clone());
        }
    }

    /// Has the fault of another key name the file that its pin is from.
    pub fn pin_is_kept_in(&mut self, path: &Path) {
        if let Target::Tls { trust, .. } = &mut self.target
            && let Trust::Pin(pin) = trust
        {
            *trust = Trust::Kept(*pin, path.into());
        }
    }

    pub(super) fn is_plain_tcp(&self) -> bool {
        matches!(&self.target, Target::Tcp { .. })
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    fn tcp(host: Host, port: u16) -> Self {
        let authority = match port {
            HTTP_PORT => host.to_string(),
            _ => format!("{host}:{port}"),
        };
        // The port is always shown: a forgotten one is the likeliest mistake.
        Self {
            shown: format!("http://{host}:{port}").into(),
            authority: authority.into(),
            target: Target::Tcp { host, port },
        }
    }

    /// The pin is left out of what is shown: it is long, and says nothing until it is wrong.
    fn tls(host: Host, port: u16, fragment: Option<&str>) -> Result<Self, EndpointError> {
        let trust = match fragment {
            None => Trust::Public,
            Some(pin) => Trust::Pin(Pin::parse(pin).ok_or(EndpointError::Pin)?),
        };
        let authority = match port {
            HTTPS_PORT => host.to_string(),
            _ => format!("{host}:{port}"),
        };
        Ok(Self {
            shown: format!("https://{host}:{port}").into(),
            authority: authority.into(),
            target: Target::Tls { name: host.server_name()?, host, port, trust },
        })
    }

    fn unix(path: &str) -> Result<Self, EndpointError> {
        if path.is_empty() || path.len() > UNIX_PATH_BYTES_MAX || path.bytes().any(|b| b < b' ') {
            return Err(EndpointError::UnixPath);
        }
        Ok(Self {
            shown: format!("unix:{path}").into(),
            authority: "localhost".into(),
            target: Target::Unix(path.into()),
        })
    }
}

/// What stands after `://`, as authority and fragment; refuses all else that a URL can have.
fn split_url(rest: &str) -> Result<(&str, Option<&str>), EndpointError> {
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    if rest.contains('@') {
        return Err(EndpointError::Credentials);
    }
    if rest.contains('?') {
        return Err(EndpointError::Query);
    }
    match rest.split_once('/') {
        None => Ok((rest, fragment)),
        Some((authority, "")) => Ok((authority, fragment)),
        Some(_) => Err(EndpointError::Path),
    }
}

fn split_authority(authority: &str) -> Result<(Host, Option<u16>), EndpointError> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(EndpointError::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| EndpointError::Host)?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or(EndpointError::Port)?),
        };
        (Host::Address(address.into()), port)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        (Host::parse(host)?, port)
    };
    Ok((host, port.map(parse_port).transpose()?))
}

fn parse_port(text: &str) -> Result<u16, EndpointError> {
    // `u16::from_str` takes a leading `+`, a URL does not.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(EndpointError::Port),
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, EndpointError> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let lower = text.to_ascii_lowercase();
        let in_a_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let valid = lower.len() <= HOST_BYTES_MAX && lower.bytes().all(in_a_name);
        if !valid || lower.trim_end_matches('.').is_empty() {
            return Err(EndpointError::Host);
        }
        let bare = lower.strip_suffix('.').unwrap_or(&lower);
        if bare == "localhost" || bare.ends_with(".localhost") {
            return Ok(Self::Localhost);
        }
        Ok(Self::Name(lower.into()))
    }

    /// The name that a certificate must have, and that the server is told (RFC 6066, section 3): an
    /// address, or a name without the root's dot.
    fn server_name(&self) -> Result<ServerName<'static>, EndpointError> {
        let name = match self {
            Self::Address(address) => return Ok(ServerName::IpAddress((*address).into())),
            Self::Localhost => "localhost",
            Self::Name(name) => name.strip_suffix('.').unwrap_or(name),
        };
        ServerName::try_from(name.to_owned()).map_err(|_| EndpointError::Host)
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Localhost => true,
            Self::Name(_) => false,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Localhost => f.write_str("localhost"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an address of a store is empty"),
            Self::TooMany => write!(f, "more than {ENDPOINTS_MAX} addresses of a store are named"),
            Self::Scheme => f.write_str(
                "the address of a store begins with `https://`, `http://` or `unix:`, such as \
                 `https://store.example.com`",
            ),
            Self::Pin => f.write_str(
                "what stands behind the `#` of an address is no pin; copy it as the store prints \
                 it: `#sha256-` and 43 characters",
            ),
            Self::Credentials => f.write_str(
                "the address of a store holds a user name or password; a token belongs in \
                 `INJECT_TOKEN` or `INJECT_TOKEN_FILE`",
            ),
            Self::Path => f.write_str(
                "the address of a store has a path; write scheme, host and port alone, such as \
                 `http://127.0.0.1:7410`",
            ),
            Self::Query => f.write_str(
                "the address of a store has a query; write scheme, host and port alone, such as \
                 `http://127.0.0.1:7410`",
            ),
            Self::Fragment => f.write_str(
                "a `#sha256-` pin stands only in an address that begins with `https://`",
            ),
            Self::Host => f.write_str(
                "the host in the address of a store is neither a name nor an address; an IPv6 \
                 address stands in `[` and `]`",
            ),
            Self::Port => {
                f.write_str("the port in the address of a store is not a number from 1 to 65535")
            }
            Self::UnixPath => write!(
                f,
                "`unix:` is followed by a path of 1 to {UNIX_PATH_BYTES_MAX} bytes, such as \
                 `unix:/run/inject.sock`"
            ),
            Self::Plaintext { host } => write!(
                f,
                "plain http to `{host}` would show secrets to the network; write `https://`, or set \
                 `INJECT_ALLOW_PLAINTEXT=1`"
            ),
        }
    }
}

impl std::error::Error for EndpointError {}
