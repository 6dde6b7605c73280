//! Seals and opens rows under the master key that the database says, whichever of the known ones
//! that is: a `rekey` may be under way. It decides nothing about what is opened.

use std::ops::Deref;
use std::sync::OnceLock;

use crate::secret::Secret;
use crate::store::seal::{self, Columns, Opener, SALT_BYTES, SealedRow};
use crate::store::service::{Judged, Keys};
use crate::store::storage::transaction::Transaction;

/// A row that was found sound, with what opens it once it was asked for again.
pub struct JudgedRow {
    row: SealedRow,
    opener: OnceLock<Box<Opener>>,
    said: OnceLock<Box<[u8]>>,
}

impl JudgedRow {
    pub fn new(row: SealedRow) -> Self {
        Self { row, opener: OnceLock::new(), said: OnceLock::new() }
    }

    /// What an answer says of it besides its value, written once.
    pub fn said(&self, write: impl FnOnce(&SealedRow) -> Vec<u8>) -> &[u8] {
        self.said.get_or_init(|| write(&self.row).into())
    }
}

impl Deref for JudgedRow {
    type Target = SealedRow;

    fn deref(&self) -> &SealedRow {
        &self.row
    }
}

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
    pub fn open_judged(&self, row: &JudgedRow) -> Option<Secret> {
        let opener = match row.opener.get() {
            Some(opener) => opener,
            None => {
                let key = self.master.find(&row.columns.key_id)?;
                row.opener.get_or_init(|| Box::new(Opener::new(&key, row)))
            }
        };
        opener.open(row).ok()
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
