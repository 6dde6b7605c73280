//! The route that is held: it is answered when a secret has another version than the caller knows,
//! when its time is over, or when the store drains.

use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::name::{OrgName, SecretName, TokenId};
use crate::secret::Secret;
use crate::store::Store;
use crate::store::http::problem::Fault;
use crate::store::http::{Answer, Asked, Head, answer, body, door};
use crate::store::service::{Credential, Knock, Look, Looked, Refusal};
use crate::store::session::SessionEnd;
use crate::store::watches::{Held, Versions, look};
use crate::wire::{RESOLVE_NAMES_MAX, WATCH_SECONDS_MAX, WatchAnswer, WatchRequest};

/// Watches of different callers or names that one connection remembers to have put on record.
const ON_RECORD_MAX: usize = 64;

/// The watches that a connection has put on record: of whom, where, and of which names.
#[derive(Default)]
pub struct OnRecord {
    hasher: RandomState,
    watches: Mutex<HashSet<u64>>,
}

impl Asked<'_> {
    pub async fn watch(mut self, body: Incoming) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (versions, wait) = asked(&self.read(body).await?)?;
        let end = Instant::now() + wait;
        // Held on purpose, it takes no place of those that are under way.
        self.context.about(versions.keys().map(SecretName::as_str));
        self.context.step_aside();
        let Asked { store, knock, line, context, head, .. } = self;
        let mut session = session_of(store, &knock, &head)?;
        // While it is held, its connection's buffer is its connection's again.
        drop(head);
        let watch = Watch { store, knock: &knock, org: &org, versions: &versions };
        let mut over = wait.is_zero();
        // Whoever was not let in on this connection yet has no place among those who wait.
        if !line.on_record.has(line.on_record.mark(&watch))
            && let (_, Some(answer)) = watch.answer(&line.on_record, over).await?
        {
            return Ok(answer);
        }
        // It counts as waiting before it looks, so that no change falls in between.
        let held = Held::begin(store, watch.token(), &org, &versions);
        let mut held = held.ok_or(Fault::Refusal(Refusal::Overloaded))?;
        context.watches(&org);
        // Until then the names counted as the body that brought them.
        let knock = { knock }.uncounted();
        let watch = Watch { store, knock: &knock, org: &org, versions: &versions };
        loop {
            let (looked, answer) = watch.answer(&line.on_record, over).await?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
            held.looked(&looked);
            // A token that ends meanwhile ends it too.
            let until = looked.lasts.map_or(end, |lasts| end.min(Instant::now() + lasts));
            let woken = timeout_at(until, woken(&held, session.as_mut())).await;
            if session.as_ref().is_some_and(SessionEnd::is_there) {
                return Err(Fault::Unauthorized);
            }
            over = woken.is_err() && Instant::now() >= end;
        }
    }
}

/// The end of the session that it came by: who signs out waits for nothing any more.
fn session_of(store: &Store, knock: &Knock, head: &Head) -> Result<Option<SessionEnd>, Fault> {
    let Some(id) = door::session(knock, &head.headers) else { return Ok(None) };
    store.shared.sessions.end_of(id).map(Some).ok_or(Fault::Unauthorized)
}

/// Until there is something new, or the session is over.
async fn woken(held: &Held<'_>, session: Option<&mut SessionEnd>) {
    let Some(session) = session else { return held.woken().await };
    let (mut woken, mut over) = (pin!(held.woken()), pin!(session.come()));
    poll_fn(|cx| match over.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => woken.as_mut().poll(cx),
    })
    .await;
}

/// Who watches what.
struct Watch<'a> {
    store: &'a Store,
    knock: &'a Knock,
    org: &'a OrgName,
    versions: &'a Arc<Versions>,
}

impl Watch<'_> {
    /// What it has seen, and the answer where there is a reason for one.
    async fn answer(
        &self,
        on_record: &OnRecord,
        over: bool,
    ) -> Result<(Looked, Option<Answer>), Fault> {
        let looked = self.look(on_record).await.map_err(Fault::Refusal)?;
        let (changed, answer) = compared(self.versions, &looked);
        let is_due = changed || over || self.store.shared.watches.is_draining();
        let answer = is_due.then(|| answer::as_json(StatusCode::OK, &answer));
        Ok((looked, answer))
    }

    /// Whose places it takes: of several tokens in a session, the latest.
    fn token(&self) -> Option<&TokenId> {
        match &self.knock.credential {
            Credential::Operator(_) => None,
            Credential::Tokens(proofs) => proofs.first().map(|proof| &proof.id),
        }
    }

    /// Looks, on record where it is the connection's first such look, or a refusal.
    async fn look(&self, on_record: &OnRecord) -> Result<Looked, Refusal> {
        let mark = on_record.mark(self);
        if on_record.has(mark) {
            match look(self.store, self.knock, self.org, self.versions).await {
                Err(Refusal::Unresolved(_) | Refusal::Damaged(_)) => {}
                looked => return looked,
            }
        }
        let look = Look {
            knock: self.knock.clone(),
            organization: self.org.clone(),
            versions: Arc::clone(self.versions),
        };
        let looked = self.store.write(move |desk, tx| desk.begin_watch(tx, &look)).await?;
        on_record.put(mark);
        Ok(looked)
    }
}

impl OnRecord {
    fn mark(&self, watch: &Watch<'_>) -> u64 {
        let ids: Vec<&str> = match &watch.knock.credential {
            Credential::Operator(name) => vec![name],
            Credential::Tokens(proofs) => proofs.iter().map(|proof| proof.id.as_str()).collect(),
        };
        let names: Vec<&SecretName> = watch.versions.keys().collect();
        self.hasher.hash_one((watch.org, ids, names))
    }

    fn has(&self, mark: u64) -> bool {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).contains(&mark)
    }

    fn put(&self, mark: u64) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if watches.len() >= ON_RECORD_MAX {
            watches.clear();
        }
        watches.insert(mark);
    }
}

/// What is asked for. A longer wait than the longest is that one: the caller asks again anyway.
fn asked(body: &Secret) -> Result<(Arc<Versions>, Duration), Fault> {
    let ask: WatchRequest = body::parse(body, r#"{"versions":{"NAME":3},"wait":30}"#)?;
    if ask.versions.is_empty() {
        return Err(Fault::Value { what: "`versions` is empty; name at least one secret" });
    }
    if ask.versions.len() > RESOLVE_NAMES_MAX {
        return Err(Fault::Value { what: "`versions` is too long; up to 4096 names are taken" });
    }
    let wait = Duration::from_secs(ask.wait.min(WATCH_SECONDS_MAX));
    Ok((Arc::new(ask.versions), wait))
}

const _: () = assert!(RESOLVE_NAMES_MAX == 4096, "the text above says so");

/// Whether there is another version than the caller knows; and what there is.
fn compared(known: &Versions, looked: &Looked) -> (bool, WatchAnswer) {
    let now = looked.versions.iter().map(|version| version.and_then(|now| u64::try_from(now).ok()));
    let mut changed = false;
    let mut versions = BTreeMap::new();
    for ((name, known), now) in known.iter().zip(now) {
        changed |= now != Some(*known);
        versions.insert(name.clone(), now);
    }
    (changed, WatchAnswer { versions })
}
