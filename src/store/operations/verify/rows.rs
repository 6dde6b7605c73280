//! Every row: those with codes, the sealed ones, and the salts. Each is judged as for a resolve;
//! and what should be there and is not is told too.

use crate::store::keyring::Keyring;
use crate::store::operations::verify::fault::{FAULTS_MAX, PersonFault, SecretFault};
use crate::store::operations::verify::{Fault, Walk};
use crate::store::seal::{self, SealedRow, shown_id};
use crate::store::service::{Keys, State};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::walk::{Cursor, Step, Walked};
use crate::store::storage::{Entry, StorageError};

/// Secrets that are looked at in one transaction, and the bytes of their values.
const STEP_ROWS_MAX: usize = 1000;
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a secret was found to be: under which key, or what is wrong.
type Judgement = Result<Vec<u8>, Fault>;

impl Walk<'_> {
    pub(super) fn keyring(&mut self) -> Result<(), StorageError> {
        let rows = self.look("keyring", |tx, _| tx.keyring())?;
        let keys = self.keys;
        // That it opens was seen when the store was opened; by now a rekey may have changed it.
        let is_whole = |rows: &Vec<_>| {
            rows.len() == Keyring::KEYS && Keyring::open(&keys.master, rows).is_ok()
        };
        let Some(rows) = rows else { return Ok(()) };
        if !is_whole(&rows) {
            self.faults.add(Fault::Keyring);
        }
        self.held.ring_under = rows.first().map_or_else(String::new, |row| shown_id(&row.key_id));
        Ok(())
    }

    pub(super) fn coded(&mut self) -> Result<(), StorageError> {
        let mut found = Vec::new();
        let mut more = 0;
        self.look("organization", |tx, keys| {
            tx.walk_coded(|row| {
                let holds = |(bound, code)| seal::row_code_holds(&keys.ring.row, bound, code);
                let sealed = row.sealed.as_ref().map(|(bound, code)| (bound, code.as_slice()));
                if sealed.is_some_and(holds) {
                    return;
                }
                match found.len() < FAULTS_MAX as usize {
                    true => found.push(Fault::Row { table: row.table, key: row.key }),
                    false => more += 1,
                }
            })
        })?;
        found.into_iter().for_each(|fault| self.faults.add(fault));
        self.faults.more += more;
        Ok(())
    }

    pub(super) fn secrets(&mut self) -> Result<(), StorageError> {
        let mut after = Cursor::default();
        loop {
            let step = Step {
                after: &after,
                not_under: None,
                rows_max: STEP_ROWS_MAX,
                bytes_max: STEP_BYTES_MAX,
            };
            let mut judged = Vec::new();
            let next = self.look("secret", |tx, keys| {
                tx.walk_secrets(step, |walked| {
                    let organization = walked.organization.clone();
                    judge(tx, keys, walked).map(|judgement| judged.push((organization, judgement)))
                })
            })?;
            for (organization, judgement) in judged {
                match judgement {
                    Ok(key_id) => self.held.count(&organization, &key_id),
                    Err(fault) => self.faults.add(fault),
                }
            }
            match next.flatten() {
                None => break,
                Some(next) if next <= after => {
                    self.faults.add(Fault::Order);
                    break;
                }
                Some(next) => after = next,
            }
        }
        self.lost()
    }

    fn lost(&mut self) -> Result<(), StorageError> {
        let names = self.held.organizations.iter().map(|organization| organization.name.clone());
        for organization in names.collect::<Vec<_>>() {
            let lost = self.look("audit", |tx, _| tx.names_lost(&organization, FAULTS_MAX))?;
            for name in lost.unwrap_or_default() {
                let organization = organization.clone();
                let how = SecretFault::Gone;
                self.faults.add(Fault::Secret { organization, name, how });
            }
        }
        Ok(())
    }

    /// Codes tell what a row says, and not whether it is still to be there: the trail does.
    pub(super) fn people(&mut self) -> Result<(), StorageError> {
        let names = self.held.organizations.iter().map(|organization| organization.name.clone());
        for organization in names.collect::<Vec<_>>() {
            let astray = self.look("audit", |tx, _| tx.people_astray(&organization, FAULTS_MAX))?;
            for (subject, is_there) in astray.unwrap_or_default() {
                let how = if is_there { PersonFault::Unvouched } else { PersonFault::Gone };
                let organization = organization.clone();
                self.faults.add(Fault::Person { organization, subject, how });
            }
        }
        Ok(())
    }

    pub(super) fn salts(&mut self) -> Result<(), StorageError> {
        let slots = self.look("salt", |tx, _| tx.slots_not_overwritten(FAULTS_MAX))?;
        for slot in slots.unwrap_or_default() {
            self.faults.add(Fault::Salt { slot });
        }
        Ok(())
    }
}

fn judge(tx: &Transaction<'_>, keys: &Keys, walked: Walked) -> Result<Judgement, StorageError> {
    let Walked { organization, name, row } = walked;
    let judged = match row {
        Some(row) => judge_row(tx, keys, &organization, &name, row)?,
        None => Err(SecretFault::Altered),
    };
    Ok(judged.map_err(|how| Fault::Secret { organization, name, how }))
}

fn judge_row(
    tx: &Transaction<'_>,
    keys: &Keys,
    organization: &str,
    name: &str,
    row: SealedRow,
) -> Result<Result<Vec<u8>, SecretFault>, StorageError> {
    let key_id = row.columns.key_id.clone();
    if keys.master.find(&key_id).is_none() {
        return Ok(Err(SecretFault::KeyUnknown { key_id }));
    }
    let anchor = tx.anchor(organization, name)?;
    if anchor.is_none() {
        return Ok(Err(SecretFault::Unvouched));
    }
    let entry = Entry { row: Some(row), anchor };
    Ok(match keys.judge(tx, entry, organization, name)? {
        State::Present { .. } => Ok(key_id),
        State::Absent { .. } | State::Damaged { .. } => Err(SecretFault::Altered),
    })
}
