//! Resolves for launchers on the same machine, which hold no token: what a launcher asks is handed
//! on with the sidecar's own, for the sidecar's own organization, and the answer given back as it
//! is. It adds no power to that token, keeps nothing, and reads no value.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::client::{Failure, Relay, Relayed, RelayedTo};
use crate::log::{Level, Log, Throttle};
use crate::sidecar::seats::Seat;
use crate::sidecar::state::{Proxied, State, count};
use crate::sidecar::watches::Watches;
use crate::wire::{
    self, Problem, REQUEST_BYTES_MAX, RESOLVE_NAMES_MAX, ResolveRequest, WATCH_SECONDS_MAX,
    WatchRequest, problem_type,
};

/// Resolves under way at once, and the most that an answer to one may be: together they bound what
/// is held in memory; where a store is late, once more for each that is asked beside it.
const RESOLVES_MAX: usize = 8;
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(20);
/// Seconds.
const WATCH_AGAIN_AFTER: HeaderValue = HeaderValue::from_static("15");
const LINES_PER_SECOND_MAX: u32 = 10;
/// Who may connect besides the owner, as the mode of the socket says it.
const OTHERS: u32 = 0o066;

static TURNED_AWAY: Throttle = Throttle::new("turned_away", LINES_PER_SECOND_MAX);
static PROXIED: Throttle = Throttle::new("proxied", LINES_PER_SECOND_MAX);

/// Who is at the other end of a connection (unix(7), `SO_PEERCRED`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Peer {
    pub uid: u32,
    pub pid: Option<i32>,
}

/// The way to the store, which is another one when a token was renewed.
pub type Way = Arc<Mutex<Option<Arc<Relay>>>>;

pub struct Proxy {
    way: Way,
    own_uid: u32,
    lets_others_in: bool,
    resolves: Semaphore,
    watches: Watches,
    state: Arc<State>,
    log: Log,
}

impl Proxy {
    pub fn new(way: Way, mode: u32, state: Arc<State>, log: Log) -> Self {
        Self {
            way,
            own_uid: nix::unistd::geteuid().as_raw(),
            lets_others_in: mode & OTHERS != 0,
            resolves: Semaphore::new(RESOLVES_MAX),
            watches: Watches::default(),
            state,
            log,
        }
    }

    pub async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Option<Peer>,
        seat: &Seat,
    ) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        // Read in any case: what is left unread would take the answer away with the connection.
        let body = read(body).await;
        seat.serve();
        let answered = match self.admit(peer).and(body) {
            Ok(body) => self.hand_on(&head, body, peer, seat).await,
            Err(refused) => Err(refused),
        };
        seat.is_answered();
        let status = match &answered {
            Ok(relayed) => relayed.status,
            Err(refused) => refused.status.as_u16(),
        };
        let tell = |line: &mut crate::log::Line| {
            if let Some(Peer { uid, pid }) = peer {
                line.number("uid", uid.into());
                pid.and_then(|pid| u64::try_from(pid).ok()).iter().for_each(|pid| {
                    line.number("pid", *pid);
                });
            }
            line.number("status", status.into());
        };
        match answered {
            Ok(relayed) => {
                count(&self.state.proxied);
                let level = if self.lets_others_in { Level::Info } else { Level::Debug };
                self.log.throttled(level, &PROXIED, tell);
                relayed_as_it_is(relayed)
            }
            Err(refused) => {
                count(&self.state.turned_away);
                self.log.throttled(Level::Warn, &TURNED_AWAY, |line| {
                    tell(line);
                    line.text("why", &refused.detail);
                });
                refused.answer()
            }
        }
    }

    /// The sidecar's own user and root; others where the socket's mode was opened to them.
    fn admit(&self, peer: Option<Peer>) -> Result<(), Refused> {
        let is_own = peer.is_some_and(|peer| peer.uid == self.own_uid || peer.uid == 0);
        if is_own || self.lets_others_in {
            return Ok(());
        }
        let detail = "this proxy is for its own user; `--proxy-mode` lets others in";
        Err(Refused::new(StatusCode::FORBIDDEN, detail))
    }

    async fn hand_on(
        &self,
        head: &Parts,
        body: Bytes,
        peer: Option<Peer>,
        seat: &Seat,
    ) -> Result<Relayed, Refused> {
        let relay = self.relay()?;
        let path = head.uri.path().to_owned();
        let what = asked(&head.method, &path, &relay)?;
        let to = judged(what, path, body)?;
        let sent = match what {
            What::Watch => {
                let _watch = self.watches.begin(peer).ok_or_else(Refused::too_many)?;
                seat.step_aside();
                let sent = self.send(relay, to).await;
                seat.come_back();
                sent
            }
            What::Resolve => {
                let slot = timeout(RESOLVE_TIME_MAX, self.resolves.acquire()).await;
                let slot = slot.ok().and_then(Result::ok);
                let _slot = slot.ok_or_else(|| Refused::later("too much is under way"))?;
                self.send(relay, to).await
            }
        };
        proxied(&sent).into_iter().for_each(|proxied| self.state.heard(proxied));
        sent.map_err(|failure| {
            Refused::later(&format!("the store does not answer the sidecar: {failure}"))
        })
    }

    fn relay(&self) -> Result<Arc<Relay>, Refused> {
        let relay = self.way.lock().unwrap_or_else(PoisonError::into_inner).clone();
        relay.ok_or_else(|| Refused::later("the sidecar has not reached the store yet"))
    }

    /// What a store refuses may be due to a token that was replaced since, or to an address: once
    /// the settings were read again, it is asked again if they are others.
    async fn send(&self, relay: Arc<Relay>, to: RelayedTo) -> Result<Relayed, Failure> {
        let sent = relay.send(to.clone(), ANSWER_BYTES_MAX).await;
        if sent.as_ref().is_ok_and(|relayed| !matches!(relayed.status, 401 | 403 | 404)) {
            return sent;
        }
        self.state.renewed().await;
        match self.relay() {
            Ok(now) if !now.asks_as(&relay) => now.send(to, ANSWER_BYTES_MAX).await,
            _ => sent,
        }
    }
}

