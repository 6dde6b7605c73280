//! A watch: held by the store until a version is another one, or its time is over. One after the
//! other goes over one connection, which a store puts on record once. It retries nothing: who stays
//! has a pace of its own.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::Method;
use tokio::time::timeout;

use super::answer;
use super::call::{Call, Outcome, Read, names};
use super::error::{Error, Failure};
use super::exchange::{Answer, Fault, Line};
use super::{Client, FRAME_BYTES_MAX, NAME_BYTES_MAX, retry};
use crate::wire::{self, WatchAnswer, WatchRequest};

/// How much longer than it was asked to a store may hold a watch before it counts as gone.
const GRACE: Duration = Duration::from_secs(10);

/// The connection that watches go over, while there is one.
#[derive(Default)]
pub struct WatchLine(Option<(usize, Line)>);

/// How the wait for an answer ended.
pub enum Watched<T> {
    /// The versions that there are.
    Answer(WatchAnswer),
    /// What came first. The watch is given up.
    Stopped(T),
}

impl Client {
    /// Holds one watch, until `stop` comes first.
    pub fn watch<T>(
        &self,
        line: &mut WatchLine,
        request: &WatchRequest,
        stop: impl Future<Output = T>,
    ) -> Result<Watched<T>, Error> {
        let body = serde_json::to_vec(request).expect("names are text");
        let call = Call {
            body: Some(body.into()),
            answer_max: FRAME_BYTES_MAX + NAME_BYTES_MAX * request.versions.len(),
            names: names(request.versions.keys()),
            ..Call::new(Method::POST, wire::watch_path(self.org()))
        };
        let time_max = Duration::from_secs(request.wait) + GRACE;
        let taken = Cell::new(None);
        let take = |answer: &Answer| {
            let mut read: WatchAnswer = answer::parse(&answer.body)?;
            read.versions.retain(|name, _| request.versions.contains_key(name));
            taken.set(Some(read));
            Ok(())
        };
        let held = line.0.take();
        let stopped = self.runtime()?.block_on(async {
            let mut watching = pin!(self.hold(held, &call, &take, time_max));
            let mut stop = pin!(stop);
            poll_fn(|context| {
                if let Poll::Ready(held) = watching.as_mut().poll(context) {
                    return Poll::Ready(Ok(held));
                }
                stop.as_mut().poll(context).map(Err)
            })
            .await
        });
        match stopped {
            Err(stopped) => Ok(Watched::Stopped(stopped)),
            Ok(held) => {
                line.0 = held?;
                Ok(Watched::Answer(taken.take().expect("what is done was read")))
            }
        }
    }

    /// Waits on the client's own runtime: what is held in this process goes on meanwhile.
    pub fn wait<T>(&self, until: impl Future<Output = T>) -> Result<T, Error> {
        Ok(self.runtime()?.block_on(until))
    }

    /// Asks over the connection that stands, else over one to the first endpoint that answers.
    async fn hold(
        &self,
        held: Option<(usize, Line)>,
        call: &Call<'_>,
        read: &Read<'_>,
        time_max: Duration,
    ) -> Result<Option<(usize, Line)>, Error> {
        let names = self.endpoint_names();
        // One that ended while nothing was asked is no failure of the store's.
        if let Some((endpoint, line)) = held.filter(|(_, line)| line.stands()) {
            match self.over(line, endpoint, call, read, time_max).await.into_parts() {
                (Outcome::Done, line) => return Ok(line.map(|line| (endpoint, line))),
                // It has had its time, and would hang once more.
                (Outcome::Again { failure: Failure::TimedOut { .. }, .. }, _) => {
                    self.first.set((endpoint + 1) % names.len());
                }
                _ => {}
            }
        }
        let start = Instant::now();
        let (mut last, mut kept) = (Vec::with_capacity(names.len()), None);
        let first = self.first.get();
        for endpoint in (0..names.len()).map(|turn| (first + turn) % names.len()) {
            let name = names[endpoint];
            let asked = match self.begin(endpoint).await {
                Ok(line) => self.over(line, endpoint, call, read, time_max).await,
                Err(fault) => Asked { outcome: self.fault_of(endpoint, fault), line: None },
            };
            match asked.into_parts() {
                (Outcome::Done, line) => {
                    self.first.set(endpoint);
                    return Ok(line.map(|line| (endpoint, line)));
                }
                (Outcome::End(error), _) => return Err(error),
                (Outcome::Again { failure, .. }, _) => last.push((name.to_owned(), failure)),
                (Outcome::EndHere { failure, error }, _) => {
                    last.push((name.to_owned(), failure));
                    kept = Some(error);
                }
            }
        }
        let tries = u32::try_from(last.len()).unwrap_or(u32::MAX);
        let store = self.store().to_owned();
        let waited = start.elapsed();
        let unreachable = Error::Unreachable { store, tries, waited, last, retry_after: None };
        Err(kept.filter(|_| names.len() == 1).unwrap_or(unreachable))
    }

    async fn begin(&self, endpoint: usize) -> Result<Line, Fault> {
        let (stream, _) = self.connect(endpoint, retry::PACE.attempt_max).await?;
        Line::begin(stream).await
    }

    async fn over(
        &self,
        mut line: Line,
        endpoint: usize,
        call: &Call<'_>,
        read: &Read<'_>,
        time_max: Duration,
    ) -> Asked {
        let request = call.request(self.host(endpoint), self.authorization.as_ref());
        let late = || Err(Fault::Passing(Failure::TimedOut { after: time_max }));
        let asked = timeout(time_max, line.exchange(request, call.answer_max)).await;
        match asked.unwrap_or_else(|_| late()) {
            Ok(answer) => {
                let outcome = self.judge(call, read, endpoint, &answer);
                let line = line.stands().then_some(line);
                Asked { outcome, line }
            }
            Err(fault) => Asked { outcome: self.fault_of(endpoint, fault), line: None },
        }
    }
}

/// What one question came to, and the connection if another one can go over it.
struct Asked {
    outcome: Outcome,
    line: Option<Line>,
}

impl Asked {
    fn into_parts(self) -> (Outcome, Option<Line>) {
        (self.outcome, self.line)
    }
}
