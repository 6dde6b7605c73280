//! `inject check`: every reference, where it stands, and whether the store has it. It fetches no
//! value, and ends as a launch would, apart from what only a value decides.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::launch::fetch::{self, Stores};
use crate::launch::plan;
use crate::launch::problem::{Place, Problem};
use crate::launch::read::Read;
use crate::name::SecretName;
use crate::settings::Settings;
use crate::sys;
use crate::wire::{Reason, Unresolved};

/// What is known of every reference.
#[derive(Debug)]
pub struct Checked {
    pub rows: Vec<Row>,
    /// Inherited variables that are not scanned, and would hold references.
    pub skipped: Vec<String>,
    pub problems: Vec<Problem>,
}

#[derive(Debug)]
pub struct Row {
    pub name: SecretName,
    pub places: Vec<Place>,
    pub found: Found,
}

#[derive(Debug)]
pub enum Found {
    Yes {
        version: u64,
        updated_at: Option<Timestamp>,
    },
    Missing,
    Forbidden,
    /// No store was asked.
    Unknown,
}

/// Does what a launch does before it fetches a value. With no store it checks the syntax alone.
pub fn check(
    inherited: &[&'static CStr],
    settings: Settings,
    files: &[PathBuf],
    stores: Option<impl Stores>,
) -> Checked {
    let mut read = Read::new(inherited, &settings.scan_env, &settings.additions, &settings.grammar);
    for file in files {
        read.document(file);
    }
    let Read { variables, documents, mut problems, skipped } = read;
    let plan = plan::plan(variables, &documents, &settings.grammar, &settings.require);
    problems.extend(plan.problems);
    let wanted = plan.wanted;
    let mut checked = Checked { rows: Vec::new(), skipped, problems };
    let stores = stores.filter(|_| !wanted.is_empty());
    if let Some(stores) = &stores {
        checked.problems.extend(stores.missing_settings());
    }
    let asked = match stores {
        Some(stores) if !checked.problems.iter().any(Problem::ends_before_fetch) => {
            sys::end_at_signals();
            Some(fetch::look(&wanted, settings.workload, stores))
        }
        _ => None,
    };
    let mut known: BTreeMap<SecretName, Found> = BTreeMap::new();
    match asked {
        Some(Ok((answer, unresolved))) => {
            known.extend(answer.secrets.into_iter().map(|(name, one)| {
                (name, Found::Yes { version: one.version, updated_at: one.updated_at })
            }));
            for one in unresolved {
                known.insert(one.name.clone(), found(&one));
                checked.problems.push(fetch::unresolved(one, &wanted));
            }
        }
        Some(Err(problems)) => checked.problems.extend(problems),
        None => {}
    }
    checked.rows = wanted
        .names()
        .map(|name| Row {
            name: name.clone(),
            places: wanted.places(name),
            found: known.remove(name).unwrap_or(Found::Unknown),
        })
        .collect();
    checked
}

fn found(one: &Unresolved) -> Found {
    match one.reason {
        Reason::Missing => Found::Missing,
        Reason::Forbidden => Found::Forbidden,
    }
}
