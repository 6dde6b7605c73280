//! Why a command did not do what it was asked, each with its exit code.

use std::fmt;
use std::io;

use crate::client;
use crate::name::SecretName;
use crate::wire::VALUE_BYTES_MAX;

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
    Prompt(PromptError),
    TooLarge,
    Empty,
    /// The secret may not exist, and does.
    Exists(SecretName),
    /// There is nobody to ask whether it may be deleted.
    CannotAsk(SecretName),
    /// What was typed is not the name: nothing is deleted.
    NotConfirmed(SecretName),
    /// Rows of a list that was printed whole; each is marked in it.
    Damaged {
        rows: usize,
    },
    /// A store that turns page after page without an end.
    TooManyRows {
        rows_max: usize,
    },
}

impl Error {
    /// The exit code, as the contract has it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => error.exit_code(),
            Self::Empty | Self::CannotAsk(_) | Self::NotConfirmed(_) => 64,
            Self::TooLarge => 65,
            Self::TooManyRows { .. } => 69,
            Self::Input(_)
            | Self::Output(_)
            | Self::Untold { .. }
            | Self::Prompt(_)
            | Self::Damaged { .. } => 74,
            Self::Exists(_) => 77,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Input(error) => write!(f, "the value cannot be read from stdin: {error}"),
            Self::Output(error) => write!(f, "the output cannot be written: {error}"),
            Self::Untold { done, error } => {
                write!(f, "the output cannot be written: {error}; but {done}")
            }
            Self::Prompt(error) => error.fmt(f),
            Self::TooLarge => write!(
                f,
                "the value is larger than {VALUE_BYTES_MAX} bytes, the most that a secret holds"
            ),
            Self::Empty => f.write_str("the value is empty; say `--allow-empty` if that is meant"),
            Self::Exists(name) => write!(f, "there is a secret `{name}` already; it is unchanged"),
            Self::CannotAsk(name) => write!(
                f,
                "there is no terminal to ask whether `{name}` may be deleted; say `--yes`"
            ),
            Self::NotConfirmed(name) => {
                write!(f, "what was typed is not `{name}`; nothing is deleted")
            }
            Self::Damaged { rows } => write!(
                f,
                "{rows} of these {} damaged: what the store holds does not carry its \
                 authentication code, so it was changed from outside; delete what is damaged and \
                 set it again",
                if *rows == 1 { "is" } else { "are" }
            ),
            Self::TooManyRows { rows_max } => {
                write!(f, "the list has no end after {rows_max} rows; narrow it with `--search`")
            }
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
