//! What answers inside a transaction: the keys that judge a row, and what is known already. What is
//! known holds as long as nobody else has written, which each transaction asks first; what a
//! transaction that was rolled back has learned is forgotten.

use std::hash::Hash;
use std::sync::Arc;

use crate::name::{OrgName, SecretName, TokenId};
use crate::secret::Secret;
use crate::store::audit::{self, Action, GENESIS, NamedList, Outcome, Record, subject};
use crate::store::hashing::Names;
use crate::store::keyring::Keyring;
use crate::store::master_keys::MasterKeys;
use crate::store::permission::Bearer;
use crate::store::seal::{self, SealedRow};
use crate::store::service::sealing::JudgedRow;
use crate::store::service::{Caller, Judged, NO_NEXT, Refusal, now};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{Entry, MemberRow, StorageErrorKind, TokenRow};

/// Sealed rows that are kept to be opened again, in bytes with what is around them.
const KNOWN_ROW_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries of each other kind that are kept.
const KNOWN_MAX: usize = 10_000;
/// What workloads resolved last, of all organizations together.
const KNOWN_USAGE_MAX: usize = 200_000;

/// The open keys; what judges a row.
pub struct Keys {
    pub master: MasterKeys,
    pub ring: Keyring,
}

/// What a transaction works with. One that is not to remember anything asks the database each time.
pub struct Desk {
    pub keys: Arc<Keys>,
    known: Option<Known>,
    /// When the transaction began, in milliseconds since 1970.
    pub(super) at: i64,
    /// Records that were appended since they were counted last.
    appended: u64,
}

/// What was read and judged, and is so as long as nobody else writes.
#[derive(Default)]
struct Known {
    data_version: i64,
    organizations: Names<OrgName, KnownOrg>,
    tokens: Names<TokenId, Arc<KnownToken>>,
    row_bytes: usize,
    usage_entries: usize,
}

/// What is known of a sound organization.
struct KnownOrg {
    head: Head,
    rows: Names<SecretName, Arc<JudgedRow>>,
    /// By workload and secret: the version that was resolved last, and when.
    usage: Names<Box<str>, Names<SecretName, (i64, i64)>>,
}

/// The last record of an organization's chain.
struct Head {
    sequence: i64,
    code: Vec<u8>,
}

/// A token that was judged, and what it is worth.
pub struct KnownToken {
    pub hash: Vec<u8>,
    pub expires_at: Option<i64>,
    pub network: Option<ipnet::IpNet>,
    pub bearer: Arc<Bearer>,
}

/// What is so of one name.
pub enum State {
    /// The last version is the one that was deleted, where there was one.
    Absent { last_version: Option<i64> },
    /// The value is there where it had to be opened to judge the row.
    Present { row: Arc<JudgedRow>, value: Option<Secret> },
    /// The last version is known where the audit trail still vouches for it.
    Damaged { last_version: Option<i64> },
}

/// What a record says besides who, where and when.
pub struct Said {
    pub action: Action,
    pub outcome: Outcome,
    pub secrets: NamedList,
    /// What this changed, as the record's `subject`.
    pub changed: Option<String>,
    pub detail: Option<String>,
    pub workload: Option<String>,
}

impl Said {
    pub fn new(action: Action, outcome: Outcome) -> Self {
        let (secrets, changed, detail, workload) = (NamedList::new(), None, None, None);
        Self { action, outcome, secrets, changed, detail, workload }
    }
}

impl Desk {
    /// For a process that does one thing and ends.
    pub fn forgetful(keys: Arc<Keys>) -> Self {
        Self { keys, known: None, at: now(), appended: 0 }
    }

    /// For one that does many.
    pub fn remembering(keys: Arc<Keys>) -> Self {
        Self { keys, known: Some(Known::default()), at: now(), appended: 0 }
    }

    /// At the start of each transaction: what another connection may have changed is forgotten.
    pub fn begin(&mut self, tx: &Transaction<'_>) -> Judged<()> {
        self.at = now();
        if let Some(known) = &mut self.known {
            let data_version = tx.data_version()?;
            if known.data_version != data_version {
                *known = Known { data_version, ..Known::default() };
            }
        }
        Ok(())
    }

