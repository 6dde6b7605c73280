//! Who is let in: connections in all and from one address, those that watch, requests under way,
//! bytes of bodies.
//! Each is counted before it costs anything, and nobody waits here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::name::OrgName;
use crate::store::room::{Room, Rooms, Whose};
use crate::store::serve::limits::{
    ANSWER_BYTES_FREE_PER_ORGANIZATION, ANSWER_BYTES_UNCOUNTED, ANSWERS_BYTES_MAX,
    BODIES_BYTES_MAX, BODY_BYTES_FREE_PER_ADDRESS, CONNECTIONS_FREE_PER_ADDRESS, CONNECTIONS_MAX,
    CONNECTIONS_WATCHING_MAX, CONNECTIONS_WATCHING_TIMES_FREE, DESCRIPTORS_KEPT, HANDSHAKES_MAX,
    HANDSHAKES_PER_ADDRESS_MAX, REQUESTS_MAX,
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
    watching: Arc<Shares<OrgName>>,
    ended: Arc<Notify>,
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
    place: Mutex<Option<Place>>,
    ended: Arc<Notify>,
}

/// With whom a connection is counted. It is held for nothing but its end.
enum Place {
    Any {
        _share: Share<Source>,
    },
    /// A watch was let in on it.
    Watching {
        _share: Share<OrgName>,
    },
}

/// How many connections there can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Places {
    pub any: usize,
    pub watching: usize,
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
    pub fn new(places: Places) -> Self {
        let Places { any, watching } = places;
        Self {
            connections: Shares::new(any, CONNECTIONS_FREE_PER_ADDRESS),
            watching: Shares::generous(watching, CONNECTIONS_WATCHING_TIMES_FREE),
            ended: Arc::default(),
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
        let place = Mutex::new(Some(Place::Any { _share: share }));
        Ok(Slot { place, ended: Arc::clone(&self.ended) })
    }

    /// From here on it counts among those that watch, if its organization has a place there.
    pub fn watches(&self, slot: &Slot, organization: &OrgName) {
        let mut place = slot.place();
        if let Some(Place::Any { .. }) = *place
            && let Ok(share) = self.watching.take(organization.clone(), 1)
        {
            *place = Some(Place::Watching { _share: share });
        }
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
        self.connections.taken() + self.watching.taken()
    }

    /// Waits until there is no connection.
    pub async fn empty(&self) {
        loop {
            let ended = self.ended();
            if self.connections() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Waits for the next connection that ends, from now on.
    pub fn ended(&self) -> Notified<'_> {
        self.ended.notified()
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

impl Places {
    /// As many as so many descriptors are enough for. Launchers come first.
    pub fn of(descriptors_max: u64) -> Self {
        let descriptors = usize::try_from(descriptors_max).unwrap_or(usize::MAX);
        let free = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(1);
        let any = free.min(CONNECTIONS_MAX);
        Self { any, watching: (free - any).min(CONNECTIONS_WATCHING_MAX) }
    }

    /// Whether there are fewer than there would be with more descriptors.
    pub fn are_few(self) -> bool {
        self.any + self.watching < CONNECTIONS_MAX + CONNECTIONS_WATCHING_MAX
    }
}

impl Slot {
    pub fn is_watching(&self) -> bool {
        matches!(*self.place(), Some(Place::Watching { .. }))
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.place() = None;
        // Each says so: whoever waits for the last one looks whether it was that.
        self.ended.notify_waiters();
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
mod tests;
