//! What one transaction reads and writes. It opens no value, knows no permission, and neither
//! begins nor ends a transaction.

use std::cell::RefCell;
use std::path::Path;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::store::audit::{Anchor, Chained, Record};
use crate::store::seal::{Columns, SALT_BYTES, SealedRow};
use crate::store::storage::failure::wrap;
use crate::store::storage::{Entry, StorageError, StorageErrorKind, Unpurged};

/// The columns of a secret, in the order that [`secret_row`] reads.
macro_rules! secret_columns {
    () => {
        "organization, name, format, id, version, created_at, created_by, updated_at, updated_by, \
         key_id, slot, (SELECT salt FROM salt WHERE salt.slot = secret.slot), sealed"
    };
}
pub(super) use secret_columns;

/// The columns of a record, in the order that [`record_row`] reads.
macro_rules! record_columns {
    () => {
        "organization, sequence, at, actor, action, subject, secrets, detail, workload, client, \
         outcome, code"
    };
}

/// Names in rows that are read at once, in bytes: a record has up to half a megabyte of them.
const NAMES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Marks that one purge forgets.
const PURGE_MARKS_MAX: u32 = 1000;

/// What happens inside one transaction.
pub struct Transaction<'a> {
    pub(super) inner: &'a Connection,
    pub(super) path: &'a Path,
    /// What appends a record, from the first one on: many share a transaction.
    append: RefCell<Option<CachedStatement<'a>>>,
}

impl<'a> Transaction<'a> {
    /// On a connection that is in one.
    pub(super) fn of(inner: &'a Connection, path: &'a Path) -> Self {
        Self { inner, path, append: RefCell::new(None) }
    }

