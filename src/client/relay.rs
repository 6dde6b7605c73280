//! Hands requests of others on to the store with this client's own token, and gives the answers as
//! they are. It judges no answer, and retries nothing: who asked does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use tokio::time::{Instant, timeout_at};

use super::call::Call;
use super::connect::connect;
use super::endpoint::Endpoint;
use super::error::Failure;
use super::exchange::{Answer, Fault, exchange};
use super::retry::{self, can_pass};
use super::{Client, Connector, FRAME_BYTES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX};
use crate::name::OrgName;

/// How long an endpoint may take while others are left: who asked waits for one answer, and does
/// so for as long as one attempt of its own may take.
const WHILE_OTHERS_ARE_LEFT: Duration = Duration::from_secs(2);

/// The way to the store for one organization, with the token for it.
pub struct Relay {
    endpoints: Vec<Endpoint>,
    /// Who is asked first: the one that answered last.
    first: AtomicUsize,
    authorization: Option<HeaderValue>,
    org: OrgName,
}

/// What is asked: the path, the body, how many names there are, and whether values are wanted.
#[derive(Clone)]
pub struct RelayedTo {
    pub path: String,
    pub body: Bytes,
    pub names: usize,
    pub values: bool,
    /// How long the store may hold it before it answers.
    pub held: Duration,
    /// How much longer it may take then, once it is connected.
    pub time_max: Duration,
}

/// A store's answer; its body may hold values and is wiped.
pub struct Relayed {
    pub status: u16,
    pub content_type: Option<HeaderValue>,
    pub retry_after: Option<HeaderValue>,
    pub body: Bytes,
}

impl Client {
    /// What is handed on with this client's token; nothing for a store in this process.
    pub fn relay(&self) -> Option<Relay> {
        let Connector::Endpoints(endpoints) = &self.connector else { return None };
        let (endpoints, authorization) = (endpoints.clone(), self.authorization.clone());
        let first = AtomicUsize::new(0);
        Some(Relay { endpoints, first, authorization, org: self.org().clone() })
    }
}

impl Relay {
    pub fn org(&self) -> &OrgName {
        &self.org
    }

    /// Whether a store would give the same answer to both: they go to the same addresses, with the
    /// same token.
    pub fn asks_as(&self, other: &Self) -> bool {
        let others = other.endpoints.iter().map(Endpoint::as_str);
        self.authorization == other.authorization
            && self.org == other.org
            && self.endpoints.iter().map(Endpoint::as_str).eq(others)
    }

    /// The answer of the first endpoint that has one which settles it; else the last failure.
    pub async fn send(&self, to: RelayedTo, bytes_max: usize) -> Result<Relayed, Failure> {
        let RelayedTo { path, body, names, values, held, time_max } = to;
        let each = if values { NAME_BYTES_MAX + VALUE_BYTES_MAX } else { NAME_BYTES_MAX };
        let answer_max = (FRAME_BYTES_MAX + each * names).min(bytes_max);
        let call = Call { body: Some(body), answer_max, ..Call::new(Method::POST, path) };
        let mut last = Failure::Dropped;
        let count = self.endpoints.len();
        let first = self.first.load(Ordering::Relaxed);
        for turn in 0..count {
            let endpoint = (first + turn) % count;
            let is_last = turn + 1 == count;
            let time_max = if is_last { time_max } else { time_max.min(WHILE_OTHERS_ARE_LEFT) };
            match self.ask(&call, &self.endpoints[endpoint], held, time_max).await {
                Ok(answer) if can_pass(answer.status) && !is_last => {
                    last = Failure::Status { status: answer.status, detail: None };
                }
                Ok(answer) => return Ok(relayed(answer)),
                Err(failure) => last = failure,
            }
            // Said at once: who asked may not wait until one has answered.
            self.first.store((endpoint + 1) % count, Ordering::Relaxed);
        }
        Err(last)
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        held: Duration,
        time_max: Duration,
    ) -> Result<Answer, Failure> {
        let connect_max = time_max.min(retry::PACE.attempt_max);
        let stream = connect(&endpoint.target, connect_max).await?;
        let request = call.request(endpoint.authority(), self.authorization.as_ref());
        let time_max = held + time_max;
        let until = Instant::now() + time_max;
        match timeout_at(until, exchange(stream, request, call.answer_max)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Fault::Passing(failure))) => Err(failure),
            Ok(Err(Fault::Protocol(fault))) => Err(Failure::Protocol(fault)),
            Err(_) => Err(Failure::TimedOut { after: time_max }),
        }
    }
}

fn relayed(answer: Answer) -> Relayed {
    let Answer { status, mut headers, body } = answer;
    let content_type = headers.remove(CONTENT_TYPE);
    let retry_after = headers.remove(RETRY_AFTER);
    Relayed { status, content_type, retry_after, body: Bytes::from_owner(body) }
}
