//! That an organization keeps an owner, and the owner a token: what is asked before one goes. It
//! changes nothing.

use crate::name::{EmailAddress, OrgName, TokenId};
use crate::store::permission::Principal;
use crate::store::service::{Caller, Desk, Judged, now};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{MemberRow, TokenRow};
use crate::wire::Role;

/// Rows that are read at a time where all of them count.
const ROWS_MAX: u32 = 1000;

/// What is about to go.
#[derive(Clone, Copy)]
pub enum Going<'a> {
    /// A member, and every token that the member made.
    Member(&'a EmailAddress),
    /// A member's role as an owner; the tokens that the member made stay.
    Role(&'a EmailAddress),
    Token(&'a TokenId),
}

impl Going<'_> {
    fn takes_owner(self, row: &MemberRow) -> bool {
        match self {
            Self::Member(email) | Self::Role(email) => row.email == email.as_str(),
            Self::Token(_) => false,
        }
    }

    fn takes_token(self, row: &TokenRow) -> bool {
        match self {
            Self::Member(email) => row.created_by == email.as_str(),
            Self::Role(_) => false,
            Self::Token(id) => row.id == id.as_str(),
        }
    }
}

impl Desk {
    pub fn has_other_owner(
        &mut self,
        tx: &Transaction<'_>,
        organization: &OrgName,
        email: &EmailAddress,
    ) -> Judged<bool> {
        let mut after = String::new();
        loop {
            let (rows, _) = tx.members(organization.as_str(), &after, ROWS_MAX)?;
            let Some(last) = rows.last() else { return Ok(false) };
            after.clone_from(&last.email);
            for row in rows.iter().filter(|row| row.email != email.as_str()) {
                if matches!(self.judge_member(tx, row)?, Some((_, Role::Owner, _))) {
                    return Ok(true);
                }
            }
        }
    }

    /// Whether an owner keeps a token when this goes. Whoever is on the machine itself can make
    /// another.
    pub fn leaves_an_owner(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        going: Going<'_>,
    ) -> Judged<bool> {
        if matches!(caller.principal, Principal::Operator { .. }) {
            return Ok(true);
        }
        let organization = caller.organization.as_str();
        let mut after = String::new();
        loop {
            let (rows, _) = tx.members(organization, &after, ROWS_MAX)?;
            let Some(last) = rows.last() else { return Ok(false) };
            after.clone_from(&last.email);
            for row in rows.iter().filter(|row| !going.takes_owner(row)) {
                let is_owner = matches!(self.judge_member(tx, row)?, Some((_, Role::Owner, _)));
                if is_owner && self.keeps_token(tx, row, going)? {
                    return Ok(true);
                }
            }
        }
    }

    /// Whether this member has a token that is good and stays.
    fn keeps_token(
        &self,
        tx: &Transaction<'_>,
        member: &MemberRow,
        going: Going<'_>,
    ) -> Judged<bool> {
        let (now, mut after) = (now(), String::new());
        loop {
            let rows = tx.tokens_of(&member.organization, &member.email, &after, ROWS_MAX)?;
            let Some(last) = rows.last() else { return Ok(false) };
            after.clone_from(&last.id);
            for row in &rows {
                let is_good = row.member.as_ref() == Some(&member.email)
                    && !going.takes_token(row)
                    && row.expires_at.is_none_or(|end| end > now);
                if is_good && self.keys.token_stands(tx, row)? {
                    return Ok(true);
                }
            }
        }
    }
}
