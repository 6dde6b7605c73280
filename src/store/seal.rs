//! Seals and opens values, and derives the keys for it. It is pure: it reads no file and no clock,
//! and it decides nothing. Each function says its formula and where that comes from.

use std::io;

use aes::Aes256Enc;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{AesGcm, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::secret::Secret;
use crate::store::canonical::Canonical;
use crate::sys;

pub const KEY_BYTES: usize = 32;
pub const SALT_BYTES: usize = 32;
pub const KEY_ID_BYTES: usize = 16;
/// The form of the rows written now; a row says its own.
pub const FORMAT: i64 = 1;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// 256 bits that open or authenticate something; wiped when dropped, shown by nothing.
pub struct Key([u8; KEY_BYTES]);

/// A key that authenticates, with what every code under it begins with done already.
pub struct MacKey(Hmac<Sha256>);

/// The key under which all others stand.
pub struct MasterKey {
    key: Key,
    id: [u8; KEY_ID_BYTES],
}

/// One stored version of a secret: what the columns say, and the sealed value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedRow {
    pub columns: Columns,
    pub salt: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// Every column but the salt and the value; all of it is bound to the value.
/// Times are milliseconds since 1970 in UTC.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Columns {
    pub format: i64,
    pub organization: String,
    pub id: Vec<u8>,
    pub name: String,
    pub version: i64,
    pub created_at: i64,
    pub created_by: String,
    pub updated_at: i64,
    pub updated_by: String,
    pub key_id: Vec<u8>,
    /// Where the salt is kept.
    pub slot: i64,
}

/// What is there is not what was sealed.
#[derive(Debug, Eq, PartialEq)]
pub struct Damaged;

/// Seals one version of a value under a key that is used once (see [`once`]).
pub fn seal(
    master: &MasterKey,
    columns: Columns,
    salt: [u8; SALT_BYTES],
    value: &Secret,
) -> SealedRow {
    let context = secret_context(&columns.organization);
    let sealed =
        seal_bytes(master, &salt, &context, columns.bound().as_bytes(), value.expose_secret());
    SealedRow { columns, salt: salt.to_vec(), sealed }
}

/// The value of a row, if not one bit of any column differs from what was sealed.
pub fn open(master: &MasterKey, row: &SealedRow) -> Result<Secret, Damaged> {
    if row.columns.format != FORMAT || row.columns.key_id != master.id {
        return Err(Damaged);
    }
    let context = secret_context(&row.columns.organization);
    open_bytes(master, &row.salt, &context, row.columns.bound().as_bytes(), &row.sealed)
}

/// Opens one row again and again.
pub struct Opener {
    cipher: Cipher,
    nonce: Nonce<U12>,
    bound: Canonical,
}

impl Opener {
    pub fn new(master: &MasterKey, row: &SealedRow) -> Self {
        let once = once(master, &row.salt, &secret_context(&row.columns.organization));
        let (cipher, nonce) = cipher(&once);
        Self { cipher, nonce, bound: row.columns.bound() }
    }

    /// The value of the row that this was made for.
    pub fn open(&self, row: &SealedRow) -> Result<Secret, Damaged> {
        decrypt(&self.cipher, &self.nonce, self.bound.as_bytes(), &row.sealed)
    }
}

/// AES-256-GCM (NIST SP 800-38D) of `plain` with its 16 byte tag behind it, `bound` as associated
/// data, under the key and nonce of [`once`].
pub fn seal_bytes(
    master: &MasterKey,
    salt: &[u8; SALT_BYTES],
    context: &[u8],
    bound: &[u8],
    plain: &[u8],
) -> Vec<u8> {
    // The room for the tag is there from the start: growing would leave a copy of the value behind.
    let mut buffer = Vec::with_capacity(plain.len() + TAG_BYTES);
    buffer.extend_from_slice(plain);
    let once = once(master, salt, context);
    encrypt(&once, bound, &mut buffer);
    buffer
}

/// The inverse of [`seal_bytes`].
pub fn open_bytes(
    master: &MasterKey,
    salt: &[u8],
    context: &[u8],
    bound: &[u8],
    sealed: &[u8],
) -> Result<Secret, Damaged> {
    if salt.len() != SALT_BYTES {
        return Err(Damaged);
    }
    let (cipher, nonce) = cipher(&once(master, salt, context));
    decrypt(&cipher, &nonce, bound, sealed)
}

