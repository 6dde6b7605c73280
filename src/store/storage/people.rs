//! Rows of organizations, members and tokens. It judges none of them.

use rusqlite::{Row, params};

use crate::store::storage::transaction::Transaction;
use crate::store::storage::{MemberRow, OrgRow, StorageError, TokenRow};

/// The columns of a member, in the order that [`member_row`] reads.
macro_rules! member_columns {
    () => {
        "organization, email, role, names, created_at, created_by, updated_at, updated_by, \
         sequence, code"
    };
}

/// The columns of a token, in the order that [`token_row`] reads.
macro_rules! token_columns {
    () => {
        "id, organization, member, workload, names, created_at, created_by, expires_at, network, \
         hash, sequence, code"
    };
}

impl Transaction<'_> {
    pub fn organization(&self, name: &str) -> Result<Option<OrgRow>, StorageError> {
        let sql = "SELECT name, created_at, created_by, code FROM organization WHERE name = ?1";
        self.optional(sql, [name], organization_row)
    }

    /// Organizations behind this name, in order.
    pub fn organizations(&self, after: &str, rows_max: u32) -> Result<Vec<OrgRow>, StorageError> {
        let sql = "SELECT name, created_at, created_by, code FROM organization WHERE name > ?1
                   ORDER BY name LIMIT ?2";
        self.all(sql, params![after, rows_max], organization_row)
    }

    pub fn put_organization(&self, row: &OrgRow) -> Result<(), StorageError> {
        let sql = "INSERT INTO organization (name, created_at, created_by, code)
                   VALUES (?1, ?2, ?3, ?4)";
        self.execute_one(sql, params![row.name, row.created_at, row.created_by, row.code])
    }

    pub fn member(
        &self,
        organization: &str,
        email: &str,
    ) -> Result<Option<MemberRow>, StorageError> {
        let sql = concat!(
            "SELECT ",
            member_columns!(),
            " FROM member WHERE organization = ?1 AND email = ?2"
        );
        self.optional(sql, [organization, email], member_row)
    }

    /// Members behind this address, in order.
    pub fn members(
        &self,
        organization: &str,
        after: &str,
        rows_max: u32,
    ) -> Result<(Vec<MemberRow>, bool), StorageError> {
        let sql = concat!(
            "SELECT ",
            member_columns!(),
            " FROM member WHERE organization = ?1 AND email > ?2 ORDER BY email LIMIT ?3"
        );
        let values = params![organization, after, rows_max];
        self.some((sql, rows_max), values, member_row, |row| row.names.len())
    }

    pub fn put_member(&self, row: &MemberRow) -> Result<(), StorageError> {
        let sql = concat!(
            "INSERT OR REPLACE INTO member (",
            member_columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        );
        let values = params![
            row.organization,
            row.email,
            row.role,
            row.names,
            row.created_at,
            row.created_by,
            row.updated_at,
            row.updated_by,
            row.sequence,
            row.code
        ];
        self.execute_one(sql, values)
    }

    pub fn remove_member(&self, organization: &str, email: &str) -> Result<(), StorageError> {
        let sql = "DELETE FROM member WHERE organization = ?1 AND email = ?2";
        self.execute(sql, [organization, email]).map(|_| ())
    }

    pub fn token(&self, id: &str) -> Result<Option<TokenRow>, StorageError> {
        let sql = concat!("SELECT ", token_columns!(), " FROM token WHERE id = ?1");
        self.optional(sql, [id], token_row)
    }

    /// Tokens behind this time and id, oldest first.
    pub fn tokens(
        &self,
        organization: &str,
        after: (i64, &str),
        rows_max: u32,
    ) -> Result<(Vec<TokenRow>, bool), StorageError> {
        let sql = concat!(
            "SELECT ",
            token_columns!(),
            " FROM token WHERE organization = ?1 AND (created_at, id) > (?2, ?3)
              ORDER BY created_at, id LIMIT ?4"
        );
        let values = params![organization, after.0, after.1, rows_max];
        let names = |row: &TokenRow| row.names.as_ref().map_or(0, String::len);
        self.some((sql, rows_max), values, token_row, names)
    }

    /// Tokens that this member has or made, behind this id.
    pub fn tokens_of(
        &self,
        organization: &str,
        email: &str,
        after: &str,
        rows_max: u32,
    ) -> Result<Vec<TokenRow>, StorageError> {
        let sql = concat!(
            "SELECT ",
            token_columns!(),
            " FROM token WHERE organization = ?1 AND (member = ?2 OR created_by = ?2)
              AND id > ?3 ORDER BY id LIMIT ?4"
        );
        self.all(sql, params![organization, email, after, rows_max], token_row)
    }

    pub fn put_token(&self, row: &TokenRow) -> Result<(), StorageError> {
        let sql = concat!(
            "INSERT INTO token (",
            token_columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        );
        let values = params![
            row.id,
            row.organization,
            row.member,
            row.workload,
            row.names,
            row.created_at,
            row.created_by,
            row.expires_at,
            row.network,
            row.hash,
            row.sequence,
            row.code
        ];
        self.execute_one(sql, values)
    }

    pub fn remove_token(&self, id: &str) -> Result<(), StorageError> {
        self.execute("DELETE FROM token WHERE id = ?1", [id]).map(|_| ())
    }
}

pub(super) fn organization_row(row: &Row<'_>) -> rusqlite::Result<OrgRow> {
    Ok(OrgRow {
        name: row.get(0)?,
        created_at: row.get(1)?,
        created_by: row.get(2)?,
        code: row.get(3)?,
    })
}

pub(super) fn member_row(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    Ok(MemberRow {
        organization: row.get(0)?,
        email: row.get(1)?,
        role: row.get(2)?,
        names: row.get(3)?,
        created_at: row.get(4)?,
        created_by: row.get(5)?,
        updated_at: row.get(6)?,
        updated_by: row.get(7)?,
        sequence: row.get(8)?,
        code: row.get(9)?,
    })
}

pub(super) fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        organization: row.get(1)?,
        member: row.get(2)?,
        workload: row.get(3)?,
        names: row.get(4)?,
        created_at: row.get(5)?,
        created_by: row.get(6)?,
        expires_at: row.get(7)?,
        network: row.get(8)?,
        hash: row.get(9)?,
        sequence: row.get(10)?,
        code: row.get(11)?,
    })
}
