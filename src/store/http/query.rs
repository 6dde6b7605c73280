//! What stands in a request beside path and body: the query of a list, its cursor, and the
//! conditions in headers. It touches no store.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use serde::{Deserialize, Serialize};

use crate::name::is_secret_name;
use crate::store::http::problem::Fault;
use crate::store::service::{Condition, ListAsk};
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
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&key) {
            return Err(unfit("a parameter is given twice"));
        }
        seen.push(key);
        let value = decoded(value).ok_or(unfit("a parameter is not percent-encoded UTF-8"))?;
        match key {
            "q" | "cursor" | "limit" | "sort" if value.is_empty() => {}
            "q" => ask.part = Some(value.to_ascii_uppercase()),
            "cursor" => cursor = Some(value),
            "limit" => ask.rows_max = limit(&value)?,
            "sort" => ask.sort = sort(&value)?,
            _ => return Err(unfit("the parameters are `q`, `cursor`, `limit` and `sort`")),
        }
    }
    ask.after = cursor.map(|cursor| after(&cursor, ask.sort)).transpose()?;
    let sort = ask.sort;
    Ok((ask, sort))
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
    let limit = text.parse().ok().filter(|limit| (1..=ROWS_MAX).contains(limit));
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
    let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    if cursor.sort != shown(sort) || !is_secret_name(cursor.name.as_bytes()) {
        return Err(bad());
    }
    Ok(After { updated_at: cursor.at, name: cursor.name })
}

/// Form decoding: `+` is a space, `%XX` a byte, and the whole is UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
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
