//! Who waits for another version of which secrets: a place for each name, and for each token and
//! member by which somebody was let in, so that a change wakes those whom it concerns and nobody
//! else. It judges nobody, and knows no version: who is woken looks again.

mod looks;
mod poll;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::name::{OrgName, SecretName, TokenId};
use crate::store::Store;
use crate::store::service::Looked;
use crate::store::shares::{Share, Shares};
use crate::store::watches::looks::Looks;

pub use crate::store::watches::looks::look;

/// Requests that are held at a time, and names that all of them wait for.
const HELD_MAX: usize = 20_000;
const HELD_NAMES_MAX: usize = 800_000;
/// Names of one organization, and of one token: one part in so many of those that are free then.
/// That is half of all, and a quarter, for one that is alone.
const HELD_NAMES_FREE_PER_ORGANIZATION: usize = 1;
const HELD_NAMES_FREE_PER_TOKEN: usize = 3;

/// The versions that a request knows, by name.
pub type Versions = BTreeMap<SecretName, u64>;

/// The requests that are held.
pub struct Watches {
    held: Mutex<AllHeld>,
    names: Arc<Shares<OrgName>>,
    names_of_tokens: Arc<Shares<TokenId>>,
    looks: Looks,
    /// Somebody's rights changed: that is looked for at once.
    hurried: Notify,
    draining: AtomicBool,
}

#[derive(Default)]
struct AllHeld {
    next_id: u64,
    requests: usize,
    organizations: HashMap<OrgName, Waiting>,
    /// Whether somebody looks for what others change.
    polled: bool,
}

/// Who waits in one organization.
#[derive(Default)]
struct Waiting {
    requests: usize,
    /// Changes up to the record with this sequence were told, or were there when each looked;
    /// `None` until one has.
    told: Option<i64>,
    /// By what may change, as the subjects of records call it.
    subjects: HashMap<Box<str>, HashMap<u64, Arc<Notify>>>,
}

/// One request that is held; no longer once this is dropped.
pub struct Held<'a> {
    store: &'a Store,
    organization: &'a OrgName,
    versions: &'a Versions,
    id: u64,
    wake: Arc<Notify>,
    /// By what it was let in.
    people: Vec<String>,
    _names: Share<OrgName>,
    _names_of_token: Option<Share<TokenId>>,
}

impl<'a> Held<'a> {
    /// From now on, each change of one of these wakes it. `None` if too many are held. Who has not
    /// been let in yet is not to have a place here.
    pub fn begin(
        store: &'a Store,
        token: Option<&TokenId>,
        organization: &'a OrgName,
        versions: &'a Versions,
    ) -> Option<Self> {
        let watches = &store.shared.watches;
        let of_token =
            |token: &TokenId| watches.names_of_tokens.take(token.clone(), versions.len());
        let names_of_token = token.map(of_token).transpose().ok()?;
        let names = watches.names.take(organization.clone(), versions.len()).ok()?;
        let wake = Arc::new(Notify::new());
        let mut all = store.shared.watches.held();
        if all.requests >= HELD_MAX {
            return None;
        }
        let id = all.next_id;
        all.next_id += 1;
        all.requests += 1;
        let waiting = all.organizations.entry(organization.clone()).or_default();
        waiting.requests += 1;
        for name in versions.keys() {
            waiting.put(name.as_str(), id, &wake);
        }
        if !std::mem::replace(&mut all.polled, true) {
            tokio::spawn(poll::poll(store.clone()));
        }
        drop(all);
        let (_names, _names_of_token) = (names, names_of_token);
        let people = Vec::new();
        Some(Self { store, organization, versions, id, wake, people, _names, _names_of_token })
    }

    /// Until one of the names changes, or what it was let in by, or the store drains. What happened
    /// meanwhile counts.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The request has seen everything up to a record, and nothing behind it. Another one may have
    /// seen more before: then that is told again. So a change of what it was let in by, which is
    /// known only now, wakes it too.
    pub fn looked(&mut self, looked: &Looked) {
        let mut all = self.store.shared.watches.held();
        let Some(waiting) = all.organizations.get_mut(self.organization) else { return };
        let sequence = looked.sequence;
        waiting.told = Some(waiting.told.map_or(sequence, |told| told.min(sequence)));
        if self.people != looked.people {
            self.people.iter().for_each(|subject| waiting.take(subject, self.id));
            self.people.clone_from(&looked.people);
            self.people.iter().for_each(|subject| waiting.put(subject, self.id, &self.wake));
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut all = self.store.shared.watches.held();
        all.requests -= 1;
        let Some(waiting) = all.organizations.get_mut(self.organization) else { return };
        waiting.requests -= 1;
        if waiting.requests == 0 {
            all.organizations.remove(self.organization);
            return;
        }
        let people = self.people.iter().map(String::as_str);
        for subject in self.versions.keys().map(SecretName::as_str).chain(people) {
            waiting.take(subject, self.id);
        }
    }
}

impl Default for Watches {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            names: Shares::new(HELD_NAMES_MAX, HELD_NAMES_FREE_PER_ORGANIZATION),
            names_of_tokens: Shares::new(HELD_NAMES_MAX, HELD_NAMES_FREE_PER_TOKEN),
            looks: Looks::default(),
            hurried: Notify::new(),
            draining: AtomicBool::default(),
        }
    }
}

impl Watches {
    /// Wakes who waits for this name.
    pub fn tell(&self, organization: &OrgName, name: &SecretName) {
        if let Some(waiting) = self.held().organizations.get(organization) {
            waiting.tell(name.as_str());
        }
    }

    /// A token or a member is not what it was: whoever waits by it is told now.
    pub fn hurry(&self) {
        self.hurried.notify_one();
    }

    /// From now on nobody waits.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.held().organizations.values().for_each(Waiting::tell_all);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// How many requests are held, in organizations that one of them has looked at.
    pub fn count(&self) -> usize {
        let all = self.held();
        let looked = all.organizations.values().filter(|waiting| waiting.told.is_some());
        looked.map(|waiting| waiting.requests).sum()
    }

    fn held(&self) -> MutexGuard<'_, AllHeld> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, subject: &str, id: u64, wake: &Arc<Notify>) {
        let place = match self.subjects.get_mut(subject) {
            Some(place) => place,
            None => self.subjects.entry(subject.into()).or_default(),
        };
        place.insert(id, Arc::clone(wake));
    }

    fn take(&mut self, subject: &str, id: u64) {
        if let Some(place) = self.subjects.get_mut(subject) {
            place.remove(&id);
            if place.is_empty() {
                self.subjects.remove(subject);
            }
        }
    }

    fn tell(&self, subject: &str) {
        if let Some(place) = self.subjects.get(subject) {
            place.values().for_each(|wake| wake.notify_one());
        }
    }

    fn tell_all(&self) {
        self.subjects.values().flat_map(HashMap::values).for_each(|wake| wake.notify_one());
    }
}
