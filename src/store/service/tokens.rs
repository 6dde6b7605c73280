//! Tokens: made, listed and revoked. What is kept of one is its keyed hash.

use jiff::Timestamp;

use crate::grant::Grant;
use crate::name::{EmailAddress, OrgName, TokenId, WorkloadName};
use crate::store::audit::{Action, Outcome, subject};
use crate::store::permission::Operation;
use crate::store::seal;
use crate::store::service::desk::Said;
use crate::store::service::members::as_json;
use crate::store::service::owners::Going;
use crate::store::service::{
    Caller, Decided, Desk, Done, Judged, Knock, Minted, Refusal, now, or_refuse, time,
};
use crate::store::storage::TokenRow;
use crate::store::storage::transaction::Transaction;
use crate::store::token::Made;
use crate::wire::{TOKEN_DAYS_DEFAULT, Token};

/// Tokens that are read at a time where all of them count.
const ROWS_MAX: u32 = 1000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A token that is to be made.
pub struct NewToken {
    pub holder: Holder,
    pub expires_at: Option<Timestamp>,
    pub network: Option<ipnet::IpNet>,
}

/// Whose it is to be.
pub enum Holder {
    Member(EmailAddress),
    Workload { name: WorkloadName, names: Grant },
}

/// One page of tokens, and behind which the next one begins.
pub struct TokenPage {
    pub tokens: Vec<Token>,
    pub next: Option<(i64, String)>,
}

impl Desk {
    pub fn tokens(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        after: (i64, &str),
        rows_max: usize,
    ) -> Judged<Result<TokenPage, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::ListPeople)?);
        let asked = u32::try_from(rows_max + 1).unwrap_or(u32::MAX);
        let (mut rows, more) = tx.tokens(organization.as_str(), after, asked)?;
        rows.truncate(rows_max);
        let next = rows.last().filter(|_| more).map(|last| (last.created_at, last.id.clone()));
        let tokens = rows.iter().map(|row| self.described_token(tx, row));
        Ok(Ok(TokenPage { tokens: tokens.collect::<Judged<_>>()?, next }))
    }

    pub fn make_token(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        new: &NewToken,
        made: &Made,
    ) -> Decided<Minted<Token>> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let action = Action::TokenCreate;
        if !caller.may(Operation::Audited(action), None) {
            let (outcome, refusal) = caller.forbidden();
            self.record(tx, &caller, new.holder.refused(outcome))?;
            return Ok(Err(refusal));
        }
        if let Holder::Member(email) = &new.holder
            && tx.member(organization.as_str(), email.as_str())?.is_none()
        {
            self.record(tx, &caller, new.holder.refused(Outcome::Missing))?;
            return Ok(Err(Refusal::NoMember(email.clone())));
        }
        let row = new.row(&caller, made);
        let row = self.insert_token(tx, &caller, row)?;
        let token = self.described_token(tx, &row)?;
        Ok(Ok(Done::with(Minted::new(token, made))))
    }

    pub fn revoke_token(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        id: &TokenId,
    ) -> Decided<()> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let action = Action::TokenRevoke;
        let refuse = |desk: &mut Self, outcome, refusal| {
            let detail = Some(serde_json::json!({ "token": id.as_str() }).to_string());
            let said = Said { detail, ..Said::new(action, outcome) };
            desk.record(tx, &caller, said).map(|_| Err(refusal))
        };
        if !caller.may(Operation::Audited(action), None) {
            let (outcome, refusal) = caller.forbidden();
            return refuse(self, outcome, refusal);
        }
        // One of another organization is as if it were not there.
        let row = tx.token(id.as_str())?.filter(|row| row.organization == organization.as_str());
        let Some(row) = row else {
            return refuse(self, Outcome::Missing, Refusal::NoToken(id.clone()));
        };
        if row.member.is_some() && !self.leaves_an_owner(tx, &caller, Going::Token(id))? {
            return refuse(self, Outcome::LastOwner, Refusal::LastToken(id.clone()));
        }
        self.take_token(tx, &caller, &row)?;
        Ok(Ok(Done::with(())))
    }

    /// Appends its record and keeps the row.
    pub fn insert_token(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        row: TokenRow,
    ) -> Judged<TokenRow> {
        let said = Said {
            changed: Some(subject::token(&row.id)),
            detail: Some(detail(&row)),
            workload: row.workload.clone(),
            ..Said::new(Action::TokenCreate, Outcome::Ok)
        };
        let sequence = self.record(tx, caller, said)?;
        let mut row = TokenRow { sequence, ..row };
        row.code = seal::row_code(&self.keys.ring.row, &row.bound()).to_vec();
        tx.put_token(&row)?;
        Ok(row)
    }

    /// Revokes all that this member has or made; says how many.
    pub fn revoke_tokens_of(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        email: &EmailAddress,
    ) -> Judged<usize> {
        let mut revoked = 0;
        loop {
            let organization = caller.organization.as_str();
            let rows = tx.tokens_of(organization, email.as_str(), "", ROWS_MAX)?;
            if rows.is_empty() {
                return Ok(revoked);
            }
            revoked += rows.len();
            for row in rows {
                self.take_token(tx, caller, &row)?;
            }
        }
    }

    fn take_token(&mut self, tx: &Transaction<'_>, caller: &Caller, row: &TokenRow) -> Judged<()> {
        let said = Said {
            changed: Some(subject::token(&row.id)),
            detail: Some(detail(row)),
            workload: row.workload.clone(),
            ..Said::new(Action::TokenRevoke, Outcome::Ok)
        };
        self.record(tx, caller, said)?;
        tx.remove_token(&row.id)?;
        self.forget_people();
        Ok(())
    }

    fn described_token(&self, tx: &Transaction<'_>, row: &TokenRow) -> Judged<Token> {
        if !self.keys.token_stands(tx, row)? {
            return Ok(Token { id: row.id.clone(), damaged: true, ..Token::default() });
        }
        Ok(Token {
            id: row.id.clone(),
            workload: row.workload.as_deref().and_then(|name| WorkloadName::parse(name).ok()),
            member: row.member.clone(),
            names: row.names.as_deref().and_then(|names| serde_json::from_str(names).ok()),
            created_at: Some(time(row.created_at)),
            created_by: Some(row.created_by.clone()),
            expires_at: row.expires_at.map(time),
            network: row.network.clone(),
            damaged: false,
        })
    }
}

