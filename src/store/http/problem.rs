//! The one place where an error becomes a status. Each is an `application/problem+json` (RFC 9457)
//! that says what, where and what to do; none repeats what a request held beside names.

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::name::{NameError, SecretName};
use crate::store::http::Answer;
use crate::store::http::answer::typed;
use crate::store::serve::{BodyFault, Context};
use crate::store::service::{Damage, Refusal};
use crate::store::storage::{StorageError, StorageErrorKind};
use crate::wire::{Problem, RESOLVE_NAMES_MAX, Unresolved, VALUE_BYTES_MAX, problem_type};

/// Why a request has no other answer.
#[derive(Debug)]
pub enum Fault {
    /// Nothing is at this path.
    NoPath,
    Method {
        allowed: String,
    },
    /// No token that could be one, and no session.
    Unauthorized,
    /// A page of another origin asks in the name of a session.
    OtherOrigin,
    /// What the path has for an organization can be none.
    NoOrganization,
    /// A row that was sound a moment ago does not open.
    Closed(SecretName),
    /// Names, of secrets or a workload, that are none.
    Name(Vec<NameError>),
    NoNames,
    ManyNames {
        names: usize,
    },
    /// The body was not read; so many bytes would have been.
    NoBody {
        fault: BodyFault,
        bytes_max: usize,
    },
    /// Too many requests are under way.
    Crowded,
    /// The body is no JSON, or JSON of another shape.
    Body {
        shape: &'static str,
        line: usize,
        column: usize,
        is_json: bool,
    },
    Value {
        what: &'static str,
    },
    /// A query or header is not what the API asks for.
    Request {
        what: &'static str,
    },
    Refusal(Refusal),
}

