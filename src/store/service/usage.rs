//! Who uses what: which version a workload resolved last, and when. A launch that comes again
//! within a minute is not written again.

use std::collections::BTreeMap;

use crate::name::{OrgName, SecretName};
use crate::store::permission::Operation;
use crate::store::seal;
use crate::store::service::desk::State;
use crate::store::service::resolve::ResolvedSecret;
use crate::store::service::{Desk, Judged, Knock, Refusal, now, or_refuse, time};
use crate::store::storage::UsageRow;
use crate::store::storage::transaction::Transaction;
use crate::wire::{SecretUse, UsedBy, WorkloadUse};

/// Between two times that are told apart, in milliseconds.
const GRAIN: i64 = 60_000;
/// What counts as lately.
const LATELY: i64 = 30 * 24 * 60 * 60 * 1000;
/// The most workloads that one secret's metadata lists.
const USED_BY_MAX: u32 = 1000;
/// Workloads of one organization of which it is remembered what they use: those that were seen
/// last. It is looked when the code of a new row says so, which that of one in so many does: that
/// counts for each organization by itself, also where each process adds but one. So there may be
/// some more for a while.
const WORKLOADS_KEPT_MAX: u32 = 10_000;
const NEW_ROWS_PER_LOOK: u8 = 64;
/// Rows that are read at a time, and for one page.
const ROWS_MAX: u32 = 1000;
const SCAN_ROWS_MAX: usize = 10_000;

/// One page of workloads, and the workload behind which the next one begins.
pub struct WorkloadPage {
    pub workloads: Vec<WorkloadUse>,
    pub next: Option<String>,
}

impl Desk {
    /// Remembers what was resolved just now.
    pub fn note_usage(
        &mut self,
        tx: &Transaction<'_>,
        organization: &OrgName,
        workload: &str,
        resolved: &[ResolvedSecret],
    ) -> Judged<()> {
        let at = self.at;
        if self.is_noted(organization, workload, resolved, at) {
            return Ok(());
        }
        let mut is_due = false;
        for secret in resolved {
            let version = secret.row.columns.version;
            let remembered = self.known_usage(organization, workload);
            let remembered = remembered.and_then(|used| used.get(secret.name())).copied();
            let known = match remembered {
                Some(known) => Some(known),
                None => tx
                    .usage(organization.as_str(), workload, secret.name())?
                    .filter(|row| self.usage_holds(row))
                    .map(|row| (row.version, row.at)),
            };
            if let Some(known) = known.filter(|known| is_current(*known, version, at)) {
                if remembered.is_none() {
                    self.learn_usage(organization, workload, secret.name(), known);
                }
                continue;
            }
            let mut row = UsageRow {
                organization: organization.to_string(),
                workload: workload.to_owned(),
                name: secret.name().to_owned(),
                version,
                at,
                code: Vec::new(),
            };
            row.code = seal::row_code(&self.keys.ring.row, &row.bound()).to_vec();
            is_due |=
                known.is_none() && row.code.first().is_none_or(|b| b % NEW_ROWS_PER_LOOK == 0);
            tx.put_usage(&row)?;
            self.learn_usage(organization, workload, secret.name(), (version, at));
        }
        // A member may call each launch another name.
        if is_due {
            tx.trim_usage(organization.as_str(), WORKLOADS_KEPT_MAX)?;
        }
        Ok(())
    }

    /// Whether all of it is known to be written already, as it is for who asks again and again.
    fn is_noted(
        &self,
        organization: &OrgName,
        workload: &str,
        resolved: &[ResolvedSecret],
        at: i64,
    ) -> bool {
        self.known_usage(organization, workload).is_some_and(|used| {
            resolved.iter().all(|secret| {
                let known = used.get(secret.name());
                known.is_some_and(|known| is_current(*known, secret.row.columns.version, at))
            })
        })
    }

    /// Who resolved this lately, the latest first.
    pub fn used_by(
        &self,
        tx: &Transaction<'_>,
        organization: &OrgName,
        name: &SecretName,
    ) -> Judged<Vec<UsedBy>> {
        let since = now() - LATELY;
        let rows = tx.usage_of_name(organization.as_str(), name.as_str(), since, USED_BY_MAX)?;
        let sound = rows.into_iter().filter(|row| self.usage_holds(row));
        Ok(sound
            .map(|row| UsedBy {
                workload: row.workload,
                version: row.version,
                resolved_at: time(row.at),
            })
            .collect())
    }

    /// Workloads in the order of their names, each with everything that it resolved.
    pub fn workloads(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        after: &str,
        workloads_max: usize,
    ) -> Judged<Result<WorkloadPage, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::List)?);
        let mut found: BTreeMap<String, Vec<SecretUse>> = BTreeMap::new();
        // Behind everything of the workload that the page before ended with.
        let mut from = (after.to_owned(), "~".to_owned());
        let mut more = true;
        let mut looked = 0;
        while more && found.len() <= workloads_max && looked < SCAN_ROWS_MAX {
            let rows = tx.usage_page(organization.as_str(), (&from.0, &from.1), ROWS_MAX)?;
            more = rows.len() == ROWS_MAX as usize;
            looked += rows.len();
            for row in rows {
                from = (row.workload.clone(), row.name.clone());
                if self.usage_holds(&row) {
                    let used = self.secret_use(tx, organization, &row)?;
                    found.entry(row.workload).or_default().extend(used);
                }
            }
        }
        // The last one may have more rows than were read, but where it is alone it is shown as is.
        let cut = more && found.len() <= workloads_max;
        let whole = if cut { found.len().saturating_sub(1).max(1) } else { workloads_max };
        let next =
            if more || found.len() > whole { found.keys().nth(whole - 1).cloned() } else { None };
        let workloads = found.into_iter().take(whole);
        let workloads = workloads.map(|(workload, secrets)| summed(workload, secrets)).collect();
        Ok(Ok(WorkloadPage { workloads, next }))
    }

    fn secret_use(
        &mut self,
        tx: &Transaction<'_>,
        organization: &OrgName,
        row: &UsageRow,
    ) -> Judged<Option<SecretUse>> {
        let Ok(name) = SecretName::parse(&row.name) else { return Ok(None) };
        let current = match self.state(tx, organization, &name)? {
            State::Present { row, .. } => Some(row.columns.version),
            State::Absent { .. } | State::Damaged { .. } => None,
        };
        let (version, resolved_at) = (row.version, time(row.at));
        Ok(Some(SecretUse { name: row.name.clone(), version, current, resolved_at }))
    }

    /// A row that was changed from outside is as if it were not there.
    fn usage_holds(&self, row: &UsageRow) -> bool {
        seal::row_code_holds(&self.keys.ring.row, &row.bound(), &row.code)
    }
}

/// Whether what was written last says this version, and not long ago.
fn is_current((known, then): (i64, i64), version: i64, at: i64) -> bool {
    known == version && (then..then.saturating_add(GRAIN)).contains(&at)
}

fn summed(workload: String, secrets: Vec<SecretUse>) -> WorkloadUse {
    let last = secrets.iter().map(|used| used.resolved_at).max();
    WorkloadUse {
        workload,
        last_resolved_at: last.unwrap_or_default(),
        behind: secrets.iter().any(|used| used.current.is_some_and(|now| now > used.version)),
        secrets,
    }
}
