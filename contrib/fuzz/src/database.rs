//! A store's database with anything in any column: what is answered is what was written, or an
//! error; nobody may do more than before; and `verify` names what is not as it was written.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use inject::store::Store;
use inject::store::operations;
use inject::wire::Checkpoint;
use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use serde_json::{Value, json};

use crate::world::{Who, World};

/// A table's rows, each column as it is stored.
type Rows = Vec<Vec<Cell>>;
type Tables = BTreeMap<String, Rows>;

/// What a column holds. A text may be none that is UTF-8.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Number(i64),
    Real(f64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
}

/// All that is known of the store as it was made.
struct Before {
    world: World,
    tables: Tables,
    checkpoints: Vec<Checkpoint>,
    seen: Seen,
}

/// What is answered, by what was asked.
type Seen = BTreeMap<String, Value>;

/// Who asks for values, in which organization, and for which.
const ASKERS: [(&str, &str, &[&str]); 9] = [
    ("operator", "acme", &["DB_PASSWORD", "DB_PASSWORD_OLD", "STRIPE_KEY"]),
    ("operator", "beta", &["DB_PASSWORD"]),
    ("owner", "acme", &["DB_PASSWORD"]),
    ("reader", "acme", &["DB_PASSWORD", "STRIPE_KEY"]),
    ("workload", "acme", &["DB_PASSWORD", "STRIPE_KEY"]),
    ("away", "acme", &["DB_PASSWORD"]),
    ("revoked", "acme", &["DB_PASSWORD"]),
    ("beta", "acme", &["DB_PASSWORD"]),
    ("beta", "beta", &["DB_PASSWORD"]),
];
const LISTS: [&str; 5] = [
    "acme/secrets?sort=name",
    "acme/secrets?sort=-updated",
    "acme/members",
    "acme/tokens",
    "beta/secrets",
];
/// What one change of the input takes, but for the bytes that it puts in.
const CHANGE_BYTES: usize = 5;
const CHANGES_MAX: usize = 6;

thread_local! {
    static BEFORE: OnceCell<Before> = const { OnceCell::new() };
}

/// The input's first byte says whether the tables are made anew so that they take everything.
/// What follows are changes, a byte 0xFF between any two: kind, table, row, column, another row, and
/// bytes.
pub fn check(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    BEFORE.with(|before| before.get_or_init(Before::new).check(first & 1 == 1, rest));
}

impl Before {
    fn new() -> Self {
        let world = World::new("database");
        let tables = dumped(&world);
        let store = world.open().expect("it is whole");
        let seen = ask_all(&world, &store);
        world.restore();
        let store = world.open().expect("it is whole");
        let checkpoint = |org: &str| {
            let path = format!("/api/v1/orgs/{org}/audit/checkpoint");
            let reply = world.ask(&store, Who::Operator, "GET", &path, "").is(200);
            serde_json::from_slice(&reply.body).expect("a checkpoint")
        };
        let checkpoints = vec![checkpoint("acme"), checkpoint("beta")];
        Self { world, tables, checkpoints, seen }
    }

    fn check(&self, takes_all: bool, changes: &[u8]) {
        let mut tables = self.tables.clone();
        for change in changes.split(|b| *b == 0xff).take(CHANGES_MAX) {
            alter(&mut tables, change);
        }
        self.world.restore();
        // What the database itself refuses cannot come about.
        if write(&self.world, &tables, takes_all).is_none() {
            return;
        }
        // What is compared is what is there: a column makes a number of a text of digits.
        let tables = dumped(&self.world);
        let fail = |why: &str| -> ! { panic!("{why}\n{}", self.differences(&tables)) };
        if let Some(why) = self.verify(&tables, takes_all) {
            fail(&why);
        }
        let Some(store) = self.world.open() else { return };
        let seen = ask_all(&self.world, &store);
        for (asked, answer) in &seen {
            if let Some(why) = judge(asked, &self.seen[asked], answer) {
                fail(&format!("{asked}: {why}\nbefore {}\nnow {answer}", self.seen[asked]));
            }
        }
        let only_values = |name: &String| ["secret", "salt"].contains(&name.as_str());
        let changed = self.tables.iter().filter(|(name, rows)| tables[*name] != **rows);
        if changed.map(|(name, _)| name).all(only_values) {
            if let Some(why) = self.lost(&seen) {
                fail(&why);
            }
        }
    }

    /// With the trail whole, a secret whose row is gone or altered is told as that.
    fn lost(&self, seen: &Seen) -> Option<String> {
        let is_lost = |(asked, answer): &(&String, &Value)| {
            answer["status"] == 404 && self.seen[*asked]["status"] == 200
        };
        let (asked, answer) = seen.iter().find(is_lost)?;
        Some(format!("{asked} is said to be missing: {answer}"))
    }

