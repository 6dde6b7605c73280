//! What is kept, and in what form: sealed rows and their audit record, in one transaction. It never
//! sees a plain value, and it decides nothing.

mod backup;
mod begun;
pub mod changes;
pub mod deadline;
mod failure;
mod file;
mod list;
mod people;
mod reseal;
pub mod sqlite;
pub mod transaction;
mod usage;
pub mod walk;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::store::audit::Anchor;
use crate::store::canonical::Canonical;
use crate::store::seal::SealedRow;

/// An organization, with its authentication code.
#[derive(Clone, Debug)]
pub struct OrgRow {
    pub name: String,
    pub created_at: i64,
    pub created_by: String,
    pub code: Vec<u8>,
}

/// A member of an organization, with its authentication code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberRow {
    pub organization: String,
    pub email: String,
    pub role: String,
    /// A list of names and globs, as JSON.
    pub names: String,
    pub created_at: i64,
    pub created_by: String,
    pub updated_at: i64,
    pub updated_by: String,
    /// The audit record that wrote this row.
    pub sequence: i64,
    pub code: Vec<u8>,
}

/// A token of a member or a workload, with its authentication code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRow {
    pub id: String,
    pub organization: String,
    pub member: Option<String>,
    pub workload: Option<String>,
    /// A workload's list of names and globs, as JSON.
    pub names: Option<String>,
    pub created_at: i64,
    pub created_by: String,
    pub expires_at: Option<i64>,
    pub network: Option<String>,
    pub hash: Vec<u8>,
    /// The audit record that wrote this row.
    pub sequence: i64,
    pub code: Vec<u8>,
}

/// What a workload resolved of one name last, with its authentication code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsageRow {
    pub organization: String,
    pub workload: String,
    pub name: String,
    pub version: i64,
    pub at: i64,
    pub code: Vec<u8>,
}

/// What is known of one name: its row, and the last record that changed it.
#[derive(Debug)]
pub struct Entry {
    pub row: Option<SealedRow>,
    pub anchor: Option<Anchor>,
}

/// A change whose old value may still stand in the journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unpurged {
    pub organization: String,
    pub name: String,
    pub version: i64,
    pub deleted: bool,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    Name,
    NameDescending,
    Updated,
    UpdatedDescending,
}

/// Where a page of a list begins: behind this row. The time counts only in the orders by time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct After {
    pub updated_at: i64,
    pub name: String,
}

/// Which rows of an organization are asked for.
#[derive(Clone, Debug)]
pub struct PageAsk<'a> {
    pub organization: &'a str,
    pub sort: Sort,
    pub after: Option<&'a After>,
    pub rows_max: u32,
}

/// A row of a list; only the name where the columns cannot even be read.
#[derive(Debug)]
pub enum Listed {
    Row(Box<SealedRow>),
    Unreadable { name: String },
}

/// What keeps the database from answering.
#[derive(Clone, Debug)]
pub struct StorageError {
    pub path: PathBuf,
    pub kind: StorageErrorKind,
    /// SQLite's own words, for the operator.
    pub message: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StorageErrorKind {
    /// Another process held the database for the whole of the wait.
    Busy,
    /// No room is left on the disk.
    Full,
    /// What is there is no database of this program, or not whole.
    Damaged,
    /// A newer version of this program made it.
    Newer,
    /// It cannot be opened or written by this user.
    Denied,
    /// The file is no longer in its place, or another one is.
    Replaced,
    /// It was sealed under another master key, which this process does not have.
    KeyUnknown,
    Io,
}

impl OrgRow {
    /// What the code is computed over.
    pub fn bound(&self) -> Canonical {
        Canonical::new("inject/organization/v1")
            .text(&self.name)
            .number(self.created_at)
            .text(&self.created_by)
    }
}

impl MemberRow {
    /// What the code is computed over.
    pub fn bound(&self) -> Canonical {
        Canonical::new("inject/member/v1")
            .text(&self.organization)
            .text(&self.email)
            .text(&self.role)
            .text(&self.names)
            .number(self.created_at)
            .text(&self.created_by)
            .number(self.updated_at)
            .text(&self.updated_by)
            .number(self.sequence)
    }
}

impl TokenRow {
    /// What the code is computed over.
    pub fn bound(&self) -> Canonical {
        Canonical::new("inject/token/v1")
            .text(&self.id)
            .text(&self.organization)
            .optional(self.member.as_deref())
            .optional(self.workload.as_deref())
            .optional(self.names.as_deref())
            .number(self.created_at)
            .text(&self.created_by)
            .optional(self.expires_at.map(|at| at.to_string()).as_deref())
            .optional(self.network.as_deref())
            .bytes(&self.hash)
            .number(self.sequence)
    }
}

impl UsageRow {
    /// What the code is computed over.
    pub fn bound(&self) -> Canonical {
        Canonical::new("inject/usage/v1")
            .text(&self.organization)
            .text(&self.workload)
            .text(&self.name)
            .number(self.version)
            .number(self.at)
    }
}

impl Listed {
    pub fn name(&self) -> &str {
        match self {
            Self::Row(row) => &row.columns.name,
            Self::Unreadable { name } => name,
        }
    }
}

impl StorageError {
    pub fn new(path: &Path, kind: StorageErrorKind, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), kind, message: message.into() }
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.kind {
            StorageErrorKind::Busy => write!(
                f,
                "`{path}` was locked by another process for too long; try again, or find who has \
                 it open with `fuser {path}`"
            ),
            StorageErrorKind::Full => {
                write!(f, "no room is left on the disk of `{path}`; free some and try again")
            }
            StorageErrorKind::Damaged => write!(
                f,
                "`{path}` is damaged or not a store's database ({}); put a backup in its place",
                self.message
            ),
            StorageErrorKind::Newer => {
                write!(f, "`{path}` was made by a newer `inject` ({}); use that one", self.message)
            }
            StorageErrorKind::Denied => write!(
                f,
                "`{path}` cannot be opened for writing ({}); see to its owner and mode, and those \
                 of its directory",
                self.message
            ),
            StorageErrorKind::Replaced => write!(
                f,
                "`{path}` is no longer the file that this server was started on: it was moved, \
                 removed or replaced; start the server again"
            ),
            StorageErrorKind::KeyUnknown => write!(
                f,
                "`{path}` is sealed under another master key by now (id {}), which this process \
                 was not given; start it again with that one first",
                self.message
            ),
            StorageErrorKind::Io => write!(
                f,
                "`{path}` cannot be read or written ({}); see what the system says of its disk",
                self.message
            ),
        }
    }
}

impl std::error::Error for StorageError {}
