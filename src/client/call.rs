//! One call: attempts until one settles it or the deadline has come.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH, IF_NONE_MATCH, USER_AGENT,
};
use hyper::{Method, Request};
use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout_at};

use crate::name::SecretName;
use crate::secret::Secret;
use crate::sys;

use super::answer::{Asked, Verdict, judge};
use super::connect::{Stream, connect};
use super::endpoint::Endpoint;
use super::error::{Error, Failure, ProtocolFault, TokenSent};
use super::exchange::{Answer, Fault, exchange};
use super::failed::Failed;
use super::retry::{Again, Schedule, Step, may_have_reached};
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
    /// The names that a resolve asks for.
    pub names: BTreeSet<&'a SecretName>,
    /// The end of the time that it shares with other calls; else it has the client's for itself.
    pub deadline: Option<Instant>,
    /// The value that is sent, so that no answer's words repeat it.
    pub value: Option<&'a Secret>,
    /// Whether doing it twice is the same as once. Else it is not sent again once it may have been
    /// done.
    pub repeats: bool,
    /// The store may have long to do: one attempt may take all the time that there is.
    pub patient: bool,
}

/// The events of a connection that are taken from the kernel at once.
const EVENTS_MAX: usize = 16;

/// No wait of a store in this process is this long: it has deadlines of its own.
const IN_PROCESS_TIME_MAX: Duration = Duration::from_secs(48 * 3600);

/// Takes from an answer what the caller wants.
pub(super) type Read<'a> = dyn Fn(&Answer) -> Result<(), ProtocolFault> + 'a;

/// What one attempt came to.
pub(super) enum Outcome {
    Done,
    Again {
        failure: Failure,
        again: Again,
    },
    /// No other attempt at this endpoint can help; `error` is what it means if no endpoint does.
    EndHere {
        failure: Failure,
        error: Error,
    },
    End(Error),
}

/// What a call is about: an answer that speaks of other names is none. They go in one by one, for
/// `collect` would bring all of a sort along.
pub fn names<'a>(asked: impl Iterator<Item = &'a SecretName>) -> BTreeSet<&'a SecretName> {
    let mut names = BTreeSet::new();
    names.extend(asked);
    names
}

