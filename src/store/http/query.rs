//! What stands in a request beside path and body: the query of a list, its cursor, and the
//! conditions in headers. It touches no store.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{SecretName, WorkloadName, is_secret_name};
use crate::store::http::problem::Fault;
use crate::store::service::{Condition, ListAsk, TrailAsk};
use crate::store::storage::{After, Sort};
use crate::wire::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};

const ROWS_DEFAULT: u32 = PAGE_ROWS_DEFAULT as u32;
const ROWS_MAX: u32 = PAGE_ROWS_MAX as u32;

/// A place in a list, as callers carry it. It is not secret, and not theirs to read.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    sort: String,
    at: i64,
    name: String,
}

/// `q`, `cursor`, `limit` and `sort`, each at most once; an empty one is as if it were not there.
pub fn list(query: &str) -> Result<(ListAsk, Sort), Fault> {
    let mut ask = ListAsk { part: None, sort: Sort::Name, after: None, rows_max: ROWS_DEFAULT };
    let mut cursor = None;
    each(query, |key, value| {
        match key {
            "q" => ask.part = Some(value.to_ascii_uppercase()),
            "cursor" => cursor = Some(value),
            "limit" => ask.rows_max = limit(&value)?,
            "sort" => ask.sort = sort(&value)?,
            _ => return Err(unfit("the parameters are `q`, `cursor`, `limit` and `sort`")),
        }
        Ok(())
    })?;
    ask.after = cursor.map(|cursor| after(&cursor, ask.sort)).transpose()?;
    let sort = ask.sort;
    Ok((ask, sort))
}

/// `cursor` and `limit` of a list that has one order: behind what it begins, and how many rows.
pub fn page(query: &str, list: &str) -> Result<(String, usize), Fault> {
    let (mut behind, mut rows) = (String::new(), PAGE_ROWS_DEFAULT);
    each(query, |key, value| {
        match key {
            "cursor" => behind = behind_of(&value, list)?,
            "limit" => rows = limit(&value)? as usize,
            _ => return Err(unfit("the parameters are `cursor` and `limit`")),
        }
        Ok(())
    })?;
    Ok((behind, rows))
}

/// The filters of the audit trail.
pub fn trail(query: &str) -> Result<TrailAsk, Fault> {
    let mut ask = TrailAsk { rows_max: PAGE_ROWS_DEFAULT, ..TrailAsk::default() };
    let name = |error| Fault::Name(vec![error]);
    each(query, |key, value| {
        match key {
            "name" => ask.name = Some(SecretName::parse(&value).map_err(name)?),
            "actor" => ask.actor = Some(value),
            "workload" => ask.workload = Some(WorkloadName::parse(&value).map_err(name)?),
            "since" => ask.since = Some(moment(&value)?),
            "until" => ask.until = Some(moment(&value)?),
            "limit" => ask.rows_max = limit(&value)? as usize,
            "cursor" => {
                ask.before = Some(number(&behind_of(&value, "audit")?)?);
            }
            _ => {
                return Err(unfit(
                    "the parameters are `name`, `actor`, `workload`, `since`, `until`, `cursor` \
                     and `limit`",
                ));
            }
        }
        Ok(())
    })?;
    Ok(ask)
}

/// The cursor of a list that has one order.
pub fn simple_cursor(list: &str, behind: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list} {behind}"))
}

/// A time and an id, which stand before all where there are none.
pub fn timed(behind: &str) -> Result<(i64, String), Fault> {
    if behind.is_empty() {
        return Ok((i64::MIN, String::new()));
    }
    let (at, id) = behind.split_once(' ').ok_or_else(bad_cursor)?;
    Ok((number(at)?, id.to_owned()))
}

/// A number as a cursor has it, in the one way that it is written there.
fn number(text: &str) -> Result<i64, Fault> {
    let number = text.parse().ok().filter(|number: &i64| number.to_string() == text);
    number.ok_or_else(bad_cursor)
}

