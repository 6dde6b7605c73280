//! What an organization's names are, and which of them changed since: for those who keep an image
//! of them in memory. It reads no value, and judges nothing.

use rusqlite::params;
use rusqlite::types::ValueRef;

use crate::store::audit::Action;
use crate::store::storage::StorageError;
use crate::store::storage::failure::wrap;
use crate::store::storage::transaction::Transaction;

/// The time of what should have a row and has none, or one whose time cannot be read.
pub const UNTIMED: i64 = i64::MIN;

impl Transaction<'_> {
    /// The sequence and the subject of up to `rows_max` changes behind the record with this
    /// sequence, in order.
    pub fn changes(
        &self,
        organization: &str,
        after: i64,
        rows_max: u32,
    ) -> Result<Vec<(i64, String)>, StorageError> {
        let sql = "SELECT sequence, subject FROM audit INDEXED BY audit_sequence
            WHERE organization = ?1 AND sequence > ?2 AND subject IS NOT NULL
            ORDER BY sequence LIMIT ?3";
        self.all(sql, params![organization, after, rows_max], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Hands the name and the time of each row of an organization to `take`, in the order of names.
    pub fn each_row(
        &self,
        organization: &str,
        mut take: impl FnMut(&str, i64),
    ) -> Result<(), StorageError> {
        let sql = "SELECT name, updated_at FROM secret WHERE organization = ?1 ORDER BY name";
        self.each(sql, organization, |name, time| take(name, time.as_i64().unwrap_or(UNTIMED)))
    }

    /// The same for each change of a secret, with its record's sequence: a secret's last one comes
    /// last.
    pub fn each_change(
        &self,
        organization: &str,
        mut take: impl FnMut(&str, i64),
    ) -> Result<(), StorageError> {
        // What is no secret begins with a small letter.
        let sql = "SELECT subject, sequence FROM audit INDEXED BY audit_change
            WHERE organization = ?1 AND subject IS NOT NULL AND subject < 'a'
            ORDER BY subject, sequence";
        self.each(sql, organization, |name, sequence| take(name, sequence.as_i64().unwrap_or(0)))
    }

    /// When a name's row was written last; `None` if it has none.
    pub fn row_time(&self, organization: &str, name: &str) -> Result<Option<i64>, StorageError> {
        let sql = "SELECT updated_at FROM secret WHERE organization = ?1 AND name = ?2";
        self.optional(sql, [organization, name], |row| {
            Ok(row.get_ref(0)?.as_i64().unwrap_or(UNTIMED))
        })
    }

    /// Whether the record with this sequence says that its secret is gone.
    pub fn took_away(&self, organization: &str, sequence: i64) -> Result<bool, StorageError> {
        let sql = "SELECT 1 FROM audit WHERE organization = ?1 AND sequence = ?2 AND action = ?3";
        let values = params![organization, sequence, Action::Delete.as_str()];
        Ok(self.optional(sql, values, |_| Ok(()))?.is_some())
    }

    /// The sequence of the last record that changed a subject; 0 if there is none.
    pub fn last_change(&self, organization: &str, subject: &str) -> Result<i64, StorageError> {
        let sql = "SELECT max(sequence) FROM audit INDEXED BY audit_change
            WHERE organization = ?1 AND subject = ?2";
        let last = self.optional(sql, [organization, subject], |row| row.get(0))?;
        Ok(last.flatten().unwrap_or(0))
    }

    /// Hands a text and what stands beside it to `take`, row by row: there are many.
    fn each(
        &self,
        sql: &str,
        organization: &str,
        mut take: impl FnMut(&str, ValueRef<'_>),
    ) -> Result<(), StorageError> {
        let mut read = || {
            let mut statement = self.inner.prepare_cached(sql)?;
            let mut rows = statement.query([organization])?;
            while let Some(row) = rows.next()? {
                let name = row.get_ref(0)?.as_bytes().unwrap_or_default();
                take(&String::from_utf8_lossy(name), row.get_ref(1)?);
            }
            Ok(())
        };
        read().map_err(|error| wrap(self.path, &error))
    }
}
