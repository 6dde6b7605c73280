//! What belongs to one request beside the request: its id, who sent it, its share of the memory,
//! and what is said of it in log and metrics. It decides nothing about the request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::log::{Level, Throttle};
use crate::name::OrgName;
use crate::secret::Secret;
use crate::store::room::Room;
use crate::store::serve::admission::{BodyPermit, Peer, RequestPermit, Slot};
use crate::store::serve::limits::{
    BODY_BYTES_UNCOUNTED, BODY_TIME_MAX, LINES_PER_SECOND_MAX, LOGGED_NAMES_MAX,
};
use crate::store::serve::{RouteName, Server};
use crate::sys;

static AUTHENTICATION_REFUSED: Throttle =
    Throttle::new("authentication_refused", LINES_PER_SECOND_MAX);

/// One request's. HTTP is lent it, and says what it learns.
pub struct Context {
    pub id: RequestId,
    peer: Peer,
    route: Option<usize>,
    /// Only what the log will show.
    names: Vec<String>,
    permit: Option<RequestPermit>,
    body: Option<BodyPermit>,
    organization: Option<OrgName>,
    room: Option<Arc<Room>>,
    pub(super) has_read: bool,
    /// None where the request comes from within this process.
    server: Option<Arc<Server>>,
    slot: Option<Arc<Slot>>,
}

/// A request's name in log and answer: 16 hex digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestId(u64);

/// Where ids come from: each is another, and none can be foretold from those before by chance.
pub struct RequestIds {
    next: AtomicU64,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyFault {
    TooLong,
    /// The connection ended within it, or it is no body.
    Broken,
    TooSlow,
    /// Other bodies take the memory that there is.
    NoRoom,
    /// As many requests as may be are under way.
    Crowded,
}

impl Context {
    /// For a request from within this process, which has no limits but its body's length.
    pub fn own() -> Self {
        let random = sys::random().unwrap_or_default();
        let id = RequestId(u64::from_ne_bytes(random));
        Self {
            id,
            peer: Peer::Own,
            route: None,
            names: Vec::new(),
            permit: None,
            body: None,
            organization: None,
            room: None,
            has_read: false,
            server: None,
            slot: None,
        }
    }

    pub(super) fn served(
        server: Arc<Server>,
        peer: Peer,
        slot: Arc<Slot>,
        permit: Option<RequestPermit>,
    ) -> Self {
        let id = server.ids.next();
        let names = Vec::new();
        let (server, slot) = (Some(server), Some(slot));
        let (route, body, organization, room) = (None, None, None, None);
        let has_read = false;
        Self { id, peer, route, names, permit, body, organization, room, has_read, server, slot }
    }

    /// The client's address, where it has one.
    pub fn client(&self) -> Option<IpAddr> {
        self.peer.address()
    }

    /// Which of the routes it is: its index among their names.
    pub fn routed(&mut self, route: usize) {
        self.route = Some(route);
    }

    /// The organization that is asked, whose share a long answer takes. Whoever is not let in there
    /// gets a short one.
    pub fn asks(&mut self, organization: Option<OrgName>) {
        self.organization = organization;
    }

    /// The secrets that it is about. They are shown at debug level, and else not even copied.
    pub fn about<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        if self.server.as_ref().is_some_and(|server| server.log.shows(Level::Debug)) {
            self.names = names.take(LOGGED_NAMES_MAX).map(str::to_owned).collect();
        }
    }

    /// No token, or one that is unknown, expired or revoked; `reason` is a constant, and never what
    /// the client sent.
    pub fn refused_authentication(&self, reason: &'static str) {
        let Some(server) = &self.server else { return };
        server.metrics.authentications_refused.add(1);
        let route = self.route_name();
        server.log.throttled(Level::Info, &AUTHENTICATION_REFUSED, |line| {
            line.text("client", self.peer).text("reason", reason);
            line.text("method", route.method).text("route", route.path).text("id", self.id);
        });
    }

    /// Reads the whole body, counted against all bodies in memory until the request is over. While
    /// it comes, the request waits for its client: its place among those under way is another's.
    /// `said` is its length where the request says one.
    pub async fn read(
        &mut self,
        body: Incoming,
        said: Option<usize>,
        bytes_max: usize,
    ) -> Result<Secret, BodyFault> {
        if said.is_some_and(|said| said > bytes_max) {
            return Err(BodyFault::TooLong);
        }
        let is_served = self.server.is_some();
        let had_place = self.permit.take().is_some();
        let reading = self.read_frames(body, said.unwrap_or(0), bytes_max);
        let read = match is_served {
            true => timeout(BODY_TIME_MAX, reading).await.unwrap_or(Err(BodyFault::TooSlow)),
            false => reading.await,
        };
        self.has_read = read.is_ok();
        if let Some(server) = self.server.as_ref().filter(|_| had_place && self.has_read) {
            self.permit = server.admission.request();
            if self.permit.is_none() {
                server.metrics.requests_refused.add(1);
                return Err(BodyFault::Crowded);
            }
        }
        read
    }