impl Holder {
    /// What a record says of a token that is not made.
    fn refused(&self, outcome: Outcome) -> Said {
        let said = Said::new(Action::TokenCreate, outcome);
        match self {
            Self::Member(email) => {
                let detail = serde_json::json!({ "member": email.as_str() }).to_string();
                Said { detail: Some(detail), ..said }
            }
            Self::Workload { name, .. } => Said { workload: Some(name.to_string()), ..said },
        }
    }
}

impl NewToken {
    fn row(&self, caller: &Caller, made: &Made) -> TokenRow {
        let now = now();
        let (member, workload, names, expires) = match &self.holder {
            Holder::Member(email) => (Some(email.to_string()), None, None, None),
            Holder::Workload { name, names } => {
                let expires = now + TOKEN_DAYS_DEFAULT * DAY;
                (None, Some(name.to_string()), Some(as_json(names)), Some(expires))
            }
        };
        TokenRow {
            id: made.proof.id.to_string(),
            organization: caller.organization.to_string(),
            member,
            workload,
            names,
            created_at: now,
            created_by: caller.principal.actor(),
            expires_at: self.expires_at.map(Timestamp::as_millisecond).or(expires),
            network: self.network.map(|network| network.to_string()),
            hash: made.proof.hash.to_vec(),
            sequence: 0,
            code: Vec::new(),
        }
    }
}

/// What a record says of it: everything but what proves it.
fn detail(row: &TokenRow) -> String {
    let names: Option<Grant> =
        row.names.as_deref().and_then(|text| serde_json::from_str(text).ok());
    serde_json::json!({
        "member": row.member,
        "names": names,
        "expires_at": row.expires_at.map(|end| time(end).to_string()),
        "network": row.network,
    })
    .to_string()
}
