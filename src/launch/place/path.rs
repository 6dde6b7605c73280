//! Files at paths: each is staged in the folder of its place, and renamed onto it when all are
//! staged. A symlink is replaced and never followed; what is staged never remains.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, RenameFlags, renameat2};
use nix::unistd::linkat;

use crate::launch::document::{Output, Target};
use crate::launch::place::path::identity::Identity;
use crate::launch::problem::{OutputFault, Problem};
use crate::launch::render::RenderedFile;

mod identity;

/// How often another name is tried where one is taken.
const NAMES_MAX: usize = 8;

/// The folder with a name for each descriptor of this process (proc(5)).
const DESCRIPTORS: &str = "/proc/self/fd";

/// Files that are complete but for their names.
pub struct StagedFiles(Vec<Staged>);

impl StagedFiles {
    /// Checks every output, and writes those of which nothing is wrong.
    pub fn stage(files: &[RenderedFile]) -> Result<Self, Vec<Problem>> {
        let mut staged = Vec::new();
        let mut problems = Vec::new();
        let mut places = Vec::new();
        for file in files {
            let Some(Target::Path(output)) = &file.target else { continue };
            let checked = check(output, files, &mut places);
            match checked.and_then(|()| Staged::new(file, output)) {
                Ok(one) => staged.push(one),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self(staged)) } else { Err(problems) }
    }

    /// Gives all a name beside their places, then renames all. If one of these fails, those before
    /// it are undone.
    pub fn put(mut self) -> Result<(), Vec<Problem>> {
        for one in &mut self.0 {
            one.link().map_err(|error| vec![one.problem("write", error)])?;
        }
        let mut done: Vec<(&Staged, Replaced)> = Vec::with_capacity(self.0.len());
        for one in &self.0 {
            match one.rename() {
                Ok(replaced) => done.push((one, replaced)),
                Err(problem) => {
                    let mut problems = vec![problem];
                    for (one, replaced) in done.into_iter().rev() {
                        problems.extend(one.undo(replaced).err());
                    }
                    return Err(problems);
                }
            }
        }
        Ok(())
    }
}

/// What stood at the place before.
enum Replaced {
    Nothing,
    /// It stands at the staged file's name now.
    Exchanged,
    /// The file system cannot exchange two names: it is gone.
    Gone,
}

/// What can be told before anything is written.
fn check(
    output: &Output,
    files: &[RenderedFile],
    places: &mut Vec<Identity>,
) -> Result<(), Problem> {
    let fault = |why| Err(Problem::Output { path: output.path.clone(), why });
    let write = |error| Problem::File { path: output.path.clone(), doing: "write", error };
    if output.path.file_name().is_none() || output.path.as_os_str().as_bytes().ends_with(b"/") {
        return fault(OutputFault::Directory);
    }
    let place = Identity::of_place(&output.path).map_err(write)?;
    if places.contains(&place) {
        return fault(OutputFault::Twice);
    }
    if files.iter().any(|file| identity::stands_at(&file.template, &place, &output.path)) {
        return fault(OutputFault::Template);
    }
    places.push(place);
    let Ok(there) = fs::symlink_metadata(&output.path) else { return Ok(()) };
    let kind = there.file_type();
    if kind.is_dir() {
        return fault(OutputFault::Directory);
    }
    if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        return fault(OutputFault::Special);
    }
    Ok(())
}

/// A file that is complete but for its name; dropping it removes it.
struct Staged {
    output: Output,
    /// Open while it has no name at all, so that it goes with the process however that ends.
    unnamed: Option<File>,
    /// Its name beside its place, where it has one.
    beside: Option<PathBuf>,
}

impl Staged {
    fn new(file: &RenderedFile, output: &Output) -> Result<Self, Problem> {
        let mut staged = Self { output: output.clone(), unnamed: None, beside: None };
        let folder = identity::folder(&output.path);
        let made = match create_unnamed(folder) {
            Some(made) => Ok((made, None)),
            None => create_beside(&output.path).map(|(made, beside)| (made, Some(beside))),
        };
        let (made, beside) = made.map_err(|error| staged.problem("write", error))?;
        staged.beside = beside;
        staged.fill(&made, file)?;
        match &staged.beside {
            None => staged.unnamed = Some(made),
            Some(_) => close(made).map_err(|error| staged.problem("write", error))?,
        }
        Ok(staged)
    }

