//! `inject render`: one config file → standard output or one file. The stages are those of a
//! launch, with no environment and no command.

use crate::launch::fetch::{self, Stores};
use crate::launch::place::{self, Inputs};
use crate::launch::plan::{self, Plan};
use crate::launch::problem::Problem;
use crate::launch::read::Read;
use crate::launch::render::{self, Rendered, Values};
use crate::launch::report::Report;
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
    attempt(plan, &inputs, settings, stores).map_err(|problems| Report {
        organization: store.is_some().then_some(organization).flatten(),
        store,
        ..Report::of(problems)
    })
}

fn attempt(
    mut plan: Plan,
    inputs: &Inputs,
    settings: Settings,
    stores: impl Stores,
) -> Result<Option<Secret>, Vec<Problem>> {
    if !plan.wanted.is_empty() {
        plan.problems.extend(stores.missing_settings());
    }
    let Plan { wanted, documents, mut problems, .. } = plan;
    if problems.iter().any(Problem::ends_before_fetch) {
        return Err(problems);
    }
    let mut values = Values::new(Vec::new());
    if !wanted.is_empty() {
        sys::hold_values();
        match fetch::fetch(&wanted, settings.workload, stores) {
            Ok(fetched) => values = fetched,
            Err(failed) => {
                problems.extend(failed);
                return Err(problems);
            }
        }
    }
    let (_, entry_bytes_max) = sys::argument_bytes_max();
    let rendered = render::render(Vec::new(), documents, values, entry_bytes_max);
    let mut rendered = rendered.map_err(|failed| {
        problems.extend(failed);
        std::mem::take(&mut problems)
    })?;
    if !problems.is_empty() {
        return Err(problems);
    }
    if let Some(contents) = printed(&mut rendered) {
        return Ok(Some(contents));
    }
    place::stage(rendered, inputs)?.put()?;
    Ok(None)
}

fn printed(rendered: &mut Rendered) -> Option<Secret> {
    use crate::launch::document::Target;
    let place = rendered.files.iter().position(|file| file.target == Some(Target::Stdout))?;
    Some(rendered.files.swap_remove(place).contents)
}
