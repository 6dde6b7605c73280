//! Principal and operation in, outcome out: each operation is one transaction with one audit record
//! in it. It speaks no HTTP, and it knows neither status codes nor SQL.

mod change;
mod list;
mod resolve;

use std::io;

use jiff::Timestamp;

use crate::name::{OrgName, SecretName, WorkloadName};
use crate::secret::Secret;
use crate::store::audit::{self, Action, Broken, GENESIS, Named, Outcome, Record, Verifier};
use crate::store::keyring::Keyring;
use crate::store::permission::{Operation, Principal, authorize};
use crate::store::seal::{self, MasterKey, SealedRow};
use crate::store::storage::sqlite::Sqlite;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{Entry, StorageError, StorageErrorKind};
use crate::wire::{Metadata, Unresolved};

pub use crate::store::service::change::{Condition, Put};
pub use crate::store::service::list::ListAsk;
pub use crate::store::service::resolve::{Resolve, ResolvedSecret};

/// Audit records that are read at a time while a chain is verified.
const VERIFY_ROWS_MAX: u32 = 1000;

/// The operations, over one database.
pub struct Service {
    database: Sqlite,
    keys: Keys,
}

/// The open keys; what judges a row.
struct Keys {
    master: MasterKey,
    ring: Keyring,
}

/// Who asks, where, and from which address.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub principal: &'a Principal,
    pub organization: &'a OrgName,
    pub client: Option<&'a str>,
}

/// Why an operation was not done.
#[derive(Debug)]
pub enum Refusal {
    NoOrganization(OrgName),
    /// The principal may not do this here.
    Forbidden,
    Unresolved(Vec<Unresolved>),
    NoSecret(SecretName),
    /// A condition did not hold; the version that is there, if one is.
    Precondition {
        name: SecretName,
        current: Option<i64>,
    },
    /// An empty value, and nothing said that it is meant.
    EmptyValue(SecretName),
    LongValue {
        name: SecretName,
        bytes: usize,
    },
    /// What is stored of these is not what was written.
    Damaged(Vec<Damage>),
    OrganizationDamaged(OrgName),
    /// The change is made, but a reader keeps the old value in the journal.
    Unpurged(SecretName),
    /// The kernel gave no random bytes.
    NoRandom(io::Error),
    Storage(StorageError),
}

/// What is so of one name.
enum State {
    /// The last version is the one that was deleted, where there was one.
    Absent {
        last_version: Option<i64>,
    },
    Present {
        row: Box<SealedRow>,
        value: Secret,
    },
    /// The last version is known where the audit trail still vouches for it.
    Damaged {
        last_version: Option<i64>,
    },
}

/// A secret that is not as it was written.
#[derive(Debug)]
pub struct Damage {
    pub name: SecretName,
    /// Whether it can be deleted: the audit trail still vouches for its last version.
    pub deletable: bool,
}

/// What a record says besides who, where and when.
struct Said<'a> {
    action: Action,
    outcome: Outcome,
    secrets: Vec<Named>,
    /// The secret that this changed.
    changed: Option<&'a SecretName>,
    workload: Option<&'a WorkloadName>,
}

impl Service {
    pub fn new(database: Sqlite, master: MasterKey, ring: Keyring) -> Self {
        Self { database, keys: Keys { master, ring } }
    }

    /// Whether the database answers a read.
    pub fn answers(&mut self) -> Result<(), StorageError> {
        self.database.read(|tx| tx.head("").map(drop))
    }

    /// Walks an organization's audit chain: how many records there are, or the first bad one.
    pub fn verify_chain(
        &mut self,
        organization: &OrgName,
    ) -> Result<Result<i64, Broken>, StorageError> {
        let mut verifier = Verifier::new(&self.keys.ring.audit);
        let mut after = 0;
        self.database.read(|tx| {
            loop {
                let records = tx.records(organization.as_str(), after, VERIFY_ROWS_MAX)?;
                for chained in &records {
                    if let Err(broken) = verifier.step(chained) {
                        return Ok(Err(broken));
                    }
                    after = chained.record.sequence;
                }
                if records.len() < VERIFY_ROWS_MAX as usize {
                    return Ok(Ok(after));
                }
            }
        })
    }
}

