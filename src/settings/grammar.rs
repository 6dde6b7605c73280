//! What a reference is: the environment that `@` stands for, and the names that are plain text.

use std::collections::BTreeSet;

use super::{Resolver, value};
use crate::cli::Sources;
use crate::launch::reference::Grammar;
use crate::name::Environment;

const ENVIRONMENTS_DEFAULT: [&str; 3] = ["DEV", "STAGING", "PROD"];

impl Resolver {
    pub(super) fn grammar(&mut self, sources: &Sources) -> Grammar {
        let environment = self.parsed(
            "--environment",
            "environment",
            sources.names.environment.as_ref(),
            value::name(Environment::parse),
        );
        let set = environment.as_ref();
        // One by one, here as elsewhere where few are collected: else all of a sort comes with it.
        let mut literal = BTreeSet::new();
        let texts = self.texts("--literal", "literal", &sources.names.literal);
        literal.extend(self.patterns(texts, set));
        Grammar { literal, environment, environments: self.environments() }
    }

    fn environments(&mut self) -> Vec<Environment> {
        let named: Vec<String> = match &self.manifest {
            Some(manifest) => manifest.list("environments").map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let texts =
            if named.is_empty() { ENVIRONMENTS_DEFAULT.map(str::to_owned).to_vec() } else { named };
        let mut environments = Vec::with_capacity(texts.len());
        for text in texts {
            match Environment::parse(&text) {
                Ok(environment) => environments.push(environment),
                Err(error) => self.manifest_fault("environments", &error.to_string()),
            }
        }
        environments
    }
}