    /// How many records a transaction appended.
    pub fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.appended)
    }

    /// What a transaction has learned that did not happen.
    pub fn forget(&mut self) {
        self.appended = 0;
        if let Some(known) = &mut self.known {
            *known = Known::default();
        }
    }

    /// After a change of members or tokens.
    pub fn forget_people(&mut self) {
        if let Some(known) = &mut self.known {
            known.tokens.clear();
        }
    }

    pub fn known_token(&self, id: &TokenId) -> Option<Arc<KnownToken>> {
        self.known.as_ref()?.tokens.get(id).cloned()
    }

    pub fn learn_token(&mut self, id: &TokenId, token: &Arc<KnownToken>) {
        if let Some(known) = &mut self.known {
            make_room(&mut known.tokens);
            known.tokens.insert(id.clone(), Arc::clone(token));
        }
    }

    /// Whether the organization is there, as it was made.
    pub fn organization(
        &mut self,
        tx: &Transaction<'_>,
        name: &OrgName,
    ) -> Judged<Result<(), Refusal>> {
        if self.known_org(name).is_some() {
            return Ok(Ok(()));
        }
        let Some(row) = tx.organization(name.as_str())? else {
            // One with a trail was there: its row did not go by this program's hand.
            let trail = tx.head(name.as_str())?.is_some();
            let damaged = Refusal::OrganizationDamaged(name.clone());
            return Ok(Err(if trail { damaged } else { Refusal::NoOrganization(name.clone()) }));
        };
        let sound = row.name == name.as_str()
            && seal::row_code_holds(&self.keys.ring.row, &row.bound(), &row.code);
        if !sound {
            return Ok(Err(Refusal::OrganizationDamaged(name.clone())));
        }
        if let Some(known) = &mut self.known {
            let head = head(tx, name)?;
            if known.organizations.len() >= KNOWN_MAX {
                known.organizations.clear();
                known.row_bytes = 0;
                known.usage_entries = 0;
            }
            let org = KnownOrg { head, rows: Names::default(), usage: Names::default() };
            known.organizations.insert(name.clone(), org);
        }
        Ok(Ok(()))
    }

    /// Reads and judges one name. A row that SQLite cannot even read is damaged too.
    pub fn state(
        &mut self,
        tx: &Transaction<'_>,
        organization: &OrgName,
        name: &SecretName,
    ) -> Judged<State> {
        if let Some(row) = self.known_org(organization).and_then(|org| org.rows.get(name)) {
            return Ok(State::Present { row: Arc::clone(row), value: None });
        }
        let state = match tx.entry(organization.as_str(), name.as_str()) {
            Ok(entry) => self.keys.judge(tx, entry, organization.as_str(), name.as_str())?,
            Err(error) if error.kind == StorageErrorKind::Damaged => {
                State::Damaged { last_version: None }
            }
            Err(error) => return Err(error),
        };
        let (Some(known), State::Present { row, .. }) = (&mut self.known, &state) else {
            return Ok(state);
        };
        known.learn_row(organization, name, row);
        // Many answers may wait for one transaction: each value is opened when its turn comes.
        Ok(State::Present { row: Arc::clone(row), value: None })
    }

    /// After a change of this name.
    pub fn forget_row(&mut self, organization: &OrgName, name: &SecretName) {
        let Some(known) = &mut self.known else { return };
        let org = known.organizations.get_mut(organization);
        if let Some(row) = org.and_then(|org| org.rows.remove(name)) {
            known.row_bytes -= row_bytes(&row);
        }
    }

    /// Which versions this workload had last, and when, as far as that is known.
    pub fn known_usage(
        &self,
        organization: &OrgName,
        workload: &str,
    ) -> Option<&Names<SecretName, (i64, i64)>> {
        self.known_org(organization)?.usage.get(workload)
    }

    pub fn learn_usage(
        &mut self,
        organization: &OrgName,
        workload: &str,
        name: &str,
        usage: (i64, i64),
    ) {
        let (Some(known), Ok(name)) = (&mut self.known, SecretName::parse(name)) else { return };
        let Some(org) = known.organizations.get_mut(organization) else { return };
        if !org.usage.contains_key(workload) {
            make_room(&mut org.usage);
            org.usage.insert(workload.into(), Names::default());
        }
        let used = org.usage.get_mut(workload).expect("it was put there now");
        if used.insert(name, usage).is_none() {
            known.usage_entries += 1;
        }
        if known.usage_entries > KNOWN_USAGE_MAX {
            known.organizations.values_mut().for_each(|org| org.usage.clear());
            known.usage_entries = 0;
        }
    }

    /// Appends the one record of a request, and says its sequence. The head is of this same
    /// transaction, for other processes append too.
    pub fn record(&mut self, tx: &Transaction<'_>, caller: &Caller, said: Said) -> Judged<i64> {
        let organization = &caller.organization;
        let read;
        let last = match self.known_org(organization) {
            Some(known) => &known.head,
            None => {
                read = head(tx, organization)?;
                &read
            }
        };
        let sequence = last.sequence.checked_add(1).ok_or_else(|| tx.damaged(NO_NEXT))?;
        let record = Record {
            organization: organization.as_str().to_owned(),
            sequence,
            at: self.at,
            actor: caller.principal.actor(),
            action: said.action.as_str().to_owned(),
            subject: said.changed,
            secrets: said.secrets.finish(),
            detail: said.detail,
            workload: said.workload,
            client: caller.client.clone(),
            outcome: said.outcome.as_str().to_owned(),
        };
        let code = audit::code(&self.keys.ring.audit, &last.code, &record);
        tx.append(&record, &code)?;
        self.appended += 1;
        if let Some(known) = &mut self.known
            && let Some(org) = known.organizations.get_mut(organization)
        {
            org.head.sequence = sequence;
            org.head.code.clear();
            org.head.code.extend_from_slice(&code);
        }
        Ok(sequence)
    }

    fn known_org(&self, organization: &OrgName) -> Option<&KnownOrg> {
        self.known.as_ref()?.organizations.get(organization)
    }
}

