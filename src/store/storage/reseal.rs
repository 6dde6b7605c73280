//! What changes when the master key does: the keyring, and which rows are still under another. It
//! opens and seals nothing.

use rusqlite::{Connection, params};

use crate::store::keyring::KeyringRow;
use crate::store::seal::shown_id;
use crate::store::storage::failure::wrap;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{StorageError, StorageErrorKind};

impl Transaction<'_> {
    /// The id of the master key that everything new is sealed under: the keyring's own.
    pub fn sealing_key(&self) -> Result<Vec<u8>, StorageError> {
        let sql = "SELECT key_id FROM keyring WHERE purpose = 'row'";
        let id = self.optional(sql, [], |row| row.get(0))?;
        id.ok_or_else(|| self.damaged("a key of the ring is missing"))
    }

    /// Says that this process was not given the key that is asked for.
    pub fn key_unknown(&self) -> StorageError {
        let id = self.sealing_key().unwrap_or_default();
        StorageError::new(self.path, StorageErrorKind::KeyUnknown, shown_id(&id))
    }

    pub fn keyring(&self) -> Result<Vec<KeyringRow>, StorageError> {
        keyring_rows(self.inner).map_err(|error| wrap(self.path, &error))
    }

    /// Keeps these in place of the same keys as they were sealed before.
    pub fn replace_keyring(&self, rows: &[KeyringRow]) -> Result<(), StorageError> {
        let sql = "UPDATE keyring SET format = ?2, created_at = ?3, key_id = ?4, salt = ?5,
                   sealed = ?6 WHERE purpose = ?1";
        rows.iter().try_for_each(|row| {
            let values =
                params![row.purpose, row.format, row.created_at, row.key_id, row.salt, row.sealed];
            self.execute_one(sql, values)
        })
    }

    /// The ids of master keys that secrets are under, this one aside, each with how many.
    pub fn other_keys(&self, key_id: &[u8]) -> Result<Vec<(Vec<u8>, i64)>, StorageError> {
        let sql = "SELECT key_id, count(*) FROM secret WHERE key_id <> ?1 GROUP BY key_id
                   ORDER BY count(*) DESC LIMIT ?2";
        self.all(sql, params![key_id, OTHER_KEYS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

/// Ids that are told apart; damage can make as many as there are rows.
const OTHER_KEYS_MAX: u32 = 16;

/// Every key of the ring, sealed.
pub(super) fn keyring_rows(connection: &Connection) -> rusqlite::Result<Vec<KeyringRow>> {
    let sql = "SELECT purpose, format, created_at, key_id, salt, sealed FROM keyring";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(KeyringRow {
            purpose: row.get(0)?,
            format: row.get(1)?,
            created_at: row.get(2)?,
            key_id: row.get(3)?,
            salt: row.get(4)?,
            sealed: row.get(5)?,
        })
    })?;
    rows.collect()
}
