//! Files at paths: each is staged in the folder of its place, and renamed onto it when all are
//! staged. A symlink is replaced and never followed; what is staged never remains.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, RenameFlags, renameat2};
use nix::unistd::linkat;

use crate::launch::document::{Output, Target};
use crate::launch::place::path::check::Check;
use crate::launch::place::path::identity::folder;
use crate::launch::plan::PlannedDocument;
use crate::launch::problem::{OutputFault, Problem};
use crate::launch::render::RenderedFile;

mod check;
mod identity;

/// How often another name is tried where one is taken.
const NAMES_MAX: usize = 8;

/// The folder with a name for each descriptor of this process (proc(5)).
const DESCRIPTORS: &str = "/proc/self/fd";

/// Two names change places in one step (rename(2)).
const EXCHANGE: RenameFlags = RenameFlags::RENAME_EXCHANGE;

/// What can be told of the outputs before anything is fetched.
pub fn faults(documents: &[PlannedDocument]) -> Vec<Problem> {
    let mut check = Check::new(documents.iter().map(|document| document.path.as_path()));
    let outputs = documents.iter().filter_map(|document| match &document.target {
        Some(Target::Path(output)) => Some(output),
        _ => None,
    });
    outputs.filter_map(|output| check.output(output).err()).collect()
}

/// Files that are complete but for their names.
pub struct StagedFiles(Vec<Staged>);

impl StagedFiles {
    /// Checks every output, and writes those of which nothing is wrong.
    pub fn stage(files: &[RenderedFile]) -> Result<Self, Vec<Problem>> {
        let mut staged = Vec::new();
        let mut problems = Vec::new();
        let mut check = Check::new(files.iter().map(|file| file.template.as_path()));
        for file in files {
            let Some(Target::Path(output)) = &file.target else { continue };
            match check.output(output).and_then(|()| Staged::new(file, output)) {
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
        for index in 0..self.0.len() {
            if let Err(problem) = self.0[index].rename() {
                let done = self.0[..index].iter_mut().rev();
                let not_undone = done.filter_map(|one| one.undo().err());
                return Err([problem].into_iter().chain(not_undone).collect());
            }
        }
        Ok(())
    }
}

/// What stood at the place before.
enum Replaced {
    /// Nothing was put there yet.
    NotYet,
    Nothing,
    /// It stands at the staged file's name now.
    Exchanged,
    /// It has this name too.
    Kept(PathBuf),
    /// It is gone: the file system can neither exchange two names nor give a file a second one.
    Gone,
}

/// A file that is complete but for its name; dropping it removes it.
struct Staged {
    output: Output,
    /// Open while it has no name at all, so that it goes with the process however that ends.
    unnamed: Option<File>,
    /// Its name beside its place, where it has one.
    beside: Option<PathBuf>,
    replaced: Replaced,
}

impl Staged {
    fn new(file: &RenderedFile, output: &Output) -> Result<Self, Problem> {
        let mut staged = Self {
            output: output.clone(),
            unnamed: None,
            beside: None,
            replaced: Replaced::NotYet,
        };
        let made = match create_unnamed(folder(&output.path)) {
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
    fn rename(&mut self) -> Result<(), Problem> {
        let (from, to) = (self.beside(), self.output.path.as_path());
        self.replaced = match renameat2(AT_FDCWD, from, AT_FDCWD, to, EXCHANGE) {
            Ok(()) => Replaced::Exchanged,
            Err(Errno::ENOENT) => {
                fs::rename(from, to).map_err(|error| self.problem("replace", error))?;
                Replaced::Nothing
            }
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                let replaced = keep(to);
                if let Err(error) = fs::rename(from, to) {
                    if let Replaced::Kept(name) = replaced {
                        let _gone = fs::remove_file(name);
                    }
                    return Err(self.problem("replace", error));
                }
                replaced
            }
            Err(errno) => return Err(self.problem("replace", errno.into())),
        };
        Ok(())
    }

    /// Puts back what stood at the place. Where that fails, it is left under the name that is told.
    fn undo(&mut self) -> Result<(), Problem> {
        let place = self.output.path.as_path();
        let doing = if matches!(self.replaced, Replaced::Nothing) { "remove" } else { "put back" };
        let (path, undone) = match std::mem::replace(&mut self.replaced, Replaced::NotYet) {
            Replaced::NotYet => return Ok(()),
            Replaced::Nothing => (place.to_owned(), fs::remove_file(place)),
            Replaced::Kept(kept) => {
                let undone = fs::rename(&kept, place);
                (kept, undone)
            }
            Replaced::Gone => (place.to_owned(), Err(io::ErrorKind::Unsupported.into())),
            Replaced::Exchanged => {
                let beside = self.beside();
                let undone = renameat2(AT_FDCWD, beside, AT_FDCWD, place, EXCHANGE);
                let beside = beside.to_owned();
                if undone.is_err() {
                    self.beside = None;
                }
                (beside, undone.map_err(Into::into))
            }
        };
        undone.map_err(|error| Problem::File { path, doing, error })
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
        let kept = match &self.replaced {
            Replaced::Kept(kept) => Some(kept),
            _ => None,
        };
        for name in self.beside.iter().chain(kept) {
            let _gone = fs::remove_file(name);
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

/// Gives what stands at a place a second name, as far as that can be; a link itself, not its end.
fn keep(place: &Path) -> Replaced {
    let link = |kept: &Path| Ok(linkat(AT_FDCWD, place, AT_FDCWD, kept, AtFlags::empty())?);
    match with_new_name(place, link) {
        Ok(((), kept)) => Replaced::Kept(kept),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Replaced::Nothing,
        Err(_) => Replaced::Gone,
    }
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
