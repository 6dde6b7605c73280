//! The audit trail: what a record holds, and the chain that shows when one is edited, dropped or
//! moved. No field of a record can hold a value. It reads no database.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::name::SecretName;
use crate::store::canonical::Canonical;
use crate::store::seal::MacKey;
use crate::wire::Checkpoint;

/// What the first record of an organization is chained to.
pub const GENESIS: [u8; 32] = [0; 32];

/// What was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Resolve,
    /// A resolve without values.
    Check,
    Create,
    Update,
    Delete,
    Watch,
    OrgCreate,
    MemberAdd,
    MemberUpdate,
    MemberRemove,
    TokenCreate,
    TokenRevoke,
    SignIn,
    /// Everything was begun to be sealed under another master key.
    Rekey,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    Ok,
    /// The same request again, after its change was made but not yet retired everywhere.
    Repeated,
    Missing,
    Forbidden,
    /// A condition of the request did not hold.
    Precondition,
    Damaged,
    /// What was sent is not kept.
    Invalid,
    /// It is there already.
    Exists,
    /// The organization would have been left without an owner.
    LastOwner,
    /// The token may not be used from the client's address.
    Network,
}

/// One record, as it is stored. Times are milliseconds since 1970 in UTC.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    pub organization: String,
    /// Counts from 1 in each organization, without a gap.
    pub sequence: i64,
    pub at: i64,
    pub actor: String,
    pub action: String,
    /// What a change was made to: a secret by its name, or what [`subject`] says. These records
    /// anchor the row: it may only be the one that the last of them made.
    pub subject: Option<String>,
    /// The secrets asked for, as JSON: a list of [`Named`].
    pub secrets: String,
    /// What was set, as a JSON object: a role, a name list, an expiry.
    pub detail: Option<String>,
    pub workload: Option<String>,
    pub client: Option<String>,
    pub outcome: String,
}

impl Record {
    /// What of it has no small limit: the names in it.
    pub fn names_bytes(&self) -> usize {
        self.secrets.len() + self.detail.as_ref().map_or(0, String::len)
    }
}

/// How records name what is no secret. No secret's name holds a `:`.
pub mod subject {
    pub fn member(email: &str) -> String {
        format!("member:{email}")
    }

    pub fn token(id: &str) -> String {
        format!("token:{id}")
    }
}

/// A secret in a record; no version where there is none.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Named {
    pub name: String,
    #[serde(default)]
    pub version: Option<i64>,
}

/// The secrets of a record, as its field holds them: a list of [`Named`] in JSON.
pub struct NamedList(String);

impl NamedList {
    pub fn new() -> Self {
        Self("[".to_owned())
    }

    /// With room for names of these lengths.
    pub fn of(lengths: impl Iterator<Item = usize>) -> Self {
        let mut list = String::with_capacity(2 + lengths.map(|length| 32 + length).sum::<usize>());
        list.push('[');
        Self(list)
    }

    /// No character of a name means anything in JSON.
    pub fn push(&mut self, name: &SecretName, version: Option<i64>) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str("{\"name\":\"");
        self.0.push_str(name.as_str());
        self.0.push('"');
        if let Some(version) = version {
            self.0.push_str(",\"version\":");
            match u8::try_from(version) {
                // Most versions have one digit, which formatting takes its time for.
                Ok(digit @ 0..=9) => self.0.push(char::from(b'0' + digit)),
                _ => write!(self.0, "{version}").expect("a string takes every write"),
            }
        }
        self.0.push('}');
    }

    pub fn finish(mut self) -> String {
        self.0.push(']');
        self.0
    }
}

/// A record with its code.
#[derive(Clone, Debug)]
pub struct Chained {
    pub record: Record,
    pub code: Vec<u8>,
}

/// A change record with what is needed to judge it alone.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub chained: Chained,
    /// The code of the record before, if that is there.
    pub previous: Option<Vec<u8>>,
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Broken {
    /// There is no record with this sequence, but one after it.
    Absent { sequence: i64 },
    /// This record is not the one that was written here.
    Altered { sequence: i64 },
}

/// The chain's code of a record: HMAC-SHA256 (RFC 2104) over its fields, the code before it first.
pub fn code(key: &MacKey, previous: &[u8], record: &Record) -> [u8; 32] {
    chain(key, previous, record).finalize().into_bytes().into()
}

