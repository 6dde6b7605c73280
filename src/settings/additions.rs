//! What is added to the application's environment, from every source together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Additions, Origin, Resolver, setting, value};
use crate::cli::Sources;
use crate::name::SecretName;

impl Resolver {
    pub(super) fn additions(&mut self, sources: &Sources) -> Additions {
        let additions = Additions {
            env_files: self.paths("env-file", &sources.env_file),
            export_from: self.paths("export-from", &sources.export_from),
            env: self.env(sources),
            export: self.names("--export", "export", &sources.export),
            as_file: self.as_file(sources),
        };
        self.refuse_contradictions(&additions);
        additions
    }

    /// Files from every source together; the manifest's are relative to it.
    fn paths(&self, key: &'static str, given: &[PathBuf]) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if let Some(manifest) = &self.manifest {
            paths.extend(manifest.list(key).map(|path| manifest.folder().join(path)));
        }
        if let Some(text) = self.variables.get(key) {
            paths.extend(text.lines().filter(|line| !line.is_empty()).map(PathBuf::from));
        }
        paths.extend(given.iter().cloned());
        paths
    }

    fn env(&mut self, sources: &Sources) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (mut env, mut faults) = (Vec::new(), Vec::new());
        if let Some(manifest) = &self.manifest {
            let origin = Origin::Manifest { path: manifest.path.clone(), key: "env" };
            for (name, value) in manifest.pairs("env") {
                match value::variable_name(name.as_bytes()) {
                    Ok(name) => env.push((name.to_vec(), value.clone().into_bytes())),
                    Err(fault) => faults.push((origin.clone(), fault)),
                }
            }
        }
        for pair in &sources.env {
            match value::pair(pair.as_bytes()) {
                Ok((name, value)) => env.push((name.to_vec(), value.to_vec())),
                Err(fault) => faults.push((Origin::Option("--env"), fault)),
            }
        }
        for (origin, fault) in faults {
            self.fault(&origin, fault);
        }
        env
    }

    fn as_file(&mut self, sources: &Sources) -> Vec<(Vec<u8>, SecretName)> {
        let mut given: Vec<(OsString, Origin)> = Vec::new();
        if let Some(manifest) = &self.manifest {
            let origin = Origin::Manifest { path: manifest.path.clone(), key: "as-file" };
            let pair = |(variable, name): &(String, String)| {
                (OsString::from(format!("{variable}={name}")), origin.clone())
            };
            given.extend(manifest.pairs("as-file").iter().map(pair));
        }
        let options = sources.as_file.iter().cloned();
        given.extend(options.map(|pair| (pair, Origin::Option("--as-file"))));
        let mut files: Vec<(Vec<u8>, SecretName)> = Vec::new();
        for (pair, origin) in given {
            let parsed =
                value::pair(pair.as_bytes()).map_err(str::to_owned).and_then(|(variable, name)| {
                    let name = SecretName::parse(&String::from_utf8_lossy(name));
                    Ok((variable.to_vec(), name.map_err(|error| error.to_string())?))
                });
            match parsed {
                Ok(file) => {
                    files.retain(|(variable, _)| *variable != file.0);
                    files.push(file);
                }
                Err(fault) => self.fault(&origin, &fault),
            }
        }
        files
    }

    /// One variable cannot be set in two ways.
    fn refuse_contradictions(&mut self, additions: &Additions) {
        let mut set: BTreeMap<&[u8], &str> = BTreeMap::new();
        let env = additions.env.iter().map(|(name, _)| (name.as_slice(), "--env"));
        let export = additions.export.iter().map(|name| (name.as_str().as_bytes(), "--export"));
        let files = additions.as_file.iter().map(|(name, _)| (name.as_slice(), "--as-file"));
        for (name, how) in env.chain(export).chain(files) {
            let other = *set.entry(name).or_insert(how);
            if other != how {
                let name = String::from_utf8_lossy(name);
                let fault = format!("`{name}` is set by `{other}` and by `{how}`; keep one");
                self.faults.push(setting(fault));
            }
        }
    }
}
