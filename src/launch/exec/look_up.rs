//! Finds the file that a command's name stands for, as a shell does (POSIX, "Command Search and
//! Execution"). It opens no more than the one file that is chosen.

use std::ffi::{CStr, CString, OsStr};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, access, faccessat};

use crate::launch::exec::format;
use crate::launch::problem::NotExecutable;

pub enum Failed {
    NotFound,
    NotExecutable(NotExecutable),
}

/// The first file of that name that may be executed; else the first that may not.
pub fn search(name: &[u8], path: &[u8]) -> Result<CString, Failed> {
    let mut failed = Failed::NotFound;
    for folder in path.split(|b| *b == b':') {
        // An empty element is the working directory.
        let folder = if folder.is_empty() { b"." } else { folder };
        // A manifest's PATH may hold a NUL: no folder's name does.
        let Ok(candidate) = CString::new([folder, b"/", name].concat()) else { continue };
        match refusal(&candidate) {
            // Here a shell would stop, whatever is in the file.
            None => return examined(candidate).map_err(Failed::NotExecutable),
            Some(Refusal::File) if matches!(failed, Failed::NotFound) => {
                failed = Failed::NotExecutable(NotExecutable::Permission);
            }
            // As in a shell, a folder of that name is passed over, and so is a folder of the PATH
            // that may not be searched.
            Some(_) => {}
        }
    }
    Err(failed)
}

/// The file at this very path.
pub fn at(path: CString) -> Result<CString, Failed> {
    match refusal(&path) {
        None => examined(path).map_err(Failed::NotExecutable),
        Some(Refusal::NotFound) => Err(Failed::NotFound),
        Some(Refusal::Directory) => Err(Failed::NotExecutable(NotExecutable::Directory)),
        Some(Refusal::Unsearchable | Refusal::File) => {
            Err(Failed::NotExecutable(NotExecutable::Permission))
        }
    }
}

/// Why a file may not be executed, whatever is in it.
pub enum Refusal {
    NotFound,
    /// A folder on the way to it may not be searched, so that nobody knows whether it is there.
    Unsearchable,
    Directory,
    File,
}

pub fn refusal(path: &CStr) -> Option<Refusal> {
    let metadata = match Path::new(OsStr::from_bytes(path.to_bytes())).metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Some(Refusal::Unsearchable);
        }
        Err(_) => return Some(Refusal::NotFound),
    };
    if metadata.is_dir() {
        return Some(Refusal::Directory);
    }
    (!metadata.is_file() || !may_execute(path)).then_some(Refusal::File)
}

fn may_execute(path: &CStr) -> bool {
    match faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) {
        // A filter of system calls that is older than this call forbids the question itself. The
        // older call asks for the real user, who mostly is the same.
        Err(Errno::EPERM) => access(path, AccessFlags::X_OK).is_ok(),
        answer => answer.is_ok(),
    }
}

fn examined(path: CString) -> Result<CString, NotExecutable> {
    format::why_not(&path).map_or(Ok(path), Err)
}
