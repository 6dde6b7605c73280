//! `inject secret …`: settings and names are parsed here, the rest is for `admin`.

use std::ffi::{OsStr, OsString};

use crate::admin::secret::{List, Remove, SEARCH_BYTES_MAX, Set, SetValue, Show};
use crate::admin::{self, Console, time};
use crate::cli::{Secret, SecretList, SecretSet};
use crate::client::{Client, Condition, Sort};
use crate::launch::problem::Problem;
use crate::name::SecretName;
use crate::run::command::{Failed, Situation};
use crate::run::join::{Join, Opened};

/// What is asked for, parsed.
enum Action {
    Set(Set),
    List(List),
    Show(Show),
    Remove(Remove),
}

/// An action that needs nothing more but the store.
enum Ready {
    Set(SetValue),
    List(List),
    Show(Show),
    Remove(Remove),
}

pub fn run(secret: Secret, situation: Situation<'_>) -> u8 {
    let common = secret.common().clone();
    let parsed = Action::parse(secret).map_err(|problem| vec![problem]);
    let store = |action: &Action, join: Join| match action {
        Action::Set(_) => join.may_make(),
        _ => join,
    };
    situation.run(&common, parsed, store, act)
}

/// Reads what is to be read, then opens the store, then does it: a value that is refused, or not
/// given at all, makes no store.
fn act(action: Action, join: Join, console: &mut Console<'_>) -> Result<(), Failed> {
    let ready = action.read(console)?;
    let Opened { client, made } = join.open_store()?;
    if let Some(made) = made {
        console.note(&format!(
            "a new store is in `{0}`; keep a copy of `{0}/{1}`, without which no value can be read",
            made.display(),
            crate::store::MASTER_KEY_NAME
        ));
    }
    Ok(ready.run(&client, console)?)
}

impl Action {
    fn parse(secret: Secret) -> Result<Self, Problem> {
        match secret {
            Secret::Set(set) => set_of(set).map(Self::Set),
            Secret::List(list) => list_of(list).map(Self::List),
            Secret::Show(show) => {
                Ok(Self::Show(Show { name: name_of(&show.name)?, json: show.json }))
            }
            Secret::Rm(rm) => {
                let condition = rm.if_version.map_or(Condition::Always, Condition::Version);
                Ok(Self::Remove(Remove { name: name_of(&rm.name)?, yes: rm.yes, condition }))
            }
        }
    }

    fn read(self, console: &mut Console<'_>) -> Result<Ready, admin::Error> {
        Ok(match self {
            Self::Set(set) => Ready::Set(set.read(console)?),
            Self::List(list) => Ready::List(list),
            Self::Show(show) => Ready::Show(show),
            Self::Remove(remove) => Ready::Remove(remove),
        })
    }
}

impl Ready {
    fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), admin::Error> {
        match self {
            Self::Set(set) => set.run(client, console),
            Self::List(list) => list.run(client, console),
            Self::Show(show) => show.run(client, console),
            Self::Remove(remove) => remove.run(client, console),
        }
    }
}

fn set_of(set: SecretSet) -> Result<Set, Problem> {
    let is_pair = set.name.as_encoded_bytes().contains(&b'=');
    if is_pair || !set.refused.is_empty() {
        return Err(Problem::Setting {
            fault: "a value is never an argument, where other users and the shell's history would \
                    see it"
                .to_owned(),
            hint: Some(
                "write `inject secret set NAME` and type it, or `inject secret set NAME < FILE`; \
                 and take what was typed here for known"
                    .to_owned(),
            ),
        });
    }
    let condition = match (set.if_absent, set.if_version) {
        (true, _) => Condition::Absent,
        (false, Some(version)) => Condition::Version(version),
        (false, None) => Condition::Always,
    };
    Ok(Set { name: name_of(&set.name)?, allow_empty: set.allow_empty, condition })
}

fn list_of(list: SecretList) -> Result<List, Problem> {
    let setting = |fault: String| Problem::Setting { fault, hint: None };
    let stale = list.stale.as_deref().map(time::parse_span).transpose();
    let stale = stale.map_err(|error| setting(format!("`--stale`: {error}")))?;
    if list.search.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES_MAX) {
        return Err(setting(format!(
            "`--search`: the text is longer than a name, which has at most {SEARCH_BYTES_MAX} bytes"
        )));
    }
    let sort = list.sort.as_deref().and_then(Sort::parse);
    Ok(List { search: list.search, stale, sort, json: list.json })
}

fn name_of(name: &OsString) -> Result<SecretName, Problem> {
    let name: &OsStr = name;
    SecretName::parse(&name.to_string_lossy())
        .map_err(|error| Problem::Setting { fault: error.to_string(), hint: None })
}
