//! Routes and limits: an HTTP request into an operation, its outcome into an answer. Failures
//! become a status in `problem`, and nowhere else.

mod answer;
mod body;
mod door;
mod people;
mod problem;
mod query;
mod route;
mod secrets;
mod sign_in;
mod trail;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::secret::Secret;
use crate::store::Store;
use crate::store::http::problem::Fault;
use crate::store::http::route::{Match, To};
use crate::store::http::watch::OnRecord;
use crate::store::service::{Knock, Refusal};

pub use crate::store::http::door::{Lately, Peer};

/// The bytes of a request's line and headers, and how many headers there may be.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

type Answer = Response<Full<Bytes>>;

/// Serves one connection to its end.
pub async fn serve(store: Store, stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer) {
    let on_record = Arc::new(OnRecord::default());
    let answer = service_fn(move |request| {
        let (store, peer, on_record) = (store.clone(), peer.clone(), Arc::clone(&on_record));
        async move { Ok::<_, Infallible>(answer(&store, &peer, &on_record, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    // A peer that ends the connection early has its own error; the store has none.
    let _ended = served.await;
}

async fn answer(
    store: &Store,
    peer: &Peer,
    on_record: &OnRecord,
    request: Request<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    let answered = match route::find(&head.method, head.uri.path()) {
        Ok(found) => act(store, (peer, on_record), &found, &head, body).await,
        Err(fault) => Err(fault),
    };
    answered.unwrap_or_else(Fault::answer)
}

/// What a request says beside its body.
type Head = hyper::http::request::Parts;

async fn act(
    store: &Store,
    (peer, on_record): (&Peer, &OnRecord),
    found: &Match<'_>,
    head: &Head,
    body: Incoming,
) -> Result<Answer, Fault> {
    match found.route.to {
        To::Health => return Ok(answer::text("ok\n")),
        To::Ready => return sign_in::ready(store).await,
        To::Metrics => return Ok(answer::text("")),
        To::OpenApi => return Ok(answer::text("")),
        To::SignIn => return sign_in::sign_in(store, peer, found, head, body).await,
        To::SignOut => return sign_in::sign_out(store, head),
        _ => {}
    }
    let knock = door::knock(store, peer, &head.method, &head.headers)?;
    let asked = Asked { store, found, head, on_record, knock: knock.clone() };
    let answered = asked.act(body).await;
    if let Err(Fault::Refusal(Refusal::Unauthorized)) = &answered {
        store.shared.lately.forget(&knock);
    }
    answered
}

/// A request of somebody.
struct Asked<'a> {
    store: &'a Store,
    found: &'a Match<'a>,
    head: &'a Head,
    on_record: &'a OnRecord,
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
            To::Health | To::Ready | To::Metrics | To::OpenApi | To::SignIn | To::SignOut => {
                Err(Fault::NoPath)
            }
        }
    }

    /// The whole body of somebody who may send one.
    async fn read(&self, body: Incoming) -> Result<Secret, Fault> {
        door::expect(self.store, &self.knock).await?;
        read(&self.head.headers, body, self.found.route.body_max).await
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }
}

/// The whole body, if it is no longer than that.
async fn read(headers: &HeaderMap, body: Incoming, bytes_max: usize) -> Result<Secret, Fault> {
    let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let said: Option<usize> = said.and_then(|length| length.parse().ok());
    if said.is_some_and(|length| length > bytes_max) {
        return Err(Fault::LongBody { bytes_max });
    }
    let collected = Limited::new(body, bytes_max).collect().await;
    let collected = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => Fault::LongBody { bytes_max },
        false => Fault::BrokenBody,
    })?;
    Ok(Secret::new(collected.to_bytes().into()))
}
