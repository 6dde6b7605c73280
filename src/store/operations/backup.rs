//! Copies the store into one file while it is used: as it was at one moment, sealed as it is, and
//! never half. The master key is not in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};

use crate::store::keyring::Keyring;
use crate::store::open::{self, DATABASE_NAME};
use crate::store::operations::verify::survey;
use crate::store::operations::{Opened, OperationError, Site, Survey};
use crate::store::storage::sqlite::{Sqlite, beside, sync_directory};
use crate::store::storage::{StorageError, StorageErrorKind};
use crate::sys::{self, Unfinished};

/// What is behind a name until the file is whole.
const STAGED: &str = ".inject-new";

/// Where a backup goes.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// A file that is not there yet.
    File(&'a Path),
    /// Whatever this writes to.
    Stream(&'a File),
}

/// A backup that is written.
#[derive(Debug)]
pub struct BackedUp {
    /// What is in it, and what is wrong with that: it was wrong in the store already.
    pub survey: Survey,
    pub bytes: u64,
}

pub fn backup(site: Site<'_>, target: Target<'_>) -> Result<BackedUp, OperationError> {
    let _lock = site.lock()?;
    let mut opened = site.open()?;
    let staged = Staged::make(&match target {
        Target::File(path) if path.symlink_metadata().is_ok() => {
            return Err(OperationError::OutputThere { path: path.to_owned() });
        }
        Target::File(path) => beside(path, STAGED),
        Target::Stream(_) => beside(&site.directory.join(DATABASE_NAME), STAGED),
    })?;
    let heads = heads(&mut opened)?;
    opened.database.copy_into(&staged.path)?;
    let survey = check(site, &opened, &staged.path, &heads)?;
    let bytes = staged.bytes()?;
    match target {
        Target::File(path) => staged.put(path)?,
        Target::Stream(stream) => staged.send(stream)?,
    }
    Ok(BackedUp { survey, bytes })
}

/// The last record of each organization: a copy that is made from now on has it.
fn heads(opened: &mut Opened) -> Result<Vec<(String, i64, Vec<u8>)>, StorageError> {
    opened.database.read(|tx| {
        let mut heads = Vec::new();
        for name in tx.organization_names()? {
            if let Some((sequence, code)) = tx.head(&name)? {
                heads.push((name, sequence, code));
            }
        }
        Ok(heads)
    })
}

/// Reads the copy again, all of it, with the keys of the store.
fn check(
    site: Site<'_>,
    opened: &Opened,
    path: &Path,
    heads: &[(String, i64, Vec<u8>)],
) -> Result<Survey, OperationError> {
    let mut copy = Sqlite::open(path, site.deadline(), site.wait_max)?;
    Keyring::open(&opened.keys.master, &copy.keyring()?).map_err(|_| {
        let message = "its keys do not open";
        StorageError::new(path, StorageErrorKind::Damaged, message)
    })?;
    for (organization, sequence, code) in heads {
        let (records, _) = copy.read(|tx| tx.records(organization, sequence - 1, 1))?;
        if records.first().is_none_or(|record| record.code != *code) {
            let (path, organization) = (path.to_owned(), organization.clone());
            return Err(OperationError::CopyIncomplete { path, organization });
        }
    }
    Ok(survey(&mut copy, &opened.keys, &[])?)
}

/// A file that is being written under another name; it goes if it is not put in place.
struct Staged {
    path: PathBuf,
    /// Held as long as this process writes it.
    lock: Flock<File>,
    /// A signal that ends this process removes it too.
    _unfinished: Unfinished,
}

impl Staged {
    /// An empty file of the owner's alone. What a killed backup to the same place left goes.
    fn make(path: &Path) -> Result<Self, OperationError> {
        let failed = |error| OperationError::io("make", path, error);
        if let Ok(left) = File::open(path) {
            let lock = Flock::lock(left, FlockArg::LockExclusiveNonblock);
            let _lock = lock.map_err(|(_, errno)| match errno {
                Errno::EWOULDBLOCK => {
                    OperationError::from(StorageError::new(path, StorageErrorKind::Busy, ""))
                }
                errno => failed(errno.into()),
            })?;
            open::unstage(path).map_err(failed)?;
        }
        open::empty(path).map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|(_, errno)| failed(errno.into()))?;
        let unfinished = sys::remove_at_end(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), lock, _unfinished: unfinished })
    }

    fn bytes(&self) -> Result<u64, OperationError> {
        let found = self.lock.metadata();
        Ok(found.map_err(|error| OperationError::io("read", &self.path, error))?.len())
    }

    /// Gives it its name, which nothing may have taken meanwhile.
    fn put(self, path: &Path) -> Result<(), OperationError> {
        let flags = RenameFlags::RENAME_NOREPLACE;
        let renamed = renameat2(AT_FDCWD, &self.path, AT_FDCWD, path, flags);
        let renamed = match renamed {
            // A file system that knows no flags has links, or neither.
            Err(Errno::EINVAL | Errno::ENOSYS) => fs::hard_link(&self.path, path),
            renamed => renamed.map_err(io::Error::from),
        };
        let put = renamed.and_then(|()| sync_directory(path));
        put.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OperationError::OutputThere { path: path.to_owned() },
            _ => OperationError::io("write", path, error),
        })
    }

    /// Writes it out, and nothing else of it remains.
    fn send(self, mut stream: &File) -> Result<(), OperationError> {
        let mut send = || {
            let mut file = File::open(&self.path)?;
            fs::remove_file(&self.path)?;
            io::copy(&mut file, &mut stream)
        };
        send().map(|_| ()).map_err(|error| OperationError::io("write", "standard output", error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Where it was put in place or sent, there is none of this name.
        let _ = open::unstage(&self.path);
    }
}
