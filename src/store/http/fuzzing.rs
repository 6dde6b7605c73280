//! What bodies and queries are taken for, written again, so that the fuzz targets can compare it
//! with a reading of their own. It touches no store.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::Secret;
use crate::store::http::{body, query};
use crate::store::room::Room;
use crate::store::service::{Condition, Holder};
use crate::store::storage::After;
use crate::wire;

/// Which request a body is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    Resolve,
    Watch,
    Put,
    Org,
    Member,
    Change,
    Token,
    Session,
    Verify,
}

/// What an accepted body says, as a body again.
pub fn accepted(kind: Body, bytes: &[u8]) -> Option<Vec<u8>> {
    let body = Secret::new(bytes.to_vec());
    match kind {
        Body::Resolve => resolve(&body),
        Body::Watch => again::<wire::WatchRequest>(&body),
        Body::Put => put(&body),
        Body::Org => again::<wire::OrgRequest>(&body),
        Body::Member => again::<wire::MemberRequest>(&body),
        Body::Change => again::<wire::MemberChange>(&body),
        Body::Token => token(&body),
        Body::Session => session(&body),
        Body::Verify => again::<wire::VerifyRequest>(&body),
    }
}

fn again<T: DeserializeOwned + Serialize>(body: &Secret) -> Option<Vec<u8>> {
    let parsed: T = body::parse(body, "").ok()?;
    serde_json::to_vec(&parsed).ok()
}

fn resolve(body: &Secret) -> Option<Vec<u8>> {
    let ask = body::resolve(body, Arc::new(Room::default())).ok()?;
    let (names, workload, values) = (ask.names.into_iter().collect(), ask.workload, ask.values);
    serde_json::to_vec(&wire::ResolveRequest { names, workload, values }).ok()
}

fn put(body: &Secret) -> Option<Vec<u8>> {
    let put = body::put(body, Condition::Any).ok()?;
    let mut out = b"{".to_vec();
    wire::write_value_member(&mut out, &put.value);
    out.extend_from_slice(format!(",\"allow_empty\":{}}}", put.allow_empty).as_bytes());
    Some(out)
}

fn token(body: &Secret) -> Option<Vec<u8>> {
    let (new, _) = body::token(body).ok()?;
    let (workload, member, names) = match new.holder {
        Holder::Workload { name, names } => (Some(name), None, Some(names)),
        Holder::Member(email) => (None, Some(email), None),
    };
    let network = new.network.map(|network| network.to_string());
    let expires_at = new.expires_at;
    serde_json::to_vec(&wire::TokenRequest { workload, member, names, expires_at, network }).ok()
}

fn session(body: &Secret) -> Option<Vec<u8>> {
    let ask: wire::SessionRequest = body::parse(body, "").ok()?;
    let token = std::str::from_utf8(ask.token.expose_secret()).ok()?;
    serde_json::to_vec(&serde_json::json!({ "token": token })).ok()
}

/// Where a page begins, and how many rows it has at most.
#[derive(Debug)]
pub struct Place {
    /// Behind this time, number or nothing, and this name.
    pub behind: Option<(i64, String)>,
    pub rows: usize,
    /// What the list itself gives for this place.
    pub cursor: Option<String>,
}

/// What the query of a list is taken for, if it is taken.
pub fn place(list: &str, text: &str) -> Option<Place> {
    let (behind, rows, cursor) = match list {
        "secrets" => {
            let (ask, sort) = query::list(text).ok()?;
            let cursor = ask.after.as_ref().map(|after| query::cursor(sort, after));
            let behind = ask.after.map(|After { updated_at, name }| (updated_at, name));
            (behind, ask.rows_max as usize, cursor)
        }
        "audit" => {
            let ask = query::trail(text).ok()?;
            let cursor = ask.before.map(|before| query::simple_cursor(list, &before.to_string()));
            (ask.before.map(|before| (before, String::new())), ask.rows_max, cursor)
        }
        "tokens" => {
            let (behind, rows) = query::page(text, list).ok()?;
            let (at, id) = query::timed(&behind).ok()?;
            let there = !behind.is_empty();
            let cursor = there.then(|| query::simple_cursor(list, &format!("{at} {id}")));
            (there.then_some((at, id)), rows, cursor)
        }
        _ => {
            let (behind, rows) = query::page(text, list).ok()?;
            let there = !behind.is_empty();
            let cursor = there.then(|| query::simple_cursor(list, &behind));
            (there.then_some((0, behind)), rows, cursor)
        }
    };
    Some(Place { behind, rows, cursor })
}
