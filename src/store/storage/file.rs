//! The files of a database: where they are, which they are, and when their names are on the disk.
//! It reads nothing in them.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::storage::StorageError;
use crate::store::storage::failure::io;

/// Which file it is: its device and its number there.
pub type Identity = (u64, u64);

/// The file that SQLite opened, whatever links led to it: the log is beside that one.
pub fn real_path(connection: &Connection, path: &Path) -> Result<PathBuf, StorageError> {
    match connection.path() {
        Some(found) => Ok(found.into()),
        // It has the path, but gives it only as UTF-8.
        None => path.canonicalize().map_err(|error| io(path, &error)),
    }
}

pub fn identity(file: &Path) -> std::io::Result<Identity> {
    file.metadata().map(|found| (found.dev(), found.ino()))
}

/// How much is in the log of the database at `path`; nothing if there is none.
pub fn log_bytes(path: &Path) -> u64 {
    beside(path, "-wal").metadata().map_or(0, |found| found.len())
}

/// Waits until the names in the directory of `path` are on the disk.
pub fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// A file whose name is another's with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
