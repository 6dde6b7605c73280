//! Reads the audit trail: its records, newest first, and whether the chain holds. It appends
//! nothing: who reads leaves no record.

use crate::name::{OrgName, SecretName, WorkloadName};
use crate::store::audit::{Broken, Chained, GENESIS, Named, code_text};
use crate::store::chain::{ChainWalk, Flaw, STEP_RECORDS_MAX};
use crate::store::permission::Operation;
use crate::store::service::{Desk, Judged, Knock, Refusal, or_refuse, time};
use crate::store::storage::transaction::Transaction;
use crate::wire::{AuditRecord, BrokenHow, BrokenRecord, Checkpoint, NamedVersion, VerifyAnswer};

/// Records that are read at a time for a page, of which only some may fit; and the bytes of names
/// that one page reads, for one record can name thousands.
const PAGE_STEP_ROWS_MAX: u32 = 100;
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Records that one page looks through: where few fit the filter, a page is short, and says where
/// the next one goes on.
const SCAN_ROWS_MAX: usize = 20_000;

/// Which records are asked for. Times are milliseconds since 1970 in UTC.
#[derive(Debug, Default)]
pub struct TrailAsk {
    pub name: Option<SecretName>,
    pub actor: Option<String>,
    pub workload: Option<WorkloadName>,
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// Only records before this one.
    pub before: Option<i64>,
    pub rows_max: usize,
}

/// One page of records, and before which the next one begins.
pub struct TrailPage {
    pub records: Vec<AuditRecord>,
    pub next: Option<i64>,
}

impl Desk {
    pub fn trail(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        ask: &TrailAsk,
    ) -> Judged<Result<TrailPage, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::ReadAudit)?);
        let mut before = ask.before.unwrap_or(i64::MAX);
        let (mut records, mut looked, mut bytes, mut in_a_row) = (Vec::new(), 0, 0, 0);
        let step = u32::try_from(ask.rows_max + 1).unwrap_or(u32::MAX).min(PAGE_STEP_ROWS_MAX);
        while looked < SCAN_ROWS_MAX && bytes < PAGE_BYTES_MAX {
            let (rows, more) = tx.records_before(organization.as_str(), before, step)?;
            for row in rows {
                if records.len() == ask.rows_max || bytes >= PAGE_BYTES_MAX {
                    return Ok(Ok(TrailPage { records, next: Some(before) }));
                }
                before = row.record.sequence;
                looked += 1;
                bytes += row.record.names_bytes();
                // Records are in the order of their time, but for a clock that was wrong.
                let is_before = ask.since.is_some_and(|since| row.record.at < since);
                in_a_row = if is_before { in_a_row + 1 } else { 0 };
                if in_a_row > WRONG_RECORDS_MAX {
                    return Ok(Ok(TrailPage { records, next: None }));
                }
                if ask.fits(&row) {
                    records.push(shown(row));
                }
            }
            if !more {
                return Ok(Ok(TrailPage { records, next: None }));
            }
        }
        Ok(Ok(TrailPage { records, next: Some(before) }))
    }

    /// The end of the chain, as it is now.
    pub fn checkpoint(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
    ) -> Judged<Result<Checkpoint, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::ReadAudit)?);
        let last = tx.records_before(organization.as_str(), i64::MAX, 1)?.0.pop();
        let (sequence, at, code) = match last {
            Some(last) => (last.record.sequence, time(last.record.at), last.code),
            None => (0, jiff::Timestamp::now(), GENESIS.to_vec()),
        };
        Ok(Ok(Checkpoint {
            organization: organization.clone(),
            sequence,
            at,
            code: code_text(&code),
        }))
    }

    /// One step of a walk along the chain, for whoever may read it; and whether there may be more.
    pub fn verify(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        mut walk: ChainWalk,
    ) -> Judged<Result<(ChainWalk, bool), Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::ReadAudit)?);
        let records = tx.records(organization.as_str(), walk.after(), STEP_RECORDS_MAX)?;
        let goes_on = walk.take(&self.keys.ring.audit, records);
        Ok(Ok((walk, goes_on)))
    }
}

/// How many records were whole, and the first that was not.
pub fn verified(walk: ChainWalk) -> VerifyAnswer {
    let (last, flaws) = walk.end();
    let records = last.map_or(0, |last| last.sequence);
    let wrong = |records, sequence, what| VerifyAnswer {
        records,
        broken: Some(BrokenRecord { sequence, what }),
    };
    match flaws.first() {
        None => VerifyAnswer { records, broken: None },
        Some(Flaw::Broken(Broken::Absent { sequence })) => {
            wrong(records, *sequence, BrokenHow::Absent)
        }
        Some(Flaw::Broken(Broken::Altered { sequence })) => {
            wrong(records, *sequence, BrokenHow::Altered)
        }
        Some(Flaw::Other { sequence }) => wrong(*sequence, *sequence, BrokenHow::Other),
        Some(Flaw::Cut { last, .. }) => wrong(*last, last + 1, BrokenHow::Cut),
    }
}

/// So many records in a row may be of a clock that was wrong, as on a machine that begins in 1970
/// until it is told the time: behind them are those of before.
const WRONG_RECORDS_MAX: usize = 1000;

impl TrailAsk {
    fn fits(&self, chained: &Chained) -> bool {
        let record = &chained.record;
        let named = |name: &SecretName| {
            let named: Vec<Named> = serde_json::from_str(&record.secrets).unwrap_or_default();
            named.iter().any(|one| one.name == name.as_str())
        };
        self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
            && self.actor.as_ref().is_none_or(|actor| record.actor == *actor)
            && (self.workload.as_ref())
                .is_none_or(|workload| record.workload.as_deref() == Some(workload.as_str()))
            && self.name.as_ref().is_none_or(named)
    }
}

fn shown(chained: Chained) -> AuditRecord {
    let record = chained.record;
    let secrets: Vec<Named> = serde_json::from_str(&record.secrets).unwrap_or_default();
    let secrets = secrets.into_iter();
    AuditRecord {
        sequence: record.sequence,
        at: time(record.at),
        organization: record.organization,
        actor: record.actor,
        action: record.action,
        secrets: secrets.map(|one| NamedVersion { name: one.name, version: one.version }).collect(),
        // A secret's own name is among the secrets.
        subject: record.subject.filter(|subject| subject.contains(':')),
        detail: record.detail.and_then(|detail| serde_json::from_str(&detail).ok()),
        workload: record.workload,
        client: record.client,
        outcome: record.outcome,
    }
}
