//! What the launcher's side and the store's side say to each other: paths, bodies and limits.
//! It opens no connection and decides nothing.

mod people;
mod pin;
pub mod tls;
mod trail;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{EmailAddress, OrgName, SecretName, TokenId, WorkloadName};
use crate::secret::Secret;

pub use people::{
    Issued, IssuedToken, Member, MemberChange, MemberList, MemberRequest, OrgList, OrgRequest,
    Organization, Role, Session, SessionRequest, Token, TokenList, TokenRequest,
};
pub use pin::Pin;
pub use trail::{
    AuditList, AuditRecord, BrokenHow, BrokenRecord, Checkpoint, NamedVersion, SecretUse, UsedBy,
    VerifyAnswer, VerifyRequest, WATCH_SECONDS_DEFAULT, WATCH_SECONDS_MAX, WatchAnswer,
    WatchRequest, WorkloadList, WorkloadUse,
};

/// The largest value of a secret, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// The most names that one resolve may ask for.
pub const RESOLVE_NAMES_MAX: usize = 4096;
/// The most rows on one page of a list, and how many there are when none is asked for.
pub const PAGE_ROWS_MAX: usize = 1000;
pub const PAGE_ROWS_DEFAULT: usize = 100;
/// The largest request body: a value of which every byte needs six in JSON, and its frame.
pub const REQUEST_BYTES_MAX: usize = 6 * VALUE_BYTES_MAX + 4096;

/// How long a workload's token is good for when nothing is said, in days.
pub const TOKEN_DAYS_DEFAULT: i64 = 90;

/// What every path of the API begins with.
pub const API_PREFIX: &str = "/api/v1";

/// The `type` of each problem (RFC 9457) that a caller tells apart.
pub mod problem_type {
    /// The organization is not there, as seen by the caller.
    pub const NO_ORGANIZATION: &str = "urn:inject:problem:no-organization";
    /// A sidecar's proxy is asked, and the store does not accept its token.
    pub const PROXY_TOKEN: &str = "urn:inject:problem:proxy-token";
    /// Names of a resolve that are missing or forbidden; `unresolved` lists them.
    pub const UNRESOLVED: &str = "urn:inject:problem:unresolved";
    /// The one secret that the path names is not there.
    pub const NO_SECRET: &str = "urn:inject:problem:no-secret";
    /// What the path names otherwise, a member or a token, is not there.
    pub const NOT_FOUND: &str = "urn:inject:problem:not-found";
    /// It is there already.
    pub const EXISTS: &str = "urn:inject:problem:exists";
    /// The organization would be left without an owner.
    pub const LAST_OWNER: &str = "urn:inject:problem:last-owner";
    /// A condition (`If-Match`, `If-None-Match`) did not hold.
    pub const PRECONDITION: &str = "urn:inject:problem:precondition-failed";
    /// What is stored does not carry its authentication code: trying again changes nothing.
    pub const DAMAGED: &str = "urn:inject:problem:damaged";
    /// No room is left on the store's disk.
    pub const STORAGE_FULL: &str = "urn:inject:problem:storage-full";
    /// The store's disk or its files fail, in a way that no second try changes.
    pub const STORAGE_FAILED: &str = "urn:inject:problem:storage-failed";
    /// A change is made, and an old value still stands in the journal: the same again finishes it.
    pub const UNPURGED: &str = "urn:inject:problem:unpurged";
    /// The body, path or query is not what the API asks for.
    pub const INVALID: &str = "urn:inject:problem:invalid";

    /// Each of them.
    #[cfg(test)]
    pub const ALL: [&str; 12] = [
        NO_ORGANIZATION,
        UNRESOLVED,
        NO_SECRET,
        NOT_FOUND,
        EXISTS,
        LAST_OWNER,
        PRECONDITION,
        DAMAGED,
        STORAGE_FULL,
        STORAGE_FAILED,
        UNPURGED,
        INVALID,
    ];
}

pub fn resolve_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/resolve")
}

pub fn secrets_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/secrets")
}

pub fn orgs_path() -> String {
    format!("{API_PREFIX}/orgs")
}

pub fn members_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/members")
}

pub fn member_path(org: &OrgName, email: &EmailAddress) -> String {
    format!("{API_PREFIX}/orgs/{org}/members/{}", email.in_path())
}

pub fn tokens_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/tokens")
}

pub fn token_path(org: &OrgName, id: &TokenId) -> String {
    format!("{API_PREFIX}/orgs/{org}/tokens/{id}")
}

pub fn workloads_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/workloads")
}

pub fn watch_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/watch")
}

