//! The queries of lists, beside a reading of their own and a model of what the lists hold: each page
//! is what stands behind its place, and a place is only what the list itself would have said.
//!
//! The input's first byte says which list, and of which organization; the rest is the query, with
//! `@0@` and the like for cursors that lists have given.

use std::cell::OnceCell;
use std::cmp::Ordering;

use inject::store::Store;
use inject::store::fuzzing::{Place, place};
use jiff::Timestamp;
use serde_json::Value;

use crate::base64;
use crate::world::{Who, World};

const LISTS: [&str; 6] = ["secrets", "members", "tokens", "workloads", "audit", "orgs"];
const SORTS: [&str; 4] = ["name", "-name", "updated", "-updated"];
const ROWS_DEFAULT: usize = 100;

/// What a row stands at: its time or number, where that counts, and its name.
type Key = (i64, String);

struct Lists {
    world: World,
    store: Store,
    /// Every row of every list, by the list's path, in its first order.
    whole: Vec<(String, Vec<Value>)>,
    issued: Vec<String>,
}

thread_local! {
    static LISTED: OnceCell<Lists> = const { OnceCell::new() };
}

pub fn check(input: &[u8]) {
    let Some((which, query)) = input.split_first() else { return };
    let Ok(query) = std::str::from_utf8(query) else { return };
    let list = LISTS[usize::from(which / 2) % LISTS.len()];
    let org = if which % 2 == 0 { "acme" } else { "beta" };
    LISTED.with(|listed| listed.get_or_init(Lists::new).check(list, org, query));
}

impl Lists {
    fn new() -> Self {
        let world = World::new("cursor");
        let store = world.open().expect("it is whole");
        let mut lists = Self { world, store, whole: Vec::new(), issued: Vec::new() };
        for org in ["acme", "beta"] {
            for list in LISTS {
                let path = path(list, org);
                let (_, page) = lists.page(list, &path, "limit=1000");
                lists.whole.push((path, rows(&page)));
            }
            for sort in SORTS {
                lists.issue("secrets", org, &format!("limit=1&sort={sort}"));
            }
            for list in &LISTS[1..] {
                lists.issue(list, org, "limit=1");
            }
        }
        lists
    }

    fn issue(&mut self, list: &str, org: &str, query: &str) {
        let (_, page) = self.page(list, &path(list, org), query);
        self.issued.extend(page["next"].as_str().map(str::to_owned));
    }

    fn page(&self, list: &str, path: &str, query: &str) -> (u16, Value) {
        let path = format!("{path}?{query}");
        let reply = self.world.ask(&self.store, Who::Operator, "GET", &path, "");
        assert!(reply.status < 500, "{list}: {}", String::from_utf8_lossy(&reply.body));
        (reply.status, reply.json())
    }

    fn check(&self, list: &str, org: &str, query: &str) {
        let mut query = query.to_owned();
        for (index, cursor) in self.issued.iter().enumerate() {
            query = query.replace(&format!("@{index}@"), cursor);
        }
        let fail = |why: &str| -> ! { panic!("{why}: {list} of {org} `{query}`") };
        let found = place(list, &query);
        let asked = Asked::of(list, &query);
        match (&found, &asked) {
            (Some(_), None) => fail("it is taken"),
            (Some(found), Some(asked)) => {
                if let Some(why) = asked.differs(found) {
                    fail(&format!("{why}: {found:?}"));
                }
            }
            (None, _) => {}
        }
        // What cannot stand in a request comes to no store.
        if !query.bytes().all(|b| b.is_ascii_graphic() && !b"#\"<>`{}|\\^".contains(&b)) {
            return;
        }
        let path = path(list, org);
        let (status, page) = self.page(list, &path, &query);
        match (found, asked) {
            (Some(_), Some(asked)) if status == 200 => {
                if let Some(why) = self.wrong(list, &path, &asked, &page) {
                    fail(&why);
                }
            }
            (None, _) if matches!(status, 400 | 422) => {}
            _ => fail(&format!("the status is {status}")),
        }
    }

    /// What tells, if anything does, that a page is not what stands behind its place.
    fn wrong(&self, list: &str, path: &str, asked: &Asked, page: &Value) -> Option<String> {
        let whole = self.whole.iter().find(|(other, _)| other == path);
        let mut all = whole.expect("every list was read").1.clone();
        let key = |row: &Value| key(list, row);
        all.sort_by(|one, other| asked.compare(list, &key(one), &key(other)));
        all.retain(|row| {
            let behind = |place: &Key| asked.compare(list, &key(row), place) == Ordering::Greater;
            asked.behind.as_ref().is_none_or(behind) && asked.fits(row)
        });
        let found = rows(page);
        if asked.is_filtered {
            // Which records fit is not judged here; where a page ends, neither.
            let stands = found.iter().all(|row| all.contains(row)) && found.len() <= asked.rows;
            return (!stands).then(|| format!("it lists {found:?} of {all:?}"));
        }
        let expected = &all[..all.len().min(asked.rows)];
        if found != expected {
            return Some(format!("expected {expected:?}, found {found:?}"));
        }
        let next = page["next"].as_str().map(|next| behind(list, &asked.sort, next));
        let expected = expected.last().filter(|_| all.len() > asked.rows).map(key);
        let same = |next: Option<Key>| {
            let equal = |(one, other)| asked.compare(list, &one, &other) == Ordering::Equal;
            next.zip(expected.clone()).is_some_and(equal)
        };
        let stands = next.map_or(expected.is_none(), same);
        (!stands).then(|| format!("the next page is behind {}, not {expected:?}", page["next"]))
    }
}

