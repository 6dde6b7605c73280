//! One document through the launcher's plan and render stages, as a launch takes them.

use std::path::PathBuf;
use std::rc::Rc;

use inject::launch::document::{Document, Target};
use inject::launch::format::Format;
use inject::launch::plan::{self, Plan};
use inject::launch::problem::Problem;
use inject::launch::reference::Grammar;
use inject::launch::render::{self, Values};
use inject::name::Environment;
use inject::secret::Secret;

/// What `@` stands for.
pub const ENVIRONMENT: &str = "PROD";
/// No variable is rendered, so that it limits nothing.
const ENTRY_BYTES_MAX: usize = 1 << 17;

/// The plan, unless the template has faults.
pub fn planned(format: Format, template: &[u8]) -> Result<Plan, Vec<Problem>> {
    let document = Document {
        path: Rc::new(PathBuf::from("template")),
        text: Rc::new(template.to_vec()),
        format,
        literal: Vec::new(),
        target: Some(Target::Stdout),
    };
    let environment = Environment::parse(ENVIRONMENT).expect("it is one");
    let grammar = Grammar { environment: Some(environment), ..Grammar::default() };
    let plan = plan::plan(Vec::new(), vec![document], &grammar, &[]);
    if plan.problems.is_empty() { Ok(plan) } else { Err(plan.problems) }
}

/// The output, unless it was refused.
pub fn rendered(
    format: Format,
    template: &[u8],
    value: impl Fn(&str) -> Vec<u8>,
) -> Option<Vec<u8>> {
    let plan = planned(format, template).ok()?;
    let names = plan.wanted.names();
    let values = names.map(|name| (name.clone(), Secret::new(value(name.as_str())))).collect();
    let Plan { variables, documents, .. } = plan;
    let rendered =
        render::render(variables, documents, Values::new(values), ENTRY_BYTES_MAX).ok()?;
    Some(rendered.files.first()?.contents.expose_secret().to_vec())
}
