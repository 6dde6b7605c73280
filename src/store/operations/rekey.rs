//! Seals everything under a new master key, a few rows at a time, while the store is used. Whenever
//! it is ended, the next run goes on: both keys are in the source until nothing is left under the
//! old one. Versions, times and authors stay as they are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::name::OrgName;
use crate::store::audit::{Action, Outcome};
use crate::store::keyring::Keyring;
use crate::store::lock::DirectoryLock;
use crate::store::master_key::{self, MasterKeySource};
use crate::store::operations::{Opened, OperationError, RekeyError, Site};
use crate::store::permission::Principal;
use crate::store::seal::{self, Columns, Key, MasterKey, SealedRow, shown_id};
use crate::store::service::{Caller, Desk, Keys, Said};
use crate::store::storage::StorageError;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::walk::{Cursor, Step};
use crate::sys;

/// Secrets that are sealed in one transaction, and the bytes of their values: other writers wait
/// for it.
const BATCH_ROWS_MAX: usize = 128;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Damaged secrets that are named.
const NAMED_MAX: usize = 20;

/// What was done.
#[derive(Debug)]
pub struct Rekeyed {
    pub secrets: u64,
    /// The start of the new key's id.
    pub key: String,
    pub old: OldKey,
}

/// What became of the old key.
#[derive(Debug)]
pub enum OldKey {
    /// The file holds the new one alone.
    Gone { path: PathBuf },
    /// The source still gives it, and it is no longer needed for this store.
    MayGo { source: String },
}

pub fn rekey(site: Site<'_>) -> Result<Rekeyed, OperationError> {
    let lock = site.lock()?;
    let mut opened = site.open()?;
    let source = Source { site, lock: &lock };
    let given = source.both_keys(&mut opened)?;
    let new = &given[0];
    begin(&mut opened, site, new)?;
    let done = reseal_all(&mut opened, new)?;
    if !done.unsealable.is_empty() {
        return Err(RekeyError::Unsealable { secrets: done.unsealable, more: done.more }.into());
    }
    retire(&mut opened, new)?;
    Ok(Rekeyed { secrets: done.secrets, key: shown_id(new.id()), old: source.drop_old(&given)? })
}

/// Where the keys come from, for as long as nobody else makes any.
struct Source<'a> {
    site: Site<'a>,
    lock: &'a DirectoryLock,
}

impl Source<'_> {
    /// The new key, then the old ones. A file with one key gets a new one before it; any other
    /// source has to give both by itself.
    fn both_keys(&self, opened: &mut Opened) -> Result<Vec<MasterKey>, OperationError> {
        let source = self.site.master_key;
        let given = source.read()?;
        refuse_unknown(opened, &given, source)?;
        if given.len() > 1 {
            return Ok(given);
        }
        let MasterKeySource::File(path) = source else {
            return Err(RekeyError::OneKey { source: source.shown() }.into());
        };
        let no_random = |error| OperationError::io("read", "/dev/urandom", error);
        let mut keys = vec![MasterKey::new(Key::random().map_err(no_random)?)];
        keys.extend(given);
        let failed = |error| RekeyError::KeyFile { path: path.clone(), error };
        self.replace(path, &keys)?.map_err(failed)?;
        // What is read back is what the next start will have.
        Ok(source.read()?)
    }

    /// Leaves the new key alone in a file that holds the old ones too.
    fn drop_old(&self, given: &[MasterKey]) -> Result<OldKey, OperationError> {
        let source = self.site.master_key;
        let MasterKeySource::File(path) = source else {
            return Ok(OldKey::MayGo { source: source.shown() });
        };
        let ids = |keys: &[MasterKey]| keys.iter().map(|key| *key.id()).collect::<Vec<_>>();
        if ids(&source.read()?) != ids(given) {
            return Err(RekeyError::KeyFileChanged { path: path.clone() }.into());
        }
        let failed = |error| RekeyError::OldKeyStays { path: path.clone(), error };
        self.replace(path, &given[..1])?.map_err(failed)?;
        Ok(OldKey::Gone { path: path.clone() })
    }

    fn replace(&self, path: &Path, keys: &[MasterKey]) -> Result<io::Result<()>, OperationError> {
        Ok(master_key::replace(path, keys, self.lock, self.site.deadline())?)
    }
}

/// Secrets under keys that nobody has could not be sealed anew: that is better known before.
fn refuse_unknown(
    opened: &mut Opened,
    given: &[MasterKey],
    source: &MasterKeySource,
) -> Result<(), OperationError> {
    let mut keys = opened.database.read(|tx| tx.other_keys(given[0].id()))?;
    keys.retain(|(id, _)| given.iter().all(|key| key.id() != id.as_slice()));
    match keys.is_empty() {
        true => Ok(()),
        false => Err(RekeyError::KeysUnknown { source: source.shown(), keys }.into()),
    }
}

