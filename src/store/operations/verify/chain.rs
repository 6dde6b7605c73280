//! Every audit chain, from its first record to its last, and what checkpoints saw of it.

use crate::store::audit::Broken;
use crate::store::chain::{ChainWalk, Flaw, STEP_RECORDS_MAX};
use crate::store::operations::verify::fault::{FAULTS_MAX, RecordFault};
use crate::store::operations::verify::{Fault, Walk};
use crate::store::storage::StorageError;
use crate::wire::Checkpoint;

impl Walk<'_> {
    pub(super) fn chains(&mut self, checkpoints: &[Checkpoint]) -> Result<(), StorageError> {
        for index in 0..self.held.organizations.len() {
            let name = self.held.organizations[index].name.clone();
            let of_this = |checkpoint: &&Checkpoint| checkpoint.organization.as_str() == name;
            let checkpoints = checkpoints.iter().filter(of_this).cloned().collect();
            self.chain(index, name, checkpoints)?;
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
        organization: String,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<(), StorageError> {
        let keys = self.keys;
        let mut walk = ChainWalk::new(checkpoints);
        loop {
            let after = walk.after();
            let records =
                self.look("audit", |tx, _| tx.records(&organization, after, STEP_RECORDS_MAX))?;
            // What cannot be read is a fault already; what lies behind it is not known.
            if !records.is_some_and(|records| walk.take(&keys.ring.audit, records)) {
                break;
            }
        }
        let (last, flaws) = walk.end();
        for flaw in flaws {
            let organization = organization.clone();
            let (sequence, how) = match flaw {
                Flaw::Broken(Broken::Absent { sequence }) => (sequence, RecordFault::Absent),
                Flaw::Broken(Broken::Altered { sequence }) => (sequence, RecordFault::Altered),
                Flaw::Other { sequence } => (sequence, RecordFault::Other),
                Flaw::Cut { seen, last } => {
                    self.faults.add(Fault::Cut { organization, seen, last });
                    continue;
                }
            };
            self.faults.add(Fault::Record { organization, sequence, how });
        }
        if let Some(last) = last {
            let held = &mut self.held.organizations[index];
            held.records = last.sequence;
            held.head = Some((last.at, last.code));
        }
        Ok(())
    }
}
