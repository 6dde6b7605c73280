//! Hands requests of others on to the store with this client's own token, and gives the answers as
//! they are. It judges no answer, and retries nothing: who asked does.

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

/// The way to the store for one organization, with the token for it.
pub struct Relay {
    endpoints: Vec<Endpoint>,
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
    /// How long the store may take once it is connected.
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
        Some(Relay { endpoints, authorization, org: self.org().clone() })
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
        let RelayedTo { path, body, names, values, time_max } = to;
        let each = if values { NAME_BYTES_MAX + VALUE_BYTES_MAX } else { NAME_BYTES_MAX };
        let answer_max = (FRAME_BYTES_MAX + each * names).min(bytes_max);
        let call = Call { body: Some(body), answer_max, ..Call::new(Method::POST, path) };
        let mut last = Failure::Dropped;
        for (number, endpoint) in (1..).zip(&self.endpoints) {
            match self.ask(&call, endpoint, time_max).await {
                Ok(answer) if can_pass(answer.status) && number < self.endpoints.len() => {
                    last = Failure::Status { status: answer.status, detail: None };
                }
                Ok(answer) => return Ok(relayed(answer)),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        endpoint: &Endpoint,
        time_max: Duration,
    ) -> Result<Answer, Failure> {
        let stream = connect(&endpoint.target, retry::PACE.attempt_max).await?;
        let request = call.request(endpoint.authority(), self.authorization.as_ref());
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