/// Seals the ring under the new key, and puts it on record in every organization. From this
/// transaction on, whoever writes a secret seals it under the new key.
fn begin(opened: &mut Opened, site: Site<'_>, new: &MasterKey) -> Result<(), OperationError> {
    let Opened { database, keys } = opened;
    let principal = site.principal();
    let mut failed = None;
    database.write(|tx| {
        if tx.sealing_key()? == new.id() {
            return Ok(());
        }
        match Keyring::reseal(&keys.master, new, &tx.keyring()?) {
            Ok(Ok(rows)) => tx.replace_keyring(&rows)?,
            Ok(Err(seal::Damaged)) => return Err(tx.damaged("its keys do not open")),
            Err(error) => {
                failed = Some(error);
                return Ok(());
            }
        }
        record(tx, keys, &principal)
    })?;
    match failed {
        Some(error) => Err(OperationError::io("read", "/dev/urandom", error)),
        None => Ok(()),
    }
}

fn record(
    tx: &Transaction<'_>,
    keys: &Arc<Keys>,
    principal: &Principal,
) -> Result<(), StorageError> {
    let mut desk = Desk::forgetful(Arc::clone(keys));
    for name in tx.organization_names()? {
        // A name that is none was not written by this program: `verify` tells of it.
        let Ok(organization) = OrgName::parse(&name) else { continue };
        let caller = Caller { principal: principal.clone(), organization, client: None };
        desk.record(tx, &caller, Said::new(Action::Rekey, Outcome::Ok))?;
    }
    Ok(())
}

/// What all batches did together.
#[derive(Default)]
struct Done {
    secrets: u64,
    unsealable: Vec<(String, String)>,
    more: u64,
}

fn reseal_all(opened: &mut Opened, new: &MasterKey) -> Result<Done, OperationError> {
    let mut done = Done::default();
    let mut after = Cursor::default();
    loop {
        let begun = Instant::now();
        let next = reseal_batch(opened, new, &after, &mut done)?;
        match next {
            Some(next) if next > after => after = next,
            _ => break,
        }
        // Others wait by looking again once in a while: half of the time is theirs.
        thread::sleep(begun.elapsed());
    }
    Ok(done)
}

/// Seals the next few secrets anew, each with a fresh salt in the place of the old one.
fn reseal_batch(
    opened: &mut Opened,
    new: &MasterKey,
    after: &Cursor,
    done: &mut Done,
) -> Result<Option<Cursor>, OperationError> {
    let Opened { database, keys } = opened;
    let step = Step {
        after,
        not_under: Some(new.id()),
        rows_max: BATCH_ROWS_MAX,
        bytes_max: BATCH_BYTES_MAX,
    };
    let no_random = |error| OperationError::io("read", "/dev/urandom", error);
    let mut salts = Vec::with_capacity(BATCH_ROWS_MAX);
    for _ in 0..BATCH_ROWS_MAX {
        salts.push(sys::random().map_err(no_random)?);
    }
    let (mut sealed, mut unsealable) = (0, Vec::new());
    let next = database.write(|tx| {
        let mut rows = Vec::new();
        let next = tx.walk_secrets(step, |walked| {
            match walked.row {
                Some(row) => rows.push(row),
                None => unsealable.push((walked.organization, walked.name)),
            }
            Ok(())
        })?;
        for row in rows {
            let salt = salts.pop().expect("there is one for each row of a batch");
            let name = (row.columns.organization.clone(), row.columns.name.clone());
            match reseal(keys, new, row, salt) {
                Some(row) => {
                    tx.put(&row)?;
                    sealed += 1;
                }
                None => unsealable.push(name),
            }
        }
        Ok(next)
    })?;
    done.secrets += sealed;
    for name in unsealable {
        match done.unsealable.len() < NAMED_MAX {
            true => done.unsealable.push(name),
            false => done.more += 1,
        }
    }
    Ok(next)
}

fn reseal(
    keys: &Keys,
    new: &MasterKey,
    row: SealedRow,
    salt: [u8; seal::SALT_BYTES],
) -> Option<SealedRow> {
    let old = keys.master.find(&row.columns.key_id)?;
    let value = seal::open(&old, &row).ok()?;
    let columns = Columns { key_id: new.id().to_vec(), ..row.columns };
    Some(seal::seal(new, columns, salt, &value))
}

/// Sees to it that nothing in the files is under the old key any more, the journal included.
fn retire(opened: &mut Opened, new: &MasterKey) -> Result<(), OperationError> {
    let database = &mut opened.database;
    let left = database.read(|tx| tx.other_keys(new.id()))?;
    if !left.is_empty() {
        // No writer of this program does that: it asks which key is the store's.
        let source = "the key that is the store's by now".to_owned();
        return Err(RekeyError::KeysUnknown { source, keys: left }.into());
    }
    match database.purge_within(database.wait_max())? {
        true => Ok(()),
        false => Err(RekeyError::InUse { database: database.path().to_owned() }.into()),
    }
}
