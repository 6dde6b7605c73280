//! Members: who they are, what they may do, and what goes with them.

use crate::grant::Grant;
use crate::name::{EmailAddress, OrgName};
use crate::secret::Secret;
use crate::store::audit::{Action, Outcome, subject};
use crate::store::permission::Operation;
use crate::store::seal;
use crate::store::service::desk::Said;
use crate::store::service::owners::Going;
use crate::store::service::{
    Caller, Decided, Desk, Done, Judged, Knock, Refusal, now, or_refuse, time,
};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{MemberRow, TokenRow};
use crate::store::token::Made;
use crate::wire::{Member, MemberChange, Role};

/// Somebody who is to be a member.
pub struct NewMember {
    pub email: EmailAddress,
    pub role: Role,
    pub names: Grant,
}

/// What was made, with a token that is shown this once.
pub struct Minted<T> {
    pub of: T,
    pub id: String,
    pub token: Secret,
}

/// One page of members.
pub struct MemberPage {
    pub members: Vec<Member>,
    pub next: Option<String>,
}

impl<T> Minted<T> {
    pub fn new(of: T, made: &Made) -> Self {
        let token = Secret::new(made.token.expose_secret().to_vec());
        Self { of, id: made.proof.id.to_string(), token }
    }
}

impl Desk {
    pub fn members(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        after: &str,
        rows_max: usize,
    ) -> Judged<Result<MemberPage, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::ListPeople)?);
        let asked = u32::try_from(rows_max + 1).unwrap_or(u32::MAX);
        let (mut rows, more) = tx.members(organization.as_str(), after, asked)?;
        rows.truncate(rows_max);
        let next = rows.last().filter(|_| more).map(|last| last.email.clone());
        let members = rows.iter().map(|row| self.described_member(tx, row));
        Ok(Ok(MemberPage { members: members.collect::<Judged<_>>()?, next }))
    }

    /// A new member, with a first token.
    pub fn add_member(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        new: &NewMember,
        made: &Made,
    ) -> Decided<Minted<Member>> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let action = Action::MemberAdd;
        let refuse = |desk: &mut Self, outcome, refusal| {
            desk.note_member(tx, &caller, action, outcome, &new.email).map(|()| Err(refusal))
        };
        if !caller.may(Operation::Audited(action), None) {
            let (outcome, refusal) = caller.forbidden();
            return refuse(self, outcome, refusal);
        }
        if tx.member(organization.as_str(), new.email.as_str())?.is_some() {
            return refuse(self, Outcome::Exists, Refusal::MemberExists(new.email.clone()));
        }
        let row = self.insert_member(tx, &caller, new, made)?;
        let member = self.described_member(tx, &row)?;
        Ok(Ok(Done::with(Minted::new(member, made))))
    }

    pub fn change_member(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        email: &EmailAddress,
        change: &MemberChange,
    ) -> Decided<Member> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let action = Action::MemberUpdate;
        let (row, role, names) = match self.found_member(tx, &caller, action, email)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let new_role = change.role.unwrap_or(role);
        let steps_down = role == Role::Owner && new_role != Role::Owner;
        if steps_down && !self.has_other_owner(tx, organization, email)? {
            self.note_member(tx, &caller, action, Outcome::LastOwner, email)?;
            return Ok(Err(Refusal::LastOwner(email.clone())));
        }
        if steps_down && !self.leaves_an_owner(tx, &caller, Going::Role(email))? {
            self.note_member(tx, &caller, action, Outcome::LastOwner, email)?;
            return Ok(Err(Refusal::OwnersWithout(email.clone())));
        }
        let names = change.names.clone().unwrap_or(names);
        let said = Said {
            changed: Some(subject::member(email.as_str())),
            detail: Some(detail(new_role, &names)),
            ..Said::new(action, Outcome::Ok)
        };
        let sequence = self.record(tx, &caller, said)?;
        let row = MemberRow {
            role: new_role.as_str().to_owned(),
            names: as_json(&names),
            updated_at: now(),
            updated_by: caller.principal.actor(),
            sequence,
            ..row
        };
        let row = self.put_member(tx, row)?;
        Ok(Ok(Done::with(self.described_member(tx, &row)?)))
    }

    /// Removes a member, and revokes every token that the member has or made.
    pub fn remove_member(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        email: &EmailAddress,
    ) -> Decided<()> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let action = Action::MemberRemove;
        let role = match self.found_member(tx, &caller, action, email)? {
            Ok((_, role, _)) => Some(role),
            // What nothing can be known of can still be taken away.
            Err(Refusal::MemberDamaged(_)) => None,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if role == Some(Role::Owner) && !self.has_other_owner(tx, organization, email)? {
            self.note_member(tx, &caller, action, Outcome::LastOwner, email)?;
            return Ok(Err(Refusal::LastOwner(email.clone())));
        }
        if !self.leaves_an_owner(tx, &caller, Going::Member(email))? {
            self.note_member(tx, &caller, action, Outcome::LastOwner, email)?;
            return Ok(Err(Refusal::OwnersTokens(email.clone())));
        }
        let revoked = self.revoke_tokens_of(tx, &caller, email)?;
        let detail = serde_json::json!({ "tokens_revoked": revoked }).to_string();
        let said = Said {
            changed: Some(subject::member(email.as_str())),
            detail: Some(detail),
            ..Said::new(action, Outcome::Ok)
        };
        self.record(tx, &caller, said)?;
        tx.remove_member(organization.as_str(), email.as_str())?;
        self.forget_people();
        Ok(Ok(Done::with(())))
    }

    /// Puts member, record and first token in their places.
    pub fn insert_member(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        new: &NewMember,
        made: &Made,
    ) -> Judged<MemberRow> {
        let said = Said {
            changed: Some(subject::member(new.email.as_str())),
            detail: Some(detail(new.role, &new.names)),
            ..Said::new(Action::MemberAdd, Outcome::Ok)
        };
        let sequence = self.record(tx, caller, said)?;
        let (now, actor) = (now(), caller.principal.actor());
        let row = MemberRow {
            organization: caller.organization.to_string(),
            email: new.email.to_string(),
            role: new.role.as_str().to_owned(),
            names: as_json(&new.names),
            created_at: now,
            created_by: actor.clone(),
            updated_at: now,
            updated_by: actor.clone(),
            sequence,
            code: Vec::new(),
        };
        let row = self.put_member(tx, row)?;
        let token = TokenRow {
            id: made.proof.id.to_string(),
            organization: caller.organization.to_string(),
            member: Some(new.email.to_string()),
            workload: None,
            names: None,
            created_at: now,
            created_by: actor,
            expires_at: None,
            network: None,
            hash: made.proof.hash.to_vec(),
            sequence: 0,
            code: Vec::new(),
        };
        self.insert_token(tx, caller, token)?;
        Ok(row)
    }

    /// The member that a change is about, for whoever may make it.
    fn found_member(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        action: Action,
        email: &EmailAddress,
    ) -> Judged<Result<(MemberRow, Role, Grant), Refusal>> {
        let (outcome, refusal) = if !caller.may(Operation::Audited(action), None) {
            caller.forbidden()
        } else {
            match tx.member(caller.organization.as_str(), email.as_str())? {
                None => (Outcome::Missing, Refusal::NoMember(email.clone())),
                Some(row) => match self.judge_member(tx, &row)? {
                    Some((_, role, names)) => return Ok(Ok((row, role, names))),
                    None if action == Action::MemberRemove => {
                        return Ok(Err(Refusal::MemberDamaged(email.clone())));
                    }
                    None => (Outcome::Damaged, Refusal::MemberDamaged(email.clone())),
                },
            }
        };
        self.note_member(tx, caller, action, outcome, email)?;
        Ok(Err(refusal))
    }

    /// A change that was not made: its record anchors nothing, and says whom it was about.
    fn note_member(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        action: Action,
        outcome: Outcome,
        email: &EmailAddress,
    ) -> Judged<()> {
        let detail = serde_json::json!({ "member": email.as_str() }).to_string();
        let said = Said { detail: Some(detail), ..Said::new(action, outcome) };
        self.record(tx, caller, said).map(|_| ())
    }

    fn put_member(&mut self, tx: &Transaction<'_>, mut row: MemberRow) -> Judged<MemberRow> {
        row.code = seal::row_code(&self.keys.ring.row, &row.bound()).to_vec();
        tx.put_member(&row)?;
        self.forget_people();
        Ok(row)
    }

    fn described_member(&self, tx: &Transaction<'_>, row: &MemberRow) -> Judged<Member> {
        let sound = self.judge_member(tx, row)?;
        let email = row.email.clone();
        Ok(match sound {
            Some((_, role, names)) => Member {
                email,
                role: Some(role),
                names,
                created_at: Some(time(row.created_at)),
                created_by: Some(row.created_by.clone()),
                updated_at: Some(time(row.updated_at)),
                updated_by: Some(row.updated_by.clone()),
                damaged: false,
            },
            None => Member {
                email,
                role: None,
                names: Grant::default(),
                created_at: None,
                created_by: None,
                updated_at: None,
                updated_by: None,
                damaged: true,
            },
        })
    }
}

fn detail(role: Role, names: &Grant) -> String {
    serde_json::json!({ "role": role.as_str(), "names": names }).to_string()
}

pub fn as_json(names: &Grant) -> String {
    serde_json::to_string(names).expect("names and globs are JSON")
}
