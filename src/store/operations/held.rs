//! What a store or a backup holds, in numbers: no name of a secret is in it.

use std::collections::BTreeMap;

use crate::store::seal::shown_id;

/// What was found on a walk through everything.
#[derive(Debug, Default)]
pub struct Held {
    pub organizations: Vec<HeldOrganization>,
    /// Master keys that sound secrets are under, by the start of their ids, each with how many.
    pub sealed_under: BTreeMap<String, u64>,
    /// The master key that the other keys are under.
    pub ring_under: String,
}

#[derive(Debug, Default)]
pub struct HeldOrganization {
    pub name: String,
    pub secrets: u64,
    /// Records up to the first that is wrong.
    pub records: i64,
    /// When the last of them was made, and its code: what a checkpoint says.
    pub head: Option<(i64, Vec<u8>)>,
}

impl Held {
    pub fn secrets(&self) -> u64 {
        self.organizations.iter().map(|organization| organization.secrets).sum()
    }

    pub fn records(&self) -> i64 {
        self.organizations.iter().map(|organization| organization.records).sum()
    }

    pub(super) fn count(&mut self, organization: &str, key_id: &[u8]) {
        *self.sealed_under.entry(shown_id(key_id)).or_default() += 1;
        // They are in the order of their names.
        let place =
            self.organizations.binary_search_by(|known| known.name.as_str().cmp(organization));
        if let Ok(place) = place {
            self.organizations[place].secrets += 1;
        }
    }
}
