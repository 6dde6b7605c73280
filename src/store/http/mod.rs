//! Routes and limits: an HTTP request into an operation, its outcome into an answer. Failures
//! become a status in `problem`, and nowhere else.

mod body;
mod problem;
mod query;

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::name::{OrgName, SecretName};
use crate::store::Embedded;
use crate::store::serve::{Context, HEAD_BYTES_MAX, HEADERS_MAX, RouteName};
use crate::store::service::{Caller, Refusal, Service};
use crate::wire::{API_PREFIX, Metadata, REQUEST_BYTES_MAX, RESOLVE_NAMES_MAX, SecretList};
use crate::{name, secret::Secret};

pub use crate::store::http::problem::Fault;

/// The largest body of a resolve: each name with its quotes and comma, and the frame around them.
const RESOLVE_BYTES_MAX: usize = RESOLVE_NAMES_MAX * (name::SECRET_NAME_BYTES_MAX + 4) + 4096;

pub type Answer = Response<Full<Bytes>>;

/// How log and metrics call the routes; [`Operation::index`] is a place in it.
pub const ROUTES: &[RouteName] = &[
    RouteName { method: "POST", path: "/api/v1/orgs/{org}/resolve" },
    RouteName { method: "GET", path: "/api/v1/orgs/{org}/secrets" },
    RouteName { method: "GET", path: "/api/v1/orgs/{org}/secrets/{name}" },
    RouteName { method: "PUT", path: "/api/v1/orgs/{org}/secrets/{name}" },
    RouteName { method: "DELETE", path: "/api/v1/orgs/{org}/secrets/{name}" },
];

