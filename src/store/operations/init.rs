//! Prepares a new store with one organization and its owner. It never touches one that is there.

use std::path::Path;
use std::sync::Arc;

use crate::name::{EmailAddress, OrgName};
use crate::secret::Secret;
use crate::store::audit::{Action, Outcome};
use crate::store::error::OpenError;
use crate::store::master_keys::MasterKeys;
use crate::store::open::{self, First};
use crate::store::operations::{OperationError, Site};
use crate::store::service::{Caller, Desk, Keys, NewMember, Said};
use crate::store::storage::sqlite::Sqlite;
use crate::store::token::{self, Kind};
use crate::wire::Role;

/// A new store.
pub struct Initialized {
    /// The owner's first token, which is kept nowhere.
    pub token: Secret,
}

pub fn init(
    site: Site<'_>,
    organization: &OrgName,
    owner: &EmailAddress,
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
    let (staged, master) =
        open::build_staged(site.directory, site.master_key, &first, &lock, site.deadline())?;
    let token = add_owner(site, &staged, master, organization, owner)?;
    open::place(&staged, site.directory)?;
    Ok(Initialized { token })
}

/// Writes the owner and the first token into the database that is yet to be put in place.
fn add_owner(
    site: Site<'_>,
    staged: &Path,
    master: MasterKeys,
    organization: &OrgName,
    owner: &EmailAddress,
) -> Result<Secret, OperationError> {
    let mut database = Sqlite::open(staged, site.deadline(), site.wait_max)?;
    let ring = open::open_ring(&master, site.master_key, &database)?;
    let made = token::make(Kind::Member, &ring.token)
        .map_err(|error| OpenError::io("read", "/dev/urandom", error))?;
    let mut desk = Desk::forgetful(Arc::new(Keys { master, ring }));
    let caller =
        Caller { principal: site.principal(), organization: organization.clone(), client: None };
    let member = NewMember { email: owner.clone(), role: Role::Owner, names: Default::default() };
    database.write(|tx| {
        desk.record(tx, &caller, Said::new(Action::OrgCreate, Outcome::Ok))?;
        desk.insert_member(tx, &caller, &member, &made).map(|_| ())
    })?;
    database.settle()?;
    Ok(made.token)
}
