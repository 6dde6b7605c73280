//! Looks for what other processes changed, as long as a request is held: one look at each
//! organization's change records for all who wait there. What this process changes is told at once,
//! or, where it is not a secret, looked for at once.

use std::time::Duration;

use tokio::time::timeout;

use crate::name::OrgName;
use crate::store::Store;
use crate::store::service::Refusal;
use crate::store::watches::Watches;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Changes of one organization that are told by their names; more wake everybody there.
const CHANGES_MAX: u32 = 1000;

/// What changed in an organization, from behind one record up to another.
struct Changed {
    organization: OrgName,
    told: i64,
    sequence: i64,
    /// `None` where it was too much.
    subjects: Option<Vec<String>>,
}

/// Looks again and again, until nobody waits.
pub async fn poll(store: Store) {
    let polling = Polling { store, ended: false };
    polling.run().await;
}

struct Polling {
    store: Store,
    ended: bool,
}

impl Polling {
    async fn run(mut self) {
        loop {
            let _early = timeout(PAUSE, self.store.shared.watches.hurried.notified()).await;
            let Some(told) = self.store.shared.watches.told() else {
                self.ended = true;
                return;
            };
            // What cannot be read now is read the next time.
            if let Ok(changed) = changes(&self.store, told).await {
                self.store.shared.watches.tell_changed(&changed);
            }
        }
    }
}

impl Drop for Polling {
    /// Where the runtime ends before those who wait, another one may begin again.
    fn drop(&mut self) {
        if !self.ended {
            self.store.shared.watches.held().polled = false;
        }
    }
}

impl Watches {
    /// How far each organization has been told; `None`, and no other time, if nobody waits.
    fn told(&self) -> Option<Vec<(OrgName, i64)>> {
        let mut all = self.held();
        if all.requests == 0 {
            all.polled = false;
            return None;
        }
        let told = all.organizations.iter();
        Some(told.filter_map(|(name, waiting)| Some((name.clone(), waiting.told?))).collect())
    }

    fn tell_changed(&self, changed: &[Changed]) {
        let mut all = self.held();
        for one in changed {
            let Some(waiting) = all.organizations.get_mut(&one.organization) else { continue };
            // Who looked meanwhile, and saw less, is told the next time.
            if waiting.told == Some(one.told) {
                waiting.told = Some(one.sequence);
            }
            match &one.subjects {
                Some(subjects) => subjects.iter().for_each(|subject| waiting.tell(subject)),
                None => waiting.tell_all(),
            }
        }
    }
}

async fn changes(store: &Store, told: Vec<(OrgName, i64)>) -> Result<Vec<Changed>, Refusal> {
    let read = store.read(move |_, tx| {
        let mut all = Vec::new();
        for (organization, told) in told {
            let changes = tx.changes(organization.as_str(), told, CHANGES_MAX)?;
            let Some((last, _)) = changes.last() else { continue };
            let mut sequence = *last;
            let mut subjects = None;
            if changes.len() == CHANGES_MAX as usize {
                sequence = tx.head(organization.as_str())?.map_or(sequence, |(head, _)| head);
            } else {
                subjects = Some(changes.into_iter().map(|(_, subject)| subject).collect());
            }
            all.push(Changed { organization, told, sequence, subjects });
        }
        Ok(Ok(all))
    });
    read.await
}
