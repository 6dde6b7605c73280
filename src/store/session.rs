//! Sessions of the page: which tokens a cookie stands for. They live in memory, so a restart signs
//! everyone out; each request asks anew what the tokens are worth.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::name::{EmailAddress, OrgName};
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

/// Sessions with a token of one member, and of one organization: the one that was used least lately
/// loses that token, and ends with its last one. So nobody signs out those of others.
pub const SESSIONS_PER_MEMBER_MAX: usize = 16;
pub const SESSIONS_PER_ORGANIZATION_MAX: usize = 2_000;

/// All sessions, by the hash of what the cookie says.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
}

struct Session {
    /// The latest sign-in first: of two in one organization it counts.
    held: Vec<Held>,
    /// The same tokens, as they are asked for.
    proofs: Arc<[Proof]>,
    used: Instant,
    /// Goes with the session; there is none as long as nobody asked for its end.
    open: Option<watch::Sender<()>>,
}

/// The end of a session, to be waited for.
pub struct SessionEnd(watch::Receiver<()>);

/// A token in a session.
struct Held {
    proof: Proof,
    holder: Holder,
    /// When its member signed in with it: another sign-in makes it no younger.
    since: Instant,
}

/// Whose token it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    pub organization: OrgName,
    pub member: EmailAddress,
}

impl Sessions {
    /// A new session for the tokens of the one before, if there was one, and this one. What the
    /// cookie is to say is answered once; the one before ends.
    pub fn sign_in(
        &self,
        before: Option<&[u8]>,
        proof: Proof,
        holder: Holder,
    ) -> io::Result<Secret> {
        self.sign_in_at(Instant::now(), before, proof, holder)
    }

    /// The tokens that this cookie stands for.
    pub fn find(&self, id: &[u8]) -> Option<Arc<[Proof]>> {
        self.find_at(Instant::now(), id)
    }

    pub fn sign_out(&self, id: &[u8]) {
        self.open().remove(&hash(id));
    }

    /// When this session ends; `None` if it did.
    pub fn end_of(&self, id: &[u8]) -> Option<SessionEnd> {
        let mut open = self.open();
        let session = open.get_mut(&hash(id))?;
        let sender = session.open.get_or_insert_with(|| watch::channel(()).0);
        Some(SessionEnd(sender.subscribe()))
    }

    fn sign_in_at(
        &self,
        now: Instant,
        before: Option<&[u8]>,
        proof: Proof,
        holder: Holder,
    ) -> io::Result<Secret> {
        let random: [u8; 32] = sys::random()?;
        let id = Secret::new(URL_SAFE_NO_PAD.encode(random).into_bytes());
        let mut open = self.open();
        let before = before.and_then(|id| open.remove(&hash(id)));
        let mut held = before.map(|session| session.living(now)).unwrap_or_default();
        held.retain(|one| one.proof.id != proof.id);
        make_room(&mut open, now, &holder);
        held.insert(0, Held { proof, holder, since: now });
        held.truncate(SESSION_TOKENS_MAX);
        open.insert(hash(id.expose_secret()), Session::new(held, now));
        Ok(id)
    }

