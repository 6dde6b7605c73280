//! Looks at versions, many in one transaction: while one is under way, the next ones gather. So a
//! change that ten thousand wait for is read once, and each of them is judged once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::name::OrgName;
use crate::store::Store;
use crate::store::service::{Knock, Look, Looked, Refusal};
use crate::store::watches::Versions;

/// Looks that share one transaction: a longer one would keep old values in the journal.
const SHARED_MAX: usize = 512;

/// Looks that wait for their turn; there are no more than requests that are held.
#[derive(Default)]
pub struct Looks(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    looks: Vec<(Look, Asker)>,
    taken: bool,
}

type Asker = oneshot::Sender<Result<Looked, Refusal>>;

/// The versions that there are now, for somebody who may still see them.
pub async fn look(
    store: &Store,
    knock: &Knock,
    organization: &OrgName,
    versions: &Arc<Versions>,
) -> Result<Looked, Refusal> {
    let look = Look {
        knock: knock.clone(),
        organization: organization.clone(),
        versions: Arc::clone(versions),
    };
    ask(store, look).await.unwrap_or(Err(Refusal::Overloaded))
}

/// Puts it among those that wait, and sees to it that somebody takes the turn.
fn ask(store: &Store, look: Look) -> oneshot::Receiver<Result<Looked, Refusal>> {
    let (asker, answer) = oneshot::channel();
    let mut waiting = store.shared.watches.looks.waiting();
    waiting.looks.push((look, asker));
    if !std::mem::replace(&mut waiting.taken, true) {
        tokio::spawn(Turn { store: store.clone(), ended: false }.take());
    }
    answer
}

/// Whose turn it is to look for all.
struct Turn {
    store: Store,
    ended: bool,
}

impl Turn {
    async fn take(mut self) {
        while let Some((looks, askers)) = self.store.shared.watches.looks.take() {
            let read = self.store.read(move |desk, tx| Ok(Ok(desk.look_all(tx, &looks))));
            match read.await {
                Ok(all) => {
                    askers.into_iter().zip(all).for_each(|(asker, one)| drop(asker.send(one)));
                }
                Err(Refusal::Storage(error)) => {
                    for asker in askers {
                        drop(asker.send(Err(Refusal::Storage(error.clone()))));
                    }
                }
                // Who hears nothing says that there is too much to do.
                Err(_) => drop(askers),
            }
        }
        self.ended = true;
    }
}

impl Drop for Turn {
    /// Where the runtime ends first, who still waits hears of it, and the next one takes the turn.
    fn drop(&mut self) {
        if !self.ended {
            let mut waiting = self.store.shared.watches.looks.waiting();
            waiting.looks.clear();
            waiting.taken = false;
        }
    }
}

impl Looks {
    /// The next ones; `None` if nobody waits, and then the turn is over.
    fn take(&self) -> Option<(Vec<Look>, Vec<Asker>)> {
        let mut waiting = self.waiting();
        if waiting.looks.is_empty() {
            waiting.taken = false;
            return None;
        }
        let shared = waiting.looks.len().min(SHARED_MAX);
        Some(waiting.looks.drain(..shared).unzip())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
