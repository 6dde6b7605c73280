//! What the system and SQLite say of a failure, in this house's words. It decides nothing.

use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{ErrorCode, ffi};

use crate::store::storage::{StorageError, StorageErrorKind};

/// The system's error in this house's words.
pub(super) fn io(path: &Path, error: &std::io::Error) -> StorageError {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => StorageErrorKind::Full,
        _ => StorageErrorKind::Io,
    };
    StorageError::new(path, kind, error.to_string())
}

/// SQLite's error in this house's words. What does not fit a row is damage: it was written whole.
pub(super) fn wrap(path: &Path, error: &rusqlite::Error) -> StorageError {
    let kind = match error.sqlite_error_code() {
        // The memory that is shared is a file beside the database, and there is no room for it.
        _ if extended_code(error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => StorageErrorKind::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageErrorKind::Busy,
        Some(ErrorCode::DiskFull) => StorageErrorKind::Full,
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StorageErrorKind::Denied
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport,
        ) => StorageErrorKind::Io,
        _ => StorageErrorKind::Damaged,
    };
    StorageError::new(path, kind, said(error))
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|code| code.extended_code)
}

/// What SQLite said, without the bytes of a column that did not fit.
fn said(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(text)) => format!("{text}: {code}"),
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        rusqlite::Error::InvalidColumnType(_, column, Type::Null) => {
            format!("nothing stands in column `{column}`")
        }
        rusqlite::Error::InvalidColumnType(_, column, kind) => {
            format!("{kind} stands in column `{column}`")
        }
        _ => "a row is not of the form it was written in".to_owned(),
    }
}
