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
        let now = Instant::now();
        let mut open = self.open();
        let before = before.and_then(|id| open.remove(&hash(id)));
        let mut proofs: Vec<Proof> = before
            .filter(|session| session.lives(now))
            .map(|session| session.proofs.to_vec())
            .unwrap_or_default();
        proofs.retain(|held| held.id != proof.id);
        proofs.insert(0, proof);
        proofs.truncate(SESSION_TOKENS_MAX);
        let random: [u8; 32] = sys::random()?;
        let id = Secret::new(URL_SAFE_NO_PAD.encode(random).into_bytes());
        make_room(&mut open, now);
        let session = Session { proofs: proofs.into(), since: now, used: now };
        open.insert(hash(id.expose_secret()), session);
        Ok(id)
    }

    /// The tokens that this cookie stands for.
    pub fn find(&self, id: &[u8]) -> Option<Arc<[Proof]>> {
        let now = Instant::now();
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

    pub fn sign_out(&self, id: &[u8]) {
        self.open().remove(&hash(id));
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
