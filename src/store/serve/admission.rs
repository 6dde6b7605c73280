//! Who is let in: connections in all and from one address, requests under way, bytes of bodies.
//! Each is counted before it costs anything, and nobody waits here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::store::serve::limits::{
    ANSWERS_BYTES_MAX, BODIES_BYTES_MAX, CONNECTIONS_FREE_PER_ADDRESS, CONNECTIONS_MAX,
    DESCRIPTORS_KEPT, REQUESTS_MAX,
};

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
    connections_max: usize,
    connections: Arc<Mutex<Connections>>,
    emptied: Arc<Notify>,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

#[derive(Default)]
struct Connections {
    all: usize,
    by_source: HashMap<Source, usize>,
}

/// Whose connections are counted together.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Source {
    V4(u32),
    /// The first 64 bits.
    V6(u64),
    Unix,
}

/// A connection's place, until it is dropped.
pub struct Slot {
    connections: Arc<Mutex<Connections>>,
    emptied: Arc<Notify>,
    source: Source,
}

/// A request's place among those under way.
pub type RequestPermit = OwnedSemaphorePermit;

/// Bytes of one request's body that are in memory.
pub type BodyPermit = OwnedSemaphorePermit;

/// Bytes of one answer that its client has not read yet.
pub type AnswerPermit = OwnedSemaphorePermit;

impl Admission {
    pub fn new(descriptors_max: u64) -> Self {
        let descriptors = usize::try_from(descriptors_max).unwrap_or(usize::MAX);
        let connections_max = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(1);
        Self {
            connections_max: connections_max.min(CONNECTIONS_MAX),
            connections: Arc::default(),
            emptied: Arc::default(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            bodies: Arc::new(Semaphore::new(BODIES_BYTES_MAX)),
            answers: Arc::new(Semaphore::new(ANSWERS_BYTES_MAX)),
        }
    }

    /// The share shrinks with what is free, so that several who take theirs leave some to the next
    /// (dynamic thresholds; Choudhury and Hahne, 1998).
    pub fn connection(&self, peer: Peer) -> Result<Slot, Crowded> {
        let source = Source::of(peer);
        let mut connections = lock(&self.connections);
        let free = self.connections_max.saturating_sub(connections.all);
        if free == 0 {
            return Err(Crowded::All);
        }
        let had = connections.by_source.get(&source).copied().unwrap_or(0);
        if had > 0 && had * CONNECTIONS_FREE_PER_ADDRESS >= free {
            return Err(Crowded::Address);
        }
        connections.by_source.insert(source, had + 1);
        connections.all += 1;
        drop(connections);
        let (connections, emptied) = (Arc::clone(&self.connections), Arc::clone(&self.emptied));
        Ok(Slot { connections, emptied, source })
    }

    pub fn request(&self) -> Option<RequestPermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    pub fn body(&self, bytes: usize) -> Option<BodyPermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.bodies).try_acquire_many_owned(bytes).ok()
    }

    /// The longest answer takes all the room that there is.
    pub fn answer(&self, bytes: usize) -> Option<AnswerPermit> {
        let bytes = u32::try_from(bytes.min(ANSWERS_BYTES_MAX)).ok()?;
        Arc::clone(&self.answers).try_acquire_many_owned(bytes).ok()
    }

    pub fn connections(&self) -> usize {
        lock(&self.connections).all
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
        BODIES_BYTES_MAX - self.bodies.available_permits()
    }

    pub fn answer_bytes(&self) -> usize {
        ANSWERS_BYTES_MAX - self.answers.available_permits()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut connections = lock(&self.connections);
        connections.all -= 1;
        if let Entry::Occupied(mut count) = connections.by_source.entry(self.source) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if connections.all == 0 {
            self.emptied.notify_waiters();
        }
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

/// Counting cannot panic half way.
fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(lock(&admission.connections).by_source.is_empty(), "nothing is remembered");
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
        assert_eq!(Admission::new(0).connections_max, 1);
    }

    #[test]
    fn requests_and_bodies_have_an_end() {
        let admission = Admission::new(u64::MAX);
        let requests: Vec<_> = std::iter::from_fn(|| admission.request()).collect();
        assert_eq!((requests.len(), admission.requests_under_way()), (REQUESTS_MAX, REQUESTS_MAX));
        let most = admission.body(BODIES_BYTES_MAX - 1).expect("there is room");
        assert!(admission.body(2).is_none());
        assert!(admission.body(1).is_some());
        drop(most);
        assert!(admission.body(BODIES_BYTES_MAX).is_some());
    }

    #[test]
    fn answers_have_an_end_and_the_longest_is_sent() {
        let admission = Admission::new(u64::MAX);
        let one = admission.answer(1).expect("there is room");
        assert!(admission.answer(ANSWERS_BYTES_MAX).is_none());
        drop(one);
        let longest = admission.answer(usize::MAX).expect("no other waits");
        assert_eq!(admission.answer_bytes(), ANSWERS_BYTES_MAX);
        assert!(admission.answer(1).is_none());
        drop(longest);
        assert_eq!(admission.answer_bytes(), 0);
    }
}