    /// Owner before mode: until both are right, nobody but this user can read it.
    fn fill(&self, mut made: &File, file: &RenderedFile) -> Result<(), Problem> {
        let Output { mode, uid, gid, .. } = self.output;
        made.write_all(file.contents.expose_secret())
            .map_err(|error| self.problem("write", error))?;
        if uid.is_some() || gid.is_some() {
            fchown(made, uid, gid).map_err(|error| self.problem("set the owner of", error))?;
        }
        made.set_permissions(fs::Permissions::from_mode(mode))
            .map_err(|error| self.problem("set the mode of", error))
    }

    /// Gives the file a name beside its place, where it has none yet.
    fn link(&mut self) -> io::Result<()> {
        let Some(file) = self.unnamed.take() else { return Ok(()) };
        let from = PathBuf::from(format!("{DESCRIPTORS}/{}", file.as_raw_fd()));
        let (_, beside) = with_new_name(&self.output.path, |beside| {
            Ok(linkat(AT_FDCWD, &from, AT_FDCWD, beside, AtFlags::AT_SYMLINK_FOLLOW)?)
        })?;
        self.beside = Some(beside);
        close(file)
    }

    /// Puts the file in its place, and keeps what it replaces until all others are in theirs.
    fn rename(&self) -> Result<Replaced, Problem> {
        let (from, to) = (self.beside(), self.output.path.as_path());
        match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_EXCHANGE) {
            Ok(()) => return Ok(Replaced::Exchanged),
            Err(Errno::ENOENT) => {
                return fs::rename(from, to)
                    .map(|()| Replaced::Nothing)
                    .map_err(|error| self.problem("replace", error));
            }
            Err(Errno::EINVAL | Errno::ENOSYS) => {}
            Err(errno) => return Err(self.problem("replace", errno.into())),
        }
        fs::rename(from, to)
            .map(|()| Replaced::Gone)
            .map_err(|error| self.problem("replace", error))
    }

    fn undo(&self, replaced: Replaced) -> Result<(), Problem> {
        let (staged, place) = (self.beside(), self.output.path.as_path());
        let undone = match replaced {
            Replaced::Nothing => fs::rename(place, staged),
            Replaced::Exchanged => {
                let exchange = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, staged, AT_FDCWD, place, exchange).map_err(Into::into)
            }
            Replaced::Gone => Err(io::ErrorKind::Unsupported.into()),
        };
        undone.map_err(|error| self.problem("put back what stood at", error))
    }

    fn beside(&self) -> &Path {
        self.beside.as_deref().expect("it was linked before it is renamed")
    }

    fn problem(&self, doing: &'static str, error: io::Error) -> Problem {
        let path = self.output.path.clone();
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EBUSY) => Problem::Output { path, why: OutputFault::Mounted },
            _ => Problem::File { path, doing, error },
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After an exchange this is what was replaced; after a plain rename nothing is there.
        if let Some(beside) = &self.beside {
            let _gone = fs::remove_file(beside);
        }
    }
}

/// A file with no name in a folder (open(2), `O_TMPFILE`); none where the file system has no such
/// files, or nothing could give it a name later. Other faults show when one with a name is made.
fn create_unnamed(folder: &Path) -> Option<File> {
    if !Path::new(DESCRIPTORS).exists() {
        return None;
    }
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(libc::O_TMPFILE).open(folder).ok()
}

/// A new file in the same folder, which nobody else can open.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    with_new_name(path, |beside| {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)
    })
}

/// Makes something under a name in the same folder that nothing has yet.
fn with_new_name<T>(
    path: &Path,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..NAMES_MAX {
        let beside = path.with_file_name(staged_name(name)?);
        match make(&beside) {
            Ok(made) => return Ok((made, beside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

fn staged_name(name: &OsStr) -> io::Result<OsString> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    // A name may have 255 bytes; what is left of it says whose file this is.
    let stem = &name.as_bytes()[..name.len().min(200)];
    let random = u64::from_ne_bytes(random);
    Ok(OsString::from_vec([b".", stem, format!(".{random:016x}").as_bytes()].concat()))
}

/// A quota or a full disk of another machine may show only now.
fn close(file: File) -> io::Result<()> {
    Ok(nix::unistd::close(file)?)
}
