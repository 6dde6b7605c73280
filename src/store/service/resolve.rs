//! Resolves names to values, all or nothing; and says what is nearest to one that is missing.

use std::sync::Arc;

use crate::name::{OrgName, SecretName, WorkloadName};
use crate::secret::Secret;
use crate::store::audit::{Action, NamedList, Outcome};
use crate::store::mirror::Mirrors;
use crate::store::permission::Operation;
use crate::store::room::{NoRoom, Room};
use crate::store::service::desk::{Said, State};
use crate::store::service::sealing::JudgedRow;
use crate::store::service::{
    Caller, Damage, Decided, Desk, Done, Judged, Knock, Refusal, or_refuse,
};
use crate::store::storage::transaction::Transaction;
use crate::wire::{Reason, Unresolved};

/// Missing names for which the nearest one is looked for, and names that are compared for all of
/// them: where there are more, those that stand around the missing one.
const NEAREST_FOR_MAX: usize = 64;
const NEAREST_LOOKS_MAX: usize = 50_000;
/// Below this likeness (Jaro–Winkler, 0 to 1) a name is no hint.
const NEAREST_LIKENESS_MIN: f64 = 0.85;

/// What an answer takes for each of its secrets besides the value: name, version and date.
const ANSWER_BYTES_PER_SECRET: usize = 512;

/// What a resolve asks for.
pub struct Resolve {
    /// In their order, each once.
    pub names: Vec<SecretName>,
    pub workload: Option<WorkloadName>,
    /// Without values it is a check.
    pub values: bool,
    /// What the answer takes is counted from its first row on.
    pub room: Arc<Room>,
}

/// One resolved secret: the row that was judged, and its value where it is opened already.
pub struct ResolvedSecret {
    pub row: Arc<JudgedRow>,
    pub value: Option<Secret>,
}

impl ResolvedSecret {
    /// Only a row that stands under the name that was asked for is resolved.
    pub fn name(&self) -> &str {
        &self.row.columns.name
    }
}

/// What was found, name by name.
#[derive(Default)]
struct Tally {
    resolved: Vec<ResolvedSecret>,
    missing: Vec<SecretName>,
    forbidden: Vec<SecretName>,
    damaged: Vec<Damage>,
}

impl Desk {
    /// Every name's row, or none. One record says which were asked for.
    pub fn resolve(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        ask: &Resolve,
    ) -> Decided<Vec<ResolvedSecret>> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        // The same request may be done twice, where another's failure ended the transaction.
        let _nothing_refused = ask.room.settle(0);
        let workload = caller.principal.workload().or(ask.workload.as_ref());
        let named = workload.map(ToString::to_string);
        if caller.is_astray() {
            let (outcome, refusal) = caller.forbidden();
            let said = Tally::default().said(ask);
            self.record(tx, &caller, Said { workload: named, outcome, ..said })?;
            return Ok(Err(refusal));
        }
        let tally = match self.tally(tx, &caller, ask)? {
            Ok(tally) => tally,
            Err(NoRoom::Now) => return Ok(Err(Refusal::Overloaded)),
            Err(NoRoom::Ever) => {
                let outcome = Outcome::Invalid;
                let said = Tally::default().said(ask);
                self.record(tx, &caller, Said { workload: named, outcome, ..said })?;
                return Ok(Err(Refusal::LongAnswer));
            }
        };
        self.record(tx, &caller, Said { workload: named, ..tally.said(ask) })?;
        if ask.values && tally.is_whole() {
            match workload {
                Some(name) => self.note_usage(tx, organization, name.as_str(), &tally.resolved)?,
                None => {
                    self.note_usage(tx, organization, &caller.principal.actor(), &tally.resolved)?;
                }
            }
        }
        tally.answer()
    }

    fn tally(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        ask: &Resolve,
    ) -> Judged<Result<Tally, NoRoom>> {
        let operation = Operation::Audited(ask.action());
        let resolved = Vec::with_capacity(ask.names.len());
        let mut tally = Tally { resolved, ..Tally::default() };
        for name in &ask.names {
            if !caller.may(operation, Some(name)) {
                tally.forbidden.push(name.clone());
                continue;
            }
            match self.state(tx, &caller.organization, name)? {
                State::Present { row, value } => {
                    or_refuse!(ask.room.grow(ask.bytes_of(&row)));
                    tally.resolved.push(ResolvedSecret { row, value });
                }
                State::Absent { .. } => tally.missing.push(name.clone()),
                State::Damaged { last_version } => tally
                    .damaged
                    .push(Damage { name: name.clone(), deletable: last_version.is_some() }),
            }
        }
        Ok(Ok(tally))
    }
}