impl Fault {
    pub fn answer(self, context: &Context) -> Answer {
        let allowed = match &self {
            Self::Method { allowed } => HeaderValue::try_from(allowed).ok(),
            _ => None,
        };
        let mut problem = self.problem();
        problem.instance = Some(format!("urn:inject:request:{}", context.id));
        let status = StatusCode::from_u16(problem.status).expect("each status is a constant here");
        let body = serde_json::to_vec(&problem).expect("texts and names are JSON");
        let mut answer = typed(status, "application/problem+json", body);
        if let Some(allowed) = allowed {
            answer.headers_mut().insert(ALLOW, allowed);
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"inject\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }

    /// Why nobody was let in, where that is so; for the log.
    pub fn refused_authentication(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized => Some("no token or session of this store"),
            Self::Refusal(Refusal::Unauthorized) => Some("a token that is unknown or over"),
            _ => None,
        }
    }

    fn problem(self) -> Problem {
        let invalid = problem_type::INVALID;
        match self {
            Self::NoPath => titled(404, "about:blank", "nothing is at this path"),
            Self::Method { allowed } => {
                titled(405, "about:blank", "this path does not take this method")
                    .detail(format!("it takes {allowed}"))
            }
            Self::Unauthorized => unauthorized(),
            Self::OtherOrigin => titled(403, "about:blank", "another site asks")
                .detail("a session changes something only from the store's own page"),
            Self::NoOrganization => no_organization(),
            Self::Closed(name) => not_as_written(damaged(&[Damage { name, deletable: true }])),
            Self::Name(errors) => titled(422, invalid, "a name is not one").detail(joined(&errors)),
            Self::NoNames => {
                titled(422, invalid, "`names` is empty").detail("name at least one secret")
            }
            Self::ManyNames { names } => titled(422, invalid, "`names` is too long")
                .detail(format!("{names} names are given; up to {RESOLVE_NAMES_MAX} are taken")),
            Self::NoBody { fault, bytes_max } => match fault {
                BodyFault::TooLong => titled(413, invalid, "the body is too long")
                    .detail(format!("up to {bytes_max} bytes are taken; {LONG_VALUE}")),
                BodyFault::Broken => titled(400, invalid, "the body did not arrive whole"),
                BodyFault::TooSlow => titled(408, "about:blank", "the body took too long"),
                BodyFault::NoRoom | BodyFault::Crowded => titled(503, "about:blank", BUSY),
            },
            Self::Crowded => titled(503, "about:blank", BUSY),
            Self::Body { shape, line, column, is_json } => {
                let title =
                    if is_json { "the body has another shape" } else { "the body is no JSON" };
                let status = if is_json { 422 } else { 400 };
                let detail = format!("at line {line}, column {column}; it is to be {shape}");
                titled(status, invalid, title).detail(detail)
            }
            Self::Value { what } => titled(422, invalid, what),
            Self::Request { what } => titled(400, invalid, what),
            Self::Refusal(refusal) => refused(refusal),
        }
    }
}

const BUSY: &str = "the store has too much to do at the moment";
const LONG_VALUE: &str = "a value may have 65536 bytes";
const _: () = assert!(VALUE_BYTES_MAX == 65_536, "the text above says so");

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unauthorized => unauthorized(),
        Refusal::TokenDamaged => {
            not_as_written("this token's row is not as it was written; put a backup in its place")
        }
        Refusal::NoOrganization(name) => no_organization()
            .detail(format!("there is no organization `{name}` that this caller may see")),
        Refusal::Forbidden => titled(403, "about:blank", "this caller may not do this"),
        Refusal::Network { client } => {
            let from = match client {
                Some(client) => format!("from {client}"),
                None => "over a socket of this machine".to_owned(),
            };
            titled(403, "about:blank", "this token is not accepted from there").detail(format!(
                "this token is not accepted {from}: it was made for another network"
            ))
        }
        Refusal::Overloaded => titled(503, "about:blank", BUSY),
        Refusal::Unresolved(unresolved) => unresolvable(unresolved),
        Refusal::NoSecret(name) => titled(404, problem_type::NO_SECRET, "there is no such secret")
            .detail(format!("there is no secret `{name}`")),
        Refusal::Precondition { name, current } => {
            let is = match current {
                Some(version) => format!("`{name}` is at version {version}"),
                None => format!("there is no secret `{name}`"),
            };
            titled(412, problem_type::PRECONDITION, "a condition does not hold").detail(is)
        }
        Refusal::EmptyValue(name) => titled(422, problem_type::INVALID, "the value is empty")
            .detail(format!(
                "`{name}` would be empty; say `\"allow_empty\":true` (`--allow-empty`) if it \
                 is to be"
            )),
        Refusal::LongValue { name, bytes } => {
            titled(413, problem_type::INVALID, "the value is too long")
                .detail(format!("`{name}` would have {bytes} bytes; {LONG_VALUE}"))
        }
        Refusal::LongAnswer => titled(413, problem_type::INVALID, "the answer would be too long")
            .detail(
                "these values together are more than one answer may have, which is about 20 MiB; \
                 ask for fewer of them at a time",
            ),
        Refusal::Damaged(damages) => not_as_written(damaged(&damages)),
        Refusal::OrganizationDamaged(name) => not_as_written(format!(
            "organization `{name}` is not as it was written; put a backup in its place"
        )),
        Refusal::Unpurged(name) => {
            titled(503, problem_type::UNPURGED, "an old value is still in use").detail(format!(
                "`{name}` is changed, but another process reads its old value from the journal; \
                 do the same again to finish"
            ))
        }
        Refusal::NoRandom(error) => {
            titled(500, "about:blank", "the system gives no random bytes").detail(error.to_string())
        }
        Refusal::Storage(error) => storage(&error),
        people @ (Refusal::OrganizationExists(_)
        | Refusal::NoOwner
        | Refusal::OtherOwner
        | Refusal::NoMember(_)
        | Refusal::MemberExists(_)
        | Refusal::LastOwner(_)
        | Refusal::OwnersTokens(_)
        | Refusal::OwnersWithout(_)
        | Refusal::LastToken(_)
        | Refusal::MemberDamaged(_)
        | Refusal::NoToken(_)) => refused_people(people),
    }
}

