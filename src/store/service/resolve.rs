//! Resolves names to values, all or nothing, and says what is nearest to one that is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::name::{OrgName, SecretName, WorkloadName};
use crate::secret::Secret;
use crate::store::audit::{Action, Named, Outcome};
use crate::store::permission::Operation;
use crate::store::service::desk::{Said, State};
use crate::store::service::sealing::JudgedRow;
use crate::store::service::{
    Caller, Damage, Decided, Desk, Done, Judged, Knock, Refusal, or_refuse,
};
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

/// One resolved secret: the row that was judged, and its value where it is opened already.
pub struct ResolvedSecret {
    pub name: SecretName,
    pub row: Arc<JudgedRow>,
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
        let tally = self.tally(tx, &caller, ask)?;
        let workload =
            caller.principal.workload().or(ask.workload.as_ref()).map(ToString::to_string);
        self.record(tx, &caller, Said { workload: workload.clone(), ..tally.said(ask) })?;
        if ask.values && tally.is_whole() {
            let workload = workload.unwrap_or_else(|| caller.principal.actor());
            self.note_usage(tx, organization, &workload, &tally.resolved)?;
        }
        tally.answer(tx, &caller)
    }

    fn tally(&mut self, tx: &Transaction<'_>, caller: &Caller, ask: &Resolve) -> Judged<Tally> {
        let operation = Operation::Audited(ask.action());
        let mut tally = Tally::default();
        for name in &ask.names {
            if !caller.may(operation, Some(name)) {
                tally.forbidden.push(name.clone());
                continue;
            }
            match self.state(tx, &caller.organization, name)? {
                State::Present { row, value } => {
                    tally.resolved.push(ResolvedSecret { name: name.clone(), row, value });
                }
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
        let named = |name: &SecretName| {
            let found = resolved.next_if(|one| one.name == *name);
            Named { name: name.to_string(), version: found.map(|one| one.row.columns.version) }
        };
        let secrets = ask.names.iter().map(named).collect();
        Said { secrets, ..Said::new(ask.action(), self.outcome()) }
    }

    fn answer(self, tx: &Transaction<'_>, caller: &Caller) -> Decided<Vec<ResolvedSecret>> {
        if !self.damaged.is_empty() {
            return Ok(Err(Refusal::Damaged(self.damaged)));
        }
        if self.missing.is_empty() && self.forbidden.is_empty() {
            return Ok(Ok(Done::with(self.resolved)));
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
fn known_names(tx: &Transaction<'_>, caller: &Caller) -> Judged<Vec<SecretName>> {
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
