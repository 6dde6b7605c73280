//! The names of an organization in memory, to search them: which there are, and when each changed
//! last. It is brought up to date from the change records behind the last one seen, by whoever
//! asks, inside of the asker's transaction. It vouches for nothing: a row is read and judged when
//! it is shown, and what the image has too much of is passed over.

mod base;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::name::{OrgName, is_secret_name};
use crate::store::mirror::base::{Base, Builder, Part};
use crate::store::storage::changes::UNTIMED;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{After, Sort, StorageError};

/// Memory of all images together; the ones that nobody has asked about for longest go.
const MIRRORS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Organizations with an image.
const MIRRORS_MAX: usize = 256;
/// Changes that are kept beside the sorted names before they are sorted in.
const SINCE_MAX: usize = 1024;
/// Behind by more changes than these, it is quicker to read all names anew.
const CHANGES_MAX: u32 = 10_000;
/// After this long all names are read anew: who edits the file by hand leaves no change record.
const AGE_MAX: Duration = Duration::from_secs(300);

/// The images of the organizations that were asked about lately.
#[derive(Default)]
pub struct Mirrors(Mutex<HashMap<OrgName, Slot>>);

struct Slot {
    mirror: Arc<Mutex<Option<Arc<Mirror>>>>,
    asked_at: Instant,
    bytes: usize,
}

/// The names of one organization, as of one of its records.
#[derive(Clone)]
pub struct Mirror {
    base: Arc<Base>,
    /// What changed since: when, or that it is gone.
    since: BTreeMap<Box<str>, Option<i64>>,
    /// The last change that is in here.
    sequence: i64,
    read_at: Instant,
}

/// Which names are looked for: those that hold `part`, behind `after` in this order.
#[derive(Clone, Copy)]
pub struct Want<'a> {
    pub part: &'a str,
    pub sort: Sort,
    pub after: Option<&'a After>,
}

impl Mirrors {
    /// The image of an organization, with everything that this transaction can see.
    pub fn of(
        &self,
        tx: &Transaction<'_>,
        organization: &OrgName,
    ) -> Result<Arc<Mirror>, StorageError> {
        let slot = self.slot(organization);
        let mut kept = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match kept.as_ref() {
            Some(mirror) => mirror.caught_up(tx, organization.as_str())?,
            None => Some(Mirror::read(tx, organization.as_str())?),
        };
        if let Some(current) = current {
            let current = Arc::new(current);
            self.weigh(organization, current.bytes());
            *kept = Some(current);
        }
        Ok(Arc::clone(kept.as_ref().expect("it was there, or was read just now")))
    }

    /// Reads all names anew, beside those who use the image of before.
    pub fn renew(&self, tx: &Transaction<'_>, organization: &OrgName) -> Result<(), StorageError> {
        let mirror = Arc::new(Mirror::read(tx, organization.as_str())?);
        let slot = self.slot(organization);
        // What changed since this transaction began is seen by the next one who asks.
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(mirror);
        Ok(())
    }

    /// Whether it is time for [`Mirrors::renew`]. One who asks is told so, and not the others.
    pub fn is_old(&self, organization: &OrgName) -> bool {
        let slot = self.slot(organization);
        let mut kept = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(old) = kept.as_ref().filter(|mirror| mirror.read_at.elapsed() > AGE_MAX) else {
            return false;
        };
        *kept = Some(Arc::new(Mirror { read_at: Instant::now(), ..old.as_ref().clone() }));
        true
    }

    fn slot(&self, organization: &OrgName) -> Arc<Mutex<Option<Arc<Mirror>>>> {
        let mut slots = self.slots();
        let slot = slots.entry(organization.clone()).or_insert_with(|| Slot {
            mirror: Arc::default(),
            asked_at: Instant::now(),
            bytes: 0,
        });
        slot.asked_at = Instant::now();
        Arc::clone(&slot.mirror)
    }

