//! What a token looks like, and what the store keeps of it. It reads no database and decides
//! nothing.

use std::io;

use hmac::Mac;
use zeroize::Zeroizing;

use crate::name::{TOKEN_ID_BYTES, TokenId};
use crate::secret::Secret;
use crate::store::canonical::Canonical;
use crate::store::seal::{self, MacKey};
use crate::sys;

/// Behind the public id: 32 random characters of base62, about 190 bits.
const RANDOM_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whose token it is, which its first letters say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Member,
    Workload,
}

/// A token that was shown: its id, and what is compared with what is kept.
#[derive(Clone, Debug)]
pub struct Proof {
    pub id: TokenId,
    pub kind: Kind,
    pub hash: [u8; 32],
}

/// A token that was made now. Nothing keeps it.
pub struct Made {
    pub proof: Proof,
    pub token: Secret,
}

/// `inj_m_` or `inj_w_`, the id, the random part, and their checksum, so that whoever scans for
/// lost secrets knows one from what only looks like one.
pub fn make(kind: Kind, key: &MacKey) -> io::Result<Made> {
    let mut text = Zeroizing::new(Vec::with_capacity(64));
    text.extend_from_slice(kind.prefix().as_bytes());
    push_random(&mut text, TOKEN_ID_BYTES)?;
    push_random(&mut text, RANDOM_BYTES)?;
    let sum = checksum(&text);
    text.extend_from_slice(&sum);
    let proof = read(&text, key).expect("what was made now has the form");
    Ok(Made { proof, token: Secret::new(text.to_vec()) })
}

/// `None` for what can be no token of this program: nothing is looked up for it.
pub fn read(text: &[u8], key: &MacKey) -> Option<Proof> {
    let kind = [Kind::Member, Kind::Workload].into_iter();
    let kind = kind.into_iter().find(|kind| text.starts_with(kind.prefix().as_bytes()))?;
    let rest = &text[kind.prefix().len()..];
    if rest.len() != TOKEN_ID_BYTES + RANDOM_BYTES + CHECKSUM_BYTES {
        return None;
    }
    let (body, sum) = text.split_at(text.len() - CHECKSUM_BYTES);
    if checksum(body) != sum || !rest.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let id = TokenId::parse(std::str::from_utf8(&rest[..TOKEN_ID_BYTES]).ok()?).ok()?;
    Some(Proof { id, kind, hash: hash(key, text) })
}

/// Another token of the same id, as who knows only the id would make one up.
#[cfg(test)]
pub fn forged(token: &[u8]) -> String {
    let mut text = token[..token.len() - CHECKSUM_BYTES].to_vec();
    let last = text.last_mut().expect("it is a token");
    *last = if *last == b'x' { b'y' } else { b'x' };
    let sum = checksum(&text);
    text.extend_from_slice(&sum);
    String::from_utf8(text).expect("base62 is ASCII")
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Member => "inj_m_",
            Self::Workload => "inj_w_",
        }
    }
}

/// HMAC-SHA256 (RFC 2104) of the whole token under the key that is for nothing else.
fn hash(key: &MacKey, token: &[u8]) -> [u8; 32] {
    let mut mac = key.over(Canonical::new("inject/token-hash/v1").as_bytes());
    mac.update(token);
    mac.finalize().into_bytes().into()
}

/// Characters of base62 from the kernel's random source; a byte that would favour some is dropped.
fn push_random(text: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let wanted = text.len() + count;
    while text.len() < wanted {
        let bytes: Zeroizing<[u8; seal::KEY_BYTES]> = Zeroizing::new(sys::random()?);
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let characters = fair.map(|byte| BASE62[usize::from(*byte) % 62]);
        text.extend(characters.take(wanted - text.len()));
    }
    Ok(())
}

/// What each byte does to a CRC-32.
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// CRC-32 (ISO 3309, as in gzip) in base62, six digits.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut rest = !bytes.iter().fold(u32::MAX, |crc, byte| {
        (crc >> 8) ^ CRC_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize]
    });
    let mut digits = [b'0'; CHECKSUM_BYTES];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MacKey {
        MacKey::new(&seal::Key::from_bytes(&[7; 32]).expect("32 bytes"))
    }

    #[test]
    fn what_is_made_is_read() {
        for kind in [Kind::Member, Kind::Workload] {
            let made = make(kind, &key()).expect("random bytes");
            let text = made.token.expose_secret();
            assert_eq!(text.len(), 56);
            assert!(text.starts_with(kind.prefix().as_bytes()));
            let read = read(text, &key()).expect("a token");
            assert_eq!((read.id, read.kind), (made.proof.id, kind));
            assert_eq!(read.hash, made.proof.hash);
        }
    }

    #[test]
    fn a_changed_one_is_none() {
        let made = make(Kind::Workload, &key()).expect("random bytes");
        let text = made.token.expose_secret();
        for at in 0..text.len() {
            let mut changed = text.to_vec();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            assert!(read(&changed, &key()).is_none(), "{at}");
        }
        assert!(read(&text[..text.len() - 1], &key()).is_none());
        let mut other = text[..text.len() - CHECKSUM_BYTES].to_vec();
        other[30] = b'-';
        other.extend_from_slice(&checksum(&other));
        assert!(read(&other, &key()).is_none(), "not base62, and the checksum holds");
        assert!(read(b"", &key()).is_none());
    }

    #[test]
    fn the_checksum_is_crc_32() {
        // The check value of CRC-32 is 0xcbf43926.
        let mut value: u64 = 0;
        for digit in checksum(b"123456789") {
            let at = BASE62.iter().position(|b| *b == digit).expect("a digit");
            value = value * 62 + at as u64;
        }
        assert_eq!(value, 0xcbf4_3926);
    }

    #[test]
    fn each_key_has_its_own_hashes() {
        let made = make(Kind::Member, &key()).expect("random bytes");
        let other = MacKey::new(&seal::Key::from_bytes(&[8; 32]).expect("32 bytes"));
        let read = read(made.token.expose_secret(), &other).expect("a token");
        assert_ne!(read.hash, made.proof.hash);
    }
}
