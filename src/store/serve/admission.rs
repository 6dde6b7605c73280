//! Who is let in: connections in all and from one address, requests under way, bytes of bodies.
//! Each is counted before it costs anything, and nobody waits here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::name::OrgName;
use crate::store::room::{Room, Rooms, Whose};
use crate::store::serve::limits::{
    ANSWER_BYTES_FREE_PER_ORGANIZATION, ANSWER_BYTES_UNCOUNTED, ANSWERS_BYTES_MAX,
    BODIES_BYTES_MAX, BODY_BYTES_FREE_PER_ADDRESS, CONNECTIONS_FREE_PER_ADDRESS, CONNECTIONS_MAX,
    DESCRIPTORS_KEPT, HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX, REQUESTS_MAX,
};
use crate::store::shares::{Full, Share, Shares};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    Address(IpAddr),
    Unix,
    /// Within this process.
    Own,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crowded {
    /// There are as many as there may be.
    All,
    /// This address has its share of them.
    Address,
}

/// The places that there are.
pub struct Admission {
    connections: Arc<Shares<Source>>,
    emptied: Arc<Notify>,
    handshakes: Arc<Semaphore>,
    handshakes_by_source: Mutex<HashMap<Source, Weak<Semaphore>>>,
    requests: Arc<Semaphore>,
    bodies: Arc<Shares<Source>>,
    answers: Arc<Rooms>,
}

/// Who is counted together.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub enum Source {
    V4(u32),
    /// The first 64 bits.
    V6(u64),
    Unix,
}

/// A connection's place, until it is dropped.
pub struct Slot {
    share: Option<Share<Source>>,
    emptied: Arc<Notify>,
}

/// A handshake's place among those of its address, and among all.
pub struct HandshakePermit {
    _of_address: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// A request's place among those under way.
pub type RequestPermit = OwnedSemaphorePermit;

/// Bytes of one request's body that are in memory.
pub type BodyPermit = Share<Source>;

impl Admission {
    pub fn new(descriptors_max: u64) -> Self {
        let descriptors = usize::try_from(descriptors_max).unwrap_or(usize::MAX);
        let connections_max = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(1);
        let connections_max = connections_max.min(CONNECTIONS_MAX);
        Self {
            connections: Shares::new(connections_max, CONNECTIONS_FREE_PER_ADDRESS),
            emptied: Arc::default(),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            handshakes_by_source: Mutex::default(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            bodies: Shares::new(BODIES_BYTES_MAX, BODY_BYTES_FREE_PER_ADDRESS),
            answers: Rooms::new(
                Shares::new(ANSWERS_BYTES_MAX, ANSWER_BYTES_FREE_PER_ORGANIZATION),
                ANSWER_BYTES_UNCOUNTED,
            ),
        }
    }

    pub fn connection(&self, peer: Peer) -> Result<Slot, Crowded> {
        let share = self.connections.take(Source::of(peer), 1);
        let share = share.map_err(|full| match full {
            Full::All => Crowded::All,
            Full::One => Crowded::Address,
        })?;
        Ok(Slot { share: Some(share), emptied: Arc::clone(&self.emptied) })
    }

    /// Waits for a place behind others of the same address alone, before it waits behind all: one
    /// address takes few of them, however many it wants.
    pub async fn handshake(&self, peer: Peer) -> HandshakePermit {
        const OPEN: &str = "nobody closes these";
        let own = self.handshakes_of(Source::of(peer)).acquire_owned().await.expect(OPEN);
        let all = Arc::clone(&self.handshakes).acquire_owned().await.expect(OPEN);
        HandshakePermit { _of_address: own, _of_all: all }
    }

    fn handshakes_of(&self, source: Source) -> Arc<Semaphore> {
        let mut by_source =
            self.handshakes_by_source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_source.get(&source).and_then(Weak::upgrade) {
            return own;
        }
        // There are never more in use than connections.
        if by_source.len() >= CONNECTIONS_MAX {
            by_source.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(HANDSHAKES_PER_ADDRESS_MAX));
        by_source.insert(source, Arc::downgrade(&own));
        own
    }

    pub fn request(&self) -> Option<RequestPermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    pub fn body(&self, peer: Peer, bytes: usize) -> Option<BodyPermit> {
        self.bodies.take(Source::of(peer), bytes).ok()
    }

    /// For one answer; it takes nothing yet. What is of no organization is its reader's.
    pub fn room(&self, organization: Option<OrgName>, peer: Peer) -> Arc<Room> {
        let of_peer = || Whose::Source(Source::of(peer));
        self.answers.room(organization.map_or_else(of_peer, Whose::Organization))
    }

    pub fn connections(&self) -> usize {
        self.connections.taken()
    }

    /// Waits until there is no connection.
    pub async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.connections() == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub fn requests_under_way(&self) -> usize {
        REQUESTS_MAX - self.requests.available_permits()
    }

    pub fn body_bytes(&self) -> usize {
        self.bodies.taken()
    }

    pub fn answer_bytes(&self) -> usize {
        self.answers.taken()
    }

    pub fn answers_refused(&self) -> u64 {
        self.answers.refused()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.share = None;
        // Each says so: whoever waits for the last one looks whether it was that.
        self.emptied.notify_waiters();
    }
}

impl Source {
    fn of(peer: Peer) -> Self {
        match peer {
            Peer::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => Self::V4(address.to_bits()),
                IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
            },
            Peer::Unix | Peer::Own => Self::Unix,
        }
    }
}

impl Peer {
    /// As an audit record says it: nothing for one that has no address.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.to_canonical()),
            Self::Unix | Self::Own => None,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.to_canonical().fmt(f),
            Self::Unix => f.write_str("unix"),
            Self::Own => f.write_str("own"),
        }
    }
}

