//! Sessions of the page: which tokens a cookie stands for. They live in memory, so a restart signs
//! everyone out; each request asks anew what the tokens are worth.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::secret::Secret;
use crate::store::token::Proof;
use crate::sys;

/// Sessions at a time; when there are more, the one that was used least lately goes.
pub const SESSIONS_MAX: usize = 10_000;
/// Tokens that one session holds.
pub const SESSION_TOKENS_MAX: usize = 32;
/// A session ends when it was not used for so long, and when it is so old.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(60 * 60);
pub const SESSION_AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// All sessions, by the hash of what the cookie says.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
}

struct Session {
    /// The latest sign-in first: of two in one organization it counts.
    proofs: Arc<[Proof]>,
    since: Instant,
    used: Instant,
}

impl Sessions {
    /// A new session for the tokens of the one before, if there was one, and this one. What the
    /// cookie is to say is answered once; the one before ends.
    pub fn sign_in(&self, before: Option<&[u8]>, proof: Proof) -> io::Result<Secret> {
        self.sign_in_at(Instant::now(), before, proof)
    }

    /// The tokens that this cookie stands for.
    pub fn find(&self, id: &[u8]) -> Option<Arc<[Proof]>> {
        self.find_at(Instant::now(), id)
    }

    pub fn sign_out(&self, id: &[u8]) {
        self.open().remove(&hash(id));
    }

    fn sign_in_at(&self, now: Instant, before: Option<&[u8]>, proof: Proof) -> io::Result<Secret> {
        let mut open = self.open();
        let before = before.and_then(|id| open.remove(&hash(id)));
        let before = before.filter(|session| session.lives(now));
        // Another sign-in makes the ones before no younger.
        let since = before.as_ref().map_or(now, |session| session.since);
        let mut proofs = before.map(|session| session.proofs.to_vec()).unwrap_or_default();
        proofs.retain(|held| held.id != proof.id);
        proofs.insert(0, proof);
        proofs.truncate(SESSION_TOKENS_MAX);
        let random: [u8; 32] = sys::random()?;
        let id = Secret::new(URL_SAFE_NO_PAD.encode(random).into_bytes());
        make_room(&mut open, now);
        let session = Session { proofs: proofs.into(), since, used: now };
        open.insert(hash(id.expose_secret()), session);
        Ok(id)
    }

    fn find_at(&self, now: Instant, id: &[u8]) -> Option<Arc<[Proof]>> {
        let mut open = self.open();
        let key = hash(id);
        let session = open.get_mut(&key)?;
        if !session.lives(now) {
            open.remove(&key);
            return None;
        }
        session.used = now;
        Some(Arc::clone(&session.proofs))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now - self.used < SESSION_IDLE_MAX && now - self.since < SESSION_AGE_MAX
    }
}

fn make_room(open: &mut HashMap<[u8; 32], Session>, now: Instant) {
    if open.len() < SESSIONS_MAX {
        return;
    }
    open.retain(|_, session| session.lives(now));
    if open.len() >= SESSIONS_MAX {
        let oldest = open.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
        oldest.map(|key| open.remove(&key));
    }
}

/// What is looked up is not the cookie itself, so that no comparison tells of it.
fn hash(id: &[u8]) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::TokenId;
    use crate::store::token::Kind;

    fn proof(number: usize) -> Proof {
        let id = TokenId::parse(&format!("{number:012}")).expect("12 digits");
        Proof { id, kind: Kind::Member, hash: [0; 32] }
    }

    fn sign_in(sessions: &Sessions, now: Instant, number: usize) -> Secret {
        sessions.sign_in_at(now, None, proof(number)).expect("random bytes")
    }

    fn ids(found: Option<Arc<[Proof]>>) -> Vec<String> {
        found.iter().flat_map(|proofs| proofs.iter()).map(|one| one.id.to_string()).collect()
    }

    #[test]
    fn an_idle_one_ends_and_a_used_one_ends_too() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let id = sign_in(&sessions, start, 1);
        let moment = Duration::from_millis(1);
        let mut now = start;
        while now + SESSION_IDLE_MAX - moment < start + SESSION_AGE_MAX {
            now += SESSION_IDLE_MAX - moment;
            assert!(sessions.find_at(now, id.expose_secret()).is_some());
        }
        let end = start + SESSION_AGE_MAX;
        assert!(sessions.find_at(end - moment, id.expose_secret()).is_some());
        assert!(sessions.find_at(end, id.expose_secret()).is_none(), "it is too old");
        let id = sign_in(&sessions, start, 1);
        assert!(sessions.find_at(start + SESSION_IDLE_MAX, id.expose_secret()).is_none());
        assert!(sessions.find_at(start, id.expose_secret()).is_none(), "what ended stays ended");
        assert_eq!(sessions.open().len(), 0);
    }

    #[test]
    fn one_that_ended_brings_nothing_into_the_next() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let first = sign_in(&sessions, start, 1);
        let second = sessions.sign_in_at(start, Some(first.expose_secret()), proof(2));
        let second = second.expect("random bytes");
        assert!(sessions.find_at(start, first.expose_secret()).is_none());
        let both = ["000000000002", "000000000001"];
        assert_eq!(ids(sessions.find_at(start, second.expose_secret())), both);
        let late = start + SESSION_IDLE_MAX;
        let third = sessions.sign_in_at(late, Some(second.expose_secret()), proof(3));
        let third = third.expect("random bytes");
        assert_eq!(ids(sessions.find_at(late, third.expose_secret())), ["000000000003"]);
    }

    #[test]
    fn it_holds_so_many_tokens_each_once() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let mut id = sign_in(&sessions, start, 0);
        for number in (0..=SESSION_TOKENS_MAX).chain([7]) {
            let next = sessions.sign_in_at(start, Some(id.expose_secret()), proof(number));
            id = next.expect("random bytes");
        }
        let held = ids(sessions.find_at(start, id.expose_secret()));
        assert_eq!(held.len(), SESSION_TOKENS_MAX);
        assert_eq!(held[0], "000000000007", "the latest first");
        assert!(!held.contains(&"000000000000".to_owned()), "the oldest went");
    }

    #[test]
    fn the_one_used_least_lately_makes_room() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let second = Duration::from_secs(1);
        let first = sign_in(&sessions, start, 0);
        let idle = sign_in(&sessions, start, 1);
        for number in 2..SESSIONS_MAX {
            sign_in(&sessions, start + second, number);
        }
        assert!(sessions.find_at(start + second, first.expose_secret()).is_some());
        sign_in(&sessions, start + 2 * second, 0);
        assert_eq!(sessions.open().len(), SESSIONS_MAX);
        assert!(sessions.find_at(start + second, first.expose_secret()).is_some());
        assert!(sessions.find_at(start + second, idle.expose_secret()).is_none());
    }
}
