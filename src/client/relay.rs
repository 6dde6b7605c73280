//! Hands requests of others on to the store with this client's own token, and gives the answers as
//! they are. It judges no answer, and asks no endpoint twice: who asked does.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::call::Call;
use super::connect::connect;
use super::endpoint::Endpoint;
use super::error::Failure;
use super::exchange::{Answer, Fault, exchange};
use super::retry::{self, can_pass};
use super::{Client, Connector, FRAME_BYTES_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX};
use crate::name::OrgName;

/// After this long without an answer the next endpoint is asked beside those that were: who asked
/// waits for one answer, and does so for as long as one attempt of its own may take. Not sooner,
/// for each that resolves puts it on record.
const LATE_AFTER: Duration = Duration::from_secs(2);

/// The way to the store for one organization, with the token for it.
pub struct Relay {
    endpoints: Vec<Endpoint>,
    /// Who is asked first: the one that answered last, or that was asked since because another one
    /// failed or was late.
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

    /// The first answer that settles it; else the last failure. One that is late goes on beside
    /// the next one: it may be slow, and the next one no better.
    pub async fn send(&self, to: RelayedTo, bytes_max: usize) -> Result<Relayed, Failure> {
        let RelayedTo { path, body, names, values, held, time_max } = to;
        let each = if values { NAME_BYTES_MAX + VALUE_BYTES_MAX } else { NAME_BYTES_MAX };
        let answer_max = (FRAME_BYTES_MAX + each * names).min(bytes_max);
        let call = Call { body: Some(body), answer_max, ..Call::new(Method::POST, path) };
        let (count, first) = (self.endpoints.len(), self.first.load(Ordering::Relaxed));
        let mut left = (0..count).map(|turn| (first + turn) % count);
        let late_at = Cell::new(Instant::now());
        let (mut asked, mut last) = (Vec::with_capacity(count), Failure::Dropped);
        loop {
            if let Some(endpoint) = left.next() {
                // Said at once: who asked may not wait until one has answered.
                self.first.store(endpoint, Ordering::Relaxed);
                late_at.set(Instant::now() + LATE_AFTER);
                let answer = self.ask(&call, endpoint, held, time_max, &late_at);
                asked.push(Asked { endpoint, answer: Box::pin(answer) });
            } else if asked.is_empty() {
                return Err(last);
            }
            let are_left = left.len() > 0;
            match next(&mut asked, are_left.then_some(&late_at)).await {
                None => {}
                Some((_, Err(failure))) => last = failure,
                Some((endpoint, Ok(answer))) => {
                    let status = answer.status;
                    if !can_pass(status) {
                        self.first.store(endpoint, Ordering::Relaxed);
                    } else if are_left || !asked.is_empty() {
                        last = Failure::Status { status, detail: None };
                        continue;
                    }
                    return Ok(relayed(answer));
                }
            }
        }
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        endpoint: usize,
        held: Duration,
        time_max: Duration,
        late_at: &Cell<Instant>,
    ) -> Result<Answer, Failure> {
        let endpoint = &self.endpoints[endpoint];
        let late = Instant::now() + LATE_AFTER + held;
        let connect_max = time_max.min(retry::PACE.attempt_max);
        let stream = connect(&endpoint.target, connect_max).await?;
        // What it may hold makes it late only once it can.
        late_at.set(late_at.get().max(late));
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

/// One endpoint that is being asked; to drop it gives it up.
struct Asked<'a> {
    endpoint: usize,
    answer: Pin<Box<dyn Future<Output = Result<Answer, Failure>> + 'a>>,
}

/// Which one was the first to come to something, and what to; it is asked no more. None if it is
/// `late_at` before, which may change meanwhile.
async fn next(
    asked: &mut Vec<Asked<'_>>,
    late_at: Option<&Cell<Instant>>,
) -> Option<(usize, Result<Answer, Failure>)> {
    let mut late = pin!(sleep_until(late_at.map_or_else(Instant::now, Cell::get)));
    poll_fn(|context| {
        for index in 0..asked.len() {
            if let Poll::Ready(answer) = asked[index].answer.as_mut().poll(context) {
                return Poll::Ready(Some((asked.swap_remove(index).endpoint, answer)));
            }
        }
        let Some(late_at) = late_at else { return Poll::Pending };
        if late.deadline() != late_at.get() {
            late.as_mut().reset(late_at.get());
        }
        late.as_mut().poll(context).map(|()| None)
    })
    .await
}

fn relayed(answer: Answer) -> Relayed {
    let Answer { status, mut headers, body } = answer;
    let content_type = headers.remove(CONTENT_TYPE);
    let retry_after = headers.remove(RETRY_AFTER);
    Relayed { status, content_type, retry_after, body: Bytes::from_owner(body) }
}
