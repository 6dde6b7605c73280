//! Who may do what: the only decision. It reads nothing and changes nothing.

use crate::name::{OrgName, SecretName};
use crate::store::audit::Action;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Whoever can read the data directory and the key, on the machine itself: owner of every
    /// organization. The name is the operating system's.
    Operator { name: String },
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// See names and metadata.
    List,
    /// What leaves an audit record.
    Audited(Action),
}

impl Principal {
    /// How records and rows name the principal.
    pub fn actor(&self) -> String {
        match self {
            Self::Operator { name } => format!("os:{name}"),
        }
    }
}

/// Whether the principal may do this in this organization, to this secret where there is one.
pub fn authorize(
    principal: &Principal,
    _operation: Operation,
    _organization: &OrgName,
    _name: Option<&SecretName>,
) -> bool {
    match principal {
        Principal::Operator { .. } => true,
    }
}
