//! What is added to the application's environment, from every source together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::mem::discriminant;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::templates::AddedTemplate;
use super::{Additions, Origin, Resolver, Template, setting, value};
use crate::cli::Sources;
use crate::launch::document::Target;
use crate::launch::format::Format;
use crate::name::{Environment, SecretName};

/// One variable that is added, and where that was said.
struct Added {
    name: Vec<u8>,
    content: Content,
    origin: Origin,
}

enum Content {
    Given(Vec<u8>),
    Export(SecretName),
    AsFile(SecretName),
    Memory(Template),
}

impl Resolver {
    pub(super) fn additions(
        &mut self,
        sources: &Sources,
        environment: Option<&Environment>,
    ) -> Additions {
        let format = self.format(sources.format.as_ref());
        let mut additions = Additions {
            env_files: self.paths("env-file", &sources.env_file),
            export_from: self.paths("export-from", &sources.export_from),
            manifest: self.manifest.as_ref().map(|manifest| manifest.path.clone()),
            format: format.as_ref().map(|(format, _)| *format),
            ..Additions::default()
        };
        let mut added = self.env(sources);
        added.extend(self.export(sources));
        added.extend(self.as_file(sources));
        for mut this in self.templates(sources, environment) {
            this.choose_format(format.as_ref());
            let AddedTemplate { template, origin } = this;
            match &template.target {
                Target::Variable(name) => {
                    let (name, content) = (name.clone(), Content::Memory(template));
                    added.push(Added { name, content, origin });
                }
                _ => additions.templates.push(template),
            }
        }
        for Added { name, content, .. } in self.once_each(added) {
            match content {
                Content::Given(value) => additions.env.push((name, value)),
                Content::Export(secret) => additions.export.push(secret),
                Content::AsFile(secret) => additions.as_file.push((name, secret)),
                Content::Memory(template) => additions.templates.push(template),
            }
        }
        additions
    }

    /// Files from every source together; the manifest's are relative to it.
    fn paths(&self, key: &'static str, given: &[PathBuf]) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if let Some(manifest) = &self.manifest {
            paths.extend(manifest.list(key).map(|path| manifest.path_of(path)));
        }
        if let Some(text) = self.variables.get(key) {
            paths.extend(text.lines().filter(|line| !line.is_empty()).map(PathBuf::from));
        }
        paths.extend(given.iter().cloned());
        paths
    }

    fn env(&mut self, sources: &Sources) -> Vec<Added> {
        let mut added = Vec::new();
        for (name, value, origin) in self.manifest_pairs("env") {
            match value::variable_name(name.as_bytes()) {
                Ok(name) => {
                    let (name, content) = (name.to_vec(), Content::Given(value.into_bytes()));
                    added.push(Added { name, content, origin });
                }
                Err(fault) => self.fault(&origin, fault),
            }
        }
        for pair in &sources.env {
            let origin = Origin::Option("--env");
            match value::pair(pair.as_bytes()) {
                Ok((name, value)) => {
                    let (name, content) = (name.to_vec(), Content::Given(value.to_vec()));
                    added.push(Added { name, content, origin });
                }
                Err(fault) => self.fault(&origin, fault),
            }
        }
        added
    }

    fn export(&mut self, sources: &Sources) -> Vec<Added> {
        let mut added = Vec::new();
        for (secret, origin) in self.names("--export", "export", &sources.export) {
            match value::variable_name(secret.as_str().as_bytes()) {
                Ok(name) => {
                    let (name, content) = (name.to_vec(), Content::Export(secret));
                    added.push(Added { name, content, origin });
                }
                Err(fault) => self.fault(&origin, &format!("`{secret}`: {fault}")),
            }
        }
        added
    }

    fn as_file(&mut self, sources: &Sources) -> Vec<Added> {
        let manifest = self.manifest_pairs("as-file").into_iter();
        let mut given: Vec<(OsString, Origin)> = manifest
            .map(|(variable, name, origin)| (format!("{variable}={name}").into(), origin))
            .collect();
        let options = sources.as_file.iter().cloned();
        given.extend(options.map(|pair| (pair, Origin::Option("--as-file"))));
        let mut added = Vec::new();
        for (pair, origin) in given {
            match value::file_pair(pair.as_bytes()) {
                Ok((name, secret)) => {
                    added.push(Added { name, content: Content::AsFile(secret), origin });
                }
                Err(faults) => faults.iter().for_each(|fault| self.fault(&origin, fault)),
            }
        }
        added
    }

    fn manifest_pairs(&self, key: &'static str) -> Vec<(String, String, Origin)> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let origin = Origin::Manifest { path: manifest.path.clone(), key };
        let pairs = manifest.pairs(key).iter().cloned();
        pairs.map(|(name, value)| (name, value, origin.clone())).collect()
    }

    /// Each variable as it was said last where that has most weight. In one place it cannot be set
    /// in two ways.
    fn once_each(&mut self, mut added: Vec<Added>) -> Vec<Added> {
        let mut highest: BTreeMap<Vec<u8>, u8> = BTreeMap::new();
        for Added { name, origin, .. } in &added {
            let rank = highest.entry(name.clone()).or_default();
            *rank = origin.rank().max(*rank);
        }
        added.retain(|this| highest.get(&this.name) == Some(&this.origin.rank()));
        let mut kept: Vec<Added> = Vec::with_capacity(added.len());
        let mut indices: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for this in added {
            let index = *indices.entry(this.name.clone()).or_insert(kept.len());
            match kept.get_mut(index) {
                None => kept.push(this),
                Some(other) if discriminant(&other.content) == discriminant(&this.content) => {
                    *other = this;
                }
                Some(other) => {
                    let (first, second) = (&other.origin, &this.origin);
                    let name = String::from_utf8_lossy(&this.name);
                    let fault = format!("`{name}` is set by {first} and by {second}; keep one");
                    self.faults.push(setting(fault));
                }
            }
        }
        kept
    }
}

impl AddedTemplate {
    /// A format for all files outweighs one file's own, where it was said where that has more
    /// weight.
    fn choose_format(&mut self, of_all: Option<&(Format, Origin)>) {
        let Some((format, origin)) = of_all else { return };
        if self.template.format.is_none() || origin.rank() > self.origin.rank() {
            self.template.format = Some(*format);
        }
    }
}
