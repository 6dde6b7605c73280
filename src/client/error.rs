//! Why a request to a store did not succeed, each with the exit code it leads to. No value, no
//! token and no raw text of an answer is in here.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::name::{OrgName, SecretName};
use crate::wire::{Reason, Unresolved};

use super::tls::TlsFault;

/// Whose token the store judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenSent {
    Own,
    /// There was none to send.
    None,
    /// A sidecar's, whose proxy was asked.
    OfProxy,
}

impl TokenSent {
    fn refused(self) -> &'static str {
        match self {
            Self::Own => "the store does not accept the token",
            Self::None => "the store wants a token, and none is set",
            Self::OfProxy => "the store does not accept the token of the sidecar that is asked",
        }
    }
}

/// What a call ends with when it does not succeed. Retrying is over by then.
#[derive(Debug)]
pub enum Error {
    /// No endpoint gave an answer that settles it. `last` has the last failure of each endpoint
    /// that was tried; `retry_after` is there if the store wants a wait past the deadline.
    Unreachable {
        store: String,
        tries: u32,
        waited: Duration,
        last: Vec<(String, Failure)>,
        retry_after: Option<Duration>,
    },
    /// The store does not accept the token, or does not let its bearer do this; or it wants a
    /// token, and there was none to send.
    Refused {
        status: u16,
        token: TokenSent,
        detail: Option<String>,
    },
    /// The organization is not there, as seen by the caller.
    NoOrganization(OrgName),
    /// Names of a resolve that are missing or forbidden; never empty, and all were asked for.
    Unresolved(Vec<Unresolved>),
    NoSecret(SecretName),
    /// The member or the token that the path names is not there.
    NotFound,
    /// What was to be made is there already.
    Exists,
    /// The organization would be left without an owner, or without one who has a token.
    LastOwner {
        detail: Option<String>,
    },
    /// Something that must not be done twice may have been done, and the answer was lost.
    AnswerLost {
        store: String,
        failure: Failure,
    },
    /// A change failed so at last, and an earlier try, whose answer was lost, may have made it.
    PerhapsDone(Box<Error>),
    /// The condition did not hold. `perhaps_ours`: the answer to an earlier try was lost, so it
    /// may have been that try which changed the secret.
    PreconditionFailed {
        perhaps_ours: bool,
    },
    /// The store does not take what was sent.
    Invalid {
        detail: Option<String>,
    },
    /// What is stored does not carry its authentication code.
    Damaged {
        detail: Option<String>,
    },
    StorageFull {
        detail: Option<String>,
    },
    /// The change is made, and an old value is still in use: the same again finishes it. Not tried
    /// again here, for another's change may have come between.
    Unpurged {
        detail: Option<String>,
    },
    /// The store in this process did not get to it, such as while another process writes.
    Embedded {
        failure: Failure,
    },
    /// The store cannot use its own files.
    StorageFailed {
        detail: Option<String>,
    },
    /// The answer of the one endpoint there is, is not one that a store gives.
    Protocol {
        store: String,
        fault: ProtocolFault,
    },
    /// The one endpoint there is, is not believed to be the store.
    Tls {
        store: String,
        fault: TlsFault,
    },
    /// The system did not give what the client runs on, such as a descriptor.
    Runtime(io::Error),
}

/// Why one attempt failed in a way that can pass, or that another endpoint may make good.
#[derive(Debug)]
pub enum Failure {
    LookUp(io::Error),
    Connect(io::Error),
    TimedOut {
        after: Duration,
    },
    /// There is no connection that keeps what is said to itself and the store.
    Tls(TlsFault),
    /// The connection ended before the answer did.
    Dropped,
    Status {
        status: u16,
        detail: Option<String>,
    },
    /// What answers there is no store.
    Protocol(ProtocolFault),
}

/// What is wrong with an answer that is complete.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProtocolFault {
    NotHttp,
    /// Where plain http was spoken, and perhaps TLS is wanted.
    NotPlainHttp,
    Redirect {
        status: u16,
    },
    Status {
        status: u16,
    },
    /// Its media type, where it is one that can be shown.
    NotJson {
        content_type: Option<String>,
    },
    /// It is no JSON, or not the JSON that was expected, at this place; what stands there may be
    /// a value and is not repeated.
    Json {
        line: usize,
        column: usize,
    },
    TooLarge {
        bytes_max: usize,
    },
    /// A name that was asked for is not in the answer.
    NameLeftOut(SecretName),
    NoValue(SecretName),
    /// The answer speaks of a name that was not asked for.
    OtherName,
}