/// Serves one connection from within this process to its end.
pub async fn serve(store: Embedded, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let answer = service_fn(move |request| {
        let store = store.clone();
        async move { Ok::<_, Infallible>(answer(&store, &mut Context::own(), request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    // A peer that ends the connection early has its own error; the store has none.
    let _ended = served.await;
}

/// The answer to one request. The context hears which route it is and what it is about.
pub async fn answer(store: &Embedded, context: &mut Context, request: Request<Incoming>) -> Answer {
    let routed = route(request.method(), request.uri().path());
    let answered = match routed {
        Ok(Route::Health) => Ok(text("ok\n")),
        Ok(Route::Api { organization, operation }) => {
            context.routed(operation.index());
            act(store, context, &organization, operation, request).await
        }
        Err(fault) => Err(fault),
    };
    answered.unwrap_or_else(|fault| fault.answer(context))
}

/// What a path and a method ask for.
enum Route {
    Health,
    Api { organization: OrgName, operation: Operation },
}

enum Operation {
    Resolve,
    List,
    Show(SecretName),
    Put(SecretName),
    Delete(SecretName),
}

impl Operation {
    fn index(&self) -> usize {
        match self {
            Self::Resolve => 0,
            Self::List => 1,
            Self::Show(_) => 2,
            Self::Put(_) => 3,
            Self::Delete(_) => 4,
        }
    }

    /// The one secret that the path names.
    fn name(&self) -> Option<&SecretName> {
        match self {
            Self::Resolve | Self::List => None,
            Self::Show(name) | Self::Put(name) | Self::Delete(name) => Some(name),
        }
    }
}

/// Exact segments only: what needs decoding or normalizing is no path of this API.
fn route(method: &Method, path: &str) -> Result<Route, Fault> {
    if path == "/healthz" {
        return allow(method, &[Method::GET], "GET").map(|()| Route::Health);
    }
    let rest = path.strip_prefix(API_PREFIX).and_then(|rest| rest.strip_prefix("/orgs/"));
    let (organization, rest) = rest.and_then(|rest| rest.split_once('/')).ok_or(Fault::NoPath)?;
    let organization = OrgName::parse(organization).map_err(|_| Fault::NoPath)?;
    let operation = match rest.split_once('/') {
        None if rest == "resolve" => {
            allow(method, &[Method::POST], "POST").map(|()| Operation::Resolve)
        }
        None if rest == "secrets" => allow(method, &[Method::GET], "GET").map(|()| Operation::List),
        Some(("secrets", name)) if is_plain(name) => of_one(method, name),
        _ => Err(Fault::NoPath),
    };
    Ok(Route::Api { organization, operation: operation? })
}

fn of_one(method: &Method, name: &str) -> Result<Operation, Fault> {
    allow(method, &[Method::GET, Method::PUT, Method::DELETE], "GET, PUT, DELETE")?;
    let name = SecretName::parse(name).map_err(|error| Fault::Name(vec![error]))?;
    Ok(match *method {
        Method::PUT => Operation::Put(name),
        Method::DELETE => Operation::Delete(name),
        _ => Operation::Show(name),
    })
}

fn allow(method: &Method, allowed: &[Method], shown: &'static str) -> Result<(), Fault> {
    if allowed.contains(method) { Ok(()) } else { Err(Fault::Method { allowed: shown }) }
}

/// Whether a segment could be meant as a name: the unreserved characters of RFC 3986, and not the
/// segments that stand for a directory.
fn is_plain(segment: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(unreserved)
}

async fn act(
    store: &Embedded,
    context: &mut Context,
    organization: &OrgName,
    operation: Operation,
    request: Request<Incoming>,
) -> Result<Answer, Fault> {
    let client = context.client().map(|address| address.to_string());
    let client = client.as_deref();
    let caller = Caller { principal: &store.shared.operator, organization, client };
    context.about(operation.name().into_iter().map(SecretName::as_str));
    let headers = request.headers().clone();
    match operation {
        Operation::Resolve => {
            let ask = body::resolve(&read(context, request, RESOLVE_BYTES_MAX).await?)?;
            context.about(ask.names.iter().map(SecretName::as_str));
            let resolved = with(store, |service| service.resolve(caller, &ask))?;
            Ok(json(StatusCode::OK, body::resolved(&resolved)))
        }
        Operation::List => {
            let (ask, order) = query::list(request.uri().query().unwrap_or(""))?;
            let page = with(store, |service| service.list(caller, &ask))?;
            let next = page.next.map(|after| query::cursor(order, &after));
            Ok(as_json(StatusCode::OK, &SecretList { secrets: page.secrets, next }))
        }
        Operation::Show(name) => {
            let metadata = with(store, |service| service.show(caller, &name))?;
            Ok(described(StatusCode::OK, &metadata))
        }
        Operation::Put(name) => {
            let condition = query::condition(&headers)?;
            let put = body::put(&read(context, request, REQUEST_BYTES_MAX).await?, condition)?;
            let written = with(store, |service| service.put(caller, &name, &put))?;
            let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
            Ok(described(status, &written.metadata))
        }
        Operation::Delete(name) => {
            let condition = query::condition(&headers)?;
            with(store, |service| service.delete(caller, &name, condition))?;
            Ok(with_status(StatusCode::NO_CONTENT, Full::default()))
        }
    }
}

fn with<T>(
    store: &Embedded,
    operation: impl FnOnce(&mut Service) -> Result<T, Refusal>,
) -> Result<T, Fault> {
    operation(&mut store.service()).map_err(Fault::Refusal)
}

/// The whole body, if it is no longer than that.
async fn read(
    context: &mut Context,
    request: Request<Incoming>,
    bytes_max: usize,
) -> Result<Secret, Fault> {
    let said = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let said: Option<usize> = said.and_then(|length| length.parse().ok());
    let read = context.read(request.into_body(), said, bytes_max).await;
    read.map_err(|fault| Fault::NoBody { fault, bytes_max })
}

fn described(status: StatusCode, metadata: &Metadata) -> Answer {
    let mut answer = as_json(status, metadata);
    let tag = metadata.version.map(|version| format!("\"{version}\""));
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn as_json(status: StatusCode, value: &impl serde::Serialize) -> Answer {
    json(status, serde_json::to_vec(value).expect("names, numbers and texts are JSON"))
}

fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    typed(status, "application/json", body)
}

fn text(body: &'static str) -> Answer {
    typed(StatusCode::OK, "text/plain; charset=utf-8", body.into())
}

pub fn typed(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = with_status(status, Full::new(Bytes::from(body)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn with_status(status: StatusCode, body: Full<Bytes>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
