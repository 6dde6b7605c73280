//! `/healthz`, `/readyz` and `/metrics`: open to anyone, so with no name of an organization, a
//! secret or a person.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::sidecar::state::{Condition, State};
use crate::sys::serving::resident_bytes;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub fn answer<B>(request: &Request<B>, state: &State) -> Response<Full<Bytes>> {
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, body) = match request.uri().path() {
        "/healthz" | "/readyz" | "/metrics" if !is_get => {
            (StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n".to_owned())
        }
        "/healthz" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => {
            let condition = state.condition();
            let status = match condition {
                Condition::Whole => StatusCode::OK,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, TEXT, format!("{}\n", condition.reason()))
        }
        "/metrics" => (StatusCode::OK, EXPOSITION, metrics(state)),
        _ => (StatusCode::NOT_FOUND, TEXT, "/healthz, /readyz or /metrics\n".to_owned()),
    };
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// The text format of Prometheus, version 0.0.4.
fn metrics(state: &State) -> String {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let is_ready = state.condition() == Condition::Whole;
    let mut text = String::with_capacity(2048);
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, u64)]| {
        let mut put = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a string takes every write");
        };
        put(format_args!(
            "# HELP inject_sidecar_{name} {help}\n# TYPE inject_sidecar_{name} {kind}\n"
        ));
        for (labels, value) in samples {
            put(format_args!("inject_sidecar_{name}{labels} {value}\n"));
        }
    };
    family(
        "ready",
        "gauge",
        "Whether everything resolved and is in place.",
        &[("", is_ready.into())],
    );
    let reachable = !state.is_away.load(Ordering::Relaxed);
    let help = "Whether the store answered when it was asked last.";
    family("store_reachable", "gauge", help, &[("", reachable.into())]);
    let help = "When everything was rendered last, in seconds since 1970.";
    family("rendered_timestamp_seconds", "gauge", help, &[("", state.rendered_at())]);
    let renderings = [
        ("{outcome=\"changed\"}", read(&state.rendered)),
        ("{outcome=\"unchanged\"}", read(&state.unchanged)),
        ("{outcome=\"failed\"}", read(&state.failed)),
    ];
    family("renderings_total", "counter", "Renderings.", &renderings);
    let told =
        [("{outcome=\"ok\"}", read(&state.told)), ("{outcome=\"failed\"}", read(&state.not_told))];
    family("told_total", "counter", "How often the application was told of a change.", &told);
    let help = "Requests of launchers that were handed on to the store.";
    family("proxied_total", "counter", help, &[("", read(&state.proxied))]);
    let help = "Requests at the proxy's socket that were not.";
    family("turned_away_total", "counter", help, &[("", read(&state.turned_away))]);
    let help = "Bytes of this process in memory.";
    family("resident_bytes", "gauge", help, &[("", resident_bytes().unwrap_or(0))]);
    text
}
