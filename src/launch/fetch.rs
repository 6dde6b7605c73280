//! The names of a plan → their values, in one request; or everything that keeps them away.

use crate::client::{Client, Error};
use crate::launch::problem::Problem;
use crate::launch::render::Values;
use crate::launch::wanted::Wanted;
use crate::name::WorkloadName;
use crate::secret::Secret;
use crate::wire::{RESOLVE_NAMES_MAX, Reason, ResolveAnswer, ResolveRequest, Unresolved};

/// The way to a store, which `run` joins in: a launch does not know which one it is.
pub trait Stores {
    /// How reports name it.
    fn label(&self) -> String;
    fn organization(&self) -> Option<String>;
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
    let client = stores.open().map_err(|problem| vec![problem])?;
    let mut answer = client.resolve(&request).map_err(|error| problems(error, wanted))?;
    let values = wanted.names().map(|name| {
        let resolved = answer.secrets.remove(name);
        let value = resolved.and_then(|resolved| resolved.value);
        (name.clone(), value.unwrap_or_else(|| Secret::new(Vec::new())))
    });
    Ok(Values::new(values.collect()))
}

/// What a store knows of the names, without a value: for those that it has, and for the others why.
pub fn look(
    wanted: &Wanted,
    workload: Option<WorkloadName>,
    stores: impl Stores,
) -> Result<(ResolveAnswer, Vec<Unresolved>), Vec<Problem>> {
    let mut request = request(wanted, workload, false).map_err(|problem| vec![problem])?;
    let client = stores.open().map_err(|problem| vec![problem])?;
    match client.resolve(&request) {
        Ok(answer) => Ok((answer, Vec::new())),
        Err(Error::Unresolved(unresolved)) => {
            // It is all or nothing: the rest is asked for once more.
            request.names.retain(|name| unresolved.iter().all(|one| one.name != *name));
            let rest = match request.names.is_empty() {
                true => ResolveAnswer { secrets: Default::default() },
                false => client.resolve(&request).map_err(|error| problems(error, wanted))?,
            };
            Ok((rest, unresolved))
        }
        Err(error) => Err(problems(error, wanted)),
    }
}

fn request(
    wanted: &Wanted,
    workload: Option<WorkloadName>,
    values: bool,
) -> Result<ResolveRequest, Problem> {
    if wanted.len() > RESOLVE_NAMES_MAX {
        return Err(Problem::TooManyNames { count: wanted.len(), limit: RESOLVE_NAMES_MAX });
    }
    Ok(ResolveRequest { names: wanted.names().cloned().collect(), workload, values })
}

/// A failed request as the launch reports it.
fn problems(error: Error, wanted: &Wanted) -> Vec<Problem> {
    let what = error.to_string();
    let problem = match error {
        Error::Unresolved(names) => {
            return names.into_iter().map(|one| unresolved(one, wanted)).collect();
        }
        Error::Refused { .. } => {
            Problem::Refused { what, hint: "check the token: it may be expired or revoked" }
        }
        Error::NoOrganization(_) => Problem::Refused { what, hint: "check `--org` and the token" },
        Error::Damaged { .. }
        | Error::StorageFull { .. }
        | Error::StorageFailed { .. }
        | Error::Runtime(_) => Problem::StoreFailed { what },
        Error::Unreachable { .. }
        | Error::Protocol { .. }
        | Error::Invalid { .. }
        | Error::NoSecret(_)
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
            let hash = wanted.stands_in_hash(&name);
            Problem::Missing { name, places, nearest, hash }
        }
    }
}