    /// Room is taken for what has come, not for what was announced: an announcement is free.
    async fn read_frames(
        &mut self,
        mut body: Incoming,
        said: usize,
        bytes_max: usize,
    ) -> Result<Secret, BodyFault> {
        let mut bytes = Vec::with_capacity(said.min(bytes_max).min(BODY_BYTES_UNCOUNTED));
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > bytes_max {
                return Err(BodyFault::TooLong);
            }
            self.take_room(bytes.len(), data.len())?;
            bytes.extend_from_slice(&data);
        }
        Ok(Secret::new(bytes))
    }

    /// A short body takes none: there are no more of them than connections.
    fn take_room(&mut self, had: usize, more: usize) -> Result<(), BodyFault> {
        let Some(server) = self.server.as_ref().filter(|_| had + more > BODY_BYTES_UNCOUNTED)
        else {
            return Ok(());
        };
        let is_taken = match &mut self.body {
            Some(permit) => permit.grow(more).is_ok(),
            None => {
                self.body = server.admission.body(self.peer, had + more);
                self.body.is_some()
            }
        };
        if !is_taken {
            server.metrics.bodies_refused.add(1);
            return Err(BodyFault::NoRoom);
        }
        Ok(())
    }

    /// The memory that its answer takes.
    pub fn room(&mut self) -> Arc<Room> {
        let (server, peer, organization) = (&self.server, self.peer, &self.organization);
        let new = || match server {
            Some(server) => server.admission.room(organization.clone(), peer),
            None => Arc::default(),
        };
        Arc::clone(self.room.get_or_insert_with(new))
    }

    /// From here on the request is held on purpose, as a watch is: its place among those under way
    /// is another's. It keeps its connection's.
    pub fn step_aside(&mut self) {
        self.permit = None;
    }

    /// Whoever asks may watch in this organization: its connection counts as one that does.
    pub fn watches(&self, organization: &OrgName) {
        if let (Some(server), Some(slot)) = (&self.server, &self.slot) {
            server.admission.watches(slot, organization);
        }
    }

    /// What is counted of its body, for who works with it: that goes on where the client leaves.
    pub fn take_body(&mut self) -> Option<BodyPermit> {
        self.body.take()
    }

    /// Waits until the server is about to end: what is held on purpose is to be answered then.
    pub async fn draining(&self) {
        match &self.server {
            Some(server) => server.draining().await,
            None => std::future::pending().await,
        }
    }

    /// There is an answer.
    pub(super) fn finish(mut self, status: StatusCode, took: Duration) {
        let Some(server) = self.server.take() else { return };
        server.metrics.request(self.route, status, took);
        let route = server.metrics.name(self.route);
        server.log.debug("request", |line| {
            line.text("method", route.method).text("route", route.path);
            line.number("status", u64::from(status.as_u16())).milliseconds("ms", took);
            line.text("client", self.peer).text("id", self.id);
            if !self.names.is_empty() {
                line.text("secrets", self.names.join(","));
            }
        });
    }

    fn route_name(&self) -> RouteName {
        let server = self.server.as_ref();
        server.map_or(RouteName::OTHER, |server| server.metrics.name(self.route))
    }
}

impl Drop for Context {
    /// Whoever is dropped without an answer has a client that left.
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.metrics.requests_abandoned.add(1);
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl RequestId {
    pub fn digits(self) -> [u8; 16] {
        let digit = |place: usize| b"0123456789abcdef"[(self.0 >> (60 - 4 * place)) as usize & 15];
        std::array::from_fn(digit)
    }
}

impl RequestIds {
    pub fn new() -> Self {
        let random = sys::random().unwrap_or_default();
        Self { next: AtomicU64::new(u64::from_ne_bytes(random)) }
    }

    /// A step of splitmix64 (Steele, Lea, Flood 2014), which is a bijection: no id comes twice.
    pub fn next(&self) -> RequestId {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.next.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId(z ^ (z >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sixteen_digits_and_never_the_same() {
        let ids = RequestIds::new();
        let all: std::collections::HashSet<String> =
            (0..10_000).map(|_| ids.next().to_string()).collect();
        assert_eq!(all.len(), 10_000);
        assert!(all.iter().all(|id| id.len() == 16));
        assert_ne!(RequestIds::new().next(), RequestIds::new().next());
    }
}
