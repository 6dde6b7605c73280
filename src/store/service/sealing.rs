//! Seals and opens rows under the master key that the database says, whichever of the known ones
//! that is: a `rekey` may be under way. It decides nothing about what is opened.

use crate::secret::Secret;
use crate::store::seal::{self, Columns, SALT_BYTES, SealedRow};
use crate::store::service::{Judged, Keys};
use crate::store::storage::transaction::Transaction;

impl Keys {
    /// The value of a row; none where the row is not as it was sealed.
    pub(super) fn open(&self, tx: &Transaction<'_>, row: &SealedRow) -> Judged<Option<Secret>> {
        match self.master.find(&row.columns.key_id) {
            Some(key) => Ok(seal::open(&key, row).ok()),
            // The row is well, and this process has not the key that it is under by now.
            None if tx.sealing_key()? == row.columns.key_id => Err(tx.key_unknown()),
            None => Ok(None),
        }
    }

    /// The value of a row that was judged in a transaction before.
    pub fn open_judged(&self, row: &SealedRow) -> Option<Secret> {
        let key = self.master.find(&row.columns.key_id)?;
        seal::open(&key, row).ok()
    }

    /// Seals a new version under the key that all are to be under from here on. It is asked for in
    /// the transaction that writes: behind the one that says another, nothing may be sealed under
    /// the key before, which then goes.
    pub(super) fn seal(
        &self,
        tx: &Transaction<'_>,
        columns: Columns,
        salt: [u8; SALT_BYTES],
        value: &Secret,
    ) -> Judged<SealedRow> {
        let key = self.master.find(&tx.sealing_key()?).ok_or_else(|| tx.key_unknown())?;
        let columns = Columns { key_id: key.id().to_vec(), ..columns };
        Ok(seal::seal(&key, columns, salt, value))
    }
}