impl Error {
    /// Whether what was asked for may have been done all the same.
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::AnswerLost { .. } | Self::PerhapsDone(_))
    }

    /// The exit code, as the contract has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. }
            | Self::Protocol { .. }
            | Self::Tls { .. }
            | Self::AnswerLost { .. } => 69,
            Self::PerhapsDone(error) => error.exit_code(),
            Self::Refused { .. }
            | Self::NoOrganization(_)
            | Self::Exists
            | Self::LastOwner { .. }
            | Self::PreconditionFailed { .. } => 77,
            Self::Unresolved(names) if names.iter().all(|n| n.reason == Reason::Forbidden) => 77,
            Self::Unresolved(_) | Self::NoSecret(_) | Self::NotFound => 78,
            Self::Invalid { .. } => 65,
            Self::Damaged { .. }
            | Self::StorageFull { .. }
            | Self::StorageFailed { .. }
            | Self::Unpurged { .. }
            | Self::Embedded { .. }
            | Self::Runtime(_) => 74,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { store, tries, waited, last, retry_after } => {
                unreachable(f, store, *tries, *waited, last)?;
                match retry_after {
                    Some(wait) => write!(
                        f,
                        "; it asks to be tried again in {}, which is past the deadline",
                        seconds(*wait)
                    ),
                    None => Ok(()),
                }
            }
            Self::Refused { status: 401, token, detail } => {
                f.write_str(token.refused())?;
                with_detail(f, detail)
            }
            Self::Refused { status, detail, .. } => {
                write!(f, "the store refuses this (status {status})")?;
                with_detail(f, detail)
            }
            Self::NoOrganization(org) => write!(
                f,
                "there is no organization `{org}`, or the token is not for it; check `--org` and \
                 the token"
            ),
            Self::Unresolved(names) => unresolved(f, names),
            Self::NoSecret(name) => write!(f, "there is no secret `{name}`"),
            Self::NotFound => f.write_str("what the request names is not there"),
            Self::Exists => f.write_str("it is there already; nothing is changed"),
            Self::LastOwner { detail } => last_owner(f, detail),
            Self::AnswerLost { store, failure } => {
                write!(f, "`{store}`: {failure}{ALL_THE_SAME}")
            }
            Self::PerhapsDone(error) => write!(f, "{error}{ALL_THE_SAME}"),
            Self::PreconditionFailed { perhaps_ours: false } => f.write_str(NOT_AS_ASKED),
            Self::PreconditionFailed { perhaps_ours: true } => f.write_str(PERHAPS_OURS),
            Self::Invalid { detail } => {
                f.write_str("the store does not take the request")?;
                with_detail(f, detail)
            }
            Self::Damaged { detail } => {
                f.write_str("what the store holds is damaged")?;
                with_detail(f, detail)
            }
            Self::StorageFull { detail } => {
                f.write_str("no room is left on the store's disk")?;
                with_detail(f, detail)
            }
            Self::Unpurged { detail: Some(detail) }
            | Self::Embedded { failure: Failure::Status { detail: Some(detail), .. } } => {
                f.write_str(detail)
            }
            Self::Unpurged { detail: None } => {
                f.write_str("the change is made, and the old value is still in use; do it again")
            }
            Self::Embedded { failure } => write!(f, "the embedded store failed: {failure}"),
            Self::StorageFailed { detail } => {
                f.write_str("the store cannot use its own files")?;
                with_detail(f, detail)
            }
            Self::Protocol { store, fault } => write!(f, "`{store}`: {fault}"),
            Self::Tls { store, fault } => write!(f, "`{store}`: {fault}"),
            Self::Runtime(error) => write!(f, "the client cannot start: {error}"),
        }
    }
}

impl std::error::Error for Error {}

