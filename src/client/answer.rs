//! What an answer means: done, try again, or an end. Pure.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use serde::Deserialize;

use crate::name::{OrgName, SecretName};
use crate::wire::{Problem, problem_type};

use super::error::{Error, Failure, ProtocolFault};
use super::exchange::Answer;
use super::retry::retry_after;

/// The most characters of a store's own words that are shown.
const DETAIL_CHARS_MAX: usize = 400;

/// What a call knows about itself when its answer is judged.
pub struct Asked<'a> {
    pub store: &'a str,
    pub org: &'a OrgName,
    /// The one secret that the path names.
    pub secret: Option<&'a SecretName>,
    /// What must not be shown, should an answer repeat it: the token, the value that was sent.
    pub hidden: &'a [&'a [u8]],
}

pub enum Verdict {
    Done,
    Again { failure: Failure, wait: Option<Duration> },
    End(Error),
}

pub fn judge(answer: &Answer, asked: &Asked<'_>, now: Timestamp) -> Verdict {
    let status = answer.status;
    if matches!(status, 200 | 201 | 204) {
        return match not_json(&answer.headers) {
            Some(fault) if status != 204 => Verdict::End(asked.protocol(fault)),
            _ => Verdict::Done,
        };
    }
    let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
    let kind = problem.as_ref().map_or("", |problem| problem.kind.as_str());
    let detail = problem.as_ref().and_then(|problem| shown(problem, asked.hidden));
    match (kind, status) {
        (problem_type::DAMAGED, 400..) => Verdict::End(Error::Damaged { detail }),
        (problem_type::STORAGE_FAILED, 400..) => Verdict::End(Error::StorageFailed { detail }),
        (problem_type::STORAGE_FULL, 400..) => Verdict::End(Error::StorageFull { detail }),
        (_, 429 | 500..) => {
            let header = answer.headers.get(RETRY_AFTER);
            let wait = header.and_then(|header| retry_after(header.as_bytes(), now));
            Verdict::Again { failure: Failure::Status { status, detail }, wait }
        }
        _ => Verdict::End(refusal(status, problem, detail, asked)),
    }
}

/// What a status below 500 that is no success means.
fn refusal(
    status: u16,
    problem: Option<Problem>,
    detail: Option<String>,
    asked: &Asked<'_>,
) -> Error {
    let kind = problem.as_ref().map_or("", |problem| problem.kind.as_str());
    match (status, kind, asked.secret) {
        (300..400, ..) => asked.protocol(ProtocolFault::Redirect { status }),
        (401 | 403, ..) => Error::Refused { status, detail },
        (412, ..) => Error::PreconditionFailed { perhaps_ours: false },
        (400 | 413 | 414 | 422 | 428 | 431, ..) => Error::Invalid { detail },
        (404, problem_type::NO_ORGANIZATION, _) => Error::NoOrganization(asked.org.clone()),
        (404, problem_type::NO_SECRET, Some(name)) => Error::NoSecret(name.clone()),
        _ => match problem {
            Some(problem) if status == 404 && !problem.unresolved.is_empty() => {
                Error::Unresolved(problem.unresolved)
            }
            _ => asked.protocol(ProtocolFault::Status { status }),
        },
    }
}

/// The body of a success. Of what is wrong with it only the place is told: serde's own words
/// quote what they find.
pub fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ProtocolFault> {
    serde_json::from_slice(body)
        .map_err(|error| ProtocolFault::Json { line: error.line(), column: error.column() })
}

impl Asked<'_> {
    fn protocol(&self, fault: ProtocolFault) -> Error {
        Error::Protocol { store: self.store.to_owned(), fault }
    }
}

/// A page of some other server says so in its type; a missing type is let pass.
fn not_json(headers: &HeaderMap) -> Option<ProtocolFault> {
    let content_type = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes());
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let json = essence.to_ascii_lowercase().ends_with("json");
    (!json).then(|| ProtocolFault::NotJson { content_type: printable(essence) })
}

