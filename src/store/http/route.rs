//! Every route there is: what the router, the API's description and the tests of who may do what
//! are made from, so that none of them can forget one. It judges no name.

use hyper::Method;

use crate::name::{EmailAddress, NameError, OrgName, SecretName, TokenId};
use crate::store::http::problem::Fault;
use crate::store::http::query::percent_decoded;
use crate::store::serve::RouteName;
use crate::wire::{REQUEST_BYTES_MAX, RESOLVE_NAMES_MAX};
use crate::{grant, name};

/// The largest body of a resolve: each name with its quotes and comma, and the frame around them.
const RESOLVE_BYTES_MAX: usize = RESOLVE_NAMES_MAX * (name::SECRET_NAME_BYTES_MAX + 4) + 4096;
/// The same for a watch, which has a version beside each name.
const WATCH_BYTES_MAX: usize = RESOLVE_BYTES_MAX + RESOLVE_NAMES_MAX * 24;
/// The largest body of what is said about a member or a token: a full name list, and the frame.
const PEOPLE_BYTES_MAX: usize =
    grant::GRANT_PATTERNS_MAX * (name::SECRET_NAME_BYTES_MAX + 4) + 4096;

/// The largest body of a sign-in: a token, and the frame around it.
const SESSION_BYTES_MAX: usize = 1024;

/// One method of one path.
pub struct Route {
    pub method: Method,
    /// With `{org}`, `{name}`, `{email}` and `{id}` for what differs.
    pub path: &'static str,
    pub to: To,
    /// The largest body that it takes; 0 where it takes none.
    pub body_max: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum To {
    Probe(Probe),
    OpenApi,
    Resolve,
    Watch,
    ListSecrets,
    ShowSecret,
    PutSecret,
    DeleteSecret,
    ListOrgs,
    MakeOrg,
    ListMembers,
    AddMember,
    ChangeMember,
    RemoveMember,
    ListTokens,
    MakeToken,
    RevokeToken,
    ListAudit,
    Checkpoint,
    Verify,
    ListWorkloads,
    SignIn,
    SignOut,
}

/// What is open to anyone, and cheap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probe {
    Health,
    Ready,
    Metrics,
}

const ORGS: &str = "/api/v1/orgs";
const SECRET: &str = "/api/v1/orgs/{org}/secrets/{name}";
const MEMBERS: &str = "/api/v1/orgs/{org}/members";
const MEMBER: &str = "/api/v1/orgs/{org}/members/{email}";
const TOKENS: &str = "/api/v1/orgs/{org}/tokens";
const TOKEN: &str = "/api/v1/orgs/{org}/tokens/{id}";
const SESSION: &str = "/api/v1/session";

pub const ROUTES: [Route; 25] = [
    route(Method::POST, "/api/v1/orgs/{org}/resolve", To::Resolve, RESOLVE_BYTES_MAX),
    route(Method::POST, "/api/v1/orgs/{org}/watch", To::Watch, WATCH_BYTES_MAX),
    route(Method::GET, "/api/v1/orgs/{org}/secrets", To::ListSecrets, 0),
    route(Method::GET, SECRET, To::ShowSecret, 0),
    route(Method::PUT, SECRET, To::PutSecret, REQUEST_BYTES_MAX),
    route(Method::DELETE, SECRET, To::DeleteSecret, 0),
    route(Method::GET, ORGS, To::ListOrgs, 0),
    route(Method::POST, ORGS, To::MakeOrg, PEOPLE_BYTES_MAX),
    route(Method::GET, MEMBERS, To::ListMembers, 0),
    route(Method::POST, MEMBERS, To::AddMember, PEOPLE_BYTES_MAX),
    route(Method::PATCH, MEMBER, To::ChangeMember, PEOPLE_BYTES_MAX),
    route(Method::DELETE, MEMBER, To::RemoveMember, 0),
    route(Method::GET, TOKENS, To::ListTokens, 0),
    route(Method::POST, TOKENS, To::MakeToken, PEOPLE_BYTES_MAX),
    route(Method::DELETE, TOKEN, To::RevokeToken, 0),
    route(Method::GET, "/api/v1/orgs/{org}/audit", To::ListAudit, 0),
    route(Method::GET, "/api/v1/orgs/{org}/audit/checkpoint", To::Checkpoint, 0),
    route(Method::POST, "/api/v1/orgs/{org}/audit/verify", To::Verify, PEOPLE_BYTES_MAX),
    route(Method::GET, "/api/v1/orgs/{org}/workloads", To::ListWorkloads, 0),
    route(Method::POST, SESSION, To::SignIn, SESSION_BYTES_MAX),
    route(Method::DELETE, SESSION, To::SignOut, 0),
    route(Method::GET, "/api/v1/openapi.json", To::OpenApi, 0),
    route(Method::GET, "/healthz", To::Probe(Probe::Health), 0),
    route(Method::GET, "/readyz", To::Probe(Probe::Ready), 0),
    route(Method::GET, "/metrics", To::Probe(Probe::Metrics), 0),
];

