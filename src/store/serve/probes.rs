//! `/healthz`, `/readyz` and `/metrics`: open to anyone, so without a name of an organization, a
//! workload, a secret or a person, and cheap however often they are asked.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::log::{Level, Throttle};
use crate::store::Store;
use crate::store::http::{self, Answer, Probe};
use crate::store::serve::Server;
use crate::store::serve::limits::{LINES_PER_SECOND_MAX, READY_TIME_MAX};
use crate::store::serve::metrics::Now;

/// How long an answer of the store counts: probes may come from many.
const FRESH: Duration = Duration::from_millis(500);

/// The same for the metrics, which are longer than what they are asked for with: whoever asks again
/// and again is shown what was seen a moment ago.
const FRESH_METRICS: Duration = Duration::from_millis(100);

static NOT_READY: Throttle = Throttle::new("not_ready", LINES_PER_SECOND_MAX);

/// Whether the store answers, as it was seen last. Whoever asks waits for the one who is asking.
#[derive(Default)]
pub struct Readiness {
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    seen: Option<(Instant, bool)>,
    /// A look that took too long, and is not over: no second one is begun beside it.
    running: Option<JoinHandle<bool>>,
}

/// The metrics, as they were shown last.
#[derive(Default)]
pub struct Shown(std::sync::Mutex<Option<(Instant, Bytes)>>);

pub fn takes(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

pub async fn answer(probe: Probe, server: &Server) -> Answer {
    match probe {
        Probe::Health => text(StatusCode::OK, "ok\n".to_owned()),
        Probe::Ready => ready(server).await,
        Probe::Metrics => metrics(server),
    }
}

impl Readiness {
    async fn look(&self, store: &Store, server: &Server) -> bool {
        let Ok(mut last) = timeout(READY_TIME_MAX, self.last.lock()).await else { return false };
        if let Some((at, ready)) = last.seen
            && at.elapsed() < FRESH
        {
            return ready;
        }
        // What ended meanwhile says how it was then.
        last.running.take_if(|old| old.is_finished());
        let running = last.running.get_or_insert_with(|| {
            let (store, log) = (store.clone(), server.log.clone());
            tokio::spawn(async move {
                match store.answers().await {
                    Ok(()) => true,
                    Err(refusal) => {
                        log.throttled(Level::Warn, &NOT_READY, |line| {
                            line.text("error", refusal.for_operator());
                        });
                        false
                    }
                }
            })
        });
        let looked = timeout(READY_TIME_MAX, running).await;
        if looked.is_ok() {
            last.running = None;
        }
        let ready = matches!(looked, Ok(Ok(true)));
        last.seen = Some((Instant::now(), ready));
        ready
    }
}

async fn ready(server: &Server) -> Answer {
    let reason = if server.is_draining() {
        "draining\n"
    } else if server.readiness.look(&server.store, server).await {
        return text(StatusCode::OK, "ready\n".to_owned());
    } else {
        "the store does not answer\n"
    };
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, reason.to_owned());
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

impl Shown {
    fn text(&self, server: &Server) -> Bytes {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH_METRICS) {
            return text.clone();
        }
        let text = Bytes::from(server.metrics.show(&now(server)));
        *last = Some((Instant::now(), text.clone()));
        text
    }
}

fn now(server: &Server) -> Now {
    Now {
        connections: server.admission.connections(),
        requests: server.admission.requests_under_way(),
        held: server.store.held(),
        body_bytes: server.admission.body_bytes(),
        answer_bytes: server.admission.answer_bytes(),
        answers_refused: server.admission.answers_refused(),
        store: server.store.figures(),
    }
}

fn metrics(server: &Server) -> Answer {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    http::typed(StatusCode::OK, kind, server.shown.text(server))
}

fn text(status: StatusCode, body: String) -> Answer {
    http::typed(status, "text/plain; charset=utf-8", body.into_bytes())
}
