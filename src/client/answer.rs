//! What an answer means: done, try again, or an end. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use serde::Deserialize;

use crate::name::{OrgName, SecretName};
use crate::wire::{Problem, problem_type};

use super::error::{Error, Failure, ProtocolFault, TokenSent};
use super::exchange::Answer;
use super::retry::{can_pass, retry_after};

/// The most characters of a store's own words that are shown.
const DETAIL_CHARS_MAX: usize = 400;
/// The longest media type that is shown; RFC 6838 (section 4.2) wants each half shorter than 64.
const MEDIA_TYPE_BYTES_MAX: usize = 64;

/// What a call knows about itself when its answer is judged.
pub struct Asked<'a> {
    pub org: Option<&'a OrgName>,
    /// The one secret that the path names.
    pub secret: Option<&'a SecretName>,
    /// The names that a resolve asks for.
    pub names: &'a BTreeSet<&'a SecretName>,
    pub token: TokenSent,
    /// What must not be shown, should an answer repeat it: the token, the value that was sent.
    pub hidden: &'a [&'a [u8]],
}

pub enum Verdict {
    Done,
    Again {
        failure: Failure,
        wait: Option<Duration>,
    },
    /// What answered is no store; another endpoint may be one.
    NoStore(ProtocolFault),
    /// This endpoint will say nothing else, though it may be a proxy and no store that says it:
    /// another one may do better.
    EndHere {
        failure: Failure,
        error: Error,
    },
    /// A store has judged.
    End(Error),
}

pub fn judge(answer: &Answer, asked: &Asked<'_>, now: Timestamp) -> Verdict {
    let status = answer.status;
    if matches!(status, 200 | 201 | 204) {
        return match not_json(&answer.headers, asked.hidden) {
            Some(fault) if status != 204 => Verdict::NoStore(fault),
            _ => Verdict::Done,
        };
    }
    let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
    let of_a_store = problem.as_ref().is_some_and(is_typed);
    let kind = problem.as_ref().map_or("", |problem| problem.kind.as_str());
    let detail = problem.as_ref().and_then(|problem| shown(problem, asked.hidden));
    match (kind, status) {
        (problem_type::DAMAGED, 400..) => Verdict::End(Error::Damaged { detail }),
        (problem_type::UNPURGED, 400..) => Verdict::End(Error::Unpurged { detail }),
        (problem_type::STORAGE_FAILED, 400..) => Verdict::End(Error::StorageFailed { detail }),
        (problem_type::STORAGE_FULL, 400..) => Verdict::End(Error::StorageFull { detail }),
        _ if can_pass(status) => {
            let header = answer.headers.get(RETRY_AFTER);
            let wait = header.and_then(|header| retry_after(header.as_bytes(), now));
            Verdict::Again { failure: Failure::Status { status, detail }, wait }
        }
        _ => match refusal(status, problem, detail.clone(), asked) {
            Err(fault) => Verdict::NoStore(fault),
            Ok(error) if of_a_store => Verdict::End(error),
            Ok(error) => Verdict::EndHere { failure: Failure::Status { status, detail }, error },
        },
    }
}

/// A store's problems say their type, `about:blank` at least; a proxy's page or JSON has none.
fn is_typed(problem: &Problem) -> bool {
    !problem.kind.is_empty() || !problem.unresolved.is_empty()
}

/// What a status below 500 that is no success means, if it is one that a store gives.
fn refusal(
    status: u16,
    problem: Option<Problem>,
    detail: Option<String>,
    asked: &Asked<'_>,
) -> Result<Error, ProtocolFault> {
    let kind = problem.as_ref().map_or("", |problem| problem.kind.as_str());
    Ok(match (status, kind, asked.secret) {
        (300..400, ..) => return Err(ProtocolFault::Redirect { status }),
        (401, problem_type::PROXY_TOKEN, _) => {
            Error::Refused { status, token: TokenSent::OfProxy, detail: None }
        }
        (401 | 403, ..) => Error::Refused { status, token: asked.token, detail },
        (412, ..) => Error::PreconditionFailed { perhaps_ours: false },
        (400 | 413 | 414 | 422 | 428 | 431, ..) => Error::Invalid { detail },
        (404, problem_type::NO_ORGANIZATION, _) => match asked.org {
            Some(org) => Error::NoOrganization(org.clone()),
            None => return Err(ProtocolFault::Status { status }),
        },
        (404, problem_type::NO_SECRET, Some(name)) => Error::NoSecret(name.clone()),
        (404, problem_type::NOT_FOUND, None) => Error::NotFound,
        (409, problem_type::EXISTS, _) => Error::Exists,
        (409, problem_type::LAST_OWNER, _) => Error::LastOwner { detail },
        _ => match problem {
            Some(problem) if status == 404 && !problem.unresolved.is_empty() => {
                if problem.unresolved.iter().any(|one| !asked.names.contains(&one.name)) {
                    return Err(ProtocolFault::OtherName);
                }
                Error::Unresolved(problem.unresolved)
            }
            _ => return Err(ProtocolFault::Status { status }),
        },
    })
}

/// The body of a success. Of what is wrong with it only the place is told: serde's own words
/// quote what they find.
pub fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, ProtocolFault> {
    serde_json::from_slice(body)
        .map_err(|error| ProtocolFault::Json { line: error.line(), column: error.column() })
}