impl Known {
    fn learn_row(&mut self, organization: &OrgName, name: &SecretName, row: &Arc<JudgedRow>) {
        let bytes = row_bytes(row);
        if self.row_bytes + bytes > KNOWN_ROW_BYTES_MAX {
            self.organizations.values_mut().for_each(|org| org.rows.clear());
            self.row_bytes = 0;
        }
        let Some(org) = self.organizations.get_mut(organization) else { return };
        if org.rows.insert(name.clone(), Arc::clone(row)).is_none() {
            self.row_bytes += bytes;
        }
    }
}

impl Keys {
    /// A row counts only if it opens, stands under its own name, and is the version that the last
    /// record of its name says; none counts as absent only if that record says so too.
    pub fn judge(
        &self,
        tx: &Transaction<'_>,
        entry: Entry,
        organization: &str,
        name: &str,
    ) -> Judged<State> {
        let anchor = entry.anchor.as_ref();
        if anchor.is_some_and(|anchor| !anchor.holds(&self.ring.audit, organization, name)) {
            return Ok(State::Damaged { last_version: None });
        }
        let last_version = anchor.map(|anchor| anchor.version());
        let live = anchor.is_some_and(|anchor| !anchor.is_delete());
        let damaged = State::Damaged { last_version: Some(last_version.unwrap_or(0)) };
        let Some(row) = entry.row else {
            return Ok(if live { damaged } else { State::Absent { last_version } });
        };
        let stands = live
            && Some(row.columns.version) == last_version
            && row.columns.organization == organization
            && row.columns.name == name;
        Ok(match self.open(tx, &row)? {
            Some(value) if stands => {
                State::Present { row: Arc::new(JudgedRow::new(row)), value: Some(value) }
            }
            _ => damaged,
        })
    }

    /// Whether a member's row is the one that was written last.
    pub fn member_stands(&self, tx: &Transaction<'_>, row: &MemberRow) -> Judged<bool> {
        let subject = subject::member(&row.email);
        Ok(seal::row_code_holds(&self.ring.row, &row.bound(), &row.code)
            && self.stands(tx, &row.organization, &subject, row.sequence)?)
    }

    /// The same of a token's.
    pub fn token_stands(&self, tx: &Transaction<'_>, row: &TokenRow) -> Judged<bool> {
        let subject = subject::token(&row.id);
        Ok(seal::row_code_holds(&self.ring.row, &row.bound(), &row.code)
            && self.stands(tx, &row.organization, &subject, row.sequence)?)
    }

    /// Whether a row without a value is the one that the last record of its subject made.
    fn stands(
        &self,
        tx: &Transaction<'_>,
        organization: &str,
        subject: &str,
        sequence: i64,
    ) -> Judged<bool> {
        let anchor = tx.anchor(organization, subject)?;
        Ok(anchor.is_some_and(|anchor| {
            anchor.holds(&self.ring.audit, organization, subject)
                && !anchor.is_delete()
                && anchor.sequence() == sequence
        }))
    }
}

fn head(tx: &Transaction<'_>, organization: &OrgName) -> Judged<Head> {
    let (sequence, code) = tx.head(organization.as_str())?.unwrap_or_else(|| (0, GENESIS.to_vec()));
    Ok(Head { sequence, code })
}

/// What is full is emptied: it is read again as it is needed.
fn make_room<K: Eq + Hash, V>(map: &mut Names<K, V>) {
    if map.len() >= KNOWN_MAX {
        map.clear();
    }
}

fn row_bytes(row: &SealedRow) -> usize {
    let columns = &row.columns;
    2048 + row.sealed.len() + 2 * columns.name.len() + columns.updated_by.len()
}
