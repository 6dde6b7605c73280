//! The routes of sessions: a member's token in, a cookie out. And whether the store is ready.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, SET_COOKIE};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::store::Store;
use crate::store::http::door::{COOKIE_NAME, Peer, cookie, is_same_origin};
use crate::store::http::problem::Fault;
use crate::store::http::route::Match;
use crate::store::http::{Answer, Head, answer, body, read};
use crate::store::serve::{BodyFault, Context};
use crate::store::service::{Counted, Credential, Knock, Refusal};
use crate::store::session::Holder;
use crate::store::token;
use crate::wire::SessionRequest;

/// How long the body of a sign-in may take, and how many are read at once.
const SIGN_IN_TIME_MAX: Duration = Duration::from_secs(2);
pub const SIGN_INS_MAX: usize = 64;

/// Signs a member in. A session that the browser has already keeps its tokens.
pub async fn sign_in(
    store: &Store,
    peer: &Peer,
    context: &mut Context,
    found: &Match,
    head: &Head,
    body: Incoming,
) -> Result<Answer, Fault> {
    let is_page = ["origin", "sec-fetch-site"].iter().any(|one| head.headers.contains_key(*one));
    if is_page && !is_same_origin(&head.headers) {
        return Err(Fault::OtherOrigin);
    }
    // Nobody is known yet: those who only seem to sign in take no place of those who are.
    context.step_aside();
    let shared = &store.shared;
    let _place = shared.sign_ins.try_acquire().map_err(|_| Fault::Crowded)?;
    let bytes_max = found.route.body_max;
    let body = timeout(SIGN_IN_TIME_MAX, read(context, head, body, bytes_max)).await;
    let too_slow = Fault::NoBody { fault: BodyFault::TooSlow, bytes_max };
    let body = body.unwrap_or(Err(too_slow))?;
    let ask: SessionRequest = body::parse(&body, r#"{"token":"inj_m_…"}"#)?;
    let proof = token::read(ask.token.expose_secret(), &shared.keys.ring.token);
    let proof = proof.ok_or(Fault::Unauthorized)?;
    let client = match peer {
        Peer::Operator(_) => None,
        Peer::Stranger { address } => *address,
    };
    let credential = Credential::Tokens(Arc::new([proof.clone()]));
    let knock = Knock { credential, client, counted: Counted::default() };
    let signed = store.write(move |desk, tx| desk.sign_in(tx, &knock)).await;
    let session = signed.map_err(Fault::Refusal)?;
    let (organization, member) = (session.organization.clone(), session.member.clone());
    let holder = Holder { organization, member };
    let id = shared.sessions.sign_in(cookie(&head.headers), proof, holder);
    let id = id.map_err(|error| Fault::Refusal(Refusal::NoRandom(error)))?;
    let mut answer = answer::as_json(StatusCode::OK, &session);
    answer.headers_mut().insert(SET_COOKIE, set_cookie(&id));
    Ok(answer)
}

pub fn sign_out(store: &Store, head: &Head) -> Result<Answer, Fault> {
    let id = cookie(&head.headers).ok_or(Fault::Unauthorized)?;
    if !is_same_origin(&head.headers) {
        return Err(Fault::OtherOrigin);
    }
    store.shared.sessions.sign_out(id);
    let mut answer = answer::nothing();
    let gone = format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    let gone = HeaderValue::try_from(gone).expect("it is ASCII");
    answer.headers_mut().insert(SET_COOKIE, gone);
    answer.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(answer)
}

/// Whether the store answers a read.
pub async fn ready(store: &Store) -> Result<Answer, Fault> {
    store.answers().await.map_err(Fault::Refusal)?;
    Ok(answer::text("ready\n"))
}

/// It ends with the browser, or with the session in the store.
fn set_cookie(id: &Secret) -> HeaderValue {
    let mut line = Zeroizing::new(format!("{COOKIE_NAME}=").into_bytes());
    line.extend_from_slice(id.expose_secret());
    line.extend_from_slice(b"; Path=/; Secure; HttpOnly; SameSite=Strict");
    let mut value = HeaderValue::from_bytes(&line).expect("it is ASCII");
    value.set_sensitive(true);
    value
}