/// What it says of the sidecar's own standing. That a name is missing or forbidden is its
/// launcher's matter, and that a store is busy passes.
fn proxied(sent: &Result<Relayed, Failure>) -> Option<Proxied> {
    match sent {
        Err(_) => Some(Proxied::Away),
        Ok(Relayed { status: 401 | 403, .. }) => Some(Proxied::Refused),
        Ok(Relayed { status: 404, body, .. }) => {
            let problem = serde_json::from_slice::<Problem>(body);
            let is_of_org = problem.is_ok_and(|one| one.kind == problem_type::NO_ORGANIZATION);
            Some(if is_of_org { Proxied::Refused } else { Proxied::Well })
        }
        Ok(Relayed { status: 429 | 500.., .. }) => None,
        Ok(_) => Some(Proxied::Well),
    }
}

#[derive(Clone, Copy)]
enum What {
    Resolve,
    Watch,
}

/// A launcher's two questions, about the one organization that the token is for.
fn asked(method: &Method, path: &str, relay: &Relay) -> Result<What, Refused> {
    let what = if path == wire::resolve_path(relay.org()) {
        What::Resolve
    } else if path == wire::watch_path(relay.org()) {
        What::Watch
    } else {
        let ends = |end: &str| path.starts_with("/api/v1/orgs/") && path.ends_with(end);
        if ends("/resolve") || ends("/watch") {
            let detail = "this sidecar resolves for another organization";
            let refused = Refused::new(StatusCode::NOT_FOUND, detail);
            return Err(Refused { kind: problem_type::NO_ORGANIZATION, ..refused });
        }
        let detail = "this is a sidecar's proxy, which only resolves; ask the store itself";
        return Err(Refused::new(StatusCode::FORBIDDEN, detail));
    };
    match *method {
        Method::POST => Ok(what),
        _ => Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "POST")),
    }
}

async fn read(body: Incoming) -> Result<Bytes, Refused> {
    let whole = timeout(BODY_TIME_MAX, Limited::new(body, REQUEST_BYTES_MAX).collect()).await;
    let late = || Refused::new(StatusCode::REQUEST_TIMEOUT, "the body takes too long");
    let long = "the body is too long, or not whole";
    let whole = whole.map_err(|_| late())?;
    whole.map(|body| body.to_bytes()).map_err(|_| Refused::new(StatusCode::PAYLOAD_TOO_LARGE, long))
}

/// Only what is a request of the API is handed on, as it came.
fn judged(what: What, path: String, body: Bytes) -> Result<RelayedTo, Refused> {
    let bad = || Refused::new(StatusCode::BAD_REQUEST, "the body is not as the API has it");
    let (names, values, held) = match what {
        What::Resolve => {
            let asked: ResolveRequest = serde_json::from_slice(&body).map_err(|_| bad())?;
            (asked.names.len(), asked.values, Duration::ZERO)
        }
        What::Watch => {
            let asked: WatchRequest = serde_json::from_slice(&body).map_err(|_| bad())?;
            let wait = Duration::from_secs(asked.wait.min(WATCH_SECONDS_MAX));
            (asked.versions.len(), false, wait)
        }
    };
    let time_max = RESOLVE_TIME_MAX;
    match names <= RESOLVE_NAMES_MAX {
        true => Ok(RelayedTo { path, body, names, values, held, time_max }),
        false => Err(bad()),
    }
}

fn relayed_as_it_is(relayed: Relayed) -> Response<Full<Bytes>> {
    let Relayed { status, content_type, retry_after, body } = relayed;
    if status == StatusCode::UNAUTHORIZED.as_u16() {
        return Refused::of_own_token().answer();
    }
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = answer.headers_mut();
    content_type.into_iter().for_each(|value| drop(headers.insert(CONTENT_TYPE, value)));
    retry_after.into_iter().for_each(|value| drop(headers.insert(RETRY_AFTER, value)));
    answer
}

/// The proxy's own word, as the store would say it (RFC 9457).
struct Refused {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    retry_after: Option<HeaderValue>,
}

impl Refused {
    fn new(status: StatusCode, detail: &str) -> Self {
        Self { status, kind: "about:blank", detail: detail.to_owned(), retry_after: None }
    }

    /// A launcher that holds no token is not told to set one.
    fn of_own_token() -> Self {
        let detail = "the store does not accept the sidecar's token";
        let refused = Self::new(StatusCode::UNAUTHORIZED, detail);
        Self { kind: problem_type::PROXY_TOKEN, ..refused }
    }

    /// What can pass: a launcher tries again.
    fn later(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    fn too_many() -> Self {
        let detail = "this proxy holds as many watches as it may; try again later";
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after: Some(WATCH_AGAIN_AFTER), ..refused }
    }

    fn answer(self) -> Response<Full<Bytes>> {
        let problem = Problem {
            kind: self.kind.to_owned(),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: Some(self.detail),
            ..Problem::default()
        };
        let body = serde_json::to_vec(&problem).expect("texts and numbers are JSON");
        let mut answer = Response::new(Full::new(body.into()));
        *answer.status_mut() = self.status;
        let kind = HeaderValue::from_static("application/problem+json");
        answer.headers_mut().insert(CONTENT_TYPE, kind);
        let retry_after = self.retry_after.into_iter();
        retry_after.for_each(|value| drop(answer.headers_mut().insert(RETRY_AFTER, value)));
        answer
    }
}
