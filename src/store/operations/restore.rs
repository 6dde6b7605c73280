//! Puts a backup where there is no store, after all of it was checked. Whatever is wrong with it,
//! nothing is changed.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::store::error::OpenError;
use crate::store::master_keys::MasterKeys;
use crate::store::open;
use crate::store::operations::verify::survey;
use crate::store::operations::{OperationError, Site, Survey};
use crate::store::service::Keys;
use crate::store::storage::sqlite::{Sqlite, beside};
use crate::store::storage::{StorageError, StorageErrorKind};

/// Reads the backup from `input`; `shown` is how errors name it.
pub fn restore(site: Site<'_>, input: &File, shown: &Path) -> Result<Survey, OperationError> {
    let there = || OperationError::StoreThere { directory: site.directory.to_owned() };
    if site.has_store()? {
        return Err(there());
    }
    // A store's own file without its journal lacks what was written last.
    if beside(shown, "-wal").metadata().is_ok_and(|journal| journal.len() > 0) {
        let said = "it is a store's own file, and its journal stands beside it: use `inject store \
                    backup`, or move its whole folder";
        return Err(OperationError::NoBackup { path: shown.to_owned(), said: said.to_owned() });
    }
    // Without its key a store is of no use: that is known before anything is made.
    let master = MasterKeys::read(site.master_key)?;
    open::refuse_lone_journal(site.directory)?;
    let _lock = open::lock_new(site.directory, site.deadline())?;
    if site.has_store()? {
        return Err(there());
    }
    let staged = open::stage(site.directory)?;
    let filled = fill(site, input, shown, &staged, master);
    let placed = filled.map_err(|error| of_backup(error, shown)).and_then(|survey| {
        open::place(&staged, site.directory)?;
        Ok(survey)
    });
    if placed.is_err() {
        // What is told is why it is not put in place.
        let _ = open::unstage(&staged);
    }
    placed
}

fn fill(
    site: Site<'_>,
    mut input: &File,
    shown: &Path,
    staged: &Path,
    master: MasterKeys,
) -> Result<Survey, OperationError> {
    let mut copy = || {
        let mut file = OpenOptions::new().write(true).open(staged)?;
        io::copy(&mut input, &mut file)?;
        file.sync_all()
    };
    copy().map_err(|error| OperationError::io("copy the backup to", staged, error))?;
    let mut database = Sqlite::open(staged, site.deadline(), site.wait_max)?;
    let ring = open::open_ring(&master, site.master_key, &database)?;
    let found = survey(&mut database, &Keys { master, ring }, &[])?;
    if !found.faults.is_empty() {
        let (path, survey) = (shown.to_owned(), Box::new(found));
        return Err(OperationError::BackupDamaged { path, survey });
    }
    database.settle()?;
    Ok(found)
}

/// What is wrong with the copy is wrong with the backup.
fn of_backup(error: OperationError, shown: &Path) -> OperationError {
    let path = shown.to_owned();
    match error {
        OperationError::Open(OpenError::Storage(StorageError {
            kind: StorageErrorKind::Damaged,
            message: said,
            ..
        })) => OperationError::NoBackup { path, said },
        OperationError::Open(OpenError::RingDamaged { .. }) => {
            OperationError::NoBackup { path, said: "its keys do not open".to_owned() }
        }
        OperationError::Open(OpenError::KeyOfAnother { source, sealed_under, given, .. }) => {
            let database = path;
            OperationError::Open(OpenError::KeyOfAnother { source, database, sealed_under, given })
        }
        error => error,
    }
}
