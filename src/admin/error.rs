//! Why a command did not do what it was asked, each with its exit code.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::client::{self, TokenError, TokenSent};
use crate::name::{EmailAddress, OrgName, SecretName, TokenId};
use crate::wire::{BrokenHow, BrokenRecord, VALUE_BYTES_MAX};

use super::prompt::PromptError;

#[derive(Debug)]
pub enum Error {
    Client(client::Error),
    Input(io::Error),
    /// Stdout or stderr could not be written, such as a pipe whose reader has left.
    Output(io::Error),
    /// A change is made, and stdout could not be told.
    Untold {
        done: String,
        error: io::Error,
    },
    /// Something is made, and its token, which is shown once, was not seen.
    TokenUnseen {
        made: String,
        id: String,
        error: io::Error,
    },
    /// The same of an organization, to which its owner has no other token.
    OrgUnseen {
        made: String,
        org: OrgName,
        error: io::Error,
    },
    /// A change may have been made, or something with a token that is lost; `look` says how to find
    /// out.
    Lost {
        error: client::Error,
        look: String,
    },
    Prompt(PromptError),
    TooLarge,
    Empty,
    /// The secret may not exist, and does.
    Exists(SecretName),
    OrgExists(OrgName),
    MemberExists(EmailAddress),
    NoMember(EmailAddress),
    NoToken(TokenId),
    /// There is nobody to ask whether it may be done.
    CannotAsk(Asked),
    /// What was typed is not the name: nothing is done.
    NotConfirmed(Asked),
    /// Rows of a list that was printed whole; each is marked in it.
    Damaged {
        rows: usize,
        way_out: &'static str,
    },
    /// A store that turns page after page without an end.
    Endless {
        rows: usize,
    },
    /// A store that gives a page once more from where it has been.
    PageAgain {
        rows: usize,
    },
    /// A list that takes longer than any may.
    ListTimeout {
        rows: usize,
        waited: Duration,
    },
    /// The audit trail is not the one that was written.
    Broken(BrokenRecord),
    /// A checkpoint is of this organization, and another one was asked for.
    OtherCheckpoint(OrgName),
    /// What was typed can be no token.
    NoSuchToken(TokenError),
    /// The token is for other organizations than the wanted one, or for none or several.
    TokenIsFor {
        wanted: Option<OrgName>,
        reaches: Vec<OrgName>,
    },
}

/// What is asked about before it is done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Asked {
    Secret(SecretName),
    Member(EmailAddress),
}

impl Error {
    /// Whether a list that was shown has rows that do not carry their authentication codes.
    pub(super) fn if_damaged(rows: usize, way_out: &'static str) -> Result<(), Self> {
        if rows > 0 { Err(Self::Damaged { rows, way_out }) } else { Ok(()) }
    }

    /// Why a change was not made, as far as that is known; else with how to find out.
    pub(super) fn of_change(error: client::Error, look: impl Into<String>) -> Self {
        match error.may_be_done() {
            true => Self::Lost { error, look: look.into() },
            false => Self::Client(error),
        }
    }

    /// Whether it is the token that the store does not accept.
    pub fn is_token_refused(&self) -> bool {
        let (Self::Client(error) | Self::Lost { error, .. }) = self else { return false };
        matches!(error, client::Error::Refused { status: 401, token: TokenSent::Own, .. })
    }

    /// A list that a store does not bring to an end.
    fn write_endless(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHECK: &str = "a store that is whole has no such list: check its address, and what \
                             stands in between";
        match self {
            Self::PageAgain { rows } => write!(
                f,
                "after {rows} rows the list goes back to where it has been, and has no end; {CHECK}"
            ),
            Self::ListTimeout { rows, waited } => write!(
                f,
                "the list has no end after {rows} rows and {} s, the longest that a list may take; \
                 ask for a part of it, or see to the store or the way to it",
                waited.as_secs()
            ),
            Self::Endless { rows } => write!(f, "the list has no end after {rows} rows; {CHECK}"),
            _ => unreachable!("`fmt` hands over those above and no other"),
        }
    }