pub fn audit_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/audit")
}

pub fn checkpoint_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/audit/checkpoint")
}

pub fn verify_path(org: &OrgName) -> String {
    format!("{API_PREFIX}/orgs/{org}/audit/verify")
}

pub fn secret_path(org: &OrgName, name: &SecretName) -> String {
    format!("{API_PREFIX}/orgs/{org}/secrets/{name}")
}

/// `POST /orgs/{org}/resolve`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    pub names: Vec<SecretName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadName>,
    /// Without values it answers versions and dates only, and is not counted as use.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub values: bool,
}

/// The answer to a resolve: every name that was asked for.
#[derive(Deserialize)]
pub struct ResolveAnswer {
    pub secrets: BTreeMap<SecretName, Resolved>,
}

/// One resolved secret; `value` is there only where values were asked for.
#[derive(Deserialize)]
#[serde(try_from = "ResolvedOnTheWire")]
pub struct Resolved {
    pub value: Option<Secret>,
    pub version: u64,
    pub updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ResolvedOnTheWire {
    value: Option<String>,
    value_base64: Option<String>,
    version: u64,
    updated_at: Option<Timestamp>,
}

impl TryFrom<ResolvedOnTheWire> for Resolved {
    type Error = &'static str;

    fn try_from(wire: ResolvedOnTheWire) -> Result<Self, Self::Error> {
        let value = value_from_wire(wire.value, wire.value_base64)?;
        Ok(Self { value, version: wire.version, updated_at: wire.updated_at })
    }
}

/// A value as it travels: text where it is UTF-8, else base64 (standard alphabet, padded).
pub fn value_from_wire(
    text: Option<String>,
    base64: Option<String>,
) -> Result<Option<Secret>, &'static str> {
    use base64::Engine;
    match (text, base64) {
        (Some(_), Some(_)) => Err("both `value` and `value_base64` are given"),
        (Some(text), None) => Ok(Some(Secret::new(text.into_bytes()))),
        (None, Some(coded)) => {
            let coded = Secret::new(coded.into_bytes());
            base64::engine::general_purpose::STANDARD
                .decode(coded.expose_secret())
                .map(|bytes| Some(Secret::new(bytes)))
                .map_err(|_| "`value_base64` is not base64")
        }
        (None, None) => Ok(None),
    }
}

/// Appends `"value":"…"` or `"value_base64":"…"` to a JSON object that is being written.
pub fn write_value_member(out: &mut Vec<u8>, value: &Secret) {
    use base64::Engine;
    match std::str::from_utf8(value.expose_secret()) {
        Ok(text) if !text.bytes().any(is_escaped) => {
            out.extend_from_slice(b"\"value\":\"");
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Ok(text) => {
            out.extend_from_slice(b"\"value\":");
            serde_json::to_writer(out, text).expect("a vector takes every write");
        }
        Err(_) => {
            let coded = base64::engine::general_purpose::STANDARD.encode(value.expose_secret());
            let coded = Secret::new(coded.into_bytes());
            out.extend_from_slice(b"\"value_base64\":\"");
            out.extend_from_slice(coded.expose_secret());
            out.push(b'"');
        }
    }
}

/// Whether JSON writes this otherwise (RFC 8259, section 7).
fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=31)
}

/// What is known of one secret, never its value. A damaged row says its name and no more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Metadata {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub damaged: bool,
    /// Advice on a poor name, in the answer to a `PUT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Who resolved it in the last 30 days, in the answer to a `GET` of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<Vec<UsedBy>>,
}

/// `GET /orgs/{org}/secrets`.
#[derive(Debug, Deserialize, Serialize)]
pub struct SecretList {
    pub secrets: Vec<Metadata>,
    pub next: Option<String>,
}

/// A failure, as `application/problem+json` (RFC 9457).
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Problem {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Which request it was, as the store's log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<Unresolved>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unresolved {
    pub name: SecretName,
    pub reason: Reason,
    /// The nearest name that the caller may resolve.
    pub nearest: Option<SecretName>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Missing,
    Forbidden,
}

/// A text that nothing but its receiver may see.
fn secret_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|text| Secret::new(text.into_bytes()))
}

/// A token, which nothing but its receiver may see. What a header cannot hold, or a terminal might
/// obey, is none.
fn token_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let token = secret_text(deserializer)?;
    match token.expose_secret().iter().all(u8::is_ascii_graphic) {
        true => Ok(token),
        false => Err(serde::de::Error::custom("a token is visible ASCII")),
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_false(value: &bool) -> bool {
    !*value
}