/// What is about organizations, members and tokens.
fn refused_people(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::OrganizationExists(name) => {
            titled(409, problem_type::EXISTS, "there is such an organization already")
                .detail(format!("there is an organization `{name}` already"))
        }
        Refusal::NoOwner => titled(422, problem_type::INVALID, "nobody is to be the owner")
            .detail("say the owner's e-mail address: `\"owner\":\"alice@acme.com\"` (`--owner`)"),
        Refusal::OtherOwner => titled(422, problem_type::INVALID, "the owner is another")
            .detail("a new organization's owner is who makes it; leave `owner` out"),
        Refusal::NoMember(email) => titled(404, problem_type::NOT_FOUND, "there is no such member")
            .detail(format!("there is no member `{email}`")),
        Refusal::MemberExists(email) => {
            titled(409, problem_type::EXISTS, "there is such a member already")
                .detail(format!("`{email}` is a member already"))
        }
        Refusal::LastOwner(email) => {
            titled(409, problem_type::LAST_OWNER, "this is the last owner")
                .detail(format!("`{email}` is the last owner; make somebody else an owner first"))
        }
        Refusal::OwnersTokens(email) => {
            titled(409, problem_type::LAST_OWNER, "no owner would have a token").detail(format!(
                "`{email}` made the tokens of all other owners, which would go too; let one of \
                 them make a token of their own first"
            ))
        }
        Refusal::OwnersWithout(email) => {
            titled(409, problem_type::LAST_OWNER, "no owner would have a token").detail(format!(
                "no owner but `{email}` has a token that is good; make one for another owner first"
            ))
        }
        Refusal::LastToken(id) => {
            titled(409, problem_type::LAST_OWNER, "no owner would have a token").detail(format!(
                "no owner has another token than `{id}` that is good; make one first"
            ))
        }
        Refusal::MemberDamaged(email) => {
            titled(500, problem_type::DAMAGED, "what is stored is damaged").detail(format!(
                "member `{email}` is not as it was written; put a backup in its place, or remove \
                 the member and add it again"
            ))
        }
        Refusal::NoToken(id) => titled(404, problem_type::NOT_FOUND, "there is no such token")
            .detail(format!("there is no token `{id}`")),
        _ => unreachable!("`refused` hands over those above and no other"),
    }
}

/// The same for a token that is unknown, over, revoked, or none.
fn unauthorized() -> Problem {
    titled(401, "about:blank", "no valid token")
        .detail("it is unknown, over or revoked, or was not sent as `Authorization: Bearer …`")
}

fn no_organization() -> Problem {
    titled(404, problem_type::NO_ORGANIZATION, "there is no such organization")
}

fn not_as_written(detail: impl Into<String>) -> Problem {
    titled(500, problem_type::DAMAGED, "what is stored is damaged").detail(detail)
}

/// Says of each what is still possible.
fn damaged(damages: &[Damage]) -> String {
    let said = |deletable, advice| {
        let names = damages.iter().filter(|damage| damage.deletable == deletable);
        let names: Vec<String> = names.map(|damage| format!("`{}`", damage.name)).collect();
        let text = format!("{} is not as it was written; {advice}", names.join(", "));
        (!names.is_empty()).then_some(text)
    };
    let parts = [
        said(true, "put a backup in its place, or delete it and set it again"),
        said(false, "put a backup of the store in its place"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn unresolvable(unresolved: Vec<Unresolved>) -> Problem {
    let problem = titled(404, problem_type::UNRESOLVED, "some names have no value for this caller");
    Problem { unresolved, ..problem }
}

fn storage(error: &StorageError) -> Problem {
    let problem = match error.kind {
        StorageErrorKind::Busy => titled(503, "about:blank", "the store is busy"),
        StorageErrorKind::Full => titled(507, problem_type::STORAGE_FULL, "the disk is full"),
        StorageErrorKind::Damaged => {
            titled(500, problem_type::DAMAGED, "what is stored is damaged")
        }
        StorageErrorKind::Replaced => {
            titled(503, problem_type::STORAGE_FAILED, "the store's file was replaced")
        }
        StorageErrorKind::KeyUnknown => {
            titled(503, problem_type::STORAGE_FAILED, "the store's master key is another by now")
        }
        StorageErrorKind::Newer | StorageErrorKind::Denied | StorageErrorKind::Io => {
            titled(500, problem_type::STORAGE_FAILED, "the store cannot read or write")
        }
    };
    problem.detail(error.to_string())
}

/// Names that are none, of which one answer tells.
const BAD_NAMES_SAID_MAX: usize = 16;

fn joined(errors: &[NameError]) -> String {
    let said = errors.iter().take(BAD_NAMES_SAID_MAX).map(ToString::to_string);
    let mut texts: Vec<String> = said.collect();
    if errors.len() > BAD_NAMES_SAID_MAX {
        texts.push(format!("and {} more", errors.len() - BAD_NAMES_SAID_MAX));
    }
    texts.join("; ")
}

fn titled(status: u16, kind: &str, title: &str) -> Problem {
    Problem { status, kind: kind.to_owned(), title: title.to_owned(), ..Problem::default() }
}

impl Problem {
    fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}