/// Each parameter once; an empty one is as if it were not there.
fn each(query: &str, mut take: impl FnMut(&str, String) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&key) {
            return Err(unfit("a parameter is given twice"));
        }
        seen.push(key);
        let value = decoded(value).ok_or(unfit("a parameter is not percent-encoded UTF-8"))?;
        // What is empty is taken as it comes only to see whether there is such a parameter.
        match value.is_empty() {
            true => known(key)?,
            false => take(key, value)?,
        }
    }
    Ok(())
}

fn known(key: &str) -> Result<(), Fault> {
    const ALL: [&str; 9] =
        ["q", "cursor", "limit", "sort", "name", "actor", "workload", "since", "until"];
    if ALL.contains(&key) { Ok(()) } else { Err(unfit("there is no such parameter")) }
}

fn behind_of(cursor: &str, list: &str) -> Result<String, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_cursor())?;
    let behind = text.strip_prefix(list).and_then(|rest| rest.strip_prefix(' '));
    behind.filter(|behind| !behind.is_empty()).map(str::to_owned).ok_or_else(bad_cursor)
}

fn bad_cursor() -> Fault {
    unfit("`cursor` is not one that this list gave")
}

/// RFC 3339, as milliseconds since 1970 in UTC.
fn moment(text: &str) -> Result<i64, Fault> {
    let moment: Result<Timestamp, _> = text.parse();
    moment
        .map(Timestamp::as_millisecond)
        .map_err(|_| unfit("`since` and `until` are times such as `2026-01-31T12:00:00Z`"))
}

/// The cursor of the page that begins behind this place.
pub fn cursor(sort: Sort, after: &After) -> String {
    let cursor =
        Cursor { sort: shown(sort).to_owned(), at: after.updated_at, name: after.name.clone() };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).expect("texts and numbers are JSON"))
}

/// `If-None-Match: *`, or `If-Match` with one version or `*` (RFC 9110, 13.1).
pub fn condition(headers: &HeaderMap) -> Result<Condition, Fault> {
    let one = |name: HeaderName| -> Result<Option<&str>, Fault> {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| bad_condition()),
            _ => Err(bad_condition()),
        }
    };
    match (one(IF_MATCH)?, one(IF_NONE_MATCH)?) {
        (None, None) => Ok(Condition::Any),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some("*"), None) => Ok(Condition::Present),
        (Some(tag), None) => version(tag).map(Condition::Version).ok_or_else(bad_condition),
        _ => Err(bad_condition()),
    }
}

fn version(tag: &str) -> Option<i64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn bad_condition() -> Fault {
    unfit("a condition is `If-None-Match: *`, or `If-Match` with one version, such as `\"3\"`")
}

fn limit(text: &str) -> Result<u32, Fault> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    let limit =
        text.parse().ok().filter(|_| is_plain).filter(|limit| (1..=ROWS_MAX).contains(limit));
    limit.ok_or(unfit("`limit` is a number from 1 to 1000"))
}

fn sort(text: &str) -> Result<Sort, Fault> {
    let known = [Sort::Name, Sort::NameDescending, Sort::Updated, Sort::UpdatedDescending];
    let sort = known.into_iter().find(|sort| shown(*sort) == text);
    sort.ok_or(unfit("`sort` is `name`, `-name`, `updated` or `-updated`"))
}

fn shown(sort: Sort) -> &'static str {
    match sort {
        Sort::Name => "name",
        Sort::NameDescending => "-name",
        Sort::Updated => "updated",
        Sort::UpdatedDescending => "-updated",
    }
}

fn after(text: &str, sort: Sort) -> Result<After, Fault> {
    let bad = || unfit("`cursor` is not one that a list with this `sort` gave");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
    let said: Cursor = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let place = After { updated_at: said.at, name: said.name };
    // JSON can be written in many ways, and a list writes it in one.
    let is_given = is_secret_name(place.name.as_bytes()) && cursor(sort, &place) == text;
    if is_given { Ok(place) } else { Err(bad()) }
}

/// Form decoding: `+` is a space, `%XX` a byte, and the whole is UTF-8.
fn decoded(text: &str) -> Option<String> {
    percent_decoded(&text.replace('+', " "))
}

/// `%XX` is a byte, and the whole is UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => 16 * hex(rest.next()?)? + hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn unfit(what: &'static str) -> Fault {
    Fault::Request { what }
}
