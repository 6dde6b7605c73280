//! The random keys that are made once and kept sealed under the master key: so a new master key
//! leaves audit chains, token hashes and row codes valid. It reads no file and no database.

use std::io;

use crate::secret::Secret;
use crate::store::canonical::Canonical;
use crate::store::master_keys::MasterKeys;
use crate::store::seal::{self, Damaged, FORMAT, Key, MacKey, MasterKey};
use crate::sys;

/// What a key of the ring is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Chains the audit records.
    Audit,
    /// Authenticates rows that hold no value.
    Row,
    /// Hashes tokens.
    Token,
}

/// The keys that the operations use.
pub struct Keyring {
    pub audit: MacKey,
    pub row: MacKey,
    pub token: MacKey,
}

/// One sealed key, as stored. Times are milliseconds since 1970 in UTC.
#[derive(Clone, Debug)]
pub struct KeyringRow {
    pub purpose: String,
    pub format: i64,
    pub created_at: i64,
    pub key_id: Vec<u8>,
    pub salt: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// Why the ring does not open.
#[derive(Debug, Eq, PartialEq)]
pub enum RingError {
    /// It was sealed under a master key with this id.
    WrongKey {
        sealed_under: Vec<u8>,
    },
    Damaged,
}

impl Keyring {
    /// How many keys it has.
    pub const KEYS: usize = Purpose::ALL.len();

    /// Three fresh keys, sealed.
    pub fn make(master: &MasterKey, now: i64) -> io::Result<Vec<KeyringRow>> {
        let make = |purpose: &Purpose| seal_one(master, *purpose, now, &Key::random()?);
        Purpose::ALL.iter().map(make).collect()
    }

    /// Opens every key, so that damage shows before anything is written.
    pub fn open(master: &MasterKeys, rows: &[KeyringRow]) -> Result<Self, RingError> {
        // A single row under another key is damage; all of them are another store's.
        if let Some(first) = rows.first()
            && rows.iter().all(|row| row.key_id == first.key_id)
            && master.find(&first.key_id).is_none()
        {
            return Err(RingError::WrongKey { sealed_under: first.key_id.clone() });
        }
        let key = |purpose| {
            let key = open_one(master, rows, purpose).map_err(|_| RingError::Damaged)?;
            Ok(MacKey::new(&key))
        };
        let (audit, row, token) = (key(Purpose::Audit)?, key(Purpose::Row)?, key(Purpose::Token)?);
        Ok(Self { audit, row, token })
    }

    /// The same keys, sealed under another master key with fresh salts.
    pub fn reseal(
        master: &MasterKeys,
        new: &MasterKey,
        rows: &[KeyringRow],
    ) -> io::Result<Result<Vec<KeyringRow>, Damaged>> {
        let mut resealed = Vec::with_capacity(rows.len());
        for purpose in Purpose::ALL {
            let (Ok(row), Ok(key)) = (find(rows, purpose), open_one(master, rows, purpose)) else {
                return Ok(Err(Damaged));
            };
            resealed.push(seal_one(new, purpose, row.created_at, &key)?);
        }
        Ok(Ok(resealed))
    }
}

impl Purpose {
    const ALL: [Self; 3] = [Self::Audit, Self::Row, Self::Token];

    fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Row => "row",
            Self::Token => "token",
        }
    }
}

impl KeyringRow {
    fn bound(&self) -> Canonical {
        Canonical::new("inject/keyring/v1")
            .number(self.format)
            .text(&self.purpose)
            .number(self.created_at)
            .bytes(&self.key_id)
    }

    fn context(&self) -> Vec<u8> {
        [b"inject/keyring/v1", self.purpose.as_bytes()].concat()
    }
}

fn seal_one(
    master: &MasterKey,
    purpose: Purpose,
    created_at: i64,
    key: &Key,
) -> io::Result<KeyringRow> {
    let salt = sys::random()?;
    let mut row = KeyringRow {
        purpose: purpose.as_str().into(),
        format: FORMAT,
        created_at,
        key_id: master.id().to_vec(),
        salt: salt.to_vec(),
        sealed: Vec::new(),
    };
    let bound = row.bound();
    let plain = key.expose_secret();
    row.sealed = seal::seal_bytes(master, &salt, &row.context(), bound.as_bytes(), plain);
    Ok(row)
}

fn open_one(master: &MasterKeys, rows: &[KeyringRow], purpose: Purpose) -> Result<Key, Damaged> {
    let row = find(rows, purpose)?;
    let master = master.find(&row.key_id).ok_or(Damaged)?;
    let bound = row.bound();
    let opened: Secret =
        seal::open_bytes(&master, &row.salt, &row.context(), bound.as_bytes(), &row.sealed)?;
    Key::from_bytes(opened.expose_secret()).ok_or(Damaged)
}

fn find(rows: &[KeyringRow], purpose: Purpose) -> Result<&KeyringRow, Damaged> {
    rows.iter().find(|row| row.purpose == purpose.as_str()).ok_or(Damaged)
}