impl Keys {
    /// Reads and judges one name. A row that SQLite cannot even read is damaged too.
    fn state(&self, tx: &Transaction<'_>, organization: &str, name: &str) -> Judged<State> {
        match tx.entry(organization, name) {
            Ok(entry) => Ok(self.judge(entry, organization, name)),
            Err(error) if error.kind == StorageErrorKind::Damaged => {
                Ok(State::Damaged { last_version: None })
            }
            Err(error) => Err(error),
        }
    }

    /// A row counts only if it opens, stands under its own name, and is the version that the last
    /// record of its name says; none counts as absent only if that record says so too.
    fn judge(&self, entry: Entry, organization: &str, name: &str) -> State {
        let anchor = entry.anchor.as_ref();
        if anchor.is_some_and(|anchor| !anchor.holds(&self.ring.audit, organization, name)) {
            return State::Damaged { last_version: None };
        }
        let last_version = anchor.map(|anchor| anchor.version());
        let live = anchor.is_some_and(|anchor| !anchor.is_delete());
        let damaged = State::Damaged { last_version: Some(last_version.unwrap_or(0)) };
        let Some(row) = entry.row else {
            return if live { damaged } else { State::Absent { last_version } };
        };
        let stands = live
            && Some(row.columns.version) == last_version
            && row.columns.organization == organization
            && row.columns.name == name;
        match seal::open(&self.master, &row) {
            Ok(value) if stands => State::Present { row: Box::new(row), value },
            _ => damaged,
        }
    }

    /// Whether the organization is there, as it was made.
    fn organization(&self, tx: &Transaction<'_>, name: &OrgName) -> Judged<Result<(), Refusal>> {
        let Some(row) = tx.organization(name.as_str())? else {
            // One with a trail was there: its row did not go by this program's hand.
            let trail = tx.head(name.as_str())?.is_some();
            let damaged = Refusal::OrganizationDamaged(name.clone());
            return Ok(Err(if trail { damaged } else { Refusal::NoOrganization(name.clone()) }));
        };
        let sound = row.name == name.as_str()
            && seal::row_code_holds(&self.ring.row, &row.bound(), &row.code);
        Ok(if sound { Ok(()) } else { Err(Refusal::OrganizationDamaged(name.clone())) })
    }

    /// Appends the one record of a request. The head is read in this same transaction, for other
    /// processes append too.
    fn record(&self, tx: &Transaction<'_>, caller: Caller<'_>, said: Said<'_>) -> Judged<()> {
        let organization = caller.organization.as_str();
        let (last, previous) = tx.head(organization)?.unwrap_or_else(|| (0, GENESIS.to_vec()));
        let sequence = last.checked_add(1).ok_or_else(|| tx.damaged(NO_NEXT))?;
        let record = Record {
            organization: organization.to_owned(),
            sequence,
            at: now(),
            actor: caller.principal.actor(),
            action: said.action.as_str().to_owned(),
            name: said.changed.map(|name| name.as_str().to_owned()),
            secrets: serde_json::to_string(&said.secrets).expect("names and numbers are JSON"),
            workload: said.workload.map(|workload| workload.as_str().to_owned()),
            client: caller.client.map(str::to_owned),
            outcome: said.outcome.as_str().to_owned(),
        };
        tx.append(&record, &audit::code(&self.ring.audit, &previous, &record))
    }
}

/// Said of a number that only a hand can have written.
const NO_NEXT: &str = "a version or sequence has no next one";

/// What needs the database to answer; its failure ends the transaction.
type Judged<T> = Result<T, StorageError>;

impl Caller<'_> {
    fn may(&self, operation: Operation, name: Option<&SecretName>) -> bool {
        authorize(self.principal, operation, self.organization, name)
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Milliseconds since 1970 in UTC.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn metadata(row: &SealedRow) -> Metadata {
    let columns = &row.columns;
    Metadata {
        name: columns.name.clone(),
        version: u64::try_from(columns.version).ok(),
        created_at: Timestamp::from_millisecond(columns.created_at).ok(),
        created_by: Some(columns.created_by.clone()),
        updated_at: Timestamp::from_millisecond(columns.updated_at).ok(),
        updated_by: Some(columns.updated_by.clone()),
        damaged: false,
        hint: None,
        workloads: None,
    }
}
