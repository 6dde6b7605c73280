//! Routes and limits: an HTTP request into an operation, its outcome into an answer. Failures
//! become a status in `problem`, and nowhere else.

mod answer;
mod body;
mod door;
#[cfg(fuzzing)]
pub mod fuzzing;
mod ill_formed;
mod openapi;
mod page;
mod people;
mod problem;
mod query;
mod route;
mod secrets;
mod sign_in;
mod trail;
mod watch;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::secret::Secret;
use crate::store::Store;
use crate::store::http::route::{Match, To};
use crate::store::http::watch::OnRecord;
use crate::store::serve::{Context, HEAD_BYTES_MAX, HEADERS_MAX};
use crate::store::service::{Counted, Knock, Refusal};

pub use crate::store::http::answer::typed;
pub use crate::store::http::door::{Lately, Peer};
pub use crate::store::http::problem::Fault;
pub use crate::store::http::route::{Probe, route_names};
pub use crate::store::http::sign_in::SIGN_INS_MAX;

pub type Answer = Response<Full<Bytes>>;

/// Serves one connection from within this process to its end.
pub async fn serve(store: Store, stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer) {
    let line = Arc::new(Line::new(peer));
    let answer = service_fn(move |request| {
        let (store, line) = (store.clone(), Arc::clone(&line));
        async move {
            let mut context = Context::own();
            Ok::<_, Infallible>(answer(&store, &line, &mut context, request).await)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    // A peer that ends the connection early has its own error; the store has none.
    let _ended = served.await;
}

/// A connection, as its requests know it: who is at the other end, and what is on record of it.
pub struct Line {
    peer: Peer,
    on_record: OnRecord,
}

impl Line {
    pub fn new(peer: Peer) -> Self {
        Self { peer, on_record: OnRecord::default() }
    }
}

/// The answer to one request. The context hears which route it is and what it is about.
pub fn answer<'a>(
    store: &'a Store,
    line: &'a Line,
    context: &'a mut Context,
    request: Request<Incoming>,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
    // Boxed: those who serve share one code for it, which is much.
    Box::pin(answered(store, line, context, request))
}

async fn answered(
    store: &Store,
    line: &Line,
    context: &mut Context,
    request: Request<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    let answered = match route::find(&head.method, head.uri.path()) {
        Ok(found) => {
            context.routed(found.index);
            act(store, line, context, &found, head, body).await
        }
        // What is none of the API may be the page's.
        Err(Fault::NoPath) => page::page(&head),
        Err(fault) => Err(fault),
    };
    answered.unwrap_or_else(|fault| {
        if let Some(reason) = fault.refused_authentication() {
            context.refused_authentication(reason);
        }
        fault.answer(context)
    })
}

/// What a request says beside its body.
type Head = hyper::http::request::Parts;

async fn act(
    store: &Store,
    line: &Line,
    context: &mut Context,
    found: &Match,
    head: Head,
    body: Incoming,
) -> Result<Answer, Fault> {
    match found.route.to {
        To::Probe(Probe::Health) => return Ok(answer::text("ok\n")),
        To::Probe(Probe::Ready | Probe::Metrics) => return sign_in::ready(store).await,
        To::OpenApi => return Ok(openapi::description()),
        To::SignIn => {
            return sign_in::sign_in(store, &line.peer, context, found, &head, body).await;
        }
        To::SignOut => return sign_in::sign_out(store, &head),
        _ => {}
    }
    let knock = door::knock(store, &line.peer, &head.method, &head.headers)?;
    context.asks(found.org().ok());
    let asked = Asked { store, context, found, head, line, knock: knock.clone() };
    let answered = match asked.act(body).await {
        Err(fault) if !matches!(fault, Fault::Refusal(_)) => {
            Err(ill_formed::refused(store, &knock, found, fault).await)
        }
        answered => answered,
    };
    if let Err(Fault::Refusal(Refusal::Unauthorized)) = &answered {
        store.shared.lately.forget(&knock);
    }
    answered
}

/// A request of somebody.
struct Asked<'a> {
    store: &'a Store,
    context: &'a mut Context,
    found: &'a Match,
    head: Head,
    line: &'a Line,
    knock: Knock,
}

impl Asked<'_> {
    async fn act(self, body: Incoming) -> Result<Answer, Fault> {
        match self.found.route.to {
            To::Resolve => self.resolve(body).await,
            To::Watch => self.watch(body).await,
            To::ListSecrets => self.list_secrets().await,
            To::ShowSecret => self.show_secret().await,
            To::PutSecret => self.put_secret(body).await,
            To::DeleteSecret => self.delete_secret().await,
            To::ListOrgs => self.list_orgs().await,
            To::MakeOrg => self.make_org(body).await,
            To::ListMembers => self.list_members().await,
            To::AddMember => self.add_member(body).await,
            To::ChangeMember => self.change_member(body).await,
            To::RemoveMember => self.remove_member().await,
            To::ListTokens => self.list_tokens().await,
            To::MakeToken => self.make_token(body).await,
            To::RevokeToken => self.revoke_token().await,
            To::ListAudit => self.list_audit().await,
            To::Checkpoint => self.checkpoint().await,
            To::Verify => self.verify(body).await,
            To::ListWorkloads => self.list_workloads().await,
            To::Probe(_) | To::OpenApi | To::SignIn | To::SignOut => Err(Fault::NoPath),
        }
    }

    /// The whole body of somebody who may send one.
    async fn read(&mut self, body: Incoming) -> Result<Secret, Fault> {
        door::expect(self.store, &self.knock).await?;
        let read = read(self.context, &self.head, body, self.found.route.body_max).await;
        if let Some(permit) = self.context.take_body() {
            self.knock.counted = Counted::new(permit);
        }
        read
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }
}

/// The whole body, if it is no longer than that.
async fn read(
    context: &mut Context,
    head: &Head,
    body: Incoming,
    bytes_max: usize,
) -> Result<Secret, Fault> {
    let said = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let said: Option<usize> = said.and_then(|length| length.parse().ok());
    let read = context.read(body, said, bytes_max).await;
    read.map_err(|fault| Fault::NoBody { fault, bytes_max })
}