    /// Whether what is not as it was written is told, and nothing else is.
    fn verify(&self, tables: &Tables, takes_all: bool) -> Option<String> {
        let survey = operations::verify(self.world.site(), &self.checkpoints);
        let is_sound = survey.as_ref().is_ok_and(|survey| survey.faults.is_empty());
        let is_same = |name: &str| {
            let (old, new) = (&self.tables[name], &tables[name]);
            match name {
                // It only asks for a purge.
                "unpurged" => true,
                // That a use is forgotten shows nowhere.
                "usage" => new.iter().all(|row| old.contains(row)),
                // A salt that no row claims opens nothing.
                "salt" => old.iter().all(|row| new.contains(row) || row[1] == Cell::Number(1)),
                _ => old == new,
            }
        };
        let altered: Vec<&String> = tables.keys().filter(|name| !is_same(name)).collect();
        if is_sound && (takes_all || !altered.is_empty()) {
            return Some(format!("`verify` calls it whole: {altered:?}"));
        }
        if !is_sound && !takes_all && self.tables == *tables {
            let said = survey.map(|survey| format!("{:?}", survey.faults.told));
            return Some(format!(
                "nothing is altered, and `verify` says {}",
                said.unwrap_or_default()
            ));
        }
        None
    }

    fn differences(&self, tables: &Tables) -> String {
        let mut all = String::new();
        for (name, rows) in tables {
            let old = &self.tables[name];
            for row in rows.iter().filter(|row| !old.contains(row)) {
                all.push_str(&format!("{name} + {row:?}\n"));
            }
            for row in old.iter().filter(|row| !rows.contains(row)) {
                all.push_str(&format!("{name} - {row:?}\n"));
            }
        }
        all
    }
}

/// What everybody is told.
fn ask_all(world: &World, store: &Store) -> Seen {
    let mut seen = Seen::new();
    for list in LISTS {
        let path = format!("/api/v1/orgs/{list}");
        let reply = world.ask(store, Who::Operator, "GET", &path, "");
        seen.insert(path, told(reply.status, &reply.body));
    }
    for (asker, org, names) in ASKERS {
        let who = if asker == "operator" { Who::Operator } else { Who::Token(asker) };
        let path = format!("/api/v1/orgs/{org}/resolve");
        for name in names {
            let body = json!({ "names": [name] }).to_string();
            let reply = world.ask(store, who, "POST", &path, &body);
            seen.insert(format!("{asker} {path} {name}"), told(reply.status, &reply.body));
        }
    }
    seen
}

fn told(status: u16, body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    json!({ "status": status, "body": body })
}

/// What tells, if anything does, that an answer is wrong. Fewer rows are told elsewhere.
fn judge(asked: &str, before: &Value, now: &Value) -> Option<String> {
    if now["status"] != 200 {
        return (now["status"].as_u64() < Some(400)).then(|| "it is no answer".to_owned());
    }
    if before["status"] != 200 {
        return Some("it is allowed".to_owned());
    }
    if asked.contains("resolve") {
        return (before["body"] != now["body"]).then(|| "it is another value".to_owned());
    }
    let rows = |seen: &Value| -> Vec<Value> {
        let lists = seen["body"].as_object().into_iter().flat_map(|body| body.values());
        lists.filter_map(Value::as_array).flatten().cloned().collect()
    };
    let old = rows(before);
    let known = |row: &Value| row["damaged"] == true || old.contains(row);
    let strange = rows(now).into_iter().find(|row| !known(row));
    strange.map(|row| format!("it lists {row}")).or_else(|| says_more(now))
}

/// A damaged row says what it is called, and nothing else that was set.
fn says_more(now: &Value) -> Option<String> {
    let lists = now["body"].as_object()?.values().filter_map(Value::as_array).flatten();
    let mut damaged = lists.filter(|row| row["damaged"] == true);
    let empty = json!([]);
    let more = damaged.find(|row| {
        let said = row.as_object().into_iter().flatten();
        let said = said.filter(|(key, value)| **value != empty || *key != "names");
        said.count() > 2
    });
    more.map(|row| format!("a damaged row says {row}"))
}

