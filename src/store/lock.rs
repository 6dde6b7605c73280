//! One process at a time makes files in a directory. The lock goes with the process, whatever ends
//! it, and it says nothing of those who only read.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::store::error::OpenError;
use crate::store::storage::deadline::Deadline;
use crate::store::storage::{StorageError, StorageErrorKind};

/// A directory that this process has for itself until this is dropped.
pub struct DirectoryLock(Flock<File>);

impl DirectoryLock {
    /// Takes the lock, and waits for it until the deadline.
    pub fn take(directory: &Path, deadline: Deadline) -> Result<Self, OpenError> {
        let failed = |error| OpenError::io("lock", directory, error);
        let mut file = File::open(directory).map_err(failed)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Self(lock)),
                Err((again, Errno::EWOULDBLOCK)) if deadline.pause() => file = again,
                Err((_, Errno::EWOULDBLOCK)) => {
                    let busy = StorageError::new(directory, StorageErrorKind::Busy, "");
                    return Err(busy.into());
                }
                Err((_, errno)) => return Err(failed(errno.into())),
            }
        }
    }

    /// Whether it is this directory's: a second lock on it would wait for the first.
    pub fn covers(&self, directory: &Path) -> io::Result<bool> {
        let (held, asked) = (self.0.metadata()?, fs::metadata(directory)?);
        Ok((held.dev(), held.ino()) == (asked.dev(), asked.ino()))
    }
}
