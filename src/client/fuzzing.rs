//! What an answer is taken for, so that the fuzz targets can look at it. It is compiled for them
//! alone.

use std::collections::BTreeSet;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::name::{OrgName, SecretName};

use super::answer::{Asked, Verdict, judge};
use super::error::{Error, TokenSent};
use super::exchange::Answer;

pub use super::answer::parse;

/// Whether an answer is a success, and all that may be shown of it.
pub struct Judged {
    pub is_done: bool,
    pub shown: String,
}

/// Judges an answer to a request for these, with these headers where they can be ones. `hidden`
/// was sent along.
pub fn judged(
    status: u16,
    headers: [&[u8]; 2],
    body: &[u8],
    (org, names): (&OrgName, &BTreeSet<&SecretName>),
    hidden: &[u8],
) -> Judged {
    let mut map = HeaderMap::new();
    for (name, value) in [CONTENT_TYPE, RETRY_AFTER].into_iter().zip(headers) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            map.insert(name, value);
        }
    }
    let answer = Answer { status, headers: map, body: Zeroizing::new(body.to_vec()) };
    let secret = names.first().copied();
    let asked = Asked { org: Some(org), secret, names, token: TokenSent::Own, hidden: &[hidden] };
    let all = |error: &Error| format!("{error}\n{error:?}");
    let shown = match judge(&answer, &asked, Timestamp::UNIX_EPOCH) {
        Verdict::Done => return Judged { is_done: true, shown: String::new() },
        Verdict::Again { failure, wait } => format!("{failure}\n{failure:?}\n{wait:?}"),
        Verdict::NoStore(fault) => format!("{fault}\n{fault:?}"),
        Verdict::EndHere { failure, error } => format!("{failure}\n{failure:?}\n{}", all(&error)),
        Verdict::End(error) => all(&error),
    };
    Judged { is_done: false, shown }
}
