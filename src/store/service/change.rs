//! Creates, updates and deletes: the change, its record and the mark of what is to be purged in one
//! transaction, then the purge of the old value.

use std::io;

use crate::name::{OrgName, SecretName};
use crate::secret::Secret;
use crate::store::audit::{Action, NamedList, Outcome};
use crate::store::permission::Operation;
use crate::store::seal::{self, Columns, FORMAT, SealedRow};
use crate::store::service::desk::{Said, State};
use crate::store::service::{
    Caller, Damage, Decided, Desk, Done, Judged, Knock, NO_NEXT, Refusal, metadata, now, or_refuse,
};
use crate::store::storage::Unpurged;
use crate::store::storage::transaction::Transaction;
use crate::sys;
use crate::wire::{Metadata, VALUE_BYTES_MAX};

/// What must be so for a change to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Condition {
    Any,
    /// There is no secret of this name.
    Absent,
    /// There is one, of whatever version.
    Present,
    Version(i64),
}

/// A value to keep.
pub struct Put {
    pub value: Secret,
    pub allow_empty: bool,
    pub condition: Condition,
}

/// A secret that was created or updated.
pub struct Written {
    pub metadata: Metadata,
    pub created: bool,
}

/// The random parts of a new version, taken before the transaction.
#[derive(Clone, Copy)]
pub struct Fresh {
    id: [u8; 16],
    salt: [u8; seal::SALT_BYTES],
}

impl Fresh {
    pub fn take() -> io::Result<Self> {
        Ok(Self { id: sys::random()?, salt: sys::random()? })
    }
}

/// One change of one name, for its record.
#[derive(Clone, Copy)]
struct Change<'a> {
    caller: &'a Caller,
    name: &'a SecretName,
    action: Action,
    /// The version that is there before.
    current: Option<i64>,
}

