//! Bodies about organizations, members and tokens.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::grant::Grant;
use crate::name::{EmailAddress, OrgName, TokenId, WorkloadName};
use crate::secret::Secret;

use super::is_false;

/// What a member may do; `permission` has the table.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Reader,
    Editor,
    Owner,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Owner, Self::Editor, Self::Reader];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Reader => "reader",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// An organization that the caller reaches. Role and address are those of the member who asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Organization {
    pub name: OrgName,
    pub created_at: Timestamp,
    pub created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<EmailAddress>,
}

/// `GET /orgs`.
#[derive(Debug, Deserialize, Serialize)]
pub struct OrgList {
    pub orgs: Vec<Organization>,
    pub next: Option<String>,
}

/// `POST /orgs`. The owner is the caller, who need not be named; only an operator, who has no
/// address, names one.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OrgRequest {
    pub name: OrgName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<EmailAddress>,
}

/// A member of an organization. A damaged row says its address and no more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Member {
    pub email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The secrets that the member may resolve.
    #[serde(default)]
    pub names: Grant,
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
}

/// `GET …/members`.
#[derive(Debug, Deserialize, Serialize)]
pub struct MemberList {
    pub members: Vec<Member>,
    pub next: Option<String>,
}

/// `POST …/members`. Without names the member resolves nothing.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    pub email: EmailAddress,
    pub role: Role,
    #[serde(default, skip_serializing_if = "Grant::is_empty")]
    pub names: Grant,
}

/// `PATCH …/members/{email}`: what is left out stays.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Grant>,
}

/// A token, never the token itself. A damaged row says its id and no more.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Token {
    pub id: String,
    /// Whose it is: a workload's or a member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// A workload's own list; a member's token goes by the member's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Grant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// None never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub damaged: bool,
}

/// `GET …/tokens`.
#[derive(Debug, Deserialize, Serialize)]
pub struct TokenList {
    pub tokens: Vec<Token>,
    pub next: Option<String>,
}

/// `POST …/tokens`: for a workload, or for a member.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<EmailAddress>,
    /// Left out it is `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Grant>,
    /// Left out, a workload's token ends after [`super::TOKEN_DAYS_DEFAULT`] days, a member's
    /// never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// An address or a network such as `10.0.0.0/8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// What a new organization, member or token answers: the thing itself, flattened, beside `id` and
/// `token`. The token is said this once.
#[derive(Deserialize)]
pub struct Issued<T> {
    #[serde(flatten)]
    pub of: T,
    pub id: TokenId,
    #[serde(deserialize_with = "super::token_text")]
    pub token: Secret,
}

/// The same without repeating an id.
#[derive(Deserialize)]
pub struct IssuedToken {
    #[serde(flatten)]
    pub of: Token,
    #[serde(deserialize_with = "super::token_text")]
    pub token: Secret,
}

/// `POST /session`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    #[serde(deserialize_with = "super::secret_text")]
    pub token: Secret,
}

/// The answer: who is signed in where.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    pub organization: OrgName,
    pub member: EmailAddress,
    pub role: Role,
}
