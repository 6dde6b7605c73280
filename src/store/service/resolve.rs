//! Resolves names to values, all or nothing, and says what is nearest to one that is missing.

use std::collections::BTreeSet;

use crate::name::{SecretName, WorkloadName};
use crate::secret::Secret;
use crate::store::audit::{Action, Named, Outcome};
use crate::store::permission::Operation;
use crate::store::service::{Caller, Damage, Judged, Keys, Refusal, Said, Service, State};
use crate::store::storage::transaction::Transaction;
use crate::wire::{Reason, Unresolved};

/// Names that are looked through for the nearest one, and missing names that it is looked for.
const NEAREST_AMONG_MAX: u32 = 10_000;
const NEAREST_FOR_MAX: usize = 64;
/// Below this likeness (Jaro–Winkler, 0 to 1) a name is no hint.
const NEAREST_LIKENESS_MIN: f64 = 0.85;

/// What a resolve asks for.
pub struct Resolve {
    pub names: BTreeSet<SecretName>,
    pub workload: Option<WorkloadName>,
    /// Without values it is a check.
    pub values: bool,
}

/// One resolved secret; the time is milliseconds since 1970 in UTC.
pub struct ResolvedSecret {
    pub name: SecretName,
    pub version: i64,
    pub updated_at: i64,
    pub value: Option<Secret>,
}

/// What was found, name by name.
#[derive(Default)]
struct Tally {
    resolved: Vec<ResolvedSecret>,
    missing: Vec<SecretName>,
    forbidden: Vec<SecretName>,
    damaged: Vec<Damage>,
}

impl Service {
    /// Every name's value, or none. One record says which were asked for.
    pub fn resolve(
        &mut self,
        caller: Caller<'_>,
        ask: &Resolve,
    ) -> Result<Vec<ResolvedSecret>, Refusal> {
        let Self { database, keys } = self;
        let mut unpurged = false;
        let answered = database.write(|tx| {
            if let Err(refusal) = keys.organization(tx, caller.organization)? {
                return Ok(Err(refusal));
            }
            let tally = keys.tally(tx, caller, ask)?;
            keys.record(tx, caller, tally.said(ask))?;
            unpurged = tx.any_unpurged()?;
            tally.answer(tx, caller)
        })?;
        if unpurged {
            // A change that a crash cut off: there may be no other write to finish it.
            database.purge_at_once();
        }
        answered
    }
}

impl Keys {
    fn tally(&self, tx: &Transaction<'_>, caller: Caller<'_>, ask: &Resolve) -> Judged<Tally> {
        let operation = Operation::Audited(ask.action());
        let organization = caller.organization.as_str();
        let mut tally = Tally::default();
        for name in &ask.names {
            if !caller.may(operation, Some(name)) {
                tally.forbidden.push(name.clone());
                continue;
            }
            match self.state(tx, organization, name.as_str())? {
                State::Present { row, value } => tally.resolved.push(ResolvedSecret {
                    name: name.clone(),
                    version: row.columns.version,
                    updated_at: row.columns.updated_at,
                    value: ask.values.then_some(value),
                }),
                State::Absent { .. } => tally.missing.push(name.clone()),
                State::Damaged { last_version } => tally
                    .damaged
                    .push(Damage { name: name.clone(), deletable: last_version.is_some() }),
            }
        }
        Ok(tally)
    }
}

impl Resolve {
    fn action(&self) -> Action {
        if self.values { Action::Resolve } else { Action::Check }
    }
}

impl Tally {
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

    fn said<'a>(&self, ask: &'a Resolve) -> Said<'a> {
        // Both are in the order of their names.
        let mut resolved = self.resolved.iter().peekable();
        let named = |name: &SecretName| {
            let version = resolved.next_if(|one| one.name == *name).map(|one| one.version);
            Named { name: name.to_string(), version }
        };
        Said {
            action: ask.action(),
            outcome: self.outcome(),
            secrets: ask.names.iter().map(named).collect(),
            changed: None,
            workload: ask.workload.as_ref(),
        }
    }

    fn answer(
        self,
        tx: &Transaction<'_>,
        caller: Caller<'_>,
    ) -> Judged<Result<Vec<ResolvedSecret>, Refusal>> {
        if !self.damaged.is_empty() {
            return Ok(Err(Refusal::Damaged(self.damaged)));
        }
        if self.missing.is_empty() && self.forbidden.is_empty() {
            return Ok(Ok(self.resolved));
        }
        let forbidden = |name| Unresolved { name, reason: Reason::Forbidden, nearest: None };
        let mut unresolved: Vec<_> = self.forbidden.into_iter().map(forbidden).collect();
        if !self.missing.is_empty() {
            let known = known_names(tx, caller)?;
            let nearest = self.missing.into_iter().enumerate().map(|(index, name)| {
                let nearest = (index < NEAREST_FOR_MAX).then(|| nearest(&name, &known)).flatten();
                Unresolved { name, reason: Reason::Missing, nearest }
            });
            unresolved.extend(nearest);
        }
        Ok(Err(Refusal::Unresolved(unresolved)))
    }
}

/// The names that the caller may resolve.
fn known_names(tx: &Transaction<'_>, caller: Caller<'_>) -> Judged<Vec<SecretName>> {
    let names = tx.names(caller.organization.as_str(), NEAREST_AMONG_MAX)?;
    let operation = Operation::Audited(Action::Resolve);
    let names = names.iter().filter_map(|name| SecretName::parse(name).ok());
    Ok(names.filter(|name| caller.may(operation, Some(name))).collect())
}

fn nearest(name: &SecretName, known: &[SecretName]) -> Option<SecretName> {
    let likeness = |other: &SecretName| strsim::jaro_winkler(name.as_str(), other.as_str());
    let best = known.iter().map(|other| (likeness(other), other));
    let best = best.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= NEAREST_LIKENESS_MIN).map(|(_, other)| other.clone())
}
