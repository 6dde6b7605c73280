//! What a server counts, as Prometheus reads it. Counting is a few relaxed additions; no name of an
//! organization, a workload, a secret or a person is ever a label.

mod exposition;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use crate::store::serve::admission::Crowded;
use crate::store::serve::pace::Phase;
use crate::store::serve::{Figures, RouteName};
use crate::sys::serving::resident_bytes;

use exposition::Exposition;

/// The bounds of the duration's buckets, in microseconds.
const BOUNDS: [u64; 14] = [
    250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];
/// The first digit of a status, from 1 to 5.
const CLASSES: usize = 5;

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

/// All that is counted.
pub struct Metrics {
    started: Instant,
    names: Vec<RouteName>,
    /// One for each name, and a last one for what is none of them.
    routes: Box<[Route]>,
    pub connections: Counter,
    connections_refused: [Counter; 2],
    connections_too_slow: [Counter; Phase::LIMITED.len()],
    pub accepts_failed: Counter,
    pub handshakes_failed: Counter,
    pub requests_refused: Counter,
    pub bodies_refused: Counter,
    /// The client left before there was an answer.
    pub requests_abandoned: Counter,
    pub authentications_refused: Counter,
}

/// What is counted of one route.
#[derive(Default)]
struct Route {
    classes: [Counter; CLASSES],
    /// One for each bound, and a last one for what took longer.
    buckets: [Counter; BOUNDS.len() + 1],
    microseconds: Counter,
}

