//! The launcher: read → plan → fetch → render → place → exec. All control flow is here; the stages
//! are leaves, and each takes the former one's result by value, so that none can be left out.

pub mod check;
pub mod document;
pub mod env_file;
pub mod exec;
pub mod fetch;
pub mod format;
pub mod place;
pub mod plan;
pub mod position;
pub mod problem;
pub mod read;
pub mod reference;
pub mod render;
pub mod report;
pub mod set;
pub mod template;
pub mod wanted;

use std::ffi::{CStr, CString};

use crate::launch::document::Target;
use crate::launch::exec::Command;
use crate::launch::fetch::Stores;
use crate::launch::place::Inputs;
use crate::launch::plan::{Plan, Planned, PlannedValue};
use crate::launch::problem::{OutputFault, Problem};
use crate::launch::read::Read;
use crate::launch::render::{Rendered, RenderedVariable, Values};
use crate::launch::report::Report;
use crate::launch::wanted::Wanted;
use crate::name::WorkloadName;
use crate::settings::{Additions, Settings};
use crate::sys;

/// Starts the command in this process's place. Comes back only if that cannot be, with all reasons.
pub fn launch(
    inherited: &[&'static CStr],
    mut settings: Settings,
    command: &Command,
    stores: impl Stores,
) -> Report {
    let asks = settings.asks_files();
    // A file may be a pipe that nobody writes to: a wait like any other.
    let mask = settings.inherited.take().or_else(|| asks.then(sys::end_at_signals));
    let read = Read::new(inherited, &settings.scan_env, &settings.additions, &settings.grammar);
    let Read { variables, documents, problems, .. } = read;
    let mut plan = plan::plan(variables, documents, &settings.grammar, &settings.require);
    plan.problems.splice(0..0, problems);
    plan.problems.extend(descriptors_taken(&settings.additions));
    let inputs = Inputs::of(&settings.additions);
    plan.problems.extend(place::faults(&settings.additions.templates, &inputs));
    let organization = stores.organization();
    let store = (!plan.wanted.is_empty()).then(|| stores.label());
    let failed = attempt(plan, inputs, settings, command, stores, mask);
    Report {
        command: Some(command.shown()),
        organization: store.is_some().then_some(organization).flatten(),
        store,
        problems: failed,
    }
}

fn attempt(
    mut plan: Plan,
    inputs: Inputs,
    settings: Settings,
    command: &Command,
    stores: impl Stores,
    mut mask: Option<sys::Inherited>,
) -> Vec<Problem> {
    let file = match known_path(&plan.variables) {
        KnownPath::Known(path) => Some(command.look_up(path.as_deref())),
        KnownPath::HoldsReference => None,
    };
    let file = file.transpose().unwrap_or_else(|problem| {
        plan.problems.push(problem);
        None
    });
    if !plan.wanted.is_empty() {
        mask = mask.or_else(|| Some(sys::end_at_signals()));
    }
    match fetch_and_render(plan, settings.workload, stores) {
        Ok(rendered) => finish(rendered, &inputs, file, command, mask),
        Err(problems) => problems,
    }
}

/// What is the same for a launch and for one config file alone: everything rendered, or everything
/// that is wrong, with all that was found before.
fn fetch_and_render(
    mut plan: Plan,
    workload: Option<WorkloadName>,
    stores: impl Stores,
) -> Result<Rendered, Vec<Problem>> {
    if !plan.wanted.is_empty() {
        plan.problems.extend(stores.missing_settings());
    }
    render_fetched(plan, |wanted| fetch::fetch(wanted, workload, stores))
}

fn render_fetched(
    plan: Plan,
    fetch: impl FnOnce(&Wanted) -> Result<Values, Vec<Problem>>,
) -> Result<Rendered, Vec<Problem>> {
    if plan.problems.iter().any(Problem::ends_before_fetch) {
        return Err(plan.problems);
    }
    let Plan { wanted, variables, documents, mut problems, .. } = plan;
    let mut values = Values::new(Vec::new());
    if !wanted.is_empty() {
        sys::hold_values();
        match fetch(&wanted) {
            Ok(fetched) => values = fetched,
            Err(failed) => {
                problems.extend(failed);
                return Err(problems);
            }
        }
    }
    let (_, entry_bytes_max) = sys::argument_bytes_max();
    match render::render(variables, documents, values, entry_bytes_max) {
        Ok(rendered) if problems.is_empty() => Ok(rendered),
        Ok(_) => Err(problems),
        Err(failed) => {
            problems.extend(failed);
            Err(problems)
        }
    }
}

/// From here on everything is known; what still fails has nothing else to be reported with.
fn finish(
    rendered: Rendered,
    inputs: &Inputs,
    file: Option<CString>,
    command: &Command,
    mask: Option<sys::Inherited>,
) -> Vec<Problem> {
    let file = file.map_or_else(|| command.look_up(rendered_path(&rendered)), Ok);
    let file = match file {
        Ok(file) => file,
        Err(problem) => return vec![problem],
    };
    let staged = match place::stage(rendered, inputs) {
        Ok(staged) => staged,
        Err(problems) => return problems,
    };
    if let Err(problem) = exec::check_length(command, &file, &staged.environment) {
        return [problem].into_iter().chain(staged.discard()).collect();
    }
    match staged.put() {
        Ok(placed) => vec![exec::exec(command, &file, &placed, mask)],
        Err(problems) => problems,
    }
}

/// Chosen descriptors that cannot be used: what the application inherits is its own.
pub fn descriptors_taken(additions: &Additions) -> Vec<Problem> {
    let limit = sys::descriptor_limit();
    let why = |number| {
        let too_high = u64::try_from(number).is_ok_and(|number| number >= limit);
        match too_high {
            true => Some(OutputFault::DescriptorTooHigh { number, limit }),
            false => sys::is_open(number).then_some(OutputFault::DescriptorInUse(number)),
        }
    };
    let chosen = additions.templates.iter().filter_map(|template| match template.target {
        Target::Descriptor(number) => Some((template.path.clone(), why(number)?)),
        _ => None,
    });
    chosen.map(|(path, why)| Problem::Output { path, why }).collect()
}

pub enum KnownPath {
    Known(Option<Vec<u8>>),
    HoldsReference,
}

/// The PATH that the application will have, as far as it is known before the values are.
pub fn known_path(variables: &[Planned]) -> KnownPath {
    let Some(path) = variables.iter().find(|variable| variable.name == b"PATH") else {
        return KnownPath::Known(None);
    };
    match &path.value {
        PlannedValue::Untouched(entry) => KnownPath::Known(path_of(entry).map(<[u8]>::to_vec)),
        // One with a NUL byte is told when it is rendered.
        PlannedValue::Text { text, edits }
            if edits.iter().all(|edit| edit.secret().is_none()) && !text.contains(&0) =>
        {
            let mut path = Vec::new();
            render::substitute(text, edits, &Values::new(Vec::new()), &mut path);
            KnownPath::Known(Some(path))
        }
        _ => KnownPath::HoldsReference,
    }
}

fn rendered_path(rendered: &Rendered) -> Option<&[u8]> {
    rendered.variables.iter().find_map(|variable| match variable {
        RenderedVariable::Entry(entry) => path_of(entry),
        RenderedVariable::AsFile { .. } | RenderedVariable::Memory { .. } => None,
    })
}

fn path_of(entry: &CStr) -> Option<&[u8]> {
    entry.to_bytes().strip_prefix(b"PATH=")
}
