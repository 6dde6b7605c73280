//! The settings of commands that start no program: what only a launch adds or requires has no say
//! in them, so that nothing that is wrong with it keeps anybody from managing secrets.

use std::ffi::CStr;

use super::{Additions, Asks, Resolver, ScanEnv, Settings, value};
use crate::cli::{Common, Sources};
use crate::launch::problem::Problem;
use crate::launch::reference::Grammar;
use crate::name::{SecretName, WorkloadName};

/// The settings of a command that manages a store.
pub fn resolve_managing(common: &Common, environment: &[&CStr]) -> Result<Settings, Vec<Problem>> {
    let resolver = Resolver::new(common, environment);
    resolver.finish(&Sources::default(), common, environment, Asks::StoreToManage)
}

/// The settings for one config file alone: what a launch as a whole requires is nothing to it, so
/// that of `--require` only what the command line says holds.
pub fn resolve_alone(
    sources: &Sources,
    common: &Common,
    environment: &[&CStr],
) -> Result<Settings, Vec<Problem>> {
    Resolver::new(common, environment).finish(sources, common, environment, Asks::StoreForFiles)
}

/// What references are resolved with. To manage a store, none are.
pub(super) struct Resolving {
    pub grammar: Grammar,
    pub require: Vec<SecretName>,
    pub additions: Additions,
    pub scan_env: ScanEnv,
    pub workload: Option<WorkloadName>,
}

impl Resolver {
    pub(super) fn resolving(&mut self, sources: &Sources, asks: Asks) -> Resolving {
        if matches!(asks, Asks::StoreToManage | Asks::StoreForLogin) {
            return Resolving {
                grammar: Grammar::default(),
                require: Vec::new(),
                additions: Additions::default(),
                scan_env: ScanEnv::None,
                workload: None,
            };
        }
        let grammar = self.grammar(sources);
        let set = grammar.environment.as_ref();
        let (option, given) = ("--require", &sources.names.require);
        let required = match asks {
            Asks::StoreForFiles => Self::own_texts(option, given),
            _ => self.texts(option, "require", given),
        };
        let workload = sources.names.workload.as_ref();
        Resolving {
            require: self.patterns(required, set),
            additions: self.additions(sources, set),
            scan_env: self.scan_env(sources),
            workload: self.parsed(
                "--workload",
                "workload",
                workload,
                value::name(WorkloadName::parse),
            ),
            grammar,
        }
    }
}
