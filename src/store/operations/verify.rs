//! Walks everything that is stored, and names all that is not as it was written. It changes
//! nothing, and reads in short steps, so that who uses the store meanwhile does not wait for it.

mod chain;
mod fault;
mod rows;
mod schema;

use crate::store::operations::{Held, HeldOrganization, OperationError, Site};
use crate::store::service::Keys;
use crate::store::storage::sqlite::Sqlite;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{StorageError, StorageErrorKind};
use crate::wire::Checkpoint;

pub use crate::store::operations::verify::fault::{Fault, Faults};

/// What is there, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Survey {
    pub held: Held,
    pub faults: Faults,
}

/// Verifies the store, also against what checkpoints saw of its audit chains.
pub fn verify(site: Site<'_>, checkpoints: &[Checkpoint]) -> Result<Survey, OperationError> {
    let mut opened = site.open()?;
    Ok(survey(&mut opened.database, &opened.keys, checkpoints)?)
}

/// Verifies an open database, whichever it is.
pub(super) fn survey(
    database: &mut Sqlite,
    keys: &Keys,
    checkpoints: &[Checkpoint],
) -> Result<Survey, StorageError> {
    let mut walk = Walk { database, keys, held: Held::default(), faults: Faults::default() };
    walk.integrity()?;
    walk.schema()?;
    walk.keyring()?;
    walk.coded()?;
    walk.organizations()?;
    walk.people()?;
    walk.secrets()?;
    walk.salts()?;
    walk.chains(checkpoints)?;
    let Walk { held, faults, .. } = walk;
    Ok(Survey { held, faults })
}

/// A walk under way; each part of it is in a file of its own.
struct Walk<'a> {
    database: &'a mut Sqlite,
    keys: &'a Keys,
    held: Held,
    faults: Faults,
}

impl Walk<'_> {
    /// One look at one unchanging view. Where SQLite finds damage, that is a fault like others, and
    /// the walk goes on elsewhere; any other failure ends it.
    fn look<T>(
        &mut self,
        what: &'static str,
        look: impl FnOnce(&Transaction<'_>, &Keys) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        let keys = self.keys;
        match self.database.read(|tx| look(tx, keys)) {
            Ok(seen) => Ok(Some(seen)),
            Err(error) if error.kind == StorageErrorKind::Damaged => {
                self.faults.add(Fault::Unreadable { what, said: error.message });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn organizations(&mut self) -> Result<(), StorageError> {
        let names = self.look("organization", |tx, _| tx.organization_names())?;
        let held = |name| HeldOrganization { name, ..HeldOrganization::default() };
        self.held.organizations = names.unwrap_or_default().into_iter().map(held).collect();
        Ok(())
    }
}