/// A record's code as a checkpoint has it: in hex, lower case.
pub fn code_text(code: &[u8]) -> String {
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a walk along a chain stands, at first before its first record.
pub struct Verifier {
    next: i64,
    previous: Vec<u8>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { next: 1, previous: GENESIS.to_vec() }
    }
}

impl Verifier {
    /// Takes the next record; records come in the order of their sequence.
    pub fn step(&mut self, key: &MacKey, chained: &Chained) -> Result<(), Broken> {
        let sequence = chained.record.sequence;
        if sequence > self.next {
            return Err(Broken::Absent { sequence: self.next });
        }
        if sequence < self.next || !holds(key, &self.previous, chained) {
            return Err(Broken::Altered { sequence });
        }
        self.next += 1;
        self.previous.clone_from(&chained.code);
        Ok(())
    }
}

impl Chained {
    /// Whether it is all that a checkpoint says of the record with its number. The time is in the
    /// code too, but whoever reads a checkpoint reads the time, and not the code.
    pub fn is_seen_by(&self, checkpoint: &Checkpoint) -> bool {
        checkpoint.code.eq_ignore_ascii_case(&code_text(&self.code))
            && checkpoint.at.as_millisecond() == self.record.at
    }
}

impl Anchor {
    /// Whether this record is one that was written, for this subject in this organization.
    pub fn holds(&self, key: &MacKey, organization: &str, subject: &str) -> bool {
        let record = &self.chained.record;
        let previous = match &self.previous {
            Some(code) => code.as_slice(),
            None if record.sequence == 1 => &GENESIS,
            None => return false,
        };
        record.organization == organization
            && record.subject.as_deref() == Some(subject)
            && holds(key, previous, &self.chained)
    }

    /// Whether it took its subject away.
    pub fn is_delete(&self) -> bool {
        let action = self.chained.record.action.as_str();
        [Action::Delete, Action::MemberRemove, Action::TokenRevoke]
            .iter()
            .any(|taking| taking.as_str() == action)
    }

    pub fn sequence(&self) -> i64 {
        self.chained.record.sequence
    }

    /// The version that the change made or took away; 0 if it had none.
    pub fn version(&self) -> i64 {
        let named: Option<Vec<Named>> = serde_json::from_str(&self.chained.record.secrets).ok();
        named.and_then(|list| list.first().and_then(|one| one.version)).unwrap_or(0)
    }
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Check => "check",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Watch => "watch",
            Self::OrgCreate => "org.create",
            Self::MemberAdd => "member.add",
            Self::MemberUpdate => "member.update",
            Self::MemberRemove => "member.remove",
            Self::TokenCreate => "token.create",
            Self::TokenRevoke => "token.revoke",
            Self::SignIn => "sign-in",
            Self::Rekey => "rekey",
        }
    }
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Repeated => "repeated",
            Self::Missing => "missing",
            Self::Forbidden => "forbidden",
            Self::Precondition => "precondition",
            Self::Damaged => "damaged",
            Self::Invalid => "invalid",
            Self::Exists => "exists",
            Self::LastOwner => "last-owner",
            Self::Network => "network",
        }
    }
}

fn holds(key: &MacKey, previous: &[u8], chained: &Chained) -> bool {
    chain(key, previous, &chained.record).verify_slice(&chained.code).is_ok()
}

fn chain(key: &MacKey, previous: &[u8], record: &Record) -> Hmac<Sha256> {
    let fields = Canonical::new("inject/audit/v1")
        .bytes(previous)
        .text(&record.organization)
        .number(record.sequence)
        .number(record.at)
        .text(&record.actor)
        .text(&record.action)
        .optional(record.subject.as_deref())
        .text(&record.secrets)
        .optional(record.detail.as_deref())
        .optional(record.workload.as_deref())
        .optional(record.client.as_deref())
        .text(&record.outcome);
    key.over(fields.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_secrets_is_json() {
        let name = |text| SecretName::parse(text).expect("a name");
        let mut list = NamedList::new();
        assert_eq!(NamedList::new().finish(), "[]");
        list.push(&name("DB_KEY"), Some(i64::MAX));
        list.push(&name("A"), None);
        let text = list.finish();
        assert_eq!(text, r#"[{"name":"DB_KEY","version":9223372036854775807},{"name":"A"}]"#);
        let named: Vec<Named> = serde_json::from_str(&text).expect("it is JSON");
        let named: Vec<_> = named.iter().map(|one| (one.name.as_str(), one.version)).collect();
        assert_eq!(named, [("DB_KEY", Some(i64::MAX)), ("A", None)]);
    }
}
