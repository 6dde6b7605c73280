//! Lists of secrets' names, from every source together, separated by commas.

use std::ffi::OsString;

use super::variables::Variables;
use super::{Origin, Resolver};
use crate::name::{Environment, SecretName};

impl Resolver {
    /// Names as they are, with where each was given.
    pub(super) fn names(
        &mut self,
        option: &'static str,
        key: &'static str,
        given: &[OsString],
    ) -> Vec<(SecretName, Origin)> {
        let mut names = Vec::new();
        for (text, origin) in self.texts(option, key, given) {
            match SecretName::parse(&text).map(|name| (name, origin.clone())) {
                Ok(known) if names.contains(&known) => {}
                Ok(new) => names.push(new),
                Err(error) => self.fault(&origin, &error.to_string()),
            }
        }
        names
    }

    /// Distinct names, in which `@` stands for the environment that is set.
    pub(super) fn patterns(
        &mut self,
        texts: Vec<(String, Origin)>,
        environment: Option<&Environment>,
    ) -> Vec<SecretName> {
        let mut names = Vec::new();
        for (text, origin) in texts {
            match made_name(&text, environment) {
                Ok(name) if names.contains(&name) => {}
                Ok(name) => names.push(name),
                Err(fault) => self.fault(&origin, &fault),
            }
        }
        names
    }

    /// Each name as it was given, with where: what weighs most comes last.
    pub(super) fn texts(
        &self,
        option: &'static str,
        key: &'static str,
        given: &[OsString],
    ) -> Vec<(String, Origin)> {
        let mut lists = Vec::new();
        if let Some(manifest) = &self.manifest {
            let origin = Origin::Manifest { path: manifest.path.clone(), key };
            lists.extend(manifest.list(key).map(|text| (text.to_owned(), origin.clone())));
        }
        let variable = self.variables.get(key).map(str::to_owned);
        lists.extend(variable.map(|text| (text, Origin::Variable(Variables::variable(key)))));
        let mut texts = Vec::new();
        for (list, origin) in lists {
            texts.extend(parts(&list).map(|part| (part.to_owned(), origin.clone())));
        }
        texts.extend(Self::own_texts(option, given));
        texts
    }

    /// The same of the command line alone.
    pub(super) fn own_texts(option: &'static str, given: &[OsString]) -> Vec<(String, Origin)> {
        let mut texts = Vec::new();
        for list in given.iter().map(|list| list.to_string_lossy()) {
            texts.extend(parts(&list).map(|part| (part.to_owned(), Origin::Option(option))));
        }
        texts
    }
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

/// The name that a text means, in which `@` stands for the environment.
pub(super) fn made_name(
    text: &str,
    environment: Option<&Environment>,
) -> Result<SecretName, String> {
    let made = |with: &str| SecretName::parse(&text.replace('@', with));
    // As in a reference, `@` alone is none, and a letter in its place must make a name.
    let is_pattern = text.contains('@') && text.contains(|c| c != '@') && made("X").is_ok();
    match environment {
        _ if !is_pattern => SecretName::parse(text).map_err(|error| error.to_string()),
        Some(environment) => {
            made(environment.as_str()).map_err(|_| format!("`{text}` makes too long a name"))
        }
        None => Err(format!(
            "`{text}` needs an environment; set `--environment` or `INJECT_ENVIRONMENT`"
        )),
    }
}