/// Does one change, where there is such a place.
fn alter(tables: &mut Tables, change: &[u8]) {
    let Some((place, bytes)) = change.split_at_checked(CHANGE_BYTES) else { return };
    let names: Vec<String> = tables.keys().cloned().collect();
    let name = &names[usize::from(place[1]) % names.len()];
    let rows = tables.get_mut(name).expect("it is one of them");
    if rows.is_empty() {
        return;
    }
    let (row, other) = (usize::from(place[2]) % rows.len(), usize::from(place[4]) % rows.len());
    let column = usize::from(place[3]) % rows[row].len();
    match place[0] % 12 {
        0 => rows[row][column] = Cell::Null,
        1 => rows[row][column] = Cell::Number(number(bytes)),
        2 => rows[row][column] = Cell::Real(number(bytes) as f64 / 3.0),
        3 => rows[row][column] = Cell::Text(bytes.to_vec()),
        4 => rows[row][column] = Cell::Bytes(bytes.to_vec()),
        5 => flip(&mut rows[row][column], bytes),
        6 => rows[row][column] = rows[other][column].clone(),
        7 => {
            let cell = rows[row][column].clone();
            rows[row][column] = rows[other][column].clone();
            rows[other][column] = cell;
        }
        8 => drop(rows.remove(row)),
        9 => {
            let mut copy = rows[row].clone();
            copy[column] = Cell::Text(bytes.to_vec());
            rows.push(copy);
        }
        10 => {
            let mut copy = rows[row].clone();
            copy[column] = Cell::Number(number(bytes));
            rows.push(copy);
        }
        _ => rows[row] = rows[other].clone(),
    }
}

fn number(bytes: &[u8]) -> i64 {
    let mut eight = [0; 8];
    let count = bytes.len().min(8);
    eight[..count].copy_from_slice(&bytes[..count]);
    i64::from_le_bytes(eight)
}

/// Flips bits: the first byte says where, the second which.
fn flip(cell: &mut Cell, bytes: &[u8]) {
    let [at, bits, ..] = *bytes else { return };
    match cell {
        Cell::Text(text) | Cell::Bytes(text) if !text.is_empty() => {
            let at = usize::from(at) % text.len();
            text[at] ^= bits;
        }
        Cell::Number(number) => *number ^= i64::from(bits) << (at % 57),
        _ => {}
    }
}

/// Every table's rows, in the order of their keys.
fn dumped(world: &World) -> Tables {
    let by_hand = Connection::open(world.database()).expect("it is there");
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = by_hand.prepare(names).expect("it has a schema");
    let names = names.query_map([], |row| row.get::<_, String>(0)).expect("it has tables");
    let names: Vec<String> = names.map(|name| name.expect("a text")).collect();
    let rows = |name: &String| {
        let mut all = by_hand.prepare(&format!("SELECT * FROM \"{name}\"")).expect("a table");
        let columns = all.column_count();
        let cells = |row: &rusqlite::Row<'_>| {
            (0..columns).map(|column| row.get_ref(column).map(Cell::of)).collect()
        };
        let rows = all.query_map([], cells).expect("it has rows");
        rows.map(|row| row.expect("it can be read")).collect::<Rows>()
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

/// Puts these rows in the place of all others; none where the database does not take them.
fn write(world: &World, tables: &Tables, takes_all: bool) -> Option<()> {
    let by_hand = Connection::open(world.database()).expect("it is there");
    by_hand.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN").ok()?;
    for (name, rows) in tables {
        if takes_all {
            loosen(&by_hand, name)?;
        }
        by_hand.execute(&format!("DELETE FROM \"{name}\""), []).ok()?;
        for row in rows {
            let places = vec!["?"; row.len()].join(",");
            let insert = format!("INSERT INTO \"{name}\" VALUES ({places})");
            by_hand.prepare_cached(&insert).ok()?.execute(params_from_iter(row)).ok()?;
        }
    }
    by_hand.execute_batch("COMMIT").ok()?;
    let emptied = by_hand.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    emptied.ok()
}

/// Makes a table anew that takes anything in each column.
fn loosen(by_hand: &Connection, name: &str) -> Option<()> {
    let made = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let sql: String = by_hand.query_row(made, [name], |row| row.get(0)).ok()?;
    let of_it =
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql <> ''";
    let mut indexes = by_hand.prepare(of_it).ok()?;
    let indexes = indexes.query_map([name], |row| row.get::<_, String>(0)).ok()?;
    let indexes: Vec<String> = indexes.filter_map(Result::ok).collect();
    let types = [" STRICT, WITHOUT ROWID", " STRICT", " NOT NULL", " TEXT", " BLOB", " INTEGER"];
    let mut loose = sql;
    for strict in types {
        let with = if strict.ends_with("ROWID") { " WITHOUT ROWID" } else { "" };
        loose = loose.replace(strict, with);
    }
    let again = format!("DROP TABLE \"{name}\"; {loose}; {}", indexes.join(";"));
    by_hand.execute_batch(&again).ok()
}

impl Cell {
    fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Number(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(text.to_vec()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Sql::Null),
            Self::Number(number) => ToSqlOutput::Owned(Sql::Integer(*number)),
            Self::Real(number) => ToSqlOutput::Owned(Sql::Real(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text)),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
