//! Everything that is stored, in turn, for who judges all of it. What cannot be read is handed over
//! as that; nothing is opened or judged here.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, params};

use crate::store::canonical::Canonical;
use crate::store::seal::{SALT_BYTES, SealedRow};
use crate::store::storage::StorageError;
use crate::store::storage::people::{member_row, organization_row, token_row};
use crate::store::storage::transaction::{Transaction, secret_columns, secret_row};
use crate::store::storage::usage::usage_row;

/// Where a walk of secrets goes on: behind this one.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cursor {
    organization: String,
    name: String,
}

/// How far one step of a walk goes.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub after: &'a Cursor,
    /// Only what is under another master key than this one.
    pub not_under: Option<&'a [u8]>,
    pub rows_max: usize,
    pub bytes_max: usize,
}

/// A secret's row; none of it where its columns cannot be read.
#[derive(Debug)]
pub struct Walked {
    pub organization: String,
    pub name: String,
    pub row: Option<SealedRow>,
}

/// A row that holds no value: what its code is over, and the code, where it can be read.
pub struct Coded {
    pub table: &'static str,
    /// What it is known by, each column of the key.
    pub key: Vec<String>,
    pub sealed: Option<Sealed>,
}

/// What a code is over, and the code.
type Sealed = (Canonical, Vec<u8>);

/// A table whose rows carry codes.
struct CodedTable {
    name: &'static str,
    /// Its columns in the order that `bound` reads, those of its key first.
    sql: &'static str,
    key_columns: usize,
    bound: fn(&Row<'_>) -> rusqlite::Result<Sealed>,
}

/// Each of them.
const CODED: [CodedTable; 4] = [
    CodedTable {
        name: "organization",
        sql: "SELECT name, created_at, created_by, code FROM organization",
        key_columns: 1,
        bound: |row| organization_row(row).map(|row| (row.bound(), row.code)),
    },
    CodedTable {
        name: "member",
        sql: "SELECT organization, email, role, names, created_at, created_by, updated_at,
              updated_by, sequence, code FROM member",
        key_columns: 2,
        bound: |row| member_row(row).map(|row| (row.bound(), row.code)),
    },
    CodedTable {
        name: "token",
        sql: "SELECT id, organization, member, workload, names, created_at, created_by, expires_at,
              network, hash, sequence, code FROM token",
        key_columns: 2,
        bound: |row| token_row(row).map(|row| (row.bound(), row.code)),
    },
    CodedTable {
        name: "usage",
        sql: "SELECT organization, workload, name, version, at, code FROM usage",
        key_columns: 3,
        bound: |row| usage_row(row).map(|row| (row.bound(), row.code)),
    },
];

/// One line of the schema.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SchemaItem {
    pub kind: String,
    pub name: String,
    /// Nothing for what SQLite makes by itself, such as the index of a key.
    pub sql: Option<String>,
}

/// What SQLite's own checks say at most.
const CHECK_LINES_MAX: u32 = 50;

