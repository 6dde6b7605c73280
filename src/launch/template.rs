//! `inject render`: one config file → standard output or one file. The stages are those of a
//! launch, with no environment and no command.

use crate::launch::document::Target;
use crate::launch::fetch::Stores;
use crate::launch::fetch_and_render;
use crate::launch::place::{self, Inputs};
use crate::launch::plan::{self, Plan};
use crate::launch::problem::Problem;
use crate::launch::read::Read;
use crate::launch::render::Rendered;
use crate::launch::report::Report;
use crate::name::WorkloadName;
use crate::secret::Secret;
use crate::settings::{Settings, Template};
use crate::sys;

/// What is to be printed, or nothing where it was put at a path; or why there is neither.
pub fn render(
    template: &Template,
    settings: Settings,
    stores: impl Stores,
) -> Result<Option<Secret>, Report> {
    sys::end_at_signals();
    let read = Read::alone(template, settings.additions.format);
    let mut plan = plan::plan(Vec::new(), read.documents, &settings.grammar, &settings.require);
    plan.problems.splice(0..0, read.problems);
    let inputs = Inputs::of_one(template, &settings.additions);
    plan.problems.extend(place::faults(std::slice::from_ref(template), &inputs));
    let organization = stores.organization();
    let store = (!plan.wanted.is_empty()).then(|| stores.label());
    attempt(plan, &inputs, settings.workload, stores).map_err(|problems| Report {
        organization: store.is_some().then_some(organization).flatten(),
        store,
        ..Report::of(problems)
    })
}

fn attempt(
    plan: Plan,
    inputs: &Inputs,
    workload: Option<WorkloadName>,
    stores: impl Stores,
) -> Result<Option<Secret>, Vec<Problem>> {
    let mut rendered = fetch_and_render(plan, workload, stores)?;
    if let Some(contents) = printed(&mut rendered) {
        return Ok(Some(contents));
    }
    place::stage(rendered, inputs)?.put()?;
    Ok(None)
}

fn printed(rendered: &mut Rendered) -> Option<Secret> {
    let place = rendered.files.iter().position(|file| file.target == Some(Target::Stdout))?;
    Some(rendered.files.swap_remove(place).contents)
}
