//! A short audit chain, and what becomes of it: only its beginnings are whole, and with a
//! checkpoint of its last record only the whole of it; a record alone is whole where it stands.

use inject::name::OrgName;
use inject::store::fuzzing::{
    Anchor, ChainWalk, Chained, GENESIS, MacKey, Record, code, code_text,
};
use inject::wire::Checkpoint;
use jiff::Timestamp;

use crate::field::{Field, alter_once, bytes, changes, number, optional, read, text};

/// The columns of a record: the last is its code.
const RECORD: &str = "tnnttotooot";
const RECORDS: i64 = 4;

pub fn check(key: &MacKey, fields: &[u8], input: &[u8]) {
    let made = made(key, fields);
    let mut changed = made.clone();
    for change in changes(input) {
        alter(&mut changed, change);
    }
    let fail = |why: &str| -> ! { panic!("{why}\n{made:#?}\n{changed:#?}") };
    let is_beginning = made.starts_with(&changed);
    if is_whole(key, &changed, Vec::new()) != is_beginning {
        fail("it is whole, or it is not");
    }
    let last = chained(made.last().expect("there are some"));
    if let Ok(at) = Timestamp::from_millisecond(last.record.at) {
        let organization = OrgName::parse("acme").expect("a slug");
        let (sequence, code) = (last.record.sequence, code_text(&last.code));
        let seen = vec![Checkpoint { organization, sequence, at, code }];
        if is_whole(key, &changed, seen) != (made == changed) {
            fail("with what the checkpoint saw it is whole, or it is not");
        }
    }
    for (index, row) in changed.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| made.get(before));
        let anchor =
            Anchor { chained: chained(row), previous: before.map(|before| bytes(&before[11])) };
        let record = &anchor.chained.record;
        let subject = record.subject.clone().unwrap_or_default();
        let holds = anchor.holds(key, &record.organization, &subject);
        // With none before it, it can only be the first.
        let place = if before.is_some() { index } else { 0 };
        let stands = made.get(place) == Some(row) && record.subject.is_some();
        if holds != stands || anchor.holds(key, "elsewhere!", &subject) {
            fail(&format!("record {index} alone is whole, or it is not"));
        }
    }
}

/// Records that say the same, but for their sequence and what that does to their codes.
fn made(key: &MacKey, fields: &[u8]) -> Vec<Vec<Field>> {
    let mut previous = GENESIS.to_vec();
    let record = |sequence| {
        let mut row = read(RECORD, fields);
        row[1] = Field::Number(sequence);
        row.push(Field::Bytes(Vec::new()));
        let code = code(key, &previous, &chained(&row).record).to_vec();
        previous.clone_from(&code);
        row[11] = Field::Bytes(code);
        row
    };
    (1..=RECORDS).map(record).collect()
}

fn is_whole(key: &MacKey, rows: &[Vec<Field>], seen: Vec<Checkpoint>) -> bool {
    let mut walk = ChainWalk::new(seen);
    walk.take(key, (rows.iter().map(|row| chained(row)).collect(), false));
    walk.end().1.is_empty()
}

fn chained(row: &[Field]) -> Chained {
    let record = Record {
        organization: text(&row[0]),
        sequence: number(&row[1]),
        at: number(&row[2]),
        actor: text(&row[3]),
        action: text(&row[4]),
        subject: optional(&row[5]),
        secrets: text(&row[6]),
        detail: optional(&row[7]),
        workload: optional(&row[8]),
        client: optional(&row[9]),
        outcome: text(&row[10]),
    };
    Chained { record, code: bytes(&row[11]) }
}

/// Of a change's field, the low part says the column and the high part the record.
fn alter(rows: &mut Vec<Vec<Field>>, change: [u8; 4]) {
    if rows.is_empty() {
        return;
    }
    let [kind, field, other, _] = change;
    let (at, to) = (usize::from(field / 16) % rows.len(), usize::from(other / 16) % rows.len());
    match kind / 7 % 6 {
        1 => drop(rows.remove(at)),
        2 => rows.swap(at, to),
        3 => rows.insert(to, rows[at].clone()),
        4 => rows[at][11] = rows[to][11].clone(),
        5 => rows.truncate(at + 1),
        _ => alter_once(&mut rows[at], [kind, field % 16, other % 16, change[3]]),
    }
}
