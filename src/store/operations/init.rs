//! Prepares a new store with one organization and its owner. It never touches one that is there.

use crate::name::{EmailAddress, OrgName};
use crate::secret::Secret;
use crate::store::open::{self, First};
use crate::store::operations::{OperationError, Site};

/// A new store.
pub struct Initialized {
    /// The owner's first token, which is kept nowhere.
    pub token: Option<Secret>,
}

pub fn init(
    site: Site<'_>,
    organization: &OrgName,
    _owner: &EmailAddress,
) -> Result<Initialized, OperationError> {
    let there = || OperationError::StoreThere { directory: site.directory.to_owned() };
    if site.has_store()? {
        return Err(there());
    }
    let lock = open::lock_new(site.directory, site.deadline())?;
    // Another process may have been faster.
    if site.has_store()? {
        return Err(there());
    }
    let actor = site.principal().actor();
    let first = First { organization: organization.as_str(), actor: &actor };
    open::build(site.directory, site.master_key, &first, &lock, site.deadline())?;
    Ok(Initialized { token: None })
}
