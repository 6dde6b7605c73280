//! Config files that are rendered together, and more than once: the stages of a launch with no
//! environment and no command, up to what is to be placed. Who places it decides what is new.

use std::collections::BTreeMap;

use crate::client::Client;
use crate::launch::place::{self, Inputs};
use crate::launch::plan;
use crate::launch::problem::Problem;
use crate::launch::read::Read;
use crate::launch::reference::Grammar;
use crate::launch::render::Rendered;
use crate::launch::{fetch, render_fetched};
use crate::name::{SecretName, WorkloadName};
use crate::settings::{Additions, ScanEnv};

/// What is rendered, each time anew.
pub struct Set {
    /// Only its templates and the format count.
    pub additions: Additions,
    pub grammar: Grammar,
    pub require: Vec<SecretName>,
    pub workload: Option<WorkloadName>,
    /// Whether the outputs' places are there already, so that they can be judged beforehand.
    pub has_places: bool,
}

/// Everything rendered, and of which versions.
pub struct RenderedSet {
    pub rendered: Rendered,
    pub versions: BTreeMap<SecretName, u64>,
}

impl Set {
    /// Reads the templates, and fetches what they refer to. The client is asked for when there is
    /// something to fetch.
    pub fn render<'c>(
        &self,
        client: impl FnOnce() -> Result<&'c Client, Vec<Problem>>,
    ) -> Result<RenderedSet, Vec<Problem>> {
        let read = Read::new(&[], &ScanEnv::None, &self.additions, &self.grammar);
        let mut plan = plan::plan(Vec::new(), read.documents, &self.grammar, &self.require);
        plan.problems.splice(0..0, read.problems);
        if self.has_places {
            plan.problems.extend(place::faults(&self.additions.templates, &self.inputs()));
        }
        let mut versions = BTreeMap::new();
        let rendered = render_fetched(plan, |wanted| {
            let answer = fetch::resolve(wanted, self.workload.clone(), client()?)?;
            for (name, resolved) in &answer.secrets {
                versions.insert(name.clone(), resolved.version);
            }
            fetch::values(wanted, answer).map_err(|problem| vec![problem])
        })?;
        Ok(RenderedSet { rendered, versions })
    }

    /// What no output may replace.
    pub fn inputs(&self) -> Inputs {
        Inputs::of(&self.additions)
    }
}
