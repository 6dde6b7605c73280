//! What a path stands for, however it is spelled: the folder itself, and the name in it. And all
//! files that are read, under each of their names.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use crate::launch::document::{FileId, folder_of};
use crate::launch::problem::OutputFault;
use crate::settings::{Additions, Template};

/// How many links a path is followed through, as the kernel does (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// A name in a folder, whether or not a file has it.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct Identity {
    pub folder: FileId,
    pub name: OsString,
}

/// The files that are read, each of which no output may replace, and what that would be.
#[derive(Default)]
pub struct Inputs {
    /// Their own names, and those of the links on the way.
    names: HashMap<Identity, OutputFault>,
    /// The files themselves.
    files: HashMap<FileId, OutputFault>,
}

impl Inputs {
    /// What a launch with these settings reads. Where it writes nothing, nothing is looked at.
    pub fn of(additions: &Additions) -> Self {
        let Additions { templates, export_from, env_files, manifest, .. } = additions;
        if templates.iter().all(|template| template.target.path().is_none()) {
            return Self::default();
        }
        let templates = templates.iter().map(|template| &template.path).chain(export_from);
        let templates = templates.map(|path| (path, OutputFault::Template));
        let env_files = env_files.iter().map(|path| (path, OutputFault::EnvFile));
        let manifest = manifest.iter().map(|path| (path, OutputFault::Manifest));
        let all = templates.chain(env_files).chain(manifest);
        Self::new(all.map(|(path, fault)| (path.as_path(), fault)))
    }

    /// What is read to render one template alone.
    pub fn of_one(template: &Template, additions: &Additions) -> Self {
        if template.target.path().is_none() {
            return Self::default();
        }
        // `-` is standard input.
        let read = Some(&template.path).filter(|path| *path != Path::new("-"));
        let read = read.map(|path| (path.as_path(), OutputFault::Template));
        let manifest = additions.manifest.as_deref().map(|path| (path, OutputFault::Manifest));
        Self::new(read.into_iter().chain(manifest))
    }

    /// Each path with the fault of an output that would replace it.
    fn new<'p>(paths: impl IntoIterator<Item = (&'p Path, OutputFault)>) -> Self {
        let mut inputs = Self::default();
        let mut seen = HashSet::new();
        for (path, fault) in paths {
            if seen.insert(path) {
                inputs.add(path, fault);
            }
        }
        inputs
    }

    fn add(&mut self, path: &Path, fault: OutputFault) {
        let mut at = path.to_owned();
        for _ in 0..LINKS_MAX {
            if let Ok(name) = Identity::of(&at) {
                self.names.entry(name).or_insert(fault);
            }
            let Ok(target) = fs::read_link(&at) else { break };
            at = folder_of(&at).join(target);
        }
        if let Ok(file) = fs::metadata(path) {
            self.files.entry(FileId::of(&file)).or_insert(fault);
        }
    }

    /// What would be lost with what stands at a place: one of the names, or the same file under
    /// another one, which a user took for two.
    pub fn lost_at(&self, place: &Identity, there: Option<FileId>) -> Option<OutputFault> {
        let file = || there.and_then(|there| self.files.get(&there));
        self.names.get(place).or_else(file).copied()
    }
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        Ok(Self { folder: FileId::of(&fs::metadata(folder_of(path))?), name })
    }
}