    /// Notes how large this one is, and drops others until there is room.
    fn weigh(&self, organization: &OrgName, bytes: usize) {
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(organization) {
            slot.bytes = bytes;
        }
        while slots.len() > MIRRORS_MAX
            || slots.values().map(|slot| slot.bytes).sum::<usize>() > MIRRORS_BYTES_MAX
        {
            let others = slots.iter().filter(|(name, _)| *name != organization);
            let last = others.min_by_key(|(_, slot)| slot.asked_at).map(|(name, _)| name.clone());
            let Some(last) = last else { return };
            slots.remove(&last);
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<OrgName, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mirror {
    /// Up to `most` names in the order that is wanted, each with its time.
    pub fn find(&self, want: Want<'_>, most: usize) -> Vec<After> {
        let part = Part::new(want.part);
        let mut found = self.base.find(&part, want, most, |name| self.since.contains_key(name));
        let changed = self.since.iter().filter_map(|(name, time)| Some((name.as_ref(), (*time)?)));
        let changed = changed.filter(|(name, _)| part.is_in(name.as_bytes()));
        let changed = changed.map(|(name, time)| After { updated_at: time, name: name.to_owned() });
        let is_behind = |one: &After| {
            want.after.is_none_or(|after| want.sort.compare(one, after) == Ordering::Greater)
        };
        found.extend(changed.filter(is_behind));
        found.sort_by(|one, other| want.sort.compare(one, other));
        found.truncate(most);
        found
    }

    /// Up to `most` names that stand around the place where this one would.
    pub fn around(&self, name: &str, most: usize) -> Vec<String> {
        let mut names = self.base.around(name, most, |name| self.since.contains_key(name));
        let changed = self.since.iter().filter(|(_, time)| time.is_some());
        names.extend(changed.map(|(name, _)| name.to_string()));
        names
    }

    fn read(tx: &Transaction<'_>, organization: &str) -> Result<Self, StorageError> {
        let sequence = tx.head(organization)?.map_or(0, |(sequence, _)| sequence);
        let mut rows = Builder::default();
        tx.each_row(organization, |name, time| rows.push(name, time))?;
        let rows = rows.build();
        let mut absent: Vec<(String, i64)> = Vec::new();
        let mut place = 0;
        tx.each_change(organization, |name, sequence| {
            while place < rows.len() && rows.name(place) < name.as_bytes() {
                place += 1;
            }
            if place == rows.len() || rows.name(place) != name.as_bytes() {
                match absent.last_mut().filter(|(last, _)| last == name) {
                    Some((_, last)) => *last = sequence,
                    None => absent.push((name.to_owned(), sequence)),
                }
            }
        })?;
        // Deleted ones have no row, and are to have none.
        let mut since = BTreeMap::new();
        for (name, sequence) in absent {
            if !tx.took_away(organization, sequence)? {
                since.insert(name.into(), Some(UNTIMED));
            }
        }
        let base = Arc::new(if since.is_empty() { rows } else { rows.with(&since) });
        Ok(Self { base, since: BTreeMap::new(), sequence, read_at: Instant::now() })
    }

    /// With what changed since; `None` if nothing did.
    fn caught_up(
        &self,
        tx: &Transaction<'_>,
        organization: &str,
    ) -> Result<Option<Self>, StorageError> {
        let changes = tx.changes(organization, self.sequence, CHANGES_MAX)?;
        let Some((sequence, _)) = changes.last() else { return Ok(None) };
        if changes.len() == CHANGES_MAX as usize {
            return Self::read(tx, organization).map(Some);
        }
        let mut mirror = Self { sequence: *sequence, ..self.clone() };
        for (_, name) in changes.into_iter().filter(|(_, name)| is_secret_name(name.as_bytes())) {
            let time = match tx.row_time(organization, &name)? {
                Some(time) => Some(time),
                None => {
                    let last = tx.last_change(organization, &name)?;
                    (!tx.took_away(organization, last)?).then_some(UNTIMED)
                }
            };
            mirror.since.insert(name.into(), time);
        }
        if mirror.since.len() > SINCE_MAX {
            mirror.base = Arc::new(mirror.base.with(&mirror.since));
            mirror.since = BTreeMap::new();
        }
        Ok(Some(mirror))
    }

    fn bytes(&self) -> usize {
        self.base.bytes() + 128 * self.since.len()
    }
}

#[cfg(test)]
mod tests;
