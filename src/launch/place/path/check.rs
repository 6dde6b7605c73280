//! What can be told of an output before anything is written to it, and its folder, opened. It
//! changes nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag};

use crate::launch::document::{Output, folder_of};
use crate::launch::place::path::folder::{Folder, id};
use crate::launch::place::path::identity::{Identity, Inputs};
use crate::launch::problem::{OutputFault, Problem};

/// Where an output goes.
pub struct Place {
    pub output: Output,
    pub folder: Rc<Folder>,
}

impl Place {
    /// The output's name in its folder.
    pub fn name(&self) -> &OsStr {
        self.output.path.file_name().expect("an output without a name was refused")
    }
}

/// Judges these outputs: the places of all, or everything that is wrong with them.
pub fn places<'o>(
    outputs: impl Iterator<Item = &'o Output>,
    inputs: &Inputs,
) -> Result<Vec<Place>, Vec<Problem>> {
    let mut check = Check { inputs, taken: HashSet::new(), folders: HashMap::new() };
    let mut places = Vec::new();
    let mut problems = Vec::new();
    for output in outputs {
        match check.output(output) {
            Ok(folder) => places.push(Place { output: output.clone(), folder }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(places) } else { Err(problems) }
}

struct Check<'c> {
    inputs: &'c Inputs,
    /// The places of the outputs before.
    taken: HashSet<Identity>,
    /// One descriptor for each folder, however many outputs go there.
    folders: HashMap<&'c Path, Rc<Folder>>,
}

impl<'c> Check<'c> {
    /// Judges one output, which takes its place then.
    fn output(&mut self, output: &'c Output) -> Result<Rc<Folder>, Problem> {
        let path = output.path.as_path();
        let fault = |why| Problem::Output { path: path.to_owned(), why };
        let name = file_name(path).ok_or_else(|| fault(OutputFault::Directory))?;
        let folder = self.open(folder_of(path)).map_err(|errno| unwritable(path, errno))?;
        if let Some(own) = output.within {
            match folder.lies_in(own) {
                Ok(true) => {}
                Ok(false) => return Err(fault(OutputFault::Outside)),
                Err(errno) => return Err(unwritable(path, errno)),
            }
        }
        let there = folder.look_at(name).ok();
        let place = Identity { folder: folder.id, name: name.to_owned() };
        if self.taken.contains(&place) {
            return Err(fault(OutputFault::Twice));
        }
        let lost = self.inputs.lost_at(&place, there.as_ref().map(id));
        if let Some(why) = lost {
            return Err(fault(why));
        }
        self.taken.insert(place);
        let hinders = there.and_then(|there| what_hinders(&folder, name, &there));
        match (hinders, folder.refuses) {
            (Some(why), _) => Err(fault(why)),
            (None, Some(errno)) => Err(unwritable(path, errno)),
            (None, None) => Ok(folder),
        }
    }

    fn open(&mut self, path: &'c Path) -> nix::Result<Rc<Folder>> {
        if let Some(folder) = self.folders.get(path) {
            return Ok(Rc::clone(folder));
        }
        let folder = Rc::new(Folder::open(path)?);
        self.folders.insert(path, Rc::clone(&folder));
        Ok(folder)
    }
}

/// What keeps a file from being put in the place of this one, as far as its kind shows it.
pub fn kind_fault(file: &FileStat) -> Option<OutputFault> {
    match kind(file) {
        SFlag::S_IFREG | SFlag::S_IFLNK => None,
        SFlag::S_IFDIR => Some(OutputFault::Directory),
        _ => Some(OutputFault::Special),
    }
}

fn kind(file: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(file.st_mode) & SFlag::S_IFMT
}

/// The same, and what is around it. A symlink is replaced and never followed, but nobody means one
/// that stands for an open descriptor.
fn what_hinders(folder: &Folder, name: &OsStr, there: &FileStat) -> Option<OutputFault> {
    if let Some(why) = kind_fault(there) {
        return Some(why);
    }
    let is_link = kind(there) == SFlag::S_IFLNK;
    if folder.is_proc || is_link && folder.leads_to_proc(name) {
        return Some(OutputFault::Special);
    }
    folder.is_mounted_on(name).then_some(OutputFault::Mounted)
}

/// The fault as it is told wherever a file cannot be written.
fn unwritable(path: &Path, errno: Errno) -> Problem {
    Problem::File { path: path.to_owned(), doing: "write", error: errno.into() }
}

/// The last name of a path, unless only a folder can be there.
fn file_name(path: &Path) -> Option<&OsStr> {
    let text = path.as_os_str().as_bytes();
    let names_folder = text.ends_with(b"/") || text.ends_with(b"/.");
    path.file_name().filter(|_| !names_folder)
}
