//! The store's own certificate, written by hand (X.690, RFC 5280), and when one ends. A pin asks
//! nothing of a certificate but its key, so that this one says as little as it may. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` of the version, `[3]` of the extensions; `[2]` and `[7]` of a name and an address.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// `[0]`: the key of who signed.
const KEY_IDENTIFIER: u8 = 0x80;

const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
/// The one bit `digitalSignature`, with seven that are not used.
const DIGITAL_SIGNATURE: &[u8] = &[0x07, 0x80];

const NAME: &str = "inject store";
/// Before any clock that is not wrong; and the end that means none (RFC 5280, section 4.1.2.5).
const NOT_BEFORE: &str = "200101000000Z";
const NOT_AFTER: &str = "99991231235959Z";
/// As long as a serial number may be and surely is one's own (RFC 5280, section 4.1.2.2).
pub const SERIAL_BYTES: usize = 16;
/// A key's identifier, as RFC 7093 (section 2) shortens it.
const KEY_IDENTIFIER_BYTES: usize = 20;

/// What a certificate that signs itself says.
pub struct SelfSigned<'a> {
    /// SubjectPublicKeyInfo in DER, of an ECDSA key.
    pub public_key_info: &'a [u8],
    /// The machine's name, where it has one that a certificate can hold.
    pub host: Option<&'a str>,
    pub serial: [u8; SERIAL_BYTES],
}

impl SelfSigned<'_> {
    /// The certificate in DER. `sign` makes an ECDSA signature over the SHA-256 of what it gets.
    pub fn der<E>(&self, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
        let to_be_signed = self.to_be_signed();
        let signature = [&[0][..], &sign(&to_be_signed)?].concat();
        Ok(tlv(SEQUENCE, &[&to_be_signed, &algorithm(), &tlv(BIT_STRING, &[&signature])]))
    }

    fn to_be_signed(&self) -> Vec<u8> {
        let mut serial = self.serial;
        // Positive, and not shorter than it looks.
        serial[0] = serial[0] & 0x7f | 0x40;
        let name = name();
        let validity = [
            tlv(UTC_TIME, &[NOT_BEFORE.as_bytes()]),
            tlv(GENERALIZED_TIME, &[NOT_AFTER.as_bytes()]),
        ];
        tlv(
            SEQUENCE,
            &[
                &tlv(VERSION, &[&tlv(INTEGER, &[&[2]])]),
                &tlv(INTEGER, &[&serial]),
                &algorithm(),
                &name,
                &tlv(SEQUENCE, &[&validity[0], &validity[1]]),
                &name,
                self.public_key_info,
                &tlv(EXTENSIONS, &[&tlv(SEQUENCE, &[&self.extensions()])]),
            ],
        )
    }

    fn extensions(&self) -> Vec<u8> {
        let identifier = &Sha256::digest(self.public_key_info)[..KEY_IDENTIFIER_BYTES];
        let signer = tlv(SEQUENCE, &[&tlv(KEY_IDENTIFIER, &[identifier])]);
        let usage = tlv(SEQUENCE, &[&tlv(OBJECT_IDENTIFIER, &[SERVER_AUTH])]);
        [
            // No authority: it vouches for nobody else, whoever trusts it.
            extension(BASIC_CONSTRAINTS, true, &tlv(SEQUENCE, &[])),
            extension(KEY_USAGE, true, &tlv(BIT_STRING, &[DIGITAL_SIGNATURE])),
            extension(EXTENDED_KEY_USAGE, false, &usage),
            extension(SUBJECT_ALT_NAME, false, &self.names()),
            extension(SUBJECT_KEY_IDENTIFIER, false, &tlv(OCTET_STRING, &[identifier])),
            extension(AUTHORITY_KEY_IDENTIFIER, false, &signer),
        ]
        .concat()
    }

    fn names(&self) -> Vec<u8> {
        let dns = |name: &str| tlv(DNS_NAME, &[name.as_bytes()]);
        let mut names = vec![dns("localhost")];
        names.extend(self.host.filter(|host| *host != "localhost").map(dns));
        names.push(tlv(IP_ADDRESS, &[&Ipv4Addr::LOCALHOST.octets()]));
        names.push(tlv(IP_ADDRESS, &[&Ipv6Addr::LOCALHOST.octets()]));
        tlv(SEQUENCE, &[&names.concat()])
    }
}