const ALL_THE_SAME: &str = "; it may have been done all the same";
const NOT_AS_ASKED: &str = "the secret is not in the state that was asked for; nothing is changed";
const LAST_OWNER: &str = "the organization would be left without an owner; nothing is changed; \
     make another member owner first, with `inject member set ADDRESS --role owner`";

const PERHAPS_OURS: &str = "the answer to a first try was lost, and the secret has changed since, \
     perhaps by that try; `inject secret show` says who changed it last, and when";

fn unreachable(
    f: &mut fmt::Formatter<'_>,
    store: &str,
    tries: u32,
    waited: Duration,
    last: &[(String, Failure)],
) -> fmt::Result {
    match last {
        [] => write!(f, "the store `{store}` cannot be reached")?,
        [(endpoint, failure)] => {
            write!(f, "the store `{endpoint}` cannot be reached: {failure}")?;
        }
        _ => {
            f.write_str("no store can be reached")?;
            for (i, (endpoint, failure)) in last.iter().enumerate() {
                write!(f, "{} `{endpoint}`: {failure}", if i == 0 { ":" } else { ";" })?;
            }
        }
    }
    match tries {
        0 => write!(f, " (not tried: the timeout is too short)"),
        1 => write!(f, " (1 try in {})", seconds(waited)),
        _ => write!(f, " ({tries} tries in {})", seconds(waited)),
    }
}

fn unresolved(f: &mut fmt::Formatter<'_>, names: &[Unresolved]) -> fmt::Result {
    for (i, one) in names.iter().enumerate() {
        let reason = match one.reason {
            Reason::Missing => "missing",
            Reason::Forbidden => "forbidden",
        };
        write!(f, "{}`{}` is {reason}", if i == 0 { "" } else { "; " }, one.name)?;
    }
    Ok(())
}

/// The store knows which of several ways out it is.
fn last_owner(f: &mut fmt::Formatter<'_>, detail: &Option<String>) -> fmt::Result {
    match detail {
        Some(detail) => write!(f, "nothing is changed: {detail}"),
        None => f.write_str(LAST_OWNER),
    }
}

fn with_detail(f: &mut fmt::Formatter<'_>, detail: &Option<String>) -> fmt::Result {
    match detail {
        Some(detail) => write!(f, ": {detail}"),
        None => Ok(()),
    }
}

/// `0.3 s`, or whole seconds from ten on.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{:.0} s", duration.as_secs_f64()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp(error) => write!(f, "its name cannot be looked up: {error}"),
            Self::Connect(error) if error.kind() == io::ErrorKind::NotFound => {
                f.write_str("there is no such socket")
            }
            Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                f.write_str("connection refused")
            }
            Self::Connect(error) => error.fmt(f),
            Self::TimedOut { after } => write!(f, "no answer within {}", seconds(*after)),
            Self::Tls(fault) => fault.fmt(f),
            Self::Dropped => f.write_str("the connection ended before the answer did"),
            Self::Status { status, detail } => {
                write!(f, "it answers with status {status}")?;
                with_detail(f, detail)
            }
            Self::Protocol(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for ProtocolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("what answers there does not speak http"),
            Self::NotPlainHttp => f.write_str(
                "what answers there does not speak plain http; if it speaks TLS, write `https://`",
            ),
            Self::Redirect { status } => write!(
                f,
                "it answers with a redirect (status {status}), which is not followed; give the \
                 store's own address"
            ),
            Self::Status { status } => {
                write!(f, "what answers there is no store (status {status}); check the address")
            }
            Self::NotJson { content_type: Some(content_type) } => write!(
                f,
                "what answers there is no store (its answer is `{content_type}`); check the address"
            ),
            Self::NotJson { content_type: None } => f.write_str(
                "what answers there is no store (its answer is not JSON); check the address",
            ),
            Self::Json { line, column } => {
                write!(f, "the answer is not as expected, at line {line}, column {column} of it")
            }
            Self::TooLarge { bytes_max } => {
                write!(f, "the answer is larger than {bytes_max} bytes, the most that it can be")
            }
            Self::NameLeftOut(name) => write!(f, "the answer leaves `{name}` out"),
            Self::NoValue(name) => write!(f, "the answer has no value for `{name}`"),
            Self::OtherName => f.write_str("the answer speaks of a name that was not asked for"),
        }
    }
}
