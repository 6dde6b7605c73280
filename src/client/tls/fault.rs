//! Why a TLS handshake failed, each with the way out. What the other side says of itself is shown
//! only as far as it can be read by a terminal.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

use crate::client::answer::printable;
use crate::client::error::seconds;
use crate::client::tls::Trust;
use crate::wire::Pin;

/// The most names of a certificate that are shown.
const NAMES_SHOWN_MAX: usize = 8;

/// What is wrong with the other side, or with the way to it.
#[derive(Clone, Debug)]
pub enum TlsFault {
    /// Not the key that the address pins, or the login that is kept in this file.
    OtherKey {
        shown: Option<Pin>,
        kept_in: Option<Arc<Path>>,
    },
    /// A certificate, and no key that fits it.
    KeyNotHeld,
    Expired {
        since: Option<Timestamp>,
    },
    NotYetValid {
        until: Option<Timestamp>,
    },
    UnknownAuthority {
        shown: Option<Pin>,
    },
    /// The certificate of an authority, shown as a server's own.
    AuthorityItself {
        shown: Option<Pin>,
    },
    /// The names that its certificate has.
    OtherName {
        names: Vec<String>,
    },
    /// What came is no TLS.
    NotTls,
    TooOld,
    /// The other side ended the handshake.
    Alert(AlertDescription),
    Silent {
        after: Duration,
    },
    /// The connection ended within the handshake.
    Ended,
    /// All else that rustls does not take.
    Refused(Error),
}

impl TlsFault {
    /// What an error of the handshake means; `shown` is the key that the other side showed.
    pub fn of(error: &io::Error, shown: Option<Pin>) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            None => Self::Ended,
            Some(Error::InvalidCertificate(error)) => Self::of_certificate(error, shown),
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(Error::PeerIncompatible(
                rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13
                | rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ))
            | Some(Error::AlertReceived(AlertDescription::ProtocolVersion)) => Self::TooOld,
            Some(Error::AlertReceived(alert)) => Self::Alert(*alert),
            Some(error) => Self::Refused(error.clone()),
        }
    }

    fn of_certificate(error: &CertificateError, shown: Option<Pin>) -> Self {
        match error {
            CertificateError::ApplicationVerificationFailure => {
                Self::OtherKey { shown, kept_in: None }
            }
            CertificateError::BadSignature => Self::KeyNotHeld,
            CertificateError::Expired => Self::Expired { since: None },
            CertificateError::ExpiredContext { not_after, .. } => {
                Self::Expired { since: timestamp(*not_after) }
            }
            CertificateError::NotValidYet => Self::NotYetValid { until: None },
            CertificateError::NotValidYetContext { not_before, .. } => {
                Self::NotYetValid { until: timestamp(*not_before) }
            }
            CertificateError::UnknownIssuer => Self::UnknownAuthority { shown },
            CertificateError::NotValidForName => Self::OtherName { names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::OtherName { names: presented.iter().filter_map(|name| plain(name)).collect() }
            }
            CertificateError::Other(other)
                if matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
            {
                Self::AuthorityItself { shown }
            }
            error => Self::Refused(error.clone().into()),
        }
    }

    /// The same, with the file that holds the pin, where one does.
    pub fn against(self, trust: &Trust) -> Self {
        match (self, trust) {
            (Self::OtherKey { shown, .. }, Trust::Kept(_, path)) => {
                Self::OtherKey { shown, kept_in: Some(Arc::clone(path)) }
            }
            (fault, _) => fault,
        }
    }

    /// Whether another try may go better.
    pub fn can_pass(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::Ended => true,
            Self::Alert(alert) => matches!(alert, AlertDescription::InternalError),
            _ => false,
        }
    }
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

/// A name out of `DnsName("…")` or `IpAddress(…)`, as rustls tells it.
fn plain(name: &str) -> Option<String> {
    let inner = name.strip_prefix("DnsName(\"").and_then(|name| name.strip_suffix("\")"));
    let inner =
        inner.or_else(|| name.strip_prefix("IpAddress(").and_then(|name| name.strip_suffix(')')));
    inner.map(printable)
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey { shown, kept_in } => {
                f.write_str("its key is not the one that is pinned")?;
                if let Some(path) = kept_in {
                    write!(f, " in `{}`", printable(&path.display().to_string()))?;
                }
                has(f, ", but", shown)?;
                f.write_str(
                    "; if the store prints that one at its start, write it into the address, or \
                     log in with it once more, else somebody is in between",
                )
            }
            Self::KeyNotHeld => f.write_str(
                "it shows a certificate that it has no key for: somebody is in between, or its \
                 certificate and key do not belong together",
            ),
            Self::Expired { since } => {
                f.write_str("its certificate has expired")?;
                at(f, since)?;
                f.write_str("; renew it, or set the clock of this machine")
            }
            Self::NotYetValid { until } => {
                f.write_str("its certificate is not valid yet")?;
                at(f, until)?;
                f.write_str("; set the clock of this machine, or the store's")
            }
            Self::UnknownAuthority { shown } => {
                f.write_str("no authority that is trusted here vouches for its certificate")?;
                way_out(f, "name the authority's file with `--ca-file`", shown)
            }
            Self::AuthorityItself { shown } => {
                f.write_str("its certificate is an authority's, which no server may show")?;
                way_out(f, "give the store a certificate of its own", shown)
            }
            Self::OtherName { names } => other_name(f, names),
            Self::NotTls => f.write_str(
                "what answers there does not speak TLS; check the port, or write `http://` for a \
                 store on this machine",
            ),
            Self::TooOld => f.write_str("it speaks neither TLS 1.3 nor 1.2; bring it up to date"),
            Self::Alert(alert) => {
                write!(f, "it ends the TLS handshake with the alert `{alert:?}`; check the address")
            }
            Self::Silent { after } => {
                write!(f, "the TLS handshake was not answered within {}", seconds(*after))
            }
            Self::Ended => f.write_str("the connection ended within the TLS handshake"),
            Self::Refused(error) => {
                write!(f, "the TLS handshake failed: {}", printable(&error.to_string()))
            }
        }
    }
}

fn has(f: &mut fmt::Formatter<'_>, before: &str, shown: &Option<Pin>) -> fmt::Result {
    match shown {
        Some(pin) => write!(f, "{before} `{pin}`"),
        None => Ok(()),
    }
}

fn at(f: &mut fmt::Formatter<'_>, time: &Option<Timestamp>) -> fmt::Result {
    match time {
        Some(time) => write!(f, " ({time})"),
        None => Ok(()),
    }
}

/// A key that is merely shown is no proof: it has to be compared with what the store prints.
fn way_out(f: &mut fmt::Formatter<'_>, first: &str, shown: &Option<Pin>) -> fmt::Result {
    write!(f, "; {first}")?;
    match shown {
        Some(pin) => write!(f, ", or put `#{pin}` behind the address if the store prints the same"),
        None => Ok(()),
    }
}

fn other_name(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    if names.is_empty() {
        return f.write_str("its certificate has no name in it; pin its key, or renew it with one");
    }
    f.write_str("its certificate is for ")?;
    for (i, name) in names.iter().take(NAMES_SHOWN_MAX).enumerate() {
        write!(f, "{}`{name}`", if i == 0 { "" } else { ", " })?;
    }
    if names.len() > NAMES_SHOWN_MAX {
        write!(f, " and {} more", names.len() - NAMES_SHOWN_MAX)?;
    }
    f.write_str(", and not for the host in the address; ask it by one of its names")
}