impl Crowded {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Address => "address",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Address(address.parse().expect(address))
    }

    /// As many as are let in.
    fn fill(admission: &Admission, peer: Peer) -> Vec<Slot> {
        std::iter::from_fn(|| admission.connection(peer).ok()).collect()
    }

    /// What one address gets that is alone.
    const ALONE: usize = CONNECTIONS_MAX / (CONNECTIONS_FREE_PER_ADDRESS + 1);

    #[test]
    fn one_address_leaves_room_for_others() {
        let admission = Admission::new(u64::MAX);
        let slots = fill(&admission, peer("10.0.0.1"));
        assert_eq!(slots.len(), ALONE);
        // The same machine, through the other family's socket.
        assert_eq!(admission.connection(peer("::ffff:10.0.0.1")).err(), Some(Crowded::Address));
        assert!(admission.connection(peer("10.0.0.2")).is_ok());
        drop(slots);
        assert_eq!(admission.connections(), 0);
        assert_eq!(fill(&admission, peer("10.0.0.1")).len(), ALONE);
    }

    #[test]
    fn many_greedy_addresses_leave_room_too() {
        let admission = Admission::new(u64::MAX);
        let greedy = (0..20).map(|n| fill(&admission, peer(&format!("10.1.0.{n}"))));
        let greedy: Vec<Vec<Slot>> = greedy.collect();
        assert!(greedy.iter().all(|slots| slots.len() > 1), "each gets some");
        assert!(admission.connections() < CONNECTIONS_MAX, "and some are left");
        assert!(admission.connection(peer("10.0.0.1")).is_ok());
        assert!(admission.connection(Peer::Unix).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = Admission::new(u64::MAX);
        let slots = fill(&admission, peer("2001:db8::1"));
        let other = |address| admission.connection(peer(address)).err();
        assert_eq!(slots.len(), ALONE);
        assert_eq!(other("2001:db8::ffff:1:2:3"), Some(Crowded::Address));
        assert_eq!(other("2001:db8:0:1::1"), None);
    }

    #[test]
    fn few_descriptors_are_few_connections() {
        let admission = Admission::new(DESCRIPTORS_KEPT as u64 + 8);
        assert_eq!(fill(&admission, peer("10.0.0.1")).len(), 2);
        let slots: Vec<_> =
            (0..8).map(|n| admission.connection(peer(&format!("10.0.1.{n}")))).collect();
        assert!(slots.iter().all(Result::is_ok));
        assert_eq!(admission.connection(Peer::Unix).err(), Some(Crowded::All));
        drop(slots);
        assert!(admission.connection(Peer::Unix).is_ok());
        assert_eq!(fill(&Admission::new(0), Peer::Unix).len(), 1);
    }

    #[test]
    fn requests_and_bodies_have_an_end() {
        let admission = Admission::new(u64::MAX);
        let requests: Vec<_> = std::iter::from_fn(|| admission.request()).collect();
        assert_eq!((requests.len(), admission.requests_under_way()), (REQUESTS_MAX, REQUESTS_MAX));
        // One address leaves as much as it has, and the next one half of that.
        let mut taken: Vec<BodyPermit> = Vec::new();
        for (one, most) in [("10.0.0.1", 1 << 25), ("10.0.0.2", 1 << 24), ("10.0.0.3", 1 << 23)] {
            let mut body = admission.body(peer(one), most).expect("it is the first of its address");
            assert!(body.grow(1).is_err());
            assert!(admission.body(peer(one), 1).is_none());
            taken.push(body);
        }
        assert_eq!(admission.body_bytes(), BODIES_BYTES_MAX / 8 * 7);
        drop(taken);
        assert!(admission.body(peer("10.0.0.1"), BODIES_BYTES_MAX).is_some());
    }

    #[test]
    fn handshakes_of_one_address_wait_for_each_other_and_for_nobody_else() {
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};
        let admission = Admission::new(u64::MAX);
        let begin = |address: &str| match pin!(admission.handshake(peer(address)))
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(permit) => Some(permit),
            Poll::Pending => None,
        };
        let mut greedy: Vec<_> = std::iter::from_fn(|| begin("10.0.0.1")).collect();
        assert_eq!(greedy.len(), HANDSHAKES_PER_ADDRESS_MAX);
        assert!(begin("10.0.0.2").is_some());
        greedy.pop();
        assert!(begin("10.0.0.1").is_some());
        let others =
            (0..HANDSHAKES_MAX).map_while(|n| begin(&format!("10.1.{}.{}", n / 256, n % 256)));
        let others: Vec<_> = others.collect();
        assert_eq!(others.len() + greedy.len(), HANDSHAKES_MAX, "and all together have an end");
        drop((greedy, others));
        for n in 0..2 * CONNECTIONS_MAX {
            begin(&format!("10.2.{}.{}", n / 256, n % 256)).expect("there is room");
        }
        let remembered = admission.handshakes_by_source.lock().expect("whole").len();
        assert!(remembered <= CONNECTIONS_MAX, "{remembered}");
    }
}