/// The store's own words, unless they repeat what must not be shown.
fn shown(problem: &Problem, hidden: &[&[u8]]) -> Option<String> {
    let detail = problem.detail.as_deref().unwrap_or(&problem.title);
    let repeats = |secret: &&[u8]| {
        !secret.is_empty() && memchr::memmem::find(detail.as_bytes(), secret).is_some()
    };
    (!detail.is_empty() && !hidden.iter().any(repeats)).then(|| printable(detail))
}

/// Words from outside, of bounded length and without what steers a terminal.
fn printable(text: &str) -> String {
    let shown = text.chars().take(DETAIL_CHARS_MAX);
    shown.map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use zeroize::Zeroizing;

    use super::*;

    fn verdict(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let org = OrgName::parse("acme").expect("a slug");
        let name = SecretName::parse("DB_PASSWORD_PROD").expect("a name");
        let asked = Asked { store: "s", org: &org, secret: Some(&name), hidden: &[b"hunter2"] };
        judge(&Answer { status, headers: map, body }, &asked, Timestamp::UNIX_EPOCH)
    }

    fn end(status: u16, body: &str) -> Error {
        match verdict(status, &[], body) {
            Verdict::End(error) => error,
            _ => panic!("{status} does not end it"),
        }
    }

    #[test]
    fn what_ends_a_call() {
        assert!(matches!(end(401, ""), Error::Refused { status: 401, detail: None }));
        assert!(matches!(end(403, "<html>"), Error::Refused { status: 403, detail: None }));
        assert!(matches!(end(422, ""), Error::Invalid { .. }));
        assert!(matches!(end(412, ""), Error::PreconditionFailed { perhaps_ours: false }));
        let kind = |kind: &str| format!(r#"{{"type":"{kind}"}}"#);
        let damaged = kind(problem_type::DAMAGED);
        assert!(matches!(end(500, &damaged), Error::Damaged { .. }));
        assert!(matches!(end(507, &kind(problem_type::STORAGE_FULL)), Error::StorageFull { .. }));
        assert!(matches!(end(404, &kind(problem_type::NO_SECRET)), Error::NoSecret(_)));
        assert!(matches!(end(404, &kind(problem_type::NO_ORGANIZATION)), Error::NoOrganization(_)));
        for status in [404, 405, 206, 304] {
            assert_eq!(end(status, "").exit_code(), 69, "{status}");
        }
    }

    #[test]
    fn what_can_pass_is_tried_again() {
        for status in [429, 500, 502, 503, 504] {
            let headers = [("retry-after", "7")];
            let Verdict::Again { wait, .. } = verdict(status, &headers, "<html>") else {
                panic!("{status} does not pass");
            };
            assert_eq!(wait, Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn unresolved_names_come_with_their_reasons() {
        let body = |reason| {
            format!(r#"{{"unresolved":[{{"name":"A","reason":"{reason}","nearest":null}}]}}"#)
        };
        assert_eq!(end(404, &body("missing")).exit_code(), 78);
        assert_eq!(end(404, &body("forbidden")).exit_code(), 77);
    }

    #[test]
    fn a_page_is_no_answer_of_a_store() {
        let page = [("content-type", "text/html; charset=utf-8")];
        let Verdict::End(error) = verdict(200, &page, "<html>") else { panic!("it is done") };
        assert!(error.to_string().contains("`text/html`"), "{error}");
        for json in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(matches!(verdict(200, &[("content-type", json)], ""), Verdict::Done));
        }
        assert!(matches!(verdict(200, &[], ""), Verdict::Done));
    }

    #[test]
    fn a_stores_words_are_shown_with_care() {
        let words = |detail: &str| end(401, &format!(r#"{{"detail":"{detail}"}}"#)).to_string();
        assert!(words("expired yesterday").ends_with(": expired yesterday"));
        assert!(words("\\u001b[2Jx").ends_with(": \u{fffd}[2Jx"));
        assert!(!words("the token hunter2 is bad").contains("hunter2"));
        assert!(words(&"x".repeat(10_000)).len() < 500);
    }

    #[test]
    fn only_the_place_of_what_is_wrong_is_told() {
        let error = parse::<crate::wire::ResolveAnswer>(
            br#"{"secrets":{"A":{"value":"x","version":"hunter2"}}}"#,
        );
        let Err(error) = error else { panic!("it was taken") };
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(matches!(error, ProtocolFault::Json { line: 1, .. }));
    }
}
