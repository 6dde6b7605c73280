//! What can be told of a place before anything is written to it. It changes nothing.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use crate::launch::document::Output;
use crate::launch::place::path::identity::{Identity, TemplateFile, folder};
use crate::launch::problem::{OutputFault, Problem};
use crate::sys;

/// Where the kernel shows its own state, open descriptors included (proc(5)): `/dev/stdout` leads
/// there.
const PROC: &str = "/proc";

/// The places that are known to be taken, by templates and by outputs.
pub struct Check {
    templates: Vec<TemplateFile>,
    outputs: Vec<Identity>,
}

impl Check {
    pub fn new<'p>(templates: impl Iterator<Item = &'p Path>) -> Self {
        Self { templates: templates.map(TemplateFile::of).collect(), outputs: Vec::new() }
    }

    /// Judges one output, which takes its place then.
    pub fn output(&mut self, output: &Output) -> Result<(), Problem> {
        let path = output.path.as_path();
        let fault = |why| Err(Problem::Output { path: path.to_owned(), why });
        if names_folder(path) {
            return fault(OutputFault::Directory);
        }
        let place = Identity::of_place(path).map_err(|error| unwritable(path, error))?;
        if self.outputs.contains(&place) {
            return fault(OutputFault::Twice);
        }
        if self.templates.iter().any(|template| template.stands_at(&place, path)) {
            return fault(OutputFault::Template);
        }
        self.outputs.push(place);
        match what_stands_at(path) {
            Some(why) => fault(why),
            None => may_write(folder(path)).map_err(|error| unwritable(path, error)),
        }
    }
}

/// The fault as it is told wherever a file cannot be written.
fn unwritable(path: &Path, error: io::Error) -> Problem {
    Problem::File { path: path.to_owned(), doing: "write", error }
}

/// Whether a path ends where only a folder can be.
fn names_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_bytes();
    path.file_name().is_none() || text.ends_with(b"/") || text.ends_with(b"/.")
}

/// What keeps a file from being put there, as far as what is there shows it.
fn what_stands_at(path: &Path) -> Option<OutputFault> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    if kind.is_dir() {
        return Some(OutputFault::Directory);
    }
    let is_device = kind.is_char_device() || kind.is_block_device();
    if is_device || kind.is_fifo() || kind.is_socket() || is_descriptor(path) {
        return Some(OutputFault::Special);
    }
    let text = CString::new(path.as_os_str().as_bytes()).ok()?;
    sys::is_mounted_on(&text).then_some(OutputFault::Mounted)
}

/// Whether a path is one of those that stand for an open descriptor. A symlink is replaced and
/// never followed, but nobody means this one.
fn is_descriptor(path: &Path) -> bool {
    let leads = |to: io::Result<PathBuf>| to.is_ok_and(|to| to.starts_with(PROC));
    leads(fs::read_link(path)) || leads(fs::canonicalize(folder(path)))
}

/// Whether this process may make files in a folder.
fn may_write(folder: &Path) -> io::Result<()> {
    let asked = AccessFlags::W_OK | AccessFlags::X_OK;
    match faccessat(AT_FDCWD, folder, asked, AtFlags::AT_EACCESS) {
        Err(errno @ (Errno::EACCES | Errno::EROFS | Errno::ENOTDIR | Errno::ENOENT)) => {
            Err(errno.into())
        }
        // What cannot be asked shows when it is done.
        _ => Ok(()),
    }
}