/// What a query says, by this reading.
#[derive(Debug)]
struct Asked {
    part: String,
    sort: String,
    rows: usize,
    cursor: Option<String>,
    behind: Option<Key>,
    /// By something that is left to the store.
    is_filtered: bool,
}

impl Asked {
    /// None for what no list takes.
    fn of(list: &str, query: &str) -> Option<Self> {
        let known: &[&str] = match list {
            "secrets" => &["q", "cursor", "limit", "sort"],
            "audit" => &["name", "actor", "workload", "since", "until", "cursor", "limit"],
            _ => &["cursor", "limit"],
        };
        let (sort, rows) = (SORTS[0].to_owned(), ROWS_DEFAULT);
        let (part, is_filtered) = (String::new(), false);
        let mut asked = Self { part, sort, rows, cursor: None, behind: None, is_filtered };
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            // An empty one is none, of whichever list it is.
            if value.is_empty() {
                continue;
            }
            if !known.contains(&name) {
                return None;
            }
            match name {
                "q" => asked.part = value.to_ascii_uppercase(),
                "sort" => asked.sort = SORTS.contains(&value.as_str()).then_some(value)?,
                "limit" => asked.rows = value.parse().ok().filter(|n| (1..=1000).contains(n))?,
                "cursor" => asked.cursor = Some(value),
                _ => asked.is_filtered = true,
            }
        }
        if let Some(cursor) = &asked.cursor {
            asked.behind = Some(behind(list, &asked.sort, cursor)?);
        }
        Some(asked)
    }

    /// What tells, if anything does, that the store understands it otherwise.
    fn differs(&self, found: &Place) -> Option<&'static str> {
        if found.cursor != self.cursor {
            return Some("the list never gave this cursor");
        }
        if found.rows != self.rows {
            return Some("the page is of another length");
        }
        let place = found.behind.as_ref().map(|(at, name)| (*at, name.as_str()));
        let same = place == self.behind.as_ref().map(|(at, name)| (*at, name.as_str()));
        (!same).then_some("the place is another")
    }

    fn fits(&self, row: &Value) -> bool {
        let name = row["name"].as_str().unwrap_or_default();
        self.part.is_empty() || name.contains(&self.part)
    }

    fn compare(&self, list: &str, one: &Key, other: &Key) -> Ordering {
        match (list, self.sort.as_str()) {
            ("secrets", "name") | ("members" | "workloads" | "orgs", _) => one.1.cmp(&other.1),
            ("secrets", "-name") => other.1.cmp(&one.1),
            ("secrets", "updated") | ("tokens", _) => one.cmp(other),
            _ => other.cmp(one),
        }
    }
}

/// The place that a cursor says; none where a list cannot have given it.
fn behind(list: &str, sort: &str, cursor: &str) -> Option<Key> {
    let text = String::from_utf8(base64::read_url(cursor)?).ok()?;
    if list == "secrets" {
        let said: Value = serde_json::from_str(&text).ok()?;
        let (at, name) = (said["at"].as_i64()?, said["name"].as_str()?.to_owned());
        return (said["sort"] == sort).then_some((at, name));
    }
    let rest = text.strip_prefix(list)?.strip_prefix(' ').filter(|rest| !rest.is_empty())?;
    match list {
        "audit" => Some((rest.parse().ok()?, String::new())),
        "tokens" => {
            let (at, id) = rest.split_once(' ')?;
            Some((at.parse().ok()?, id.to_owned()))
        }
        _ => Some((0, rest.to_owned())),
    }
}

fn path(list: &str, org: &str) -> String {
    match list {
        "orgs" => "/api/v1/orgs".to_owned(),
        _ => format!("/api/v1/orgs/{org}/{list}"),
    }
}

fn rows(page: &Value) -> Vec<Value> {
    let lists = page.as_object().into_iter().flat_map(|page| page.values());
    lists.filter_map(Value::as_array).flatten().cloned().collect()
}

/// What a row is known by in its list.
fn key(list: &str, row: &Value) -> Key {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let time = |name: &str| {
        let time: Timestamp = text(name).parse().expect("a time");
        time.as_millisecond()
    };
    match list {
        "secrets" => (time("updated_at"), text("name")),
        "members" => (0, text("email")),
        "tokens" => (time("created_at"), text("id")),
        "workloads" => (0, text("workload")),
        "audit" => (row["sequence"].as_i64().expect("a number"), String::new()),
        _ => (0, text("name")),
    }
}

/// As a form writes it: `+` is a blank, `%XX` a byte, and the whole is UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '+' => bytes.push(b' '),
            '%' => {
                let digits = rest.get(..2)?;
                let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
                bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
                rest = &rest[2..];
            }
            other => bytes.extend_from_slice(other.to_string().as_bytes()),
        }
    }
    String::from_utf8(bytes).ok()
}