impl Call<'_> {
    pub fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            body: None,
            condition: Condition::Always,
            answer_max: FRAME_BYTES_MAX,
            secret: None,
            names: BTreeSet::new(),
            deadline: None,
            value: None,
            repeats: true,
            patient: false,
        }
    }

    pub(super) fn request(
        &self,
        host: &str,
        authorization: Option<&HeaderValue>,
    ) -> Request<Full<Bytes>> {
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
    /// Sends it until an answer settles it, of which `read` takes what the caller wants: what it
    /// finds wrong is a fault of the endpoint. An error is the call's, not the last attempt's.
    pub(super) fn call<T>(
        &self,
        call: &Call<'_>,
        read: impl Fn(&Answer) -> Result<T, ProtocolFault>,
    ) -> Result<T, Error> {
        // To send it is much code, and the same for whatever is read.
        let taken = Cell::new(None);
        let take = |answer: &Answer| {
            taken.set(Some(read(answer)?));
            Ok(())
        };
        self.runtime()?.block_on(self.attempts(call, &take))?;
        Ok(taken.take().expect("what is done was read"))
    }

    pub(super) fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Builder::new_current_thread()
            .enable_io()
            // One connection at a time: room for its few events, and not for a server's thousand.
            .max_io_events_per_tick(EVENTS_MAX)
            .enable_time()
            .build()
            .map_err(Error::Runtime)?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// The store in this process waits itself for what can pass: its first answer is its last.
    async fn once(&self, call: &Call<'_>, read: &Read<'_>) -> Result<(), Error> {
        match self.attempt(call, read, 0, IN_PROCESS_TIME_MAX).await {
            Outcome::Done => Ok(()),
            Outcome::End(error) | Outcome::EndHere { error, .. } => Err(error),
            Outcome::Again { failure, .. } => Err(Error::Embedded { failure }),
        }
    }

    async fn attempts(&self, call: &Call<'_>, read: &Read<'_>) -> Result<(), Error> {
        if let Connector::InProcess { .. } = self.connector {
            return self.once(call, read).await;
        }
        let start = Instant::now();
        let timeout = call.deadline.map(|deadline| deadline.saturating_duration_since(start));
        let endpoints = self.endpoint_names();
        let mut schedule =
            Schedule::new(endpoints.len(), timeout.unwrap_or(self.timeout), self.pace);
        let mut failed = Failed::new(endpoints.len());
        let retry_after = loop {
            let jitter = if failed.tries == 0 { 0 } else { jitter() };
            let (turn, at, attempt_max) = match schedule.step(start.elapsed(), jitter) {
                Step::Try { endpoint, at, attempt_max } => (endpoint, at, attempt_max),
                Step::GiveUp => break None,
                Step::TooLong { wait } => break Some(wait),
            };
            let endpoint = (self.first.get() + turn) % endpoints.len();
            let wait = at.saturating_sub(start.elapsed());
            if !wait.is_zero() {
                sleep(wait).await;
            }
            let attempt_max =
                if call.patient { schedule.left(start.elapsed()) } else { attempt_max };
            let again = match self.attempt(call, read, endpoint, attempt_max).await {
                Outcome::Done => {
                    self.first.set(endpoint);
                    return Ok(());
                }
                Outcome::Again { failure, .. } | Outcome::EndHere { failure, .. }
                    if !call.repeats && may_have_reached(&failure) =>
                {
                    return Err(Error::AnswerLost {
                        store: endpoints[endpoint].to_owned(),
                        failure,
                    });
                }
                Outcome::End(error) => return failed.settle(call, read, error),
                Outcome::Again { failure, again } => {
                    failed.add(endpoint, failure);
                    again
                }
                Outcome::EndHere { failure, error } => {
                    failed.add(endpoint, failure);
                    failed.keep(error);
                    Again::Never
                }
            };
            schedule.failed(turn, start.elapsed(), again);
        };
        if schedule.is_exhausted()
            && let Some(error) = failed.kept.take()
        {
            return failed.settle(call, read, error);
        }
        let names = endpoints.into_iter().map(str::to_owned);
        let last = names.zip(failed.last.drain(..));
        let last = last.filter_map(|(name, failure)| Some((name, failure?))).collect();
        let (store, tries, waited) = (self.store.clone(), failed.tries, start.elapsed());
        let error = Error::Unreachable { store, tries, waited, last, retry_after };
        Err(failed.doubt(call, error))
    }

    pub(super) fn endpoint_names(&self) -> Vec<&str> {
        match &self.connector {
            Connector::Endpoints(endpoints) => endpoints.iter().map(Endpoint::as_str).collect(),
            Connector::InProcess { label, .. } => vec![label],
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        read: &Read<'_>,
        endpoint: usize,
        time_max: Duration,
    ) -> Outcome {
        match self.ask(call, endpoint, time_max).await {
            Ok(answer) => self.judge(call, read, endpoint, &answer),
            Err(fault) => self.fault_of(endpoint, fault),
        }
    }

    /// What it means that there is no answer.
    pub(super) fn fault_of(&self, endpoint: usize, fault: Fault) -> Outcome {
        match fault {
            Fault::Protocol(fault) => self.no_store(endpoint, fault),
            Fault::Passing(Failure::Tls(fault)) if !fault.can_pass() => {
                let store = self.endpoint_names()[endpoint].to_owned();
                let failure = Failure::Tls(fault.clone());
                Outcome::EndHere { failure, error: Error::Tls { store, fault } }
            }
            Fault::Passing(failure) => Outcome::Again { again: again(&failure), failure },
        }
    }

    /// Asks once. To connect and to be answered share the time, and each tells when it is over.
    async fn ask(
        &self,
        call: &Call<'_>,
        endpoint: usize,
        time_max: Duration,
    ) -> Result<Answer, Fault> {
        let until = tokio::time::Instant::now() + time_max;
        let (stream, host) = self.connect(endpoint, time_max).await?;
        let request = call.request(host, self.authorization.as_ref());
        timeout_at(until, exchange(stream, request, call.answer_max))
            .await
            .unwrap_or(Err(Fault::Passing(Failure::TimedOut { after: time_max })))
    }

    /// What the `Host` header says there.
    pub(super) fn host(&self, endpoint: usize) -> &str {
        match &self.connector {
            Connector::Endpoints(endpoints) => endpoints[endpoint].authority(),
            Connector::InProcess { .. } => "localhost",
        }
    }

    pub(super) async fn connect(
        &self,
        endpoint: usize,
        time_max: Duration,
    ) -> Result<(Box<dyn Stream>, &str), Fault> {
        match &self.connector {
            Connector::Endpoints(endpoints) => {
                let endpoint = &endpoints[endpoint];
                let stream = connect(&endpoint.target, time_max).await.map_err(Fault::Passing)?;
                Ok((stream, endpoint.authority()))
            }
            Connector::InProcess { connect, .. } => Ok((Box::new(connect()), "localhost")),
        }
    }

    pub(super) fn judge(
        &self,
        call: &Call<'_>,
        read: &Read<'_>,
        endpoint: usize,
        answer: &Answer,
    ) -> Outcome {
        let token = self.token.as_ref().map_or(&[][..], |token| token.expose_secret());
        let value = call.value.map_or(&[][..], |value| value.expose_secret());
        let asked = Asked {
            org: self.org.as_ref(),
            secret: call.secret,
            names: &call.names,
            token: if self.token.is_some() { TokenSent::Own } else { TokenSent::None },
            hidden: &[token, value],
        };
        match judge(answer, &asked, Timestamp::now()) {
            Verdict::Done => match read(answer) {
                Ok(()) => Outcome::Done,
                Err(fault) => self.no_store(endpoint, fault),
            },
            Verdict::NoStore(fault) => self.no_store(endpoint, fault),
            // A server that speaks TLS answers so, and a store that does not says a type.
            Verdict::EndHere { failure: Failure::Status { status: 400, .. }, .. }
                if self.is_plain(endpoint) =>
            {
                self.no_store(endpoint, ProtocolFault::NotPlainHttp)
            }
            Verdict::EndHere { failure, error } => Outcome::EndHere { failure, error },
            Verdict::End(error) => Outcome::End(error),
            Verdict::Again { failure, wait } => {
                Outcome::Again { failure, again: wait.map_or(Again::AfterBackoff, Again::After) }
            }
        }
    }

    /// Whether TLS might be spoken there, and is not.
    fn is_plain(&self, endpoint: usize) -> bool {
        match &self.connector {
            Connector::Endpoints(endpoints) => endpoints[endpoint].is_plain_tcp(),
            Connector::InProcess { .. } => false,
        }
    }

    fn no_store(&self, endpoint: usize, fault: ProtocolFault) -> Outcome {
        let fault = match fault {
            ProtocolFault::NotHttp if self.is_plain(endpoint) => ProtocolFault::NotPlainHttp,
            fault => fault,
        };
        let store = self.endpoint_names()[endpoint].to_owned();
        let failure = Failure::Protocol(fault.clone());
        Outcome::EndHere { failure, error: Error::Protocol { store, fault } }
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

/// Uniform over `u64`. Should the kernel have none, a round waits for its whole bound.
fn jitter() -> u64 {
    sys::random().map_or(u64::MAX, u64::from_ne_bytes)
}