/// What is looked up where metrics are asked for.
pub struct Now {
    pub connections: usize,
    pub requests: usize,
    /// Requests that wait for a change.
    pub held: usize,
    pub body_bytes: usize,
    pub answer_bytes: usize,
    /// Since the server began.
    pub answers_refused: u64,
    pub store: Figures,
}

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    pub fn new(names: Vec<RouteName>) -> Self {
        Self {
            started: Instant::now(),
            routes: (0..=names.len()).map(|_| Route::default()).collect(),
            names,
            connections: Counter::default(),
            connections_refused: Default::default(),
            connections_too_slow: Default::default(),
            accepts_failed: Counter::default(),
            handshakes_failed: Counter::default(),
            requests_refused: Counter::default(),
            bodies_refused: Counter::default(),
            requests_abandoned: Counter::default(),
            authentications_refused: Counter::default(),
        }
    }

    /// How log and metrics call a route.
    pub fn name(&self, route: Option<usize>) -> RouteName {
        route.and_then(|route| self.names.get(route).copied()).unwrap_or(RouteName::OTHER)
    }

    /// A request was answered; `route` is its index among the names, if it is one of them.
    pub fn request(&self, route: Option<usize>, status: StatusCode, took: Duration) {
        let other = self.names.len();
        let route = &self.routes[route.filter(|route| *route < other).unwrap_or(other)];
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES) - 1;
        route.classes[class].add(1);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        route.buckets[bucket].add(1);
        route.microseconds.add(took);
    }

    pub fn refused(&self, crowded: Crowded) {
        self.connections_refused[crowded as usize].add(1);
    }

    pub fn too_slow(&self, phase: Phase) {
        self.connections_too_slow[phase as usize].add(1);
    }

    /// The text format 0.0.4.
    pub fn show(&self, now: &Now) -> String {
        let mut out = Exposition::new();
        out.gauge("inject_build_info", "The version that runs.");
        out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        out.gauge("inject_uptime_seconds", "Since the server began.");
        out.sample(&[], self.started.elapsed().as_secs());
        if let Some(bytes) = resident_bytes() {
            out.gauge("process_resident_memory_bytes", "Memory in use.");
            out.sample(&[], bytes);
        }
        self.show_connections(&mut out, now);
        self.show_requests(&mut out, now);
        out.counter("inject_audit_records_total", "Audit records that were written.");
        out.sample(&[], now.store.audit_records);
        out.gauge("inject_queue_depth", "Operations that wait for the store's writer.");
        out.sample(&[], now.store.queue_depth);
        out.counter(
            "inject_authentications_refused_total",
            "Requests with no token, or one that is unknown, expired or revoked.",
        );
        out.sample(&[], self.authentications_refused.get());
        out.text()
    }

    fn show_connections(&self, out: &mut Exposition, now: &Now) {
        out.gauge("inject_connections", "Connections that are open.");
        out.sample(&[], now.connections as u64);
        out.counter("inject_connections_total", "Connections that were let in.");
        out.sample(&[], self.connections.get());
        out.counter("inject_connections_refused_total", "Connections over a limit, by which.");
        for crowded in [Crowded::All, Crowded::Address] {
            let count = self.connections_refused[crowded as usize].get();
            out.sample(&[("limit", crowded.as_str())], count);
        }
        out.counter(
            "inject_connections_too_slow_total",
            "Connections that were closed because the client took too long, by what for.",
        );
        for phase in Phase::LIMITED {
            let count = self.connections_too_slow[phase as usize].get();
            out.sample(&[("phase", phase.as_str())], count);
        }
        out.counter(
            "inject_accepts_failed_total",
            "Connections that the system did not hand over.",
        );
        out.sample(&[], self.accepts_failed.get());
        out.counter("inject_handshakes_failed_total", "TLS handshakes that failed.");
        out.sample(&[], self.handshakes_failed.get());
    }

    fn show_requests(&self, out: &mut Exposition, now: &Now) {
        out.gauge("inject_requests_under_way", "Requests that are being answered.");
        out.sample(&[], now.requests as u64);
        out.gauge("inject_watches_held", "Requests that wait for a change.");
        out.sample(&[], now.held as u64);
        out.gauge("inject_request_body_bytes", "Bytes of request bodies in memory.");
        out.sample(&[], now.body_bytes as u64);
        out.gauge("inject_answer_bytes", "Bytes of long answers that wait to be read.");
        out.sample(&[], now.answer_bytes as u64);
        out.counter("inject_requests_refused_total", "Requests over a limit, by which.");
        out.sample(&[("limit", "requests")], self.requests_refused.get());
        out.sample(&[("limit", "body_bytes")], self.bodies_refused.get());
        out.sample(&[("limit", "answer_bytes")], now.answers_refused);
        out.counter("inject_requests_abandoned_total", "Requests whose client left first.");
        out.sample(&[], self.requests_abandoned.get());
        out.counter("inject_http_requests_total", "Answered requests by route and status.");
        for (name, route) in self.used_routes() {
            for (class, count) in (1..).zip(&route.classes).filter(|(_, count)| count.get() > 0) {
                let class = format!("{class}xx");
                let labels = [("method", name.method), ("route", name.path), ("status", &*class)];
                out.sample(&labels, count.get());
            }
        }
        out.histogram("inject_http_request_duration_seconds", "From the headers to the answer.");
        for (name, route) in self.used_routes() {
            let counts: Vec<u64> = route.buckets.iter().map(Counter::get).collect();
            let labels = [("method", name.method), ("route", name.path)];
            out.buckets(&labels, &BOUNDS, &counts, route.microseconds.get());
        }
    }

    /// Routes that were asked for at least once: most never are.
    fn used_routes(&self) -> impl Iterator<Item = (RouteName, &Route)> {
        let names = self.names.iter().copied().chain([RouteName::OTHER]);
        let is_used = |route: &Route| route.classes.iter().any(|count| count.get() > 0);
        names.zip(&self.routes).filter(move |(_, route)| is_used(route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<RouteName> {
        vec![RouteName { method: "GET", path: "/a/{name}" }]
    }

    fn now() -> Now {
        let (connections, requests, held, body_bytes, answer_bytes) = (2, 1, 3, 7, 9);
        let (answers_refused, store) = (0, Figures::default());
        Now { connections, requests, held, body_bytes, answer_bytes, answers_refused, store }
    }

    #[test]
    fn requests_are_counted_by_route_class_and_duration() {
        let metrics = Metrics::new(names());
        let took = Duration::from_micros;
        metrics.request(Some(0), StatusCode::OK, took(250));
        metrics.request(Some(0), StatusCode::CREATED, took(251));
        metrics.request(Some(0), StatusCode::NOT_FOUND, took(20_000_000));
        metrics.request(None, StatusCode::NOT_FOUND, took(0));
        metrics.request(Some(99), StatusCode::NOT_FOUND, took(0));
        let text = metrics.show(&now());
        let requests = "inject_http_requests_total{method=\"GET\",route=\"/a/{name}\"";
        let duration = "inject_http_request_duration_seconds";
        let labels = "method=\"GET\",route=\"/a/{name}\"";
        for line in [
            format!("{requests},status=\"2xx\"}} 2"),
            format!("{requests},status=\"4xx\"}} 1"),
            "inject_http_requests_total{method=\"other\",route=\"other\",status=\"4xx\"} 2".into(),
            format!("{duration}_bucket{{{labels},le=\"0.00025\"}} 1"),
            format!("{duration}_bucket{{{labels},le=\"0.0005\"}} 2"),
            format!("{duration}_bucket{{{labels},le=\"10\"}} 2"),
            format!("{duration}_bucket{{{labels},le=\"+Inf\"}} 3"),
            format!("{duration}_count{{{labels}}} 3"),
            format!("{duration}_sum{{{labels}}} 20.000501"),
            "inject_connections 2".into(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn every_sample_has_its_type_and_help_once() {
        let text = Metrics::new(names()).show(&now());
        let mut seen = std::collections::HashSet::new();
        let mut current = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                current = rest.split(' ').next().expect("a name");
                assert!(seen.insert(current), "{current} comes twice");
            } else if !line.starts_with('#') {
                assert!(line.starts_with(current), "{line} stands under {current}");
                assert!(line.rsplit(' ').next().expect("a value").parse::<f64>().is_ok());
            }
        }
        assert!(text.ends_with('\n') && seen.len() > 10);
    }
}