impl Transaction<'_> {
    /// Hands the next secrets to `take`, in the order of organization and name. Where more may
    /// follow, it answers with the last, which is one that could be read.
    pub fn walk_secrets(
        &self,
        step: Step<'_>,
        mut take: impl FnMut(Walked) -> Result<(), StorageError>,
    ) -> Result<Option<Cursor>, StorageError> {
        let sql = concat!(
            "SELECT ",
            secret_columns!(),
            " FROM secret WHERE (organization, name) > (?1, ?2) AND (?3 IS NULL OR key_id <> ?3)
              ORDER BY organization, name"
        );
        let values = params![step.after.organization, step.after.name, step.not_under];
        let (mut rows, mut bytes) = (0, 0);
        self.until(sql, values, |row| {
            let read = secret_row(row).ok();
            rows += 1;
            bytes += read.as_ref().map_or(0, |row| row.sealed.len());
            let walked = Walked { organization: text(row, 0), name: text(row, 1), row: read };
            let is_readable = walked.row.is_some();
            let cursor =
                || Cursor { organization: walked.organization.clone(), name: walked.name.clone() };
            let is_full = rows >= step.rows_max || bytes >= step.bytes_max;
            let last = (is_full && is_readable).then(cursor);
            take(walked).map(|()| last)
        })
    }

    /// Hands every row that carries a code to `take`.
    pub fn walk_coded(&self, mut take: impl FnMut(Coded)) -> Result<(), StorageError> {
        CODED.iter().try_for_each(|table| {
            let to_the_end = self.until::<()>(table.sql, [], |row| {
                let key = (0..table.key_columns).map(|column| text(row, column)).collect();
                take(Coded { table: table.name, key, sealed: (table.bound)(row).ok() });
                Ok(None)
            });
            to_the_end.map(|_| ())
        })
    }

    pub fn organization_names(&self) -> Result<Vec<String>, StorageError> {
        self.all("SELECT name FROM organization ORDER BY name", [], |row| Ok(text(row, 0)))
    }

    /// Organizations that have records and are not there.
    pub fn organizations_gone(&self, rows_max: u32) -> Result<Vec<String>, StorageError> {
        // One look for each organization, however many records it has.
        let sql = "WITH RECURSIVE found (name) AS (SELECT min(organization) FROM audit UNION
                     SELECT (SELECT min(organization) FROM audit WHERE organization > name)
                     FROM found WHERE name IS NOT NULL)
                   SELECT name FROM found WHERE name IS NOT NULL
                     AND name NOT IN (SELECT name FROM organization) LIMIT ?1";
        self.all(sql, [rows_max], |row| Ok(text(row, 0)))
    }

    /// Names in an organization whose last record says that there is a row, and there is none.
    pub fn names_lost(
        &self,
        organization: &str,
        rows_max: u32,
    ) -> Result<Vec<String>, StorageError> {
        let sql = "SELECT DISTINCT a.subject FROM audit a
            WHERE a.organization = ?1 AND a.subject IS NOT NULL AND instr(a.subject, ':') = 0
            AND NOT EXISTS (SELECT 1 FROM secret s
                WHERE s.organization = a.organization AND s.name = a.subject)
            AND a.action <> 'delete' AND NOT EXISTS (SELECT 1 FROM audit b
                WHERE b.organization = a.organization AND b.subject = a.subject
                AND b.sequence > a.sequence)
            ORDER BY a.subject LIMIT ?2";
        self.all(sql, params![organization, rows_max], |row| Ok(text(row, 0)))
    }

    /// Members and tokens of an organization whose last record says that there is a row, where
    /// there is none; and rows that are not those that the last record made. As records call them.
    pub fn people_astray(
        &self,
        organization: &str,
        rows_max: u32,
    ) -> Result<Vec<(String, bool)>, StorageError> {
        let sql = "WITH last (subject, sequence, there) AS (
              SELECT subject, max(sequence), action NOT IN ('member.remove', 'token.revoke')
              FROM audit WHERE organization = ?1 AND instr(subject, ':') > 0 GROUP BY subject),
            row (subject, sequence) AS (
              SELECT 'member:' || email, sequence FROM member WHERE organization = ?1
              UNION ALL SELECT 'token:' || id, sequence FROM token WHERE organization = ?1)
            SELECT subject, 0 FROM last
              WHERE there AND subject NOT IN (SELECT subject FROM row)
            UNION ALL SELECT subject, 1 FROM row WHERE NOT EXISTS (SELECT 1 FROM last
              WHERE last.subject = row.subject AND last.sequence = row.sequence AND there)
            ORDER BY 1 LIMIT ?2";
        self.all(sql, params![organization, rows_max], |row| Ok((text(row, 0), row.get(1)?)))
    }

    /// Slots that are said to be free and hold something.
    pub fn slots_not_overwritten(&self, rows_max: u32) -> Result<Vec<i64>, StorageError> {
        let sql = "SELECT slot FROM salt WHERE free <> 0 AND salt <> ?1 LIMIT ?2";
        self.all(sql, params![[0_u8; SALT_BYTES], rows_max], |row| row.get(0))
    }

    /// What SQLite itself finds wrong: pages, indexes, columns, references. No values are in it.
    pub fn integrity(&self) -> Result<Vec<String>, StorageError> {
        // Without the name, SQLite begins a transaction on its own temporary database as well, ends
        // it with no statement, and empties no log from then on.
        let sql = format!("PRAGMA main.integrity_check({CHECK_LINES_MAX})");
        let mut said = self.all(&sql, [], |row| Ok(text(row, 0)))?;
        said.retain(|line| line != "ok");
        let mut alone = BTreeSet::new();
        self.until::<()>("PRAGMA main.foreign_key_check", [], |row| {
            alone.insert((text(row, 0), text(row, 2)));
            Ok(None)
        })?;
        let tell = |(rows, of)| format!("rows of `{rows}` belong to no row of `{of}`");
        said.extend(alone.into_iter().map(tell));
        Ok(said)
    }

    pub fn schema(&self) -> Result<Vec<SchemaItem>, StorageError> {
        self.all(SCHEMA, [], schema_item)
    }
}

/// What the schema is to be.
pub fn expected_schema() -> rusqlite::Result<Vec<SchemaItem>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.prepare(SCHEMA)?.query_map([], schema_item)?.collect()
}

const SCHEMA: &str = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name, sql";

fn schema_item(row: &Row<'_>) -> rusqlite::Result<SchemaItem> {
    let sql = row.get_ref(2)?.as_bytes_or_null().ok().flatten();
    Ok(SchemaItem {
        kind: text(row, 0),
        name: text(row, 1),
        sql: sql.map(|sql| String::from_utf8_lossy(sql).into_owned()),
    })
}

/// A text as far as it is one.
fn text(row: &Row<'_>, column: usize) -> String {
    let bytes = row.get_ref(column).ok().and_then(|value| value.as_bytes().ok());
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{CODED, expected_schema};

    /// A table that nothing walks would be one that nothing verifies.
    #[test]
    fn every_table_is_walked() {
        let walked_otherwise = ["keyring", "secret", "salt", "audit", "unpurged"];
        let schema = expected_schema().expect("the schema is sound");
        for table in schema.iter().filter(|item| item.kind == "table") {
            let name = table.name.as_str();
            let coded = CODED.iter().any(|coded| coded.name == name);
            assert!(coded != walked_otherwise.contains(&name), "{name}");
        }
    }
}