/// HMAC-SHA256 (RFC 2104) of a row that holds no value: organization, member, token.
pub fn row_code(key: &MacKey, row: &Canonical) -> [u8; 32] {
    key.over(row.as_bytes()).finalize().into_bytes().into()
}

/// Whether `code` is the row's; compared in constant time.
pub fn row_code_holds(key: &MacKey, row: &Canonical, code: &[u8]) -> bool {
    key.over(row.as_bytes()).verify_slice(code).is_ok()
}

impl Key {
    /// A key from the kernel's random source.
    pub fn random() -> io::Result<Self> {
        Ok(Self(sys::random()?))
    }

    /// `None` if these are not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn expose_secret(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Key {}

impl MacKey {
    pub fn new(key: &Key) -> Self {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key.0);
        Self(mac.expect("HMAC takes a key of any length"))
    }

    /// HMAC-SHA256 (RFC 2104), begun with these bytes.
    pub fn over(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac
    }
}

impl MasterKey {
    /// The id is the first 16 bytes of HMAC-SHA256(key, label): it tells keys apart and says
    /// nothing of the key.
    pub fn new(key: Key) -> Self {
        let code = row_code(&MacKey::new(&key), &Canonical::new("inject/key-id/v1"));
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&code[..KEY_ID_BYTES]);
        Self { key, id }
    }

    pub fn id(&self) -> &[u8; KEY_ID_BYTES] {
        &self.id
    }

    pub fn expose_secret(&self) -> &[u8; KEY_BYTES] {
        self.key.expose_secret()
    }
}

/// The first four bytes of a key's id, in hex: enough to tell two keys apart.
pub fn shown_id(id: &[u8]) -> String {
    id.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

impl Columns {
    /// Every column, for the associated data.
    fn bound(&self) -> Canonical {
        Canonical::new("inject/secret/v1")
            .number(self.format)
            .text(&self.organization)
            .bytes(&self.id)
            .text(&self.name)
            .number(self.version)
            .number(self.created_at)
            .text(&self.created_by)
            .number(self.updated_at)
            .text(&self.updated_by)
            .bytes(&self.key_id)
            .number(self.slot)
    }
}

/// A key and a nonce that are used for one message.
type Once = Zeroizing<[u8; KEY_BYTES + NONCE_BYTES]>;

/// GCM only ever encrypts blocks: the other half of AES's key schedule is not made.
type Cipher = AesGcm<Aes256Enc, U12>;

fn secret_context(organization: &str) -> Vec<u8> {
    [b"inject/secret/v1", organization.as_bytes()].concat()
}

/// HKDF-SHA256 (RFC 5869): extract with the row's salt from the master key, expand with the context
/// to 44 bytes, 32 of them the key and 12 the nonce. The salt is random and fresh for each version,
/// so no pair of key and nonce is ever used twice.
fn once(master: &MasterKey, salt: &[u8], context: &[u8]) -> Once {
    let mut bytes = Once::new([0; KEY_BYTES + NONCE_BYTES]);
    derive(master.key.expose_secret(), salt, context, bytes.as_mut_slice());
    bytes
}

fn derive(input: &[u8], salt: &[u8], context: &[u8], out: &mut [u8]) {
    Hkdf::<Sha256>::new(Some(salt), input)
        .expand(context, out)
        .expect("HKDF-SHA256 gives up to 8,160 bytes");
}

fn encrypt(once: &Once, bound: &[u8], buffer: &mut Vec<u8>) {
    let (cipher, nonce) = cipher(once);
    cipher.encrypt_in_place(&nonce, bound, buffer).expect("a value is far below 64 GiB");
}

fn decrypt(
    cipher: &Cipher,
    nonce: &Nonce<U12>,
    bound: &[u8],
    sealed: &[u8],
) -> Result<Secret, Damaged> {
    let mut buffer = sealed.to_vec();
    cipher.decrypt_in_place(nonce, bound, &mut buffer).map_err(|_| Damaged)?;
    Ok(Secret::new(buffer))
}

fn cipher(once: &Once) -> (Cipher, Nonce<U12>) {
    let (key, nonce) = once.split_at(KEY_BYTES);
    let cipher = Cipher::new_from_slice(key).expect("32 bytes are a key");
    (cipher, Nonce::try_from(nonce).expect("12 bytes are a nonce"))
}

#[cfg(test)]
mod tests;
