//! Rows and chains as they are authenticated: what was sealed or coded opens as exactly that, and
//! after any change of any field it does not open at all.
//!
//! The input's first byte says which kind of row. Then come its fields, up to a byte 0xFE, with a
//! byte 0xFF between any two; and then changes of four bytes: kind, field, other field, and how.

use std::cell::OnceCell;

use inject::secret::Secret;
use inject::store::fuzzing::{
    Canonical, Columns, FORMAT, Key, MacKey, MasterKey, MemberRow, OrgRow, SealedRow, TokenRow,
    UsageRow, open, row_code, row_code_holds, seal,
};

use crate::chain;
use crate::field::{Field, alter, bytes, number, optional, perhaps, read, text};

/// What kinds of columns a row has, a letter each.
const SECRET: &str = "ntbtnntntbnbb";
const ORG: &str = "tnt";
const MEMBER: &str = "ttttntntn";
const TOKEN: &str = "ttooontpobn";
const USAGE: &str = "tttnn";

struct Keys {
    master: MasterKey,
    mac: MacKey,
}

thread_local! {
    static KEYS: OnceCell<Keys> = const { OnceCell::new() };
}

pub fn check(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let mut parts = rest.splitn(2, |b| *b == 0xfe);
    let (fields, changes) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    KEYS.with(|keys| {
        let keys = keys.get_or_init(Keys::new);
        match kind % 6 {
            0 => secret(keys, fields, changes),
            1 => coded(keys, ORG, fields, changes, org_bound),
            2 => coded(keys, MEMBER, fields, changes, member_bound),
            3 => coded(keys, TOKEN, fields, changes, token_bound),
            4 => coded(keys, USAGE, fields, changes, usage_bound),
            _ => chain::check(&keys.mac, fields, changes),
        }
    });
}

impl Keys {
    fn new() -> Self {
        let key = |byte| Key::from_bytes(&[byte; 32]).expect("32 bytes");
        Self { master: MasterKey::new(key(1)), mac: MacKey::new(&key(2)) }
    }
}

/// The value is what the last field says, before it is sealed.
fn secret(keys: &Keys, fields: &[u8], changes: &[u8]) {
    let made = read(SECRET, fields);
    let mut columns = columns(&made);
    (columns.format, columns.key_id) = (FORMAT, keys.master.id().to_vec());
    let mut salt = [0; 32];
    bytes(&made[11]).iter().zip(&mut salt).for_each(|(from, to)| *to = *from);
    let value = bytes(&made[12]);
    let row = seal(&keys.master, columns, salt, &Secret::new(value.clone()));
    let opened = open(&keys.master, &row).expect("what was sealed opens");
    assert_eq!(opened.expose_secret(), value);
    assert!(value.len() < 8 || !row.sealed.windows(value.len()).any(|window| window == value));

    let sealed = fields_of(&row);
    let mut changed = sealed.clone();
    alter(&mut changed, changes);
    let other = SealedRow {
        columns: self::columns(&changed),
        salt: bytes(&changed[11]),
        sealed: bytes(&changed[12]),
    };
    let opens = open(&keys.master, &other).is_ok();
    assert_eq!(opens, changed == sealed, "{sealed:?}\n{changed:?}");
}

fn columns(fields: &[Field]) -> Columns {
    Columns {
        format: number(&fields[0]),
        organization: text(&fields[1]),
        id: bytes(&fields[2]),
        name: text(&fields[3]),
        version: number(&fields[4]),
        created_at: number(&fields[5]),
        created_by: text(&fields[6]),
        updated_at: number(&fields[7]),
        updated_by: text(&fields[8]),
        key_id: bytes(&fields[9]),
        slot: number(&fields[10]),
    }
}

fn fields_of(row: &SealedRow) -> Vec<Field> {
    let columns = &row.columns;
    let text = |text: &String| Field::Text(text.clone());
    vec![
        Field::Number(columns.format),
        text(&columns.organization),
        Field::Bytes(columns.id.clone()),
        text(&columns.name),
        Field::Number(columns.version),
        Field::Number(columns.created_at),
        text(&columns.created_by),
        Field::Number(columns.updated_at),
        text(&columns.updated_by),
        Field::Bytes(columns.key_id.clone()),
        Field::Number(columns.slot),
        Field::Bytes(row.salt.clone()),
        Field::Bytes(row.sealed.clone()),
    ]
}

/// A row that holds no value: its code holds for it, and for no other.
fn coded(
    keys: &Keys,
    kinds: &str,
    fields: &[u8],
    changes: &[u8],
    bound: fn(&[Field]) -> Canonical,
) {
    let row = read(kinds, fields);
    let code = row_code(&keys.mac, &bound(&row));
    assert!(row_code_holds(&keys.mac, &bound(&row), &code), "{row:?}");
    assert!(!row_code_holds(&keys.mac, &bound(&row), &code[..31]), "{row:?}");
    let mut changed = row.clone();
    alter(&mut changed, changes);
    let holds = row_code_holds(&keys.mac, &bound(&changed), &code);
    assert_eq!(holds, row == changed, "{row:?}\n{changed:?}");
}

fn org_bound(row: &[Field]) -> Canonical {
    let (created_at, created_by) = (number(&row[1]), text(&row[2]));
    OrgRow { name: text(&row[0]), created_at, created_by, code: Vec::new() }.bound()
}

fn member_bound(row: &[Field]) -> Canonical {
    let member = MemberRow {
        organization: text(&row[0]),
        email: text(&row[1]),
        role: text(&row[2]),
        names: text(&row[3]),
        created_at: number(&row[4]),
        created_by: text(&row[5]),
        updated_at: number(&row[6]),
        updated_by: text(&row[7]),
        sequence: number(&row[8]),
        code: Vec::new(),
    };
    member.bound()
}

fn token_bound(row: &[Field]) -> Canonical {
    let token = TokenRow {
        id: text(&row[0]),
        organization: text(&row[1]),
        member: optional(&row[2]),
        workload: optional(&row[3]),
        names: optional(&row[4]),
        created_at: number(&row[5]),
        created_by: text(&row[6]),
        expires_at: perhaps(&row[7]),
        network: optional(&row[8]),
        hash: bytes(&row[9]),
        sequence: number(&row[10]),
        code: Vec::new(),
    };
    token.bound()
}

fn usage_bound(row: &[Field]) -> Canonical {
    let usage = UsageRow {
        organization: text(&row[0]),
        workload: text(&row[1]),
        name: text(&row[2]),
        version: number(&row[3]),
        at: number(&row[4]),
        code: Vec::new(),
    };
    usage.bound()
}
