//! Where a store is: `http://HOST[:PORT]` or `unix:PATH`, parsed once. It looks no name up and
//! connects to nothing, and its errors never repeat what may hold credentials.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The most endpoints that one setting may name.
pub const ENDPOINTS_MAX: usize = 16;
/// The longest host name (RFC 1035, section 2.3.4), and the longest path that fits `sockaddr_un`.
const HOST_BYTES_MAX: usize = 253;
const UNIX_PATH_BYTES_MAX: usize = 107;
/// What `http://HOST` means without a port (RFC 9110, section 4.2.1).
const HTTP_PORT: u16 = 80;

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
    Tls { host: String },
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
            return Err(EndpointError::Tls { host: host.to_string() });
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
            Target::Tcp { .. } => None,
        }
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
                "the address of a store begins with `http://` or `unix:`, such as \
                 `http://127.0.0.1:7410`",
            ),
            Self::Tls { host } => write!(
                f,
                "`https://{host}` needs TLS, which this version does not speak; reach the store \
                 over `unix:PATH` or a loopback address"
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
                "plain http to `{host}` would show secrets to the network; only loopback is \
                 reached so, unless `INJECT_ALLOW_PLAINTEXT=1`"
            ),
        }
    }
}

impl std::error::Error for EndpointError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Endpoint::parse(text, false).expect(text).as_str().to_owned()
    }

    #[test]
    fn what_is_an_endpoint() {
        assert_eq!(shown("http://127.0.0.1:7410"), "http://127.0.0.1:7410");
        assert_eq!(shown(" HTTP://127.9.9.9:7410/ "), "http://127.9.9.9:7410");
        assert_eq!(shown("http://localhost"), "http://localhost:80");
        assert_eq!(shown("http://a.LocalHost.:1"), "http://localhost:1");
        assert_eq!(shown("http://[::1]:7410"), "http://[::1]:7410");
        assert_eq!(shown("http://[::ffff:127.0.0.1]:1"), "http://[::ffff:127.0.0.1]:1");
        assert_eq!(shown("unix:/run/inject.sock"), "unix:/run/inject.sock");
        assert_eq!(shown("unix:run/inject.sock"), "unix:run/inject.sock");
    }

    #[test]
    fn what_is_not() {
        fn error(text: &str) -> EndpointError {
            Endpoint::parse(text, false).expect_err(text)
        }
        assert_eq!(error(""), EndpointError::Empty);
        for text in ["localhost:7410", "ftp://localhost", "127.0.0.1", "/run/inject.sock"] {
            assert_eq!(error(text), EndpointError::Scheme, "{text}");
        }
        for text in ["http://", "http://::1", "http://[::1", "http://a b", "http://.", "http://ü"]
        {
            assert!(matches!(error(text), EndpointError::Host | EndpointError::Port), "{text}");
        }
        for text in ["http://[fe80::1%25eth0]:1", "http://[127.0.0.1]"] {
            assert_eq!(error(text), EndpointError::Host, "{text}");
        }
        for port in ["", "0", "65536", "+1", "-1", "1x", "1:2"] {
            assert_eq!(error(&format!("http://localhost:{port}")), EndpointError::Port, "{port}");
        }
        assert_eq!(error("http://localhost/x"), EndpointError::Path);
        assert_eq!(error("http://localhost//"), EndpointError::Path);
        assert_eq!(error("http://localhost?x"), EndpointError::Query);
        assert_eq!(error("http://localhost#sha256-x"), EndpointError::Fragment);
        for text in ["unix:", "unix:a\nb", &format!("unix:{}", "a".repeat(108))] {
            assert_eq!(error(text), EndpointError::UnixPath, "{text}");
        }
        let tls = EndpointError::Tls { host: "store.acme.com".to_owned() };
        assert_eq!(error("https://store.acme.com:7410#sha256-abc"), tls);
    }

    #[test]
    fn plain_http_stays_on_the_machine() {
        for host in ["10.0.0.1", "0.0.0.0", "127.1", "localhost.evil.com", "[::]", "store"] {
            let text = format!("http://{host}:7410");
            let error = Endpoint::parse(&text, false).expect_err(host);
            assert_eq!(error, EndpointError::Plaintext { host: host.to_owned() });
            assert_eq!(Endpoint::parse(&text, true).expect(host).as_str(), text);
        }
    }

    #[test]
    fn credentials_are_not_repeated() {
        for text in ["http://alice:hunter2@127.0.0.1", "http://127.0.0.1/@hunter2?@"] {
            let error = Endpoint::parse(text, true).expect_err(text);
            assert_eq!(error, EndpointError::Credentials);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_list_says_all_that_is_wrong() {
        let list = Endpoint::parse_list("http://127.0.0.1:1,unix:/a", false).expect("both");
        assert_eq!(list.len(), 2);
        let errors = Endpoint::parse_list("x,unix:/a,http://10.0.0.1,", false).expect_err("three");
        assert_eq!(errors.len(), 3);
        let many = vec!["unix:/a"; ENDPOINTS_MAX + 1].join(",");
        assert_eq!(Endpoint::parse_list(&many, false), Err(vec![EndpointError::TooMany]));
    }

    #[test]
    fn the_host_header_leaves_the_usual_port_out() {
        let authority = |text| Endpoint::parse(text, false).expect(text).authority().to_owned();
        assert_eq!(authority("http://[::1]"), "[::1]");
        assert_eq!(authority("http://127.0.0.1:7410"), "127.0.0.1:7410");
        assert_eq!(authority("unix:/run/inject.sock"), "localhost");
    }
}
