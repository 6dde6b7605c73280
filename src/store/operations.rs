//! What is done to a store as a whole, on the machine that has it: init, backup, restore, rekey and
//! verify. Each goes on beside a running store, or refuses. None of them decides who may: whoever
//! can read the data and the master key is the operator.

mod backup;
mod error;
mod held;
mod init;
mod rekey;
mod restore;
mod verify;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::store::error::OpenError;
use crate::store::lock::DirectoryLock;
use crate::store::master_key::MasterKeySource;
use crate::store::open::{self, Found, OpenMode};
use crate::store::permission::Principal;
use crate::store::service::Keys;
use crate::store::storage::deadline::Deadline;
use crate::store::storage::sqlite::Sqlite;

pub use crate::store::operations::backup::{BackedUp, Target, backup};
pub use crate::store::operations::error::{OperationError, OperationErrorKind, RekeyError};
pub use crate::store::operations::held::{Held, HeldOrganization};
pub use crate::store::operations::init::{Initialized, init};
pub use crate::store::operations::rekey::{OldKey, Rekeyed, rekey};
pub use crate::store::operations::restore::restore;
pub use crate::store::operations::verify::{Fault, Faults, Survey, verify};

/// A data directory, what opens it, and on whose behalf.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub directory: &'a Path,
    pub master_key: &'a MasterKeySource,
    /// The name of the operating system's user.
    pub operator: &'a str,
    /// How long each step waits for other processes.
    pub wait_max: Duration,
}

/// A store that is open to be looked after.
struct Opened {
    database: Sqlite,
    keys: Arc<Keys>,
}

impl Site<'_> {
    fn open(&self) -> Result<Opened, OpenError> {
        let actor = self.principal().actor();
        let mode = OpenMode::Existing;
        let found = open::find(self.directory, self.master_key, mode, &actor, self.wait_max)?;
        let Found { database, master, keyring, .. } = found;
        Ok(Opened { database, keys: Arc::new(Keys { master, ring: keyring }) })
    }

    fn principal(&self) -> Principal {
        Principal::Operator { name: self.operator.to_owned() }
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.wait_max)
    }

    /// The lock on a directory that has a store. One of these operations is done at a time: a
    /// backup in the midst of a rekey would need two keys.
    fn lock(&self) -> Result<DirectoryLock, OpenError> {
        if !self.has_store()? {
            return Err(OpenError::NoStore { directory: self.directory.to_owned() });
        }
        DirectoryLock::take(self.directory, self.deadline())
    }

    fn has_store(&self) -> Result<bool, OpenError> {
        let failed = |error| OpenError::io("look into", self.directory, error);
        open::exists(self.directory).map_err(failed)
    }
}