    /// The row of a name and the last record that changed it.
    pub fn entry(&self, organization: &str, name: &str) -> Result<Entry, StorageError> {
        let row = self.optional(
            concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND name = ?2"
            ),
            [organization, name],
            secret_row,
        )?;
        Ok(Entry { row, anchor: self.anchor(organization, name)? })
    }

    /// The last record that changed this subject.
    pub fn anchor(
        &self,
        organization: &str,
        subject: &str,
    ) -> Result<Option<Anchor>, StorageError> {
        let sql = concat!(
            "SELECT ",
            record_columns!(),
            ", (SELECT p.code FROM audit p
                WHERE p.organization = audit.organization AND p.sequence = audit.sequence - 1)
              FROM audit INDEXED BY audit_change
              WHERE organization = ?1 AND subject = ?2 ORDER BY sequence DESC LIMIT 1"
        );
        self.optional(sql, [organization, subject], |row| {
            Ok(Anchor { chained: record_row(row)?, previous: row.get(12)? })
        })
    }

    /// A number that is another one once another connection has written.
    pub fn data_version(&self) -> Result<i64, StorageError> {
        let version = self.optional("PRAGMA data_version", [], |row| row.get(0))?;
        version.ok_or_else(|| self.damaged("it has no data version"))
    }

    /// The sequence and code of an organization's last record.
    pub fn head(&self, organization: &str) -> Result<Option<(i64, Vec<u8>)>, StorageError> {
        let sql = "SELECT sequence, code FROM audit WHERE organization = ?1
                   ORDER BY sequence DESC LIMIT 1";
        self.optional(sql, [organization], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    pub fn append(&self, record: &Record, code: &[u8]) -> Result<(), StorageError> {
        let sql = "INSERT INTO audit (organization, sequence, at, actor, action, subject, secrets,
                   detail, workload, client, outcome, code)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let values = params![
            record.organization,
            record.sequence,
            record.at,
            record.actor,
            record.action,
            record.subject,
            record.secrets,
            record.detail,
            record.workload,
            record.client,
            record.outcome,
            code
        ];
        let run = || {
            let mut append = self.append.borrow_mut();
            let statement = match &mut *append {
                Some(statement) => statement,
                none => none.insert(self.inner.prepare_cached(sql)?),
            };
            statement.execute(values)
        };
        self.took_one(run().map_err(|error| wrap(self.path, &error))?)
    }

    /// Up to `rows_max` records behind the one with this sequence, in order, and fewer where they
    /// are long; and whether there may be more.
    pub fn records(
        &self,
        organization: &str,
        after: i64,
        rows_max: u32,
    ) -> Result<(Vec<Chained>, bool), StorageError> {
        let sql = concat!(
            "SELECT ",
            record_columns!(),
            " FROM audit WHERE organization = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
        );
        let values = params![organization, after, rows_max];
        self.some((sql, rows_max), values, record_row, |one| one.record.names_bytes())
    }

    /// The same before the one with this sequence, newest first.
    pub fn records_before(
        &self,
        organization: &str,
        before: i64,
        rows_max: u32,
    ) -> Result<(Vec<Chained>, bool), StorageError> {
        let sql = concat!(
            "SELECT ",
            record_columns!(),
            " FROM audit WHERE organization = ?1 AND sequence < ?2
              ORDER BY sequence DESC LIMIT ?3"
        );
        let values = params![organization, before, rows_max];
        self.some((sql, rows_max), values, record_row, |one| one.record.names_bytes())
    }

    /// A slot for the salt of a new secret: one that was given back, or one behind all others. What
    /// was given back was overwritten; a salt that still stands is in use, whatever `free` says.
    pub fn free_slot(&self) -> Result<i64, StorageError> {
        let sql = "SELECT coalesce((SELECT slot FROM salt WHERE free = 1 AND salt = ?1
                                    ORDER BY slot LIMIT 1),
                                   (SELECT max(slot) + 1 FROM salt), 1)";
        let slot = self.optional(sql, [[0_u8; SALT_BYTES]], |row| row.get(0))?;
        Ok(slot.expect("without a table there is always one row"))
    }

    /// Keeps this version in place of the one before, whose salt it overwrites.
    pub fn put(&self, row: &SealedRow) -> Result<(), StorageError> {
        let columns = &row.columns;
        let salt = "INSERT INTO salt (slot, free, salt) VALUES (?1, 0, ?2)
                    ON CONFLICT DO UPDATE SET free = 0, salt = excluded.salt";
        self.execute_one(salt, params![columns.slot, row.salt])?;
        let sql = "INSERT OR REPLACE INTO secret (organization, name, format, id, version,
                   created_at, created_by, updated_at, updated_by, key_id, slot, sealed)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let values = params![
            columns.organization,
            columns.name,
            columns.format,
            columns.id,
            columns.version,
            columns.created_at,
            columns.created_by,
            columns.updated_at,
            columns.updated_by,
            columns.key_id,
            columns.slot,
            row.sealed
        ];
        self.execute_one(sql, values)
    }

    /// Removes a row and overwrites its salt. A slot that a damaged row only claims to have is left
    /// to the row whose it is.
    pub fn remove(&self, organization: &str, name: &str, sound: bool) -> Result<(), StorageError> {
        let salt = "UPDATE salt SET free = 1, salt = ?4 WHERE slot =
                    (SELECT slot FROM secret WHERE organization = ?1 AND name = ?2)
                    AND (?3 OR NOT EXISTS (SELECT 1 FROM secret WHERE secret.slot = salt.slot
                         AND (organization, name) <> (?1, ?2)))";
        self.execute(salt, params![organization, name, sound, [0_u8; SALT_BYTES]])?;
        let sql = "DELETE FROM secret WHERE organization = ?1 AND name = ?2";
        self.execute(sql, [organization, name]).map(|_| ())
    }

    /// Remembers that an old value is to be purged from the journal.
    pub fn mark_unpurged(&self, mark: &Unpurged) -> Result<(), StorageError> {
        let sql = "INSERT OR REPLACE INTO unpurged (organization, name, version, deleted)
                   VALUES (?1, ?2, ?3, ?4)";
        self.execute_one(sql, params![mark.organization, mark.name, mark.version, mark.deleted])
    }

    /// Forgets this mark, and no later one of the same name.
    fn forget_unpurged(&self, mark: &Unpurged) -> Result<(), StorageError> {
        let sql = "DELETE FROM unpurged WHERE organization = ?1 AND name = ?2 AND version = ?3
                   AND deleted = ?4";
        let values = params![mark.organization, mark.name, mark.version, mark.deleted];
        self.execute(sql, values).map(|_| ())
    }

    pub fn forget_all_unpurged(&self, marks: &[Unpurged]) -> Result<(), StorageError> {
        marks.iter().try_for_each(|mark| self.forget_unpurged(mark))
    }

    pub fn unpurged(
        &self,
        organization: &str,
        name: &str,
    ) -> Result<Option<Unpurged>, StorageError> {
        let sql = "SELECT organization, name, version, deleted FROM unpurged
                   WHERE organization = ?1 AND name = ?2";
        self.optional(sql, [organization, name], unpurged_row)
    }

    /// Marks that wait; more than these are left to the next purge.
    pub fn unpurged_marks(&self) -> Result<Vec<Unpurged>, StorageError> {
        let sql = "SELECT organization, name, version, deleted FROM unpurged LIMIT ?1";
        self.all(sql, [PURGE_MARKS_MAX], unpurged_row)
    }

    pub fn any_unpurged(&self) -> Result<bool, StorageError> {
        let one = self.optional("SELECT 1 FROM unpurged LIMIT 1", [], |_| Ok(()))?;
        Ok(one.is_some())
    }

    pub(super) fn optional<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StorageError> {
        let read = || self.inner.prepare_cached(sql)?.query_row(values, map).optional();
        read().map_err(|error| wrap(self.path, &error))
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StorageError> {
        let read = || {
            self.inner.prepare_cached(sql)?.query_map(values, map)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| wrap(self.path, &error))
    }

    /// The first of these rows, up to so many, fewer where they are long: one can name thousands
    /// of secrets. And whether there may be more.
    pub(super) fn some<T>(
        &self,
        (sql, rows_max): (&str, u32),
        values: impl rusqlite::Params,
        map: fn(&Row<'_>) -> rusqlite::Result<T>,
        bytes_of: fn(&T) -> usize,
    ) -> Result<(Vec<T>, bool), StorageError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let cut = self.until(sql, values, |row| {
            let row = map(row).map_err(|error| wrap(self.path, &error))?;
            bytes += bytes_of(&row);
            rows.push(row);
            Ok((bytes >= NAMES_BYTES_MAX).then_some(()))
        })?;
        let more = cut.is_some() || rows.len() == rows_max as usize;
        Ok((rows, more))
    }

    /// Hands one row after another to `take`, until it answers with something.
    pub(super) fn until<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        mut take: impl FnMut(&Row<'_>) -> Result<Option<T>, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        let failed = |error| wrap(self.path, &error);
        let mut statement = self.inner.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(values).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if let Some(answer) = take(row)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// What stands in the database is not what can have been written there.
    pub fn damaged(&self, message: &str) -> StorageError {
        StorageError::new(self.path, StorageErrorKind::Damaged, message)
    }

    /// How many rows it changed.
    pub(super) fn execute(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<usize, StorageError> {
        let run = || self.inner.prepare_cached(sql)?.execute(values);
        run().map_err(|error| wrap(self.path, &error))
    }

    /// For what must write a row: an altered schema may say to ignore it.
    pub(super) fn execute_one(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<(), StorageError> {
        self.took_one(self.execute(sql, values)?)
    }

    fn took_one(&self, rows: usize) -> Result<(), StorageError> {
        match rows {
            1 => Ok(()),
            _ => Err(self.damaged("a row was not taken")),
        }
    }
}

/// The one place where columns become a row.
pub(super) fn secret_row(row: &Row<'_>) -> rusqlite::Result<SealedRow> {
    let columns = Columns {
        organization: row.get(0)?,
        name: row.get(1)?,
        format: row.get(2)?,
        id: row.get(3)?,
        version: row.get(4)?,
        created_at: row.get(5)?,
        created_by: row.get(6)?,
        updated_at: row.get(7)?,
        updated_by: row.get(8)?,
        key_id: row.get(9)?,
        slot: row.get(10)?,
    };
    Ok(SealedRow { columns, salt: row.get(11)?, sealed: row.get(12)? })
}

fn unpurged_row(row: &Row<'_>) -> rusqlite::Result<Unpurged> {
    Ok(Unpurged {
        organization: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        deleted: row.get(3)?,
    })
}

fn record_row(row: &Row<'_>) -> rusqlite::Result<Chained> {
    let record = Record {
        organization: row.get(0)?,
        sequence: row.get(1)?,
        at: row.get(2)?,
        actor: row.get(3)?,
        action: row.get(4)?,
        subject: row.get(5)?,
        secrets: row.get(6)?,
        detail: row.get(7)?,
        workload: row.get(8)?,
        client: row.get(9)?,
        outcome: row.get(10)?,
    };
    Ok(Chained { record, code: row.get(11)? })
}
