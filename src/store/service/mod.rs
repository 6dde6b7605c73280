//! Principal and operation in, outcome out: each operation is the work of one transaction, with one
//! audit record in it. It speaks no HTTP, and it knows neither status codes nor SQL.

mod admit;
mod change;
mod desk;
mod ill_formed;
mod job;
mod list;
mod members;
mod organizations;
mod owners;
mod resolve;
mod sealing;
mod sign_in;
mod tokens;
mod trail;
mod usage;
mod watch;

use std::io;

use jiff::Timestamp;

use crate::name::{EmailAddress, OrgName, SecretName, TokenId};
use crate::store::audit::Outcome;
use crate::store::permission::{Operation, Principal, authorize};
use crate::store::seal::SealedRow;
use crate::store::storage::StorageError;
use crate::wire::{Metadata, Unresolved};

pub use crate::store::service::admit::{Counted, Credential, Knock};
pub use crate::store::service::change::{Condition, Fresh, Put};
pub use crate::store::service::desk::{Desk, Keys, Said, State};
pub use crate::store::service::job::{Decided, Done, Job, Request, Service};
pub use crate::store::service::list::ListAsk;
pub use crate::store::service::members::{Minted, NewMember};
pub use crate::store::service::resolve::{Resolve, ResolvedSecret};
pub use crate::store::service::tokens::{Holder, NewToken};
pub use crate::store::service::trail::{TrailAsk, verified};
pub use crate::store::service::watch::{Look, Looked};

/// Who asks, where, and from which address: admitted, but not allowed anything yet.
pub struct Caller {
    pub principal: Principal,
    pub organization: OrgName,
    pub client: Option<String>,
}

/// Why an operation was not done.
#[derive(Debug)]
pub enum Refusal {
    /// No token of this store.
    Unauthorized,
    /// A token of this store, whose row is not what was written.
    TokenDamaged,
    NoOrganization(OrgName),
    OrganizationExists(OrgName),
    /// An operator has no address, and named nobody as the owner.
    NoOwner,
    /// A member named somebody else as the owner.
    OtherOwner,
    /// The principal may not do this here.
    Forbidden,
    /// The token may not be used from this address; over a socket there is none.
    Network {
        client: Option<String>,
    },
    Unresolved(Vec<Unresolved>),
    NoSecret(SecretName),
    NoMember(EmailAddress),
    MemberExists(EmailAddress),
    LastOwner(EmailAddress),
    /// No other owner has a token that this member did not make.
    OwnersTokens(EmailAddress),
    /// No other owner has a token.
    OwnersWithout(EmailAddress),
    /// No owner has another token.
    LastToken(TokenId),
    MemberDamaged(EmailAddress),
    NoToken(TokenId),
    /// A condition did not hold; the version that is there, if one is.
    Precondition {
        name: SecretName,
        current: Option<i64>,
    },
    /// An empty value, and nothing said that it is meant.
    EmptyValue(SecretName),
    LongValue {
        name: SecretName,
        bytes: usize,
    },
    /// The values that are asked for have more bytes together than one answer may take.
    LongAnswer,
    /// What is stored of these is not what was written.
    Damaged(Vec<Damage>),
    OrganizationDamaged(OrgName),
    /// The change is made, but a reader keeps the old value in the journal.
    Unpurged(SecretName),
    /// The kernel gave no random bytes.
    NoRandom(io::Error),
    /// More requests wait than may.
    Overloaded,
    Storage(StorageError),
}

/// A secret that is not as it was written.
#[derive(Debug)]
pub struct Damage {
    pub name: SecretName,
    /// Whether it can be deleted: the audit trail still vouches for its last version.
    pub deletable: bool,
}

/// Said of a number that only a hand can have written.
const NO_NEXT: &str = "a version or sequence has no next one";

/// What needs the database to answer; its failure ends the transaction.
type Judged<T> = Result<T, StorageError>;

/// The answer of a step; a refusal is the whole operation's.
macro_rules! or_refuse {
    ($step:expr) => {
        match $step {
            Ok(done) => done,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}
use or_refuse;

impl Caller {
    fn may(&self, operation: Operation, name: Option<&SecretName>) -> bool {
        authorize(&self.principal, operation, &self.organization, name)
    }

    /// Whether nothing may be done from where the request comes from.
    fn is_astray(&self) -> bool {
        matches!(&self.principal, Principal::Bearer(bearer) if bearer.astray)
    }

    /// Why this caller may not do what it asks for, on record and to itself.
    fn forbidden(&self) -> (Outcome, Refusal) {
        match self.is_astray() {
            true => (Outcome::Network, Refusal::Network { client: self.client.clone() }),
            false => (Outcome::Forbidden, Refusal::Forbidden),
        }
    }
}

impl Refusal {
    /// What the database said, where it is that which failed.
    pub fn for_operator(&self) -> String {
        match self {
            Self::Storage(error) => error.to_string(),
            _ => "too much waits for the database".to_owned(),
        }
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Milliseconds since 1970 in UTC.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A stored time. One that is none was not written by this program, and was judged before.
fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn metadata(row: &SealedRow) -> Metadata {
    let columns = &row.columns;
    Metadata {
        name: columns.name.clone(),
        version: u64::try_from(columns.version).ok(),
        created_at: Timestamp::from_millisecond(columns.created_at).ok(),
        created_by: Some(columns.created_by.clone()),
        updated_at: Timestamp::from_millisecond(columns.updated_at).ok(),
        updated_by: Some(columns.updated_by.clone()),
        damaged: false,
        hint: None,
        workloads: None,
    }
}
