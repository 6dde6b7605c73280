//! Who is at the door: the credential that a request carries, judged as far as it can be before its
//! body is read. What it is worth is decided in the transaction that does what is asked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};

use crate::name::TokenId;
use crate::store::Store;
use crate::store::http::problem::Fault;
use crate::store::service::{Counted, Credential, Knock};
use crate::store::token::{self, Proof};

/// Tokens that were good a moment ago, so that a body is read for them without another look.
const LATELY_MAX: usize = 10_000;
/// The session's cookie: of this host alone, over https alone.
pub const COOKIE_NAME: &str = "__Host-inject";

/// Who is at the other end of a connection.
#[derive(Clone)]
pub enum Peer {
    /// This process itself, on behalf of the operating system's user.
    Operator(Arc<str>),
    /// Somebody who has to show a token; no address over a unix socket.
    Stranger { address: Option<IpAddr> },
}

/// Tokens that were good a moment ago.
#[derive(Default)]
pub struct Lately(Mutex<HashMap<TokenId, [u8; 32]>>);

/// The credential of a request, if it has one that could be good.
pub fn knock(
    store: &Store,
    peer: &Peer,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Knock, Fault> {
    let address = match peer {
        Peer::Operator(name) => {
            let credential = Credential::Operator(Arc::clone(name));
            return Ok(Knock { credential, client: None, counted: Counted::default() });
        }
        Peer::Stranger { address } => *address,
    };
    let tokens = match headers.get(AUTHORIZATION) {
        Some(header) => {
            let proof = bearer(header.as_bytes());
            let proof = proof.and_then(|text| token::read(text, &store.shared.keys.ring.token));
            Arc::new([proof.ok_or(Fault::Unauthorized)?])
        }
        None => {
            let id = cookie(headers).ok_or(Fault::Unauthorized)?;
            let tokens = store.shared.sessions.find(id).ok_or(Fault::Unauthorized)?;
            if !method.is_safe() && !is_same_origin(headers) {
                return Err(Fault::OtherOrigin);
            }
            tokens
        }
    };
    let (credential, counted) = (Credential::Tokens(tokens), Counted::default());
    Ok(Knock { credential, client: address, counted })
}

/// Before a body is read: whether this is somebody at all.
pub async fn expect(store: &Store, knock: &Knock) -> Result<(), Fault> {
    let Credential::Tokens(proofs) = &knock.credential else { return Ok(()) };
    if proofs.iter().any(|proof| store.shared.lately.knows(proof)) {
        return Ok(());
    }
    judge(store, knock).await
}

/// Whether this is somebody at all, by what is stored now.
pub async fn judge(store: &Store, knock: &Knock) -> Result<(), Fault> {
    let Credential::Tokens(proofs) = &knock.credential else { return Ok(()) };
    let (asked, client) = (Arc::clone(proofs), knock.client);
    let bearers = store.look_up(move |desk, tx| desk.bearers(tx, &asked, client)).await;
    bearers.map_err(Fault::Refusal)?;
    proofs.iter().for_each(|proof| store.shared.lately.learn(proof));
    Ok(())
}

impl Lately {
    /// After a refusal: the next request is looked at before its body.
    pub fn forget(&self, knock: &Knock) {
        if let Credential::Tokens(proofs) = &knock.credential {
            let mut known = self.known();
            for proof in proofs.iter() {
                known.remove(&proof.id);
            }
        }
    }

    fn knows(&self, proof: &Proof) -> bool {
        self.known().get(&proof.id).is_some_and(|hash| *hash == proof.hash)
    }

    fn learn(&self, proof: &Proof) {
        let mut known = self.known();
        if known.len() >= LATELY_MAX {
            known.clear();
        }
        known.insert(proof.id.clone(), proof.hash);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TokenId, [u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands behind `Bearer` (RFC 6750, section 2.1; the scheme in any case, RFC 9110, 11.1).
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

/// What the session's cookie says.
pub fn cookie(headers: &HeaderMap) -> Option<&[u8]> {
    let mut pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(is_end));
    pairs
        .find_map(|pair| pair.trim_ascii().strip_prefix(COOKIE_NAME.as_bytes())?.strip_prefix(b"="))
}

/// The session by which somebody was let in, if it was by one.
pub fn session<'h>(knock: &Knock, headers: &'h HeaderMap) -> Option<&'h [u8]> {
    let by_cookie =
        matches!(knock.credential, Credential::Tokens(_)) && !headers.contains_key(AUTHORIZATION);
    cookie(headers).filter(|_| by_cookie)
}

fn is_end(byte: &u8) -> bool {
    *byte == b';'
}

/// Whether the page of this very store asks. A browser says so on each request that changes
/// something; who is no browser has no cookie.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.and_then(|origin| Some(origin.split_once("://")?.1));
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn the_cookie_among_others() {
        let found = |line| cookie(&headers(&[("cookie", line)])).map(<[u8]>::to_vec);
        assert_eq!(found("a=b; __Host-inject=xyz; c=d"), Some(b"xyz".to_vec()));
        assert_eq!(found("__Host-injected=xyz"), None);
        assert_eq!(found("x__Host-inject=xyz"), None);
    }

    #[test]
    fn who_asks() {
        let asks = |pairs: &[_]| is_same_origin(&headers(pairs));
        assert!(asks(&[("host", "a:7410"), ("origin", "https://a:7410")]));
        assert!(asks(&[("sec-fetch-site", "same-origin")]));
        assert!(!asks(&[("sec-fetch-site", "same-site"), ("origin", "https://a"), ("host", "a")]));
        assert!(!asks(&[("host", "a"), ("origin", "https://b")]));
        assert!(!asks(&[("host", "a"), ("origin", "null")]));
        assert!(!asks(&[("host", "a")]));
    }

    #[test]
    fn schemes() {
        assert_eq!(bearer(b"Bearer inj"), Some(&b"inj"[..]));
        assert_eq!(bearer(b"bearer  inj"), Some(&b"inj"[..]));
        assert_eq!(bearer(b"Basic inj"), None);
        assert_eq!(bearer(b""), None);
    }
}
