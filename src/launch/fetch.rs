//! The names of a plan → their values, in one request; or everything that keeps them away.

use crate::client::{Client, Error, TokenSent};
use crate::launch::problem::Problem;
use crate::launch::render::Values;
use crate::launch::wanted::Wanted;
use crate::name::{SecretName, WorkloadName};
use crate::wire::{RESOLVE_NAMES_MAX, Reason, ResolveAnswer, ResolveRequest, Unresolved};

/// The way to a store, which `run` joins in: a launch does not know which one it is.
pub trait Stores {
    /// How reports name it.
    fn label(&self) -> String;
    fn organization(&self) -> Option<String>;
    /// The address of the login whose token is sent, where it is one's.
    fn login(&self) -> Option<String>;
    /// Settings without which it cannot be asked, and that are not there.
    fn missing_settings(&self) -> Vec<Problem>;
    fn open(self) -> Result<Client, Problem>;
}

/// Fetches every value, or says for each name why not.
pub fn fetch(
    wanted: &Wanted,
    workload: Option<WorkloadName>,
    stores: impl Stores,
) -> Result<Values, Vec<Problem>> {
    let request = request(wanted, workload, true).map_err(|problem| vec![problem])?;
    let login = stores.login();
    let client = stores.open().map_err(|problem| vec![problem])?;
    let answer = client.resolve(&request).map_err(|error| problems(error, wanted, login))?;
    values(wanted, answer).map_err(|problem| vec![problem])
}

/// The same for who keeps the client, and wants to know the versions too.
pub fn resolve(
    wanted: &Wanted,
    workload: Option<WorkloadName>,
    client: &Client,
) -> Result<ResolveAnswer, Vec<Problem>> {
    let request = request(wanted, workload, true).map_err(|problem| vec![problem])?;
    match client.resolve(&request) {
        Ok(answer) => Ok(answer),
        Err(error) => Err(problems(error, wanted, None)),
    }
}

/// The values of an answer, in the order of the plan's names.
pub fn values(wanted: &Wanted, mut answer: ResolveAnswer) -> Result<Values, Problem> {
    let value = |name: &SecretName| {
        let value = answer.secrets.remove(name).and_then(|resolved| resolved.value);
        let what = || Problem::Unavailable { what: format!("the answer has no value of `{name}`") };
        Ok((name.clone(), value.ok_or_else(what)?))
    };
    let values: Result<Vec<_>, Problem> = wanted.names().map(value).collect();
    values.map(Values::new)
}

/// What a store knows of the names, without a value.
pub struct Looked {
    pub answer: ResolveAnswer,
    pub unresolved: Vec<Unresolved>,
    /// What kept the rest from being known.
    pub problems: Vec<Problem>,
}

/// Asks for versions and dates. An answer is all or nothing: where names are missing, the others
/// are asked for once more.
pub fn look(wanted: &Wanted, workload: Option<WorkloadName>, stores: impl Stores) -> Looked {
    let nothing = ResolveAnswer { secrets: Default::default() };
    let login = stores.login();
    let mut looked = Looked { answer: nothing, unresolved: Vec::new(), problems: Vec::new() };
    let opened = request(wanted, workload, false).and_then(|request| Ok((request, stores.open()?)));
    let (mut request, client) = match opened {
        Ok(opened) => opened,
        Err(problem) => {
            looked.problems.push(problem);
            return looked;
        }
    };
    let deadline = client.deadline();
    while !request.names.is_empty() {
        match client.resolve_within(&request, deadline) {
            Ok(answer) => {
                looked.answer = answer;
                break;
            }
            Err(Error::Unresolved(unresolved)) => {
                request.names.retain(|name| unresolved.iter().all(|one| one.name != *name));
                looked.unresolved.extend(unresolved);
            }
            Err(error) => {
                looked.problems = problems(error, wanted, login);
                break;
            }
        }
    }
    looked
}

/// Whether one request can ask for so many names.
pub fn too_many(wanted: &Wanted) -> Option<Problem> {
    let (count, limit) = (wanted.len(), RESOLVE_NAMES_MAX);
    (count > limit).then_some(Problem::TooManyNames { count, limit })
}

fn request(
    wanted: &Wanted,
    workload: Option<WorkloadName>,
    values: bool,
) -> Result<ResolveRequest, Problem> {
    match too_many(wanted) {
        Some(problem) => Err(problem),
        None => Ok(ResolveRequest { names: wanted.names().cloned().collect(), workload, values }),
    }
}

/// What to do where a login's token is not accepted.
pub fn login_again(address: &str) -> String {
    format!("log in once more: `inject login {address}`")
}

/// A failed request as the launch reports it.
fn problems(error: Error, wanted: &Wanted, login: Option<String>) -> Vec<Problem> {
    let what = error.to_string();
    let problem = match error {
        Error::Unresolved(names) => {
            return names.into_iter().map(|one| unresolved(one, wanted)).collect();
        }
        Error::Refused { token: TokenSent::None, .. } => Problem::Refused {
            what,
            hint: "set `INJECT_TOKEN`, `INJECT_TOKEN_FILE` or `--token-file`".into(),
        },
        Error::Refused { token: TokenSent::OfProxy, .. } => Problem::Refused {
            what,
            hint: "its log says since when; give it a new token, in the file that it reads".into(),
        },
        Error::Refused { status: 401, .. } => Problem::Refused {
            what,
            hint: match login {
                Some(address) => login_again(&address).into(),
                None => "an owner makes a new one with `inject token create`".into(),
            },
        },
        Error::Refused { .. } => Problem::Refused {
            what,
            hint: "ask an owner of the organization what this token may do".into(),
        },
        Error::NoOrganization(_) => {
            Problem::Refused { what, hint: "`--org`, `INJECT_ORG` or the manifest names it".into() }
        }
        Error::Damaged { .. }
        | Error::StorageFull { .. }
        | Error::StorageFailed { .. }
        | Error::Unpurged { .. }
        | Error::Embedded { .. }
        | Error::Runtime(_) => Problem::StoreFailed { what },
        Error::Unreachable { .. }
        | Error::Protocol { .. }
        | Error::Tls { .. }
        | Error::Invalid { .. }
        | Error::NoSecret(_)
        | Error::NotFound
        | Error::Exists
        | Error::LastOwner { .. }
        | Error::AnswerLost { .. }
        | Error::PerhapsDone(_)
        | Error::PreconditionFailed { .. } => Problem::Unavailable { what },
    };
    vec![problem]
}

pub fn unresolved(one: Unresolved, wanted: &Wanted) -> Problem {
    let Unresolved { name, reason, nearest } = one;
    let places = wanted.places(&name);
    match reason {
        Reason::Forbidden => Problem::Forbidden { name, places },
        Reason::Missing => {
            let standing = wanted.standing(&name);
            Problem::Missing { name, places, nearest, standing }
        }
    }
}