/// That something is gone is told by the status alone, without a body that could be judged: another
/// one, such as a gateway's plain 200, is no store's word for it.
pub fn gone(answer: &Answer) -> Result<(), ProtocolFault> {
    match answer.status {
        204 => Ok(()),
        status => Err(ProtocolFault::Status { status }),
    }
}

/// A page of some other server says so in its type; a missing type is let pass.
fn not_json(headers: &HeaderMap, hidden: &[&[u8]]) -> Option<ProtocolFault> {
    let content_type = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes());
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.to_ascii_lowercase().ends_with("json") {
        return None;
    }
    // The whole header is looked through: what is hidden may reach over the `;`.
    let shown = is_media_type(essence) && !repeats(&content_type, hidden);
    Some(ProtocolFault::NotJson { content_type: shown.then(|| essence.to_owned()) })
}

/// RFC 6838, section 4.2.
fn is_media_type(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+/".contains(&b);
    !text.is_empty() && text.len() <= MEDIA_TYPE_BYTES_MAX && text.bytes().all(allowed)
}

/// The store's own words, unless they repeat what must not be shown.
fn shown(problem: &Problem, hidden: &[&[u8]]) -> Option<String> {
    let detail = problem.detail.as_deref().unwrap_or(&problem.title);
    (!detail.is_empty() && !repeats(detail, hidden)).then(|| printable(detail))
}

fn repeats(text: &str, hidden: &[&[u8]]) -> bool {
    let found = |secret: &[u8]| memchr::memmem::find(text.as_bytes(), secret).is_some();
    hidden.iter().any(|secret| !secret.is_empty() && found(secret))
}

/// Words from outside, of bounded length and without what steers a terminal or its reader.
pub(super) fn printable(text: &str) -> String {
    let shown = text.chars().take(DETAIL_CHARS_MAX);
    shown.map(|c| if c.is_control() || misleads(c) { '\u{fffd}' } else { c }).collect()
}

/// Line and paragraph separators, and what turns the direction of the text around it: all of
/// Unicode's `Bidi_Control` (UAX #9).
fn misleads(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use zeroize::Zeroizing;

    use super::*;

    fn verdict(status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let org = OrgName::parse("acme").expect("a slug");
        let name = SecretName::parse("DB_PASSWORD_PROD").expect("a name");
        let a = SecretName::parse("A").expect("a name");
        let asked = Asked {
            org: Some(&org),
            secret: Some(&name),
            names: &BTreeSet::from([&a]),
            token: TokenSent::Own,
            hidden: &[b"hunter2"],
        };
        judge(&Answer { status, headers: map, body }, &asked, Timestamp::UNIX_EPOCH)
    }

    fn end(status: u16, body: &str) -> Error {
        match verdict(status, &[], body) {
            Verdict::End(error) | Verdict::EndHere { error, .. } => error,
            Verdict::NoStore(fault) => Error::Protocol { store: "s".to_owned(), fault },
            _ => panic!("{status} does not end it"),
        }
    }

    #[test]
    fn what_ends_a_call() {
        assert!(matches!(end(401, ""), Error::Refused { status: 401, detail: None, .. }));
        assert!(matches!(end(403, "<html>"), Error::Refused { status: 403, detail: None, .. }));
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
    fn only_a_store_ends_it_for_all_endpoints() {
        let of_a_store = |status, kind: &str, more: &str| {
            let body = format!(r#"{{"type":"{kind}"{more}}}"#);
            matches!(verdict(status, &[], &body), Verdict::End(_))
        };
        for status in [401, 403, 422] {
            assert!(of_a_store(status, "about:blank", ""), "{status}");
        }
        assert!(of_a_store(404, problem_type::NO_SECRET, ""));
        let names = |name| {
            format!(r#","unresolved":[{{"name":"{name}","reason":"missing","nearest":null}}]"#)
        };
        assert!(of_a_store(404, problem_type::UNRESOLVED, &names("A")));
        assert!(!of_a_store(404, problem_type::UNRESOLVED, &names("B")));
        assert!(!of_a_store(404, "about:blank", ""), "this path is not a store's");
        for status in [302, 400, 401, 403, 404, 405] {
            for body in ["<html>", "{}", r#"{"detail":"x"}"#] {
                let verdict = verdict(status, &[], body);
                let here = matches!(verdict, Verdict::EndHere { .. } | Verdict::NoStore(_));
                assert!(here, "{status} {body}");
            }
        }
    }

    #[test]
    fn what_can_pass_is_tried_again() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
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
        let Verdict::NoStore(fault) = verdict(200, &page, "") else { panic!("it is taken") };
        assert!(fault.to_string().contains("`text/html`"), "{fault}");
        let long = "x".repeat(MEDIA_TYPE_BYTES_MAX + 1);
        for bad in ["text/hunter2", "text/x;hunter2", "a b", "a`b", "", &long] {
            let Verdict::NoStore(fault) = verdict(200, &[("content-type", bad)], "") else {
                panic!("`{bad}` is taken");
            };
            assert!(fault.to_string().contains("(its answer is not JSON)"), "{fault}");
        }
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
        for c in "\u{61c}\u{200e}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            assert!(words(&format!("a{c}b")).ends_with(": a\u{fffd}b"), "{c:?}");
        }
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
