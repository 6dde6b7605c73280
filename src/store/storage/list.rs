//! Pages of an organization's secrets, in each order, each page one range of an index. It reads
//! rows and opens none.

use std::cmp::Ordering;

use rusqlite::{Row, params};

use crate::store::storage::transaction::{Transaction, secret_columns, secret_row};
use crate::store::storage::{After, Listed, PageAsk, Sort, StorageError};

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
        let values = params![ask.organization, name, ask.rows_max, time];
        let taken = self.all(ask.sort.sql(), values, |row| Ok(take(listed(row))))?;
        taken.into_iter().collect()
    }
}

impl Sort {
    /// Which of two comes first.
    pub fn compare(self, one: &After, other: &After) -> Ordering {
        let by_time = || (one.updated_at, &one.name).cmp(&(other.updated_at, &other.name));
        match self {
            Self::Name => one.name.cmp(&other.name),
            Self::NameDescending => other.name.cmp(&one.name),
            Self::Updated => by_time(),
            Self::UpdatedDescending => by_time().reverse(),
        }
    }

    pub fn is_by_time(self) -> bool {
        matches!(self, Self::Updated | Self::UpdatedDescending)
    }

    /// Parameters: organization, name behind which the page begins, rows, time behind which it
    /// begins.
    fn sql(self) -> &'static str {
        match self {
            Self::Name => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND name > ?2 AND ?4 = ?4
                  ORDER BY name LIMIT ?3"
            ),
            Self::NameDescending => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND name < ?2 AND ?4 = ?4
                  ORDER BY name DESC LIMIT ?3"
            ),
            Self::Updated => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND (updated_at, name) > (?4, ?2)
                  ORDER BY updated_at, name LIMIT ?3"
            ),
            Self::UpdatedDescending => concat!(
                "SELECT ",
                secret_columns!(),
                " FROM secret WHERE organization = ?1 AND (updated_at, name) < (?4, ?2)
                  ORDER BY updated_at DESC, name DESC LIMIT ?3"
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