const fn route(method: Method, path: &'static str, to: To, body_max: usize) -> Route {
    Route { method, path, to, body_max }
}

/// A route that a request fits, with what stands in its path: its own copy, for the request's head
/// may go before the request is done.
pub struct Match {
    pub route: &'static Route,
    /// Its place in [`ROUTES`].
    pub index: usize,
    org: Box<str>,
    last: Box<str>,
}

static TABLE: [Route; 25] = ROUTES;

/// How log and metrics call the routes, each in the place that [`Match::index`] says.
pub fn route_names() -> impl Iterator<Item = RouteName> {
    TABLE.iter().map(|route| RouteName { method: route.method.as_str(), path: route.path })
}

impl Probe {
    /// What the path asks for, where it is one of these.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// Its place among the routes.
    pub fn index(self) -> usize {
        let place = TABLE.iter().position(|route| route.to == To::Probe(self));
        place.expect("each probe has a route")
    }
}

/// Exact segments only: what needs normalizing is no path of this API.
pub fn find(method: &Method, path: &str) -> Result<Match, Fault> {
    let mut allowed = Vec::new();
    for (index, route) in TABLE.iter().enumerate() {
        let Some((org, last)) = fits(route.path, path) else { continue };
        if route.method == *method {
            return Ok(Match { route, index, org: org.into(), last: last.into() });
        }
        allowed.push(route.method.as_str());
    }
    match allowed.is_empty() {
        true => Err(Fault::NoPath),
        false => Err(Fault::Method { allowed: allowed.join(", ") }),
    }
}

/// What stands for `{org}`, and for the last part in braces.
fn fits<'p>(pattern: &str, path: &'p str) -> Option<(&'p str, &'p str)> {
    let (mut org, mut last) = ("", "");
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        let segment = segments.next()?;
        match part {
            "{org}" => org = Some(segment).filter(|segment| is_plain(segment))?,
            "{name}" | "{id}" => last = Some(segment).filter(|segment| is_plain(segment))?,
            "{email}" => last = Some(segment).filter(|segment| !segment.is_empty())?,
            part if part == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some((org, last))
}

/// Whether a segment could be meant as a name: the unreserved characters of RFC 3986, and not the
/// segments that stand for a directory.
fn is_plain(segment: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(unreserved)
}

impl Match {
    /// What can be no organization's name is no organization.
    pub fn org(&self) -> Result<OrgName, Fault> {
        OrgName::parse(&self.org).map_err(|_| Fault::NoOrganization)
    }

    pub fn secret(&self) -> Result<SecretName, Fault> {
        SecretName::parse(&self.last).map_err(bad_name)
    }

    pub fn email(&self) -> Result<EmailAddress, Fault> {
        let decoded = percent_decoded(&self.last).unwrap_or_default();
        EmailAddress::parse(&decoded).map_err(bad_name)
    }

    pub fn id(&self) -> Result<TokenId, Fault> {
        TokenId::parse(&self.last).map_err(bad_name)
    }
}

fn bad_name(error: NameError) -> Fault {
    Fault::Name(vec![error])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> Option<To> {
        find(&method, path).ok().map(|found| found.route.to)
    }

    #[test]
    fn paths_are_exact() {
        let secrets = "/api/v1/orgs/acme/secrets";
        assert_eq!(found(Method::GET, secrets), Some(To::ListSecrets));
        for other in [
            "/api/v1/orgs/acme/secrets/",
            "/api/v1/orgs//acme/secrets",
            "//api/v1/orgs/acme/secrets",
            "/api/v1/orgs/acme/../acme/secrets",
            "/api/v1/orgs/%61cme/secrets",
            "/api/v1/orgs/acme/secrets/.",
            "/api/v1/orgs/acme/secrets/A%2fB",
            "/api/v1/orgs/acme/secrets/A;b",
            "/api/v1/orgs/acme/Secrets",
            "/api/v1/orgs/./secrets",
            "/API/v1/orgs/acme/secrets",
            "",
            "/",
        ] {
            assert_eq!(found(Method::GET, other), None, "{other}");
        }
    }

    #[test]
    fn no_two_routes_are_the_same() {
        for (index, one) in ROUTES.iter().enumerate() {
            for other in &ROUTES[index + 1..] {
                assert!((&one.method, one.path) != (&other.method, other.path), "{}", one.path);
            }
        }
    }

    #[test]
    fn an_address_may_be_encoded() {
        let path = "/api/v1/orgs/acme/members/a%2Bb%40acme.com";
        let email = find(&Method::PATCH, path).and_then(|found| found.email());
        assert!(email.is_ok_and(|email| email.as_str() == "a+b@acme.com"));
    }
}
