//! Pages of an organization's secrets, in each order, each page one range of an index. It reads
//! rows and opens none.

use rusqlite::{Row, params};

use crate::store::storage::transaction::{Transaction, secret_columns, secret_row};
use crate::store::storage::{Listed, PageAsk, Sort, StorageError};

impl Transaction<'_> {
    /// Hands up to `rows_max` rows to `take`, in the order asked for, one at a time: a page of the
    /// largest values would fill the memory.
    pub fn page<T>(
        &self,
        ask: &PageAsk<'_>,
        mut take: impl FnMut(Listed) -> Result<T, StorageError>,
    ) -> Result<Vec<T>, StorageError> {
        let (time, name) = match ask.after {
            Some(after) => (after.updated_at, after.name.as_str()),
            None => ask.sort.before_all(),
        };
        let values = params![ask.organization, name, ask.rows_max, ask.part.unwrap_or(""), time];
        let taken = self.all(ask.sort.sql(), values, |row| Ok(take(listed(row))))?;
        taken.into_iter().collect()
    }

    /// Names above `above`, up to and including `up_to`, whose last record says that there is a
    /// row, and there is none.
    pub fn lost(
        &self,
        ask: &PageAsk<'_>,
        above: &str,
        up_to: Option<&str>,
    ) -> Result<Vec<String>, StorageError> {
        let sql = "SELECT a.subject FROM audit a
            WHERE a.organization = ?1 AND a.subject > ?2 AND a.subject < 'a'
            AND (?3 IS NULL OR a.subject <= ?3)
            AND instr(a.subject, ?4) AND NOT EXISTS (SELECT 1 FROM secret s
                WHERE s.organization = a.organization AND s.name = a.subject)
            AND a.action <> 'delete' AND NOT EXISTS (SELECT 1 FROM audit b
                WHERE b.organization = a.organization AND b.subject = a.subject
                AND b.sequence > a.sequence)
            ORDER BY CASE WHEN ?6 THEN a.subject END DESC, a.subject LIMIT ?5";
        let part = ask.part.unwrap_or("");
        let falling = matches!(ask.sort, Sort::NameDescending | Sort::UpdatedDescending);
        let values = params![ask.organization, above, up_to, part, ask.rows_max, falling];
        self.all(sql, values, |row| row.get(0))
    }

    /// Up to `names_max` names of an organization.
    pub fn names(&self, organization: &str, names_max: u32) -> Result<Vec<String>, StorageError> {
        let sql = "SELECT name FROM secret WHERE organization = ?1 ORDER BY name LIMIT ?2";
        self.all(sql, params![organization, names_max], |row| row.get(0))
    }
}

impl Sort {
    /// Parameters: organization, name behind which the page begins, rows, part of the name, time
    /// behind which it begins.
    fn sql(self) -> &'static str {
        match self {
            Self::Name => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND name > ?2 AND ?5 = ?5
                  AND (?4 = '' OR instr(name, ?4)) ORDER BY name LIMIT ?3"
            ),
            Self::NameDescending => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND name < ?2 AND ?5 = ?5
                  AND (?4 = '' OR instr(name, ?4)) ORDER BY name DESC LIMIT ?3"
            ),
            Self::Updated => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND (updated_at, name) > (?5, ?2)
                  AND (?4 = '' OR instr(name, ?4)) ORDER BY updated_at, name LIMIT ?3"
            ),
            Self::UpdatedDescending => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND (updated_at, name) < (?5, ?2)
                  AND (?4 = '' OR instr(name, ?4)) ORDER BY updated_at DESC, name DESC LIMIT ?3"
            ),
        }
    }

    /// A place before every row. Names are upper case letters, digits and `_`; a `~` is behind all.
    fn before_all(self) -> (i64, &'static str) {
        match self {
            Self::Name | Self::Updated => (i64::MIN, ""),
            Self::NameDescending | Self::UpdatedDescending => (i64::MAX, "~"),
        }
    }
}

/// A row whose columns cannot be read is listed all the same, under its name.
fn listed(row: &Row<'_>) -> Listed {
    match secret_row(row) {
        Ok(row) => Listed::Row(Box::new(row)),
        Err(_) => {
            let name = row.get_ref(1).ok().and_then(|name| name.as_bytes().ok());
            let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
            Listed::Unreadable { name }
        }
    }
}
