//! Answers that are no failure. None may be kept by whoever passes it on.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::store::http::Answer;
use crate::store::service::Minted;
use crate::wire::Metadata;

pub fn described(status: StatusCode, metadata: &Metadata) -> Answer {
    let mut answer = as_json(status, metadata);
    let tag = metadata.version.map(|version| format!("\"{version}\""));
    if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

/// What was made, with its token beside it; the text of it is wiped when it is sent.
pub fn issued(made: &Minted<impl Serialize>, is_token: bool) -> Answer {
    #[derive(Serialize)]
    struct Issued<'a, T> {
        #[serde(flatten)]
        of: &'a T,
        /// What is itself a token has its id already.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        token: &'a str,
    }
    let token = std::str::from_utf8(made.token.expose_secret()).expect("a token is ASCII");
    let id = (!is_token).then_some(made.id.as_str());
    // Room for all of it, so that growing leaves no copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *body, &Issued { of: &made.of, id, token })
        .expect("a vector takes every write");
    typed(StatusCode::CREATED, "application/json", Bytes::from_owner(body))
}

pub fn as_json(status: StatusCode, value: &impl Serialize) -> Answer {
    json(status, serde_json::to_vec(value).expect("names, numbers and texts are JSON"))
}

pub fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    typed(status, "application/json", body)
}

pub fn text(body: &'static str) -> Answer {
    typed(StatusCode::OK, "text/plain; charset=utf-8", body)
}

pub fn nothing() -> Answer {
    with_status(StatusCode::NO_CONTENT, Full::default())
}

pub fn typed(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = with_status(status, Full::new(body.into()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn with_status(status: StatusCode, body: Full<Bytes>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // No browser is to take it for anything but what it says it is.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
