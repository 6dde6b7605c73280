//! The settings of commands that start no program: what only a launch adds or requires has no say
//! in them, so that nothing that is wrong with it keeps anybody from managing secrets.

use std::ffi::CStr;

use super::{Asks, Resolver, Settings, names, resolve};
use crate::cli::{Common, Sources};
use crate::launch::problem::Problem;

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
    let mut settings = resolve(sources, common, environment)?;
    let set = settings.grammar.environment.as_ref();
    let own = names::made_names(&sources.names.require, set);
    settings.require.retain(|name| own.contains(name));
    Ok(settings)
}