    fn find_at(&self, now: Instant, id: &[u8]) -> Option<Arc<[Proof]>> {
        let mut open = self.open();
        let key = hash(id);
        let session = open.get_mut(&key)?;
        if !session.is_whole(now) && !session.lose_old(now) {
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
    fn new(held: Vec<Held>, used: Instant) -> Self {
        let proofs = held.iter().map(|one| one.proof.clone()).collect();
        Self { held, proofs, used, open: None }
    }

    /// What of it has not ended.
    fn living(mut self, now: Instant) -> Vec<Held> {
        self.lose_old(now);
        self.held
    }

    /// Whether a token of it has not ended.
    fn is_alive(&self, now: Instant) -> bool {
        now - self.used < SESSION_IDLE_MAX
            && self.held.iter().any(|one| now - one.since < SESSION_AGE_MAX)
    }

    fn is_whole(&self, now: Instant) -> bool {
        now - self.used < SESSION_IDLE_MAX
            && self.held.iter().all(|one| now - one.since < SESSION_AGE_MAX)
    }

    /// Drops the tokens of which this is so; whether any is left.
    fn lose(&mut self, which: impl Fn(&Held) -> bool) -> bool {
        let before = self.held.len();
        self.held.retain(|one| !which(one));
        if self.held.len() < before {
            // Who still may asks again.
            self.open = None;
        }
        self.proofs = self.held.iter().map(|one| one.proof.clone()).collect();
        !self.held.is_empty()
    }

    /// Drops the tokens that have ended; whether any is left.
    fn lose_old(&mut self, now: Instant) -> bool {
        let is_idle = now - self.used >= SESSION_IDLE_MAX;
        self.lose(|one| is_idle || now - one.since >= SESSION_AGE_MAX)
    }
}

impl SessionEnd {
    pub async fn come(&mut self) {
        // Nothing is ever sent: there is only the end to wait for.
        while self.0.changed().await.is_ok() {}
    }

    pub fn is_there(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// For one more of this member.
fn make_room(open: &mut HashMap<[u8; 32], Session>, now: Instant, holder: &Holder) {
    if open.len() >= SESSIONS_MAX {
        open.retain(|_, session| session.is_alive(now));
    }
    let colleague = |one: &Holder| one.organization == holder.organization;
    make_room_of(open, SESSIONS_PER_MEMBER_MAX, |one| one == holder);
    make_room_of(open, SESSIONS_PER_ORGANIZATION_MAX, colleague);
    make_room_of(open, SESSIONS_MAX, |_| true);
}

/// For one more where there may be so many with a token of these.
fn make_room_of(
    open: &mut HashMap<[u8; 32], Session>,
    sessions_max: usize,
    whose: impl Fn(&Holder) -> bool,
) {
    if open.len() < sessions_max {
        return;
    }
    let is_theirs = |session: &Session| session.held.iter().any(|one| whose(&one.holder));
    let (mut count, mut oldest): (usize, Option<(Instant, [u8; 32])>) = (0, None);
    for (key, session) in open.iter().filter(|(_, session)| is_theirs(session)) {
        count += 1;
        let this = (session.used, *key);
        oldest = Some(oldest.map_or(this, |oldest| oldest.min(this)));
    }
    let oldest = oldest.filter(|_| count >= sessions_max);
    let Some((_, key)) = oldest else { return };
    if !open.get_mut(&key).is_some_and(|session| session.lose(|one| whose(&one.holder))) {
        open.remove(&key);
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

    /// Some member of some organization, each number another.
    fn holder(organization: usize, member: usize) -> Holder {
        let organization = OrgName::parse(&format!("org-{organization}")).expect("a name");
        let member = EmailAddress::parse(&format!("{member}@acme.com")).expect("an address");
        Holder { organization, member }
    }

    fn sign_in(sessions: &Sessions, now: Instant, number: usize) -> Secret {
        next(sessions, now, None, number)
    }

    fn next(sessions: &Sessions, now: Instant, before: Option<&Secret>, number: usize) -> Secret {
        let (before, holder) = (before.map(Secret::expose_secret), holder(number % 10, number));
        sessions.sign_in_at(now, before, proof(number), holder).expect("random bytes")
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
        let second = next(&sessions, start, Some(&first), 2);
        assert!(sessions.find_at(start, first.expose_secret()).is_none());
        let both = ["000000000002", "000000000001"];
        assert_eq!(ids(sessions.find_at(start, second.expose_secret())), both);
        let late = start + SESSION_IDLE_MAX;
        let third = next(&sessions, late, Some(&second), 3);
        assert_eq!(ids(sessions.find_at(late, third.expose_secret())), ["000000000003"]);
    }

    #[test]
    fn it_holds_so_many_tokens_each_once() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let mut id = sign_in(&sessions, start, 0);
        for number in (0..=SESSION_TOKENS_MAX).chain([7]) {
            id = next(&sessions, start, Some(&id), number);
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
        // As many sign-ins would each look for those of one member.
        for number in 2..SESSIONS_MAX {
            let (proof, holder) = (proof(number), holder(number % 10, number));
            let held = vec![Held { proof, holder, since: start }];
            let key = hash(&number.to_ne_bytes());
            sessions.open().insert(key, Session::new(held, start + second));
        }
        assert!(sessions.find_at(start + second, first.expose_secret()).is_some());
        sign_in(&sessions, start + 2 * second, 0);
        assert_eq!(sessions.open().len(), SESSIONS_MAX);
        assert!(sessions.find_at(start + second, first.expose_secret()).is_some());
        assert!(sessions.find_at(start + second, idle.expose_secret()).is_none());
    }

    #[test]
    fn each_token_of_a_session_has_its_own_age() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let half = SESSION_IDLE_MAX / 2;
        let mut now = start;
        let first = sign_in(&sessions, start, 1);
        while now < start + SESSION_AGE_MAX - half {
            now += half;
            assert!(sessions.find_at(now, first.expose_secret()).is_some());
        }
        let both = next(&sessions, now, Some(&first), 2);
        let end = start + SESSION_AGE_MAX;
        assert_eq!(ids(sessions.find_at(end, both.expose_secret())), ["000000000002"]);
    }

    #[test]
    fn one_with_a_living_token_makes_room_for_nobody() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let now = start + SESSION_AGE_MAX;
        let fill = |number: usize, held: Vec<Held>| {
            sessions.open().insert(hash(&number.to_ne_bytes()), Session::new(held, now));
        };
        let held =
            |number: usize, since| Held { proof: proof(number), holder: holder(0, 0), since };
        for number in 1..SESSIONS_MAX {
            fill(number, vec![held(number, start)]);
        }
        fill(0, vec![held(1, now), held(2, start)]);
        next(&sessions, now, None, 9);
        assert_eq!(sessions.open().len(), 2, "those that ended went, and no other");
        let left = sessions.find_at(now, &0_usize.to_ne_bytes());
        assert_eq!(ids(left), ["000000000001"]);
    }

    #[test]
    fn one_member_signs_out_nobody_else() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let later = |n: usize| start + Duration::from_millis(n as u64);
        let other = sign_in(&sessions, start, 1);
        let mine = |now, before: Option<&Secret>, number| {
            let before = before.map(Secret::expose_secret);
            sessions.sign_in_at(now, before, proof(number), holder(1, 9)).expect("random bytes")
        };
        // The first of mine holds a token of another organization too.
        let elsewhere = next(&sessions, start, None, 2);
        let first = mine(later(1), Some(&elsewhere), 9);
        let end = sessions.end_of(first.expose_secret()).expect("it is there");
        let mut all = vec![first];
        all.extend((2..SESSIONS_PER_MEMBER_MAX + 2).map(|n| mine(later(n), None, 9)));
        assert_eq!(ids(sessions.find_at(later(99), all[0].expose_secret())), ["000000000002"]);
        assert!(end.is_there(), "what waits with the token that it lost is told");
        for one in &all[1..] {
            assert!(sessions.find_at(later(99), one.expose_secret()).is_some());
        }
        mine(later(100), None, 8);
        let left =
            all.iter().filter(|one| sessions.find_at(later(101), one.expose_secret()).is_some());
        assert_eq!(
            left.count(),
            SESSIONS_PER_MEMBER_MAX,
            "one of mine went, whichever token it was"
        );
        assert!(sessions.find_at(later(102), other.expose_secret()).is_some());
    }

    #[test]
    fn one_organization_signs_out_no_other() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let other = sign_in(&sessions, start, 1);
        let later = start + Duration::from_secs(1);
        for number in 0..SESSIONS_PER_ORGANIZATION_MAX + 5 {
            let holder = holder(99, number);
            sessions.sign_in_at(later, None, proof(number), holder).expect("random bytes");
        }
        assert_eq!(sessions.open().len(), SESSIONS_PER_ORGANIZATION_MAX + 1);
        assert!(sessions.find_at(later, other.expose_secret()).is_some());
    }
}