impl Resolve {
    /// What a secret takes until it is answered: its row, and twice its value as JSON, which mostly
    /// is less. Without its value, the row goes with the transaction.
    fn bytes_of(&self, row: &JudgedRow) -> usize {
        let value = if self.values { 3 * row.sealed.len() } else { 0 };
        ANSWER_BYTES_PER_SECRET + value
    }

    fn action(&self) -> Action {
        if self.values { Action::Resolve } else { Action::Check }
    }
}

impl Tally {
    fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.forbidden.is_empty() && self.missing.is_empty()
    }

    fn outcome(&self) -> Outcome {
        if !self.damaged.is_empty() {
            Outcome::Damaged
        } else if !self.forbidden.is_empty() {
            Outcome::Forbidden
        } else if !self.missing.is_empty() {
            Outcome::Missing
        } else {
            Outcome::Ok
        }
    }

    fn said(&self, ask: &Resolve) -> Said {
        // Both are in the order of their names.
        let mut resolved = self.resolved.iter().peekable();
        let mut secrets = NamedList::of(ask.names.iter().map(|name| name.as_str().len()));
        for name in &ask.names {
            let found = resolved.next_if(|one| one.name() == name.as_str());
            secrets.push(name, found.map(|one| one.row.columns.version));
        }
        Said { secrets, ..Said::new(ask.action(), self.outcome()) }
    }

    fn answer(self) -> Decided<Vec<ResolvedSecret>> {
        if !self.damaged.is_empty() {
            return Ok(Err(Refusal::Damaged(self.damaged)));
        }
        if self.missing.is_empty() && self.forbidden.is_empty() {
            return Ok(Ok(Done::with(self.resolved)));
        }
        let unresolved = |reason| move |name| Unresolved { name, reason, nearest: None };
        let forbidden = self.forbidden.into_iter().map(unresolved(Reason::Forbidden));
        let missing = self.missing.into_iter().map(unresolved(Reason::Missing));
        Ok(Err(Refusal::Unresolved(forbidden.chain(missing).collect())))
    }
}

impl Desk {
    /// Says of each missing name which one the caller may resolve that is nearest to it. This takes
    /// its time, so it is no part of the resolve, which others wait behind.
    pub fn nearest(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        mut unresolved: Vec<Unresolved>,
        mirrors: &Mirrors,
    ) -> Judged<Result<Vec<Unresolved>, Refusal>> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let mirror = mirrors.of(tx, organization)?;
        let missing = unresolved.iter_mut().filter(|one| one.reason == Reason::Missing);
        let missing: Vec<_> = missing.take(NEAREST_FOR_MAX).collect();
        let among = NEAREST_LOOKS_MAX / missing.len().max(1);
        for one in missing {
            one.nearest = nearest(&one.name, mirror.around(one.name.as_str(), among), &caller);
        }
        Ok(Ok(unresolved))
    }
}

/// The name that is most like this one, of those that the caller may resolve.
fn nearest(name: &SecretName, among: Vec<String>, caller: &Caller) -> Option<SecretName> {
    let operation = Operation::Audited(Action::Resolve);
    let likeness = |other: &String| strsim::jaro_winkler(name.as_str(), other);
    let like = among.iter().map(|other| (likeness(other), other));
    let like = like.filter(|(likeness, _)| *likeness >= NEAREST_LIKENESS_MIN);
    let like =
        like.filter_map(|(likeness, other)| Some((likeness, SecretName::parse(other).ok()?)));
    let like = like.filter(|(_, other)| caller.may(operation, Some(other)));
    like.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, other)| other)
}
