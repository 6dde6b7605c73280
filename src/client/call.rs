//! One call: attempts until one settles it or the deadline has come.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH, IF_NONE_MATCH, USER_AGENT,
};
use hyper::{Method, Request};
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::name::SecretName;
use crate::secret::Secret;

use super::answer::{Asked, Verdict, judge};
use super::connect::{Stream, connect};
use super::endpoint::{Endpoint, Target};
use super::error::{Error, Failure};
use super::exchange::{Answer, Fault, exchange};
use super::retry::{Again, Schedule, Step};
use super::{Client, Condition, Connector, FRAME_BYTES_MAX};

/// A request, as often as it is sent.
pub struct Call<'a> {
    pub method: Method,
    pub path: String,
    pub body: Option<Bytes>,
    pub condition: Condition,
    /// The most bytes that the answer can have.
    pub answer_max: usize,
    /// The one secret that the path names.
    pub secret: Option<&'a SecretName>,
    /// The value that is sent, so that no answer's words repeat it.
    pub value: Option<&'a Secret>,
}

/// What one attempt came to.
enum Outcome {
    Done(Answer),
    Again { failure: Failure, again: Again },
    End(Error),
}

impl Call<'_> {
    pub fn new(method: Method, path: String) -> Self {
        let condition = Condition::Always;
        let (body, secret, value) = (None, None, None);
        Self { method, path, body, condition, answer_max: FRAME_BYTES_MAX, secret, value }
    }

    fn request(&self, host: &str, authorization: Option<&HeaderValue>) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(&self.path)
            .header(HOST, host)
            .header(USER_AGENT, concat!("inject/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request = match self.condition {
            Condition::Always => request,
            Condition::Absent => request.header(IF_NONE_MATCH, "*"),
            Condition::Version(version) => request.header(IF_MATCH, format!("\"{version}\"")),
        };
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(self.body.clone().unwrap_or_default()))
            .expect("names, slugs and checked hosts are valid in a request")
    }
}

impl Client {
    /// Sends it until an answer settles it. An error is the call's, not the last attempt's.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        self.runtime()?.block_on(self.attempts(call))
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(Error::Runtime)?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    async fn attempts(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let start = Instant::now();
        let endpoints = self.endpoint_names();
        let mut schedule = Schedule::new(endpoints.len(), self.timeout, self.pace);
        let mut last: Vec<Option<Failure>> = endpoints.iter().map(|_| None).collect();
        let mut tries = 0;
        // Whether an attempt without an answer may have reached the store all the same.
        let mut perhaps_done = false;
        let retry_after = loop {
            let jitter = if tries == 0 { 0 } else { jitter() };
            let (endpoint, at, attempt_max) = match schedule.step(start.elapsed(), jitter) {
                Step::Try { endpoint, at, attempt_max } => (endpoint, at, attempt_max),
                Step::GiveUp => break None,
                Step::TooLong { wait } => break Some(wait),
            };
            let wait = at.saturating_sub(start.elapsed());
            if !wait.is_zero() {
                sleep(wait).await;
            }
            tries += 1;
            match self.attempt(call, endpoint, attempt_max).await {
                Outcome::Done(answer) => return Ok(answer),
                Outcome::End(error) => return settle(call, perhaps_done, error),
                Outcome::Again { failure, again } => {
                    perhaps_done |= may_have_reached(&failure);
                    schedule.failed(endpoint, start.elapsed(), again);
                    last[endpoint] = Some(failure);
                }
            }
        };
        let names = endpoints.into_iter().map(str::to_owned);
        let last = names.zip(last).filter_map(|(name, failure)| Some((name, failure?))).collect();
        let (store, waited) = (self.store.clone(), start.elapsed());
        Err(Error::Unreachable { store, tries, waited, last, retry_after })
    }

    fn endpoint_names(&self) -> Vec<&str> {
        match &self.connector {
            Connector::Endpoints(endpoints) => endpoints.iter().map(Endpoint::as_str).collect(),
            Connector::InProcess { label, .. } => vec![label],
        }
    }

    async fn attempt(&self, call: &Call<'_>, endpoint: usize, time_max: Duration) -> Outcome {
        let exchanged = timeout(time_max, async {
            let (stream, host) = self.connect(endpoint, time_max).await?;
            let request = call.request(host, self.authorization.as_ref());
            exchange(stream, request, call.answer_max).await
        });
        match exchanged.await {
            Ok(Ok(answer)) => self.judge(call, endpoint, answer),
            Ok(Err(Fault::Protocol(fault))) => {
                let store = self.endpoint_names()[endpoint].to_owned();
                Outcome::End(Error::Protocol { store, fault })
            }
            Ok(Err(Fault::Passing(failure))) => Outcome::Again { again: again(&failure), failure },
            Err(_) => Outcome::Again {
                failure: Failure::TimedOut { after: time_max },
                again: Again::AfterBackoff,
            },
        }
    }

    async fn connect(
        &self,
        endpoint: usize,
        time_max: Duration,
    ) -> Result<(Box<dyn Stream>, &str), Fault> {
        match &self.connector {
            Connector::Endpoints(endpoints) => {
                let endpoint = &endpoints[endpoint];
                let target: &Target = &endpoint.target;
                let stream = connect(target, time_max).await.map_err(Fault::Passing)?;
                Ok((stream, endpoint.authority()))
            }
            Connector::InProcess { connect, .. } => Ok((Box::new(connect()), "localhost")),
        }
    }

    fn judge(&self, call: &Call<'_>, endpoint: usize, answer: Answer) -> Outcome {
        let token = self.token.as_ref().map_or(&[][..], |token| token.expose_secret());
        let value = call.value.map_or(&[][..], |value| value.expose_secret());
        let asked = Asked {
            store: self.endpoint_names()[endpoint],
            org: &self.org,
            secret: call.secret,
            hidden: &[token, value],
        };
        match judge(&answer, &asked, Timestamp::now()) {
            Verdict::Done => Outcome::Done(answer),
            Verdict::End(error) => Outcome::End(error),
            Verdict::Again { failure, wait } => {
                Outcome::Again { failure, again: wait.map_or(Again::AfterBackoff, Again::After) }
            }
        }
    }
}

/// What may not be opened stays so; all else of what fails on the way can pass.
pub fn again(failure: &Failure) -> Again {
    match failure {
        Failure::Connect(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Again::Never
        }
        _ => Again::AfterBackoff,
    }
}

/// Whether the store may have done what was asked although the attempt failed. 429 and 503 say
/// that it has not.
fn may_have_reached(failure: &Failure) -> bool {
    match failure {
        Failure::LookUp(_) | Failure::Connect(_) => false,
        Failure::TimedOut { .. } | Failure::Dropped => true,
        Failure::Status { status, .. } => !matches!(status, 429 | 503),
    }
}

/// What an end means after an attempt that may have been carried out; see the module's head.
fn settle(call: &Call<'_>, perhaps_done: bool, error: Error) -> Result<Answer, Error> {
    match error {
        Error::NoSecret(_) if perhaps_done && call.method == Method::DELETE => {
            Ok(Answer { status: 204, headers: Default::default(), body: Default::default() })
        }
        Error::PreconditionFailed { .. } => {
            Err(Error::PreconditionFailed { perhaps_ours: perhaps_done })
        }
        error => Err(error),
    }
}

/// Uniform over `u64`. Should the kernel have none, a round waits for its whole bound.
fn jitter() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => u64::MAX,
    }
}
