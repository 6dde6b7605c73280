//! What keeps an operation on a whole store from being done, with the way out of each. It becomes
//! no exit code here.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::error::OpenError;
use crate::store::operations::Survey;
use crate::store::seal::shown_id;
use crate::store::storage::StorageError;

#[derive(Debug)]
pub enum OperationError {
    Open(OpenError),
    /// Where a store is to be made, there is one.
    StoreThere {
        directory: PathBuf,
    },
    /// Nothing is written over.
    OutputThere {
        path: PathBuf,
    },
    /// What is to be restored has something wrong with it.
    BackupDamaged {
        path: PathBuf,
        survey: Box<Survey>,
    },
    /// What is to be restored is no store's database, or cannot be read.
    NoBackup {
        path: PathBuf,
        said: String,
    },
    /// The copy lacks what was there before it was begun.
    CopyIncomplete {
        path: PathBuf,
        organization: String,
    },
    Rekey(RekeyError),
}

/// What keeps a new master key from being the only one.
#[derive(Debug)]
pub enum RekeyError {
    /// A source that this program cannot write gives one key alone.
    OneKey { source: String },
    /// The key's file cannot be written.
    KeyFile { path: PathBuf, error: io::Error },
    /// All is under the new key, and the file keeps the old one.
    OldKeyStays { path: PathBuf, error: io::Error },
    /// Somebody else changed the file meanwhile.
    KeyFileChanged { path: PathBuf },
    /// Secrets are under keys that were not given: the start of their ids, and how many.
    KeysUnknown { source: String, keys: Vec<(Vec<u8>, i64)> },
    /// These are not as they were written, so they stay under the old key, which therefore stays.
    Unsealable { secrets: Vec<(String, String)>, more: u64 },
    /// Somebody reads the old rows from the journal.
    InUse { database: PathBuf },
}

/// Which kind of failure it is, for the exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OperationErrorKind {
    /// What was asked for does not fit what is there.
    Usage,
    Io,
}

impl OperationError {
    pub fn kind(&self) -> OperationErrorKind {
        match self {
            Self::StoreThere { .. }
            | Self::OutputThere { .. }
            | Self::Rekey(RekeyError::OneKey { .. }) => OperationErrorKind::Usage,
            Self::Open(OpenError::NoStore { .. }) => OperationErrorKind::Usage,
            _ => OperationErrorKind::Io,
        }
    }

    pub(super) fn io(doing: &'static str, path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::Open(OpenError::io(doing, path, error))
    }
}

impl From<RekeyError> for OperationError {
    fn from(error: RekeyError) -> Self {
        Self::Rekey(error)
    }
}

impl From<OpenError> for OperationError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<StorageError> for OperationError {
    fn from(error: StorageError) -> Self {
        Self::Open(error.into())
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::StoreThere { directory } => write!(
                f,
                "there is a store in `{}` already; name another folder with `--data`, or move \
                 that one away",
                directory.display()
            ),
            Self::OutputThere { path } => write!(
                f,
                "`{}` is there already, and nothing is written over it; name another file",
                path.display()
            ),
            Self::BackupDamaged { path, .. } => write!(
                f,
                "the backup `{}` is damaged, and nothing was put in place; take another, or, to \
                 use what is left of it, copy it to `store.db` yourself",
                path.display()
            ),
            Self::NoBackup { path, said } => write!(
                f,
                "`{}` is no backup, or is damaged ({said}), and nothing was put in place; take \
                 another",
                path.display()
            ),
            Self::CopyIncomplete { path, organization } => write!(
                f,
                "the copy `{}` lacks records of `{organization}` that were there before; try \
                 again, and see to the disk",
                path.display()
            ),
            Self::Rekey(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for RekeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneKey { source } => write!(
                f,
                "{source} gives one master key, and cannot be written from here; let it give a \
                 new one first and this one in the line behind, restart what uses it, and run \
                 this again ({MAKE_KEY})"
            ),
            Self::KeyFile { path, error } => write!(
                f,
                "cannot replace the master key `{}`: {error}; put a new key into a line before \
                 the one that is there yourself, and run this again ({MAKE_KEY})",
                path.display()
            ),
            Self::OldKeyStays { path, error } => write!(
                f,
                "{DONE}, but `{}` keeps the old one: {error}; leave only its first line there",
                path.display()
            ),
            Self::KeyFileChanged { path } => write!(
                f,
                "{DONE}, but `{}` was changed meanwhile; see what is there, and leave only the \
                 new key",
                path.display()
            ),
            Self::KeysUnknown { source, keys } => {
                let total: i64 = keys.iter().map(|(_, count)| count).sum();
                let ids: Vec<_> = keys.iter().map(|(id, _)| shown_id(id)).collect();
                let are = if total == 1 { "secret is" } else { "secrets are" };
                write!(
                    f,
                    "{total} {are} sealed under master keys (id {}) that {source} does not give; \
                     add them there, each in a line of its own, or see `inject store verify`",
                    ids.join(", ")
                )
            }
            Self::Unsealable { secrets, more } => {
                let named = |(organization, name): &(String, String)| {
                    format!("`{name}` of `{organization}`")
                };
                let named: Vec<_> = secrets.iter().map(named).collect();
                let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
                write!(
                    f,
                    "{}{more} cannot be opened, so the old master key stays beside the new one; \
                     everything else is sealed anew; delete these or put a backup in place, and \
                     run this again",
                    named.join(", ")
                )
            }
            Self::InUse { database } => write!(
                f,
                "{DONE}, but another process still reads what was there before, so the old key \
                 stays; run this again, or find who has it open with `fuser {}`",
                database.display()
            ),
        }
    }
}

const DONE: &str = "everything is sealed under the new master key";
const MAKE_KEY: &str = "`head -c 32 /dev/urandom | base64` makes a key";

impl std::error::Error for OperationError {}