fn name() -> Vec<u8> {
    let oid = tlv(OBJECT_IDENTIFIER, &[COMMON_NAME]);
    let pair = tlv(SEQUENCE, &[&oid, &tlv(UTF8_STRING, &[NAME.as_bytes()])]);
    tlv(SEQUENCE, &[&tlv(SET, &[&pair])])
}

fn algorithm() -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(OBJECT_IDENTIFIER, &[ECDSA_WITH_SHA256])])
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let oid = tlv(OBJECT_IDENTIFIER, &[oid]);
    let value = tlv(OCTET_STRING, &[value]);
    let critical = if critical { tlv(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    tlv(SEQUENCE, &[&oid, &critical, &value])
}

/// Tag, length and value; the value is the parts' one after the other.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag];
    match length {
        0..0x80 => bytes.push(length as u8),
        _ => {
            let all = length.to_be_bytes();
            let some = &all[all.iter().take_while(|byte| **byte == 0).count()..];
            bytes.push(0x80 | some.len() as u8);
            bytes.extend_from_slice(some);
        }
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// From when and until when a certificate holds. An end that no clock reaches is the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl Validity {
    /// Reads it from a certificate in DER (RFC 5280, section 4.1).
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate, _) = take(certificate)?;
        let (_, mut rest, _) = take(certificate)?;
        if rest.first() == Some(&VERSION) {
            rest = take(rest)?.2;
        }
        // Behind serial number, signature's algorithm and issuer.
        for _ in 0..3 {
            rest = take(rest)?.2;
        }
        let (_, validity, _) = take(rest)?;
        let (kind, not_before, rest) = take(validity)?;
        let not_before = time(kind, not_before)?;
        let (kind, not_after, _) = take(rest)?;
        Some(Self { not_before, not_after: time(kind, not_after)? })
    }
}

/// Tag, value, and what follows.
fn take(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length
                .iter()
                .try_fold(0_u32, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()));
            (usize::try_from(length?).ok()?, rest)
        }
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5).
fn time(kind: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_suffix('Z').filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        _ => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
    };
    let mut parts = [0_i8; 5];
    for (i, part) in parts.iter_mut().enumerate() {
        *part = rest.get(2 * i..2 * i + 2)?.parse().ok()?;
    }
    let [month, day, hour, minute, second] = parts;
    let date = Date::new(year, month, day).ok()?;
    let at = date.at(hour, minute, second.min(59), 0);
    Some(at.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_many_bytes_as_they_need() {
        assert_eq!(tlv(OCTET_STRING, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(tlv(OCTET_STRING, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(OCTET_STRING, &[&[0; 200], &[0; 100]])[..4], [4, 0x82, 1, 44]);
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let written = [&tlv(7, &[&vec![9; length]])[..], &[1, 2]].concat();
            assert_eq!(take(&written), Some((7, &vec![9; length][..], &[1, 2][..])));
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let whole = tlv(SEQUENCE, &[&[1; 300]]);
        for length in 0..whole.len() {
            assert_eq!(take(&whole[..length]), None, "{length}");
            assert_eq!(Validity::of(&whole[..length]), None, "{length}");
        }
        assert_eq!(take(&[SEQUENCE, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(take(&[SEQUENCE, 0x80]), Some((SEQUENCE, &[][..], &[][..])));
    }

    #[test]
    fn times_in_both_forms() {
        let at = |kind, text: &str| time(kind, text.as_bytes()).map(|time| time.to_string());
        assert_eq!(at(UTC_TIME, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59Z"));
        assert_eq!(at(UTC_TIME, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00Z"));
        assert_eq!(
            at(GENERALIZED_TIME, "20500101000000Z").as_deref(),
            Some("2050-01-01T00:00:00Z")
        );
        assert_eq!(time(GENERALIZED_TIME, NOT_AFTER.as_bytes()), Some(Timestamp::MAX));
        for text in ["", "Z", "491231235959", "4912312359Z", "491331235959Z", "49123123595éZ"] {
            assert_eq!(at(UTC_TIME, text), None, "{text}");
        }
    }
}
