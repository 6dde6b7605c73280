//! `inject check`: every reference, where it stands, and whether the store has it. It fetches no
//! value, and ends as a launch would, apart from what only a value decides.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::launch::exec::Command;
use crate::launch::fetch::{self, Stores};
use crate::launch::place::{self, Inputs};
use crate::launch::plan;
use crate::launch::problem::{Place, Problem};
use crate::launch::read::Read;
use crate::launch::wanted::Wanted;
use crate::launch::{KnownPath, descriptors_taken, known_path};
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

/// What is checked besides the environment and the settings' files.
pub struct Subject<'a> {
    pub files: &'a [PathBuf],
    /// The command that a launch would start.
    pub command: Option<Command>,
}

/// Does what a launch does before it fetches a value. With no store it checks the syntax alone.
pub fn check(
    inherited: &[&'static CStr],
    settings: Settings,
    subject: &Subject<'_>,
    stores: Option<impl Stores>,
) -> Checked {
    sys::end_at_signals();
    let mut read = Read::new(inherited, &settings.scan_env, &settings.additions, &settings.grammar);
    // What a launch would render is there already, as the settings have it.
    for file in subject.files.iter().filter(|file| settings.additions.template(file).is_none()) {
        read.document(file, &settings.additions);
    }
    let Read { variables, documents, mut problems, skipped } = read;
    let plan = plan::plan(variables, documents, &settings.grammar, &settings.require);
    problems.extend(plan.problems);
    if stores.is_some() {
        problems.extend(descriptors_taken(&settings.additions));
        let inputs = Inputs::of(&settings.additions);
        problems.extend(place::faults(&settings.additions.templates, &inputs));
    }
    if let (Some(command), KnownPath::Known(path)) = (&subject.command, known_path(&plan.variables))
    {
        problems.extend(command.look_up(path.as_deref()).err());
    }
    let wanted = plan.wanted;
    let mut checked = Checked { rows: Vec::new(), skipped, problems };
    let mut known: BTreeMap<SecretName, Found> = BTreeMap::new();
    match stores.filter(|_| !wanted.is_empty()) {
        Some(stores) => {
            checked.problems.extend(stores.missing_settings());
            if !checked.problems.iter().any(Problem::ends_before_fetch) {
                checked.ask(&wanted, settings, stores, &mut known);
            }
        }
        None => checked.problems.extend(fetch::too_many(&wanted)),
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

impl Checked {
    fn ask(
        &mut self,
        wanted: &Wanted,
        settings: Settings,
        stores: impl Stores,
        known: &mut BTreeMap<SecretName, Found>,
    ) {
        let looked = fetch::look(wanted, settings.workload, stores);
        known.extend(looked.answer.secrets.into_iter().map(|(name, one)| {
            (name, Found::Yes { version: one.version, updated_at: one.updated_at })
        }));
        for one in looked.unresolved {
            known.insert(one.name.clone(), found(&one));
            self.problems.push(fetch::unresolved(one, wanted));
        }
        self.problems.extend(looked.problems);
    }
}

fn found(one: &Unresolved) -> Found {
    match one.reason {
        Reason::Missing => Found::Missing,
        Reason::Forbidden => Found::Forbidden,
    }
}
