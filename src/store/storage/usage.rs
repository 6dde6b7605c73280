//! Rows of what workloads resolved. It judges none of them.

use rusqlite::{Row, params};

use crate::store::storage::transaction::Transaction;
use crate::store::storage::{StorageError, UsageRow};

impl Transaction<'_> {
    pub fn usage(
        &self,
        organization: &str,
        workload: &str,
        name: &str,
    ) -> Result<Option<UsageRow>, StorageError> {
        let sql = "SELECT organization, workload, name, version, at, code FROM usage
                   WHERE organization = ?1 AND workload = ?2 AND name = ?3";
        self.optional(sql, [organization, workload, name], usage_row)
    }

    pub fn put_usage(&self, row: &UsageRow) -> Result<(), StorageError> {
        let sql = "INSERT OR REPLACE INTO usage (organization, workload, name, version, at, code)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values =
            params![row.organization, row.workload, row.name, row.version, row.at, row.code];
        self.execute_one(sql, values)
    }

    /// Forgets all but so many workloads, those that were seen last.
    pub fn trim_usage(&self, organization: &str, workloads_max: u32) -> Result<(), StorageError> {
        // Where there are no more rows than that, there are no more workloads: this is soon seen.
        let sql = "SELECT 1 FROM usage WHERE organization = ?1 LIMIT 1 OFFSET ?2";
        let over = self.optional(sql, params![organization, workloads_max], |_| Ok(()))?;
        if over.is_some() {
            let sql = "DELETE FROM usage WHERE organization = ?1 AND workload IN (
                         SELECT workload FROM usage WHERE organization = ?1 GROUP BY workload
                         ORDER BY max(at) DESC, workload LIMIT -1 OFFSET ?2)";
            self.execute(sql, params![organization, workloads_max])?;
        }
        Ok(())
    }

    /// Who resolved this name since then, latest first.
    pub fn usage_of_name(
        &self,
        organization: &str,
        name: &str,
        since: i64,
        rows_max: u32,
    ) -> Result<Vec<UsageRow>, StorageError> {
        let sql = "SELECT organization, workload, name, version, at, code FROM usage
                   INDEXED BY usage_name WHERE organization = ?1 AND name = ?2 AND at >= ?3
                   ORDER BY at DESC, workload LIMIT ?4";
        self.all(sql, params![organization, name, since, rows_max], usage_row)
    }

    /// Rows behind this workload and name, in order.
    pub fn usage_page(
        &self,
        organization: &str,
        after: (&str, &str),
        rows_max: u32,
    ) -> Result<Vec<UsageRow>, StorageError> {
        let sql = "SELECT organization, workload, name, version, at, code FROM usage
                   WHERE organization = ?1 AND (workload, name) > (?2, ?3)
                   ORDER BY workload, name LIMIT ?4";
        self.all(sql, params![organization, after.0, after.1, rows_max], usage_row)
    }
}

pub(super) fn usage_row(row: &Row<'_>) -> rusqlite::Result<UsageRow> {
    Ok(UsageRow {
        organization: row.get(0)?,
        workload: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        at: row.get(4)?,
        code: row.get(5)?,
    })
}
