//! Bodies about what happened: audit records, checkpoints, what workloads use, and what they wait
//! for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{OrgName, SecretName};

/// The longest that a watch is held, in seconds, and how long it is when nothing is said.
pub const WATCH_SECONDS_MAX: u64 = 300;
pub const WATCH_SECONDS_DEFAULT: u64 = 30;

/// One record of the audit trail. It has no field for a value.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AuditRecord {
    pub sequence: i64,
    pub at: Timestamp,
    pub organization: String,
    pub actor: String,
    pub action: String,
    /// What was asked for; no version where there is none.
    pub secrets: Vec<NamedVersion>,
    /// The member, token or organization that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What was set on it, such as a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    pub outcome: String,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NamedVersion {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// `GET …/audit`, newest first.
#[derive(Debug, Deserialize, Serialize)]
pub struct AuditList {
    pub records: Vec<AuditRecord>,
    pub next: Option<String>,
}

/// `GET …/audit/checkpoint`: what the chain's end was. Kept elsewhere, it shows a cut tail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    pub organization: OrgName,
    /// The last record; 0 where there was none.
    pub sequence: i64,
    pub at: Timestamp,
    /// The chain's code of that record, in hex.
    pub code: String,
}

/// `POST …/audit/verify`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

/// How many records were found whole, and the first that is wrong.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VerifyAnswer {
    pub records: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenRecord>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BrokenRecord {
    pub sequence: i64,
    pub what: BrokenHow,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokenHow {
    /// There is none with this sequence, but one after it.
    Absent,
    /// It is not the one that was written here.
    Altered,
    /// A checkpoint says that there was one.
    Cut,
    /// It is whole, and not the one that the checkpoint saw.
    Other,
}

/// What one workload resolved; who launched without a workload's name stands under its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WorkloadUse {
    pub workload: String,
    pub last_resolved_at: Timestamp,
    /// Whether it resolved an older version of something than there is now.
    pub behind: bool,
    pub secrets: Vec<SecretUse>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SecretUse {
    pub name: String,
    pub version: i64,
    /// What the store has now; none where it is deleted.
    pub current: Option<i64>,
    pub resolved_at: Timestamp,
}

/// `GET …/workloads`.
#[derive(Debug, Deserialize, Serialize)]
pub struct WorkloadList {
    pub workloads: Vec<WorkloadUse>,
    pub next: Option<String>,
}

/// One workload that resolved a secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UsedBy {
    pub workload: String,
    pub version: i64,
    pub resolved_at: Timestamp,
}

/// `POST …/watch`: the versions that are known, and how many seconds to wait for another.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WatchRequest {
    pub versions: BTreeMap<SecretName, u64>,
    #[serde(default = "wait_default")]
    pub wait: u64,
}

/// The versions that there are now, none of what is gone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WatchAnswer {
    pub versions: BTreeMap<SecretName, Option<u64>>,
}

fn wait_default() -> u64 {
    WATCH_SECONDS_DEFAULT
}
