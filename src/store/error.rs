//! What keeps the store from opening, with the way out of each. It becomes no exit code here.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::storage::{StorageError, StorageErrorKind};

/// Why there is no open store. Nothing was changed.
#[derive(Debug)]
pub enum OpenError {
    /// There is no store at this path.
    NoStore {
        directory: PathBuf,
    },
    /// A journal without its database.
    JournalAlone {
        journal: PathBuf,
    },
    /// There is a database, and its key is not where it should be.
    KeyMissing {
        path: PathBuf,
    },
    /// A directory, a pipe or the like.
    KeyNoFile {
        path: PathBuf,
    },
    KeyMode {
        path: PathBuf,
        mode: u32,
    },
    KeyOwner {
        path: PathBuf,
        owner: u32,
        user: u32,
    },
    /// Not 32 bytes in base64; in which line, where there are several.
    KeyForm {
        source: String,
        line: Option<usize>,
    },
    KeysMany {
        source: String,
        keys_max: usize,
    },
    /// One key in two lines, where one of them was to be another.
    KeyTwice {
        source: String,
    },
    KeyCommand {
        status: String,
    },
    /// A sound key, but of another store.
    KeyOfAnother {
        source: String,
        database: PathBuf,
        sealed_under: String,
        given: String,
    },
    /// A sealed key in the database does not open under the right master key.
    RingDamaged {
        database: PathBuf,
    },
    Storage(StorageError),
    /// `doing` reads as in "cannot `doing` `path`".
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
}

/// Which kind of failure it is, for the exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenErrorKind {
    /// No store is at that path.
    NoStore,
    /// The key is missing, unfit or not this store's.
    Key,
    /// Input or output, damage included.
    Io,
}

impl OpenError {
    pub fn kind(&self) -> OpenErrorKind {
        match self {
            Self::NoStore { .. } => OpenErrorKind::NoStore,
            Self::KeyMissing { .. }
            | Self::KeyNoFile { .. }
            | Self::KeyMode { .. }
            | Self::KeyOwner { .. }
            | Self::KeyForm { .. }
            | Self::KeysMany { .. }
            | Self::KeyTwice { .. }
            | Self::KeyCommand { .. }
            | Self::KeyOfAnother { .. } => OpenErrorKind::Key,
            Self::JournalAlone { .. }
            | Self::RingDamaged { .. }
            | Self::Storage(_)
            | Self::Io { .. } => OpenErrorKind::Io,
        }
    }

    pub(super) fn io(doing: &'static str, path: impl AsRef<Path>, error: io::Error) -> Self {
        let path = path.as_ref().to_owned();
        if error.kind() == io::ErrorKind::StorageFull {
            return Self::Storage(StorageError::new(&path, StorageErrorKind::Full, ""));
        }
        Self::Io { doing, path, error }
    }
}

impl OpenError {
    /// What is wrong with a key before it is tried.
    fn fmt_key(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMissing { path } => write!(
                f,
                "the master key `{}` is missing; put it back, for without it no value can be read",
                path.display()
            ),
            Self::KeyNoFile { path } => write!(
                f,
                "the master key `{}` is no regular file; name one, or a command that prints the \
                 key with `--master-key-command`",
                path.display()
            ),
            Self::KeyMode { path, mode } => write!(
                f,
                "the master key `{0}` can be read by others (mode {mode:04o}); \
                 run `chmod 600 {0}`",
                path.display()
            ),
            Self::KeyOwner { path, owner, user } => write!(
                f,
                "the master key `{}` belongs to user {owner}, and this is user {user}; run as its \
                 owner, or give the file to this user",
                path.display()
            ),
            Self::KeyForm { source, line: None } => write!(
                f,
                "the master key in {source} is not 32 bytes in base64; put the right one there"
            ),
            Self::KeyForm { source, line: Some(line) } => write!(
                f,
                "the master key in line {line} of {source} is not 32 bytes in base64; put the \
                 right one there, or remove the line"
            ),
            Self::KeysMany { source, keys_max } => write!(
                f,
                "{source} has more than {keys_max} master keys; leave the one that seals, which is \
                 the first, and those that are still needed"
            ),
            Self::KeyTwice { source } => write!(
                f,
                "{source} has the same master key in two lines; remove one, or put the right key \
                 there"
            ),
            Self::KeyCommand { status } => write!(
                f,
                "the command of `--master-key-command` failed ({status}); run it by hand to see why"
            ),
            _ => Ok(()),
        }
    }
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore { directory } => write!(
                f,
                "there is no store in `{}`; `inject secret set NAME` makes one",
                directory.display()
            ),
            Self::JournalAlone { journal } => write!(
                f,
                "`{}` is there without its database; put `store.db` back beside it, or move the \
                 journal away to begin a new store",
                journal.display()
            ),
            Self::KeyOfAnother { source, database, sealed_under, given } => write!(
                f,
                "the master key in {source} (id {given}) is not the one of `{}` (id \
                 {sealed_under}); put the right one there",
                database.display()
            ),
            Self::RingDamaged { database } => write!(
                f,
                "the keys in `{}` are damaged; put a backup in its place",
                database.display()
            ),
            Self::Storage(error) => error.fmt(f),
            Self::KeyMissing { .. }
            | Self::KeyNoFile { .. }
            | Self::KeyMode { .. }
            | Self::KeyOwner { .. }
            | Self::KeyForm { .. }
            | Self::KeysMany { .. }
            | Self::KeyTwice { .. }
            | Self::KeyCommand { .. } => self.fmt_key(f),
            Self::Io { doing, path, error } => {
                write!(f, "cannot {doing} `{}`: {error}; ", path.display())?;
                f.write_str("see to the owner and mode of it and of its directory")
            }
        }
    }
}

impl std::error::Error for OpenError {}
