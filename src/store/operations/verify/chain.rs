//! Every audit chain, from its first record to its last, and what checkpoints saw of it.

use crate::store::audit::{Broken, Chained, Verifier};
use crate::store::operations::verify::fault::{FAULTS_MAX, RecordFault};
use crate::store::operations::verify::{Fault, Walk};
use crate::store::storage::StorageError;
use crate::store::storage::transaction::Transaction;
use crate::wire::Checkpoint;

/// Records that are read in one transaction.
const STEP_RECORDS_MAX: u32 = 1000;

impl Walk<'_> {
    pub(super) fn chains(&mut self, checkpoints: &[Checkpoint]) -> Result<(), StorageError> {
        for index in 0..self.held.organizations.len() {
            let name = self.held.organizations[index].name.clone();
            let of_this = |checkpoint: &&Checkpoint| checkpoint.organization.as_str() == name;
            let checkpoints: Vec<_> = checkpoints.iter().filter(of_this).collect();
            let broken = self.chain(index, &name, &checkpoints)?;
            self.judge_end(index, broken, &checkpoints);
        }
        let gone = self.look("audit", |tx, _| tx.organizations_gone(FAULTS_MAX))?;
        for organization in gone.unwrap_or_default() {
            self.faults.add(Fault::OrganizationGone { organization });
        }
        let is_known = |checkpoint: &&Checkpoint| {
            let name = checkpoint.organization.as_str();
            self.held.organizations.iter().any(|known| known.name == name)
        };
        let alone: Vec<_> = checkpoints.iter().filter(|one| !is_known(one)).collect();
        for checkpoint in alone {
            let organization = checkpoint.organization.to_string();
            self.faults.add(Fault::CheckpointAlone { organization });
        }
        Ok(())
    }

    /// Walks one chain up to its end, or to the first record that is wrong.
    fn chain(
        &mut self,
        index: usize,
        organization: &str,
        checkpoints: &[&Checkpoint],
    ) -> Result<Option<Broken>, StorageError> {
        let keys = self.keys;
        let mut verifier = Verifier::new(&keys.ring.audit);
        // One that is planted before the first is read too.
        let mut after = i64::MIN;
        loop {
            // What cannot be read is a fault already; what lies behind it is not known.
            let read = self.look("audit", |tx, _| read_step(tx, organization, after))?;
            let Some(records) = read else {
                return Ok(None);
            };
            let is_last = records.len() < STEP_RECORDS_MAX as usize;
            for chained in records {
                if let Err(broken) = verifier.step(&chained) {
                    return Ok(Some(broken));
                }
                let (sequence, at) = (chained.record.sequence, chained.record.at);
                after = sequence;
                let differs =
                    |one: &&Checkpoint| one.sequence == sequence && !chained.is_seen_by(one);
                if checkpoints.iter().any(differs) {
                    let organization = organization.to_owned();
                    let how = RecordFault::Other;
                    self.faults.add(Fault::Record { organization, sequence, how });
                }
                let held = &mut self.held.organizations[index];
                held.records = sequence;
                held.head = Some((at, chained.code));
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    fn judge_end(&mut self, index: usize, broken: Option<Broken>, checkpoints: &[&Checkpoint]) {
        let held = &self.held.organizations[index];
        let (organization, last) = (held.name.clone(), held.records);
        if let Some(broken) = broken {
            let (sequence, how) = match broken {
                Broken::Absent { sequence } => (sequence, RecordFault::Absent),
                Broken::Altered { sequence } => (sequence, RecordFault::Altered),
            };
            self.faults.add(Fault::Record { organization, sequence, how });
            return;
        }
        for checkpoint in checkpoints.iter().filter(|checkpoint| checkpoint.sequence > last) {
            let (organization, seen) = (organization.clone(), checkpoint.sequence);
            self.faults.add(Fault::Cut { organization, seen, last });
        }
    }
}

fn read_step(
    tx: &Transaction<'_>,
    organization: &str,
    after: i64,
) -> Result<Vec<Chained>, StorageError> {
    tx.records(organization, after, STEP_RECORDS_MAX)
}