impl Desk {
    pub fn put(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        name: &SecretName,
        (put, fresh): (&Put, Fresh),
    ) -> Decided<Written> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let state = self.state(tx, organization, name)?;
        let current = state.version();
        let action = if current.is_some() { Action::Update } else { Action::Create };
        let change = Change { caller: &caller, name, action, current };
        if !caller.may(Operation::Audited(action), Some(name)) {
            let (outcome, refusal) = caller.forbidden();
            return self.refuse(tx, change.blind(), outcome, refusal);
        }
        if let Err(refusal) = put.judge(name) {
            return self.refuse(tx, change, Outcome::Invalid, refusal);
        }
        match state {
            State::Damaged { last_version } => self.refuse_damaged(tx, change, last_version),
            State::Present { ref row, ref value }
                if self.is_repeated(tx, row, value.as_ref(), put)? =>
            {
                self.repeated(tx, change, row)
            }
            _ if !put.condition.holds(current) => self.refuse_condition(tx, change),
            State::Present { row, .. } => {
                let version = next(tx, row.columns.version)?;
                let columns = self.next_version(change, row.columns.clone(), version);
                self.write(tx, change, columns, put, fresh)
            }
            State::Absent { last_version } => {
                let version = next(tx, last_version.unwrap_or(0))?;
                let columns = self.first_version(change, version, fresh.id, tx.free_slot()?);
                self.write(tx, change, columns, put, fresh)
            }
        }
    }

    /// Deletes for good: when this is answered, no file of the store yields the value.
    pub fn delete(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        name: &SecretName,
        condition: Condition,
    ) -> Decided<()> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let state = self.state(tx, organization, name)?;
        let change =
            Change { caller: &caller, name, action: Action::Delete, current: state.version() };
        if !caller.may(Operation::Audited(Action::Delete), Some(name)) {
            let (outcome, refusal) = caller.forbidden();
            return self.refuse(tx, change.blind(), outcome, refusal);
        }
        let current = change.current;
        match state {
            State::Absent { last_version } => {
                match tx.unpurged(organization.as_str(), name.as_str())? {
                    Some(mark) if mark.deleted && Some(mark.version) == last_version => {
                        self.note(tx, change, Outcome::Repeated, None)?;
                        Ok(Ok(change.done(())))
                    }
                    _ => self.refuse(tx, change, Outcome::Missing, Refusal::NoSecret(name.clone())),
                }
            }
            // What the trail still vouches for can be cleared away; only its value is lost.
            State::Damaged { last_version: Some(last) } if condition == Condition::Any => {
                self.remove(tx, change, last, false)
            }
            State::Damaged { last_version } => self.refuse_damaged(tx, change, last_version),
            State::Present { .. } if !condition.holds(current) => self.refuse_condition(tx, change),
            State::Present { row, .. } => self.remove(tx, change, row.columns.version, true),
        }
    }

    fn write(
        &mut self,
        tx: &Transaction<'_>,
        change: Change<'_>,
        columns: Columns,
        put: &Put,
        fresh: Fresh,
    ) -> Decided<Written> {
        let row = self.keys.seal(tx, columns, fresh.salt, &put.value)?;
        tx.put(&row)?;
        self.forget_row(&change.caller.organization, change.name);
        let version = row.columns.version;
        let retired = change.action == Action::Update;
        if retired {
            change.mark(tx, version, false)?;
        }
        self.note(tx, change, Outcome::Ok, Some(version))?;
        let answer = change.written(&row, !retired);
        Ok(Ok(if retired { change.done(answer) } else { Done::with(answer) }))
    }

    fn remove(
        &mut self,
        tx: &Transaction<'_>,
        change: Change<'_>,
        version: i64,
        sound: bool,
    ) -> Decided<()> {
        tx.remove(change.caller.organization.as_str(), change.name.as_str(), sound)?;
        self.forget_row(&change.caller.organization, change.name);
        change.mark(tx, version, true)?;
        self.note(tx, change, Outcome::Ok, Some(version))?;
        Ok(Ok(change.done(())))
    }

    /// The same update again: it was made, but the old value may still stand in the journal.
    fn repeated(
        &mut self,
        tx: &Transaction<'_>,
        change: Change<'_>,
        row: &SealedRow,
    ) -> Decided<Written> {
        self.note(tx, change, Outcome::Repeated, None)?;
        Ok(Ok(change.done(change.written(row, false))))
    }

    /// Whether this very update was made before, and waits for its purge. Then a retry under
    /// `If-Match` finishes it, though the version has moved on.
    fn is_repeated(
        &self,
        tx: &Transaction<'_>,
        row: &SealedRow,
        value: Option<&Secret>,
        put: &Put,
    ) -> Judged<bool> {
        let mark = tx.unpurged(&row.columns.organization, &row.columns.name)?;
        let made = mark.is_some_and(|mark| !mark.deleted && mark.version == row.columns.version);
        let retried = match put.condition {
            Condition::Version(version) => version.checked_add(1) == Some(row.columns.version),
            Condition::Any | Condition::Present => true,
            Condition::Absent => false,
        };
        if !(made && retried) {
            return Ok(false);
        }
        let same = |value: &Secret| value.expose_secret() == put.value.expose_secret();
        Ok(match value {
            Some(value) => same(value),
            None => self.keys.open(tx, row)?.is_some_and(|value| same(&value)),
        })
    }

    fn first_version(&self, change: Change<'_>, version: i64, id: [u8; 16], slot: i64) -> Columns {
        let (now, actor) = (now(), change.caller.principal.actor());
        Columns {
            format: FORMAT,
            organization: change.caller.organization.to_string(),
            id: id.to_vec(),
            name: change.name.to_string(),
            version,
            created_at: now,
            created_by: actor.clone(),
            updated_at: now,
            updated_by: actor,
            // Said when it is sealed.
            key_id: Vec::new(),
            slot,
        }
    }

    fn next_version(&self, change: Change<'_>, old: Columns, version: i64) -> Columns {
        Columns {
            format: FORMAT,
            version,
            updated_at: now(),
            updated_by: change.caller.principal.actor(),
            ..old
        }
    }

    /// Puts a change on record. One that was made names the version that it made or took away,
    /// and anchors it.
    fn note(
        &mut self,
        tx: &Transaction<'_>,
        change: Change<'_>,
        outcome: Outcome,
        made: Option<i64>,
    ) -> Judged<()> {
        let mut secrets = NamedList::new();
        secrets.push(change.name, made.or(change.current));
        let said = Said {
            secrets,
            changed: made.map(|_| change.name.to_string()),
            ..Said::new(change.action, outcome)
        };
        self.record(tx, change.caller, said).map(|_| ())
    }

    fn refuse<T>(
        &mut self,
        tx: &Transaction<'_>,
        change: Change<'_>,
        outcome: Outcome,
        refusal: Refusal,
    ) -> Decided<T> {
        self.note(tx, change, outcome, None)?;
        Ok(Err(refusal))
    }

    fn refuse_condition<T>(&mut self, tx: &Transaction<'_>, change: Change<'_>) -> Decided<T> {
        let refusal = Refusal::Precondition { name: change.name.clone(), current: change.current };
        self.refuse(tx, change, Outcome::Precondition, refusal)
    }

    fn refuse_damaged<T>(
        &mut self,
        tx: &Transaction<'_>,
        change: Change<'_>,
        last_version: Option<i64>,
    ) -> Decided<T> {
        let damage = Damage { name: change.name.clone(), deletable: last_version.is_some() };
        self.refuse(tx, change, Outcome::Damaged, Refusal::Damaged(vec![damage]))
    }
}

impl Change<'_> {
    /// What may not be changed is not looked at either.
    fn blind(self) -> Self {
        Self { current: None, ..self }
    }

    /// Done, but for the purge of the old value.
    fn done<T>(&self, answer: T) -> Done<T> {
        Done { answer, retired: Some(self.name.clone()) }
    }

    fn written(&self, row: &SealedRow, created: bool) -> Written {
        let mut metadata = metadata(row);
        metadata.hint = self.name.hint();
        Written { metadata, created }
    }

    /// Marks that the version before this one may still stand in the journal.
    fn mark(&self, tx: &Transaction<'_>, version: i64, deleted: bool) -> Judged<()> {
        let (organization, name) = (self.caller.organization.to_string(), self.name.to_string());
        tx.mark_unpurged(&Unpurged { organization, name, version, deleted })
    }
}

impl Put {
    /// Whether this is a value that is kept.
    fn judge(&self, name: &SecretName) -> Result<(), Refusal> {
        if self.value.is_empty() && !self.allow_empty {
            return Err(Refusal::EmptyValue(name.clone()));
        }
        if self.value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::LongValue { name: name.clone(), bytes: self.value.len() });
        }
        Ok(())
    }
}

impl Condition {
    fn holds(self, current: Option<i64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Version(version) => current == Some(version),
        }
    }
}

impl State {
    fn version(&self) -> Option<i64> {
        match self {
            Self::Present { row, .. } => Some(row.columns.version),
            Self::Absent { .. } | Self::Damaged { .. } => None,
        }
    }
}

fn next(tx: &Transaction<'_>, version: i64) -> Judged<i64> {
    version.checked_add(1).ok_or_else(|| tx.damaged(NO_NEXT))
}
