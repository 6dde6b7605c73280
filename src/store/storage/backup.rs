//! A copy of the whole database in one file, and a file that becomes a database. No writer is kept
//! waiting, and nothing is opened or judged here.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::store::storage::failure::{io, wrap};
use crate::store::storage::sqlite::{Sqlite, beside};
use crate::store::storage::{StorageError, StorageErrorKind};

impl Sqlite {
    /// Writes all that is stored, as it is at one moment, into the empty file at `path`. When it
    /// answers `Ok`, all of it is on the disk.
    ///
    /// SQLite's backup interface copies pages, begins anew whenever another process writes, and
    /// takes along what pages hold of rows that are gone. `VACUUM INTO` reads one unchanging view
    /// and writes each row into a fresh page, so that the copy holds what is there and no more.
    pub fn copy_into(&self, path: &Path) -> Result<(), StorageError> {
        let copied = self
            .connection()
            .execute("VACUUM INTO CAST(?1 AS TEXT)", [path.as_os_str().as_bytes()]);
        copied.map_err(|error| {
            let error = wrap(path, &error);
            match error.kind {
                // It is the other file that it speaks of.
                StorageErrorKind::Damaged => wrap_source(self.path(), error),
                _ => error,
            }
        })?;
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| io(path, &error))
    }

    /// Puts a database that was copied here into the journal mode that the store uses, and closes
    /// it: when this answers `Ok`, all of it is in its one file, and on the disk.
    pub fn settle(self) -> Result<(), StorageError> {
        let path = self.path().to_owned();
        self.close_whole()?;
        for suffix in ["-wal", "-shm"] {
            match fs::remove_file(beside(&path, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn wrap_source(path: &Path, error: StorageError) -> StorageError {
    StorageError { path: path.to_owned(), ..error }
}