    /// The exit code, as the contract has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            // All that a command sends, but a value, which was judged before, are its arguments.
            Self::Client(client::Error::Invalid { .. }) => 64,
            Self::Client(error) | Self::Lost { error, .. } => error.exit_code(),
            Self::Empty
            | Self::CannotAsk(_)
            | Self::NotConfirmed(_)
            | Self::OtherCheckpoint(_)
            | Self::NoSuchToken(_) => 64,
            Self::TooLarge => 65,
            Self::Endless { .. } | Self::PageAgain { .. } | Self::ListTimeout { .. } => 69,
            Self::Input(_)
            | Self::Output(_)
            | Self::Untold { .. }
            | Self::TokenUnseen { .. }
            | Self::OrgUnseen { .. }
            | Self::Prompt(_)
            | Self::Broken(_)
            | Self::Damaged { .. } => 74,
            Self::Exists(_)
            | Self::OrgExists(_)
            | Self::MemberExists(_)
            | Self::TokenIsFor { .. } => 77,
            Self::NoMember(_) | Self::NoToken(_) => 78,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Lost { error, look } => write!(f, "{error}; {look}"),
            Self::Input(error) => write!(f, "stdin cannot be read: {error}"),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Untold { done, error } => {
                write!(f, "the output cannot be written: {error}; but {done}")
            }
            Self::TokenUnseen { made, id, error } => write!(
                f,
                "the output cannot be written: {error}; but {made}, and nobody saw the token: \
                 revoke it with `inject token revoke {id}`, and make another"
            ),
            Self::OrgUnseen { made, org, error } => write!(
                f,
                "the output cannot be written: {error}; but {made}, and nobody saw the token: \
                 make another on the store's machine, with `inject token create --org {org} \
                 --member ADDRESS`"
            ),
            Self::Prompt(error) => error.fmt(f),
            Self::TooLarge => write!(
                f,
                "the value is larger than {VALUE_BYTES_MAX} bytes, the most that a secret holds"
            ),
            Self::Empty => f.write_str("the value is empty; say `--allow-empty` if that is meant"),
            Self::Exists(name) => write!(f, "there is a secret `{name}` already; it is unchanged"),
            Self::OrgExists(name) => write!(f, "there is an organization `{name}` already"),
            Self::MemberExists(email) => write!(
                f,
                "`{email}` is a member already and unchanged; `inject member set` changes it, \
                 `inject token create --member` makes another token"
            ),
            Self::NoMember(email) => {
                write!(f, "there is no member `{email}`; `inject member list` shows all")
            }
            Self::NoToken(id) => {
                write!(f, "there is no token `{id}`; `inject token list` shows all")
            }
            Self::CannotAsk(what) => write!(
                f,
                "there is no terminal to ask whether {what} may be {}; say `--yes`",
                what.done()
            ),
            Self::NotConfirmed(what) => {
                write!(f, "what was typed is not {what}; nothing is {}", what.done())
            }
            Self::Damaged { rows, way_out } => write!(
                f,
                "{rows} of these {} damaged: what the store holds does not carry its \
                 authentication code, so it was changed from outside; {way_out}",
                if *rows == 1 { "is" } else { "are" }
            ),
            Self::Endless { .. } | Self::PageAgain { .. } | Self::ListTimeout { .. } => {
                self.write_endless(f)
            }
            Self::Broken(broken) => write_broken(f, broken),
            Self::OtherCheckpoint(org) => {
                write!(f, "the checkpoint is of organization `{org}`; name that one with `--org`")
            }
            Self::NoSuchToken(error) => error.fmt(f),
            Self::TokenIsFor { wanted, reaches } => write_reach(f, wanted.as_ref(), reaches),
        }
    }
}

fn write_broken(f: &mut fmt::Formatter<'_>, broken: &BrokenRecord) -> fmt::Result {
    let number = broken.sequence;
    write!(f, "the audit trail is not the one that was written: record {number} ")?;
    f.write_str(match broken.what {
        BrokenHow::Absent => "is missing, and records after it are there",
        BrokenHow::Altered => "was changed, or is another one in its place",
        BrokenHow::Cut => "was seen by the checkpoint, and the trail ends before it",
        BrokenHow::Other => "is not the one that the checkpoint saw",
    })
}

fn write_reach(
    f: &mut fmt::Formatter<'_>,
    wanted: Option<&OrgName>,
    reaches: &[OrgName],
) -> fmt::Result {
    let names: Vec<_> = reaches.iter().map(|name| format!("`{name}`")).collect();
    match (wanted, names.as_slice()) {
        (_, []) => f.write_str("the token is for no organization of this store"),
        (Some(wanted), names) => {
            write!(f, "the token is not for `{wanted}`, but for {}", names.join(", "))
        }
        (None, names) => {
            write!(f, "the token is for {}; choose one with `--org`", names.join(", "))
        }
    }
}

impl Asked {
    fn done(&self) -> &'static str {
        match self {
            Self::Secret(_) => "deleted",
            Self::Member(_) => "removed",
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "`{name}`"),
            Self::Member(email) => write!(f, "`{email}`"),
        }
    }
}

impl std::error::Error for Error {}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        Self::Client(error)
    }
}

impl From<PromptError> for Error {
    fn from(error: PromptError) -> Self {
        Self::Prompt(error)
    }
}
