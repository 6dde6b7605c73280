//! A folder in which a whole set changes at once, laid out as Kubernetes lays out its own volumes:
//! the files of a set in a folder of their own, `..data` a link to it, and each name a link through
//! `..data`. A rename of that one link is the change. One process at a time does it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::launch::document::{Output, Target};
use crate::launch::place::{self, Inputs};
use crate::launch::problem::{Problem, exit};
use crate::launch::render::{Rendered, RenderedFile};
use crate::sidecar::outputs::{is_there, stands};
use crate::sidecar::rendering::Placed;
use crate::sys;

/// The link to the set that counts, and what it is renamed from.
const DATA: &str = "..data";
const DATA_NEXT: &str = "..data_tmp";
/// There while a set counts of which nobody was told yet: whoever comes after a process that was
/// killed tells it.
const UNTOLD: &str = "..untold";
/// What is locked by who renders into the folder. Not the folder itself: who binds a socket in it
/// locks that for a moment.
const LOCK: &str = "..lock";
const LOCK_MODE: u32 = 0o644;
/// Who may read a file is said by the file's own mode.
const FOLDER_MODE: u32 = 0o755;

/// A folder that this process has for itself, as long as this is kept.
pub struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Folder {
    /// Takes it, and removes what a process that was killed left half done.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let found = fs::metadata(path).map_err(|error| problem(path, "open", error))?;
        if !found.is_dir() {
            return Err(problem(path, "open", io::ErrorKind::NotADirectory.into()));
        }
        let lock = lock_file(path).map_err(|error| problem(&path.join(LOCK), "open", error))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock);
        let lock = lock.map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => in_use(path),
            errno => problem(path, "lock", errno.into()),
        })?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        folder.remove_others(folder.current().as_deref());
        Ok(folder)
    }

    /// Makes these outputs the set that counts; the former one stays until then, and where anything
    /// fails.
    pub fn place(&self, rendered: Rendered, inputs: &Inputs) -> Result<Placed, Vec<Problem>> {
        let names: Vec<OsString> = outputs(&rendered.files).filter_map(first_name).collect();
        let current = self.current();
        let mut placed = self.compared(&rendered.files, current.as_deref());
        placed.replaced |= is_there(&self.path.join(UNTOLD));
        self.check_names(&names)?;
        // What is begun is done or undone before a signal ends it.
        let _held = sys::hold_signals();
        if placed.changed > 0 {
            let set = self.make_set(rendered, inputs)?;
            let marked = if placed.replaced { self.mark() } else { Ok(()) };
            if let Err(error) = marked.and_then(|()| self.switch(&set)) {
                let failed = problem(&self.path.join(DATA), "replace", error);
                return Err([failed].into_iter().chain(self.remove(&set)).collect());
            }
            placed.left = self.remove_others(Some(&set));
        }
        self.link_names(&names)?;
        Ok(placed)
    }

    /// Whoever had read the former set was told.
    pub fn told(&self) {
        // A mark that remains is told of once more.
        let _ = fs::remove_file(self.path.join(UNTOLD));
    }

    fn mark(&self) -> io::Result<()> {
        File::create(self.path.join(UNTOLD)).map(drop)
    }

    /// The name of the set that counts.
    fn current(&self) -> Option<OsString> {
        let name = fs::read_link(self.path.join(DATA)).ok()?.into_os_string();
        is_set(&name).then_some(name)
    }

    fn compared(&self, files: &[RenderedFile], current: Option<&OsStr>) -> Placed {
        let mut placed = Placed { outputs: files.len(), ..Placed::default() };
        let set = current.map(|name| self.path.join(name));
        for file in files {
            let Some(output) = file.target.as_ref().and_then(Target::output) else { continue };
            let path = set.as_ref().map(|set| set.join(&output.path));
            if !path.as_ref().is_some_and(|path| stands(path, output, &file.contents)) {
                placed.changed += 1;
                placed.replaced |= path.is_some_and(|path| is_there(&path));
            }
        }
        // One that is no longer rendered is to go.
        let more = set.is_some_and(|set| count_files(&set) > files.len());
        if more {
            placed.changed = placed.changed.max(1);
        }
        placed
    }

    /// What stands under an output's name and is not this folder's own is not replaced.
    fn check_names(&self, names: &[OsString]) -> Result<(), Vec<Problem>> {
        let taken = names.iter().filter(|name| {
            let path = self.path.join(name);
            is_there(&path) && fs::read_link(&path).ok() != Some(through_data(name))
        });
        let taken: Vec<Problem> = taken.map(|name| somebody_elses(&self.path.join(name))).collect();
        if taken.is_empty() { Ok(()) } else { Err(taken) }
    }

    /// Writes all outputs to a new folder, which nothing leads to yet.
    fn make_set(&self, mut rendered: Rendered, inputs: &Inputs) -> Result<OsString, Vec<Problem>> {
        let name = set_name().map_err(|error| vec![problem(&self.path, "write", error)])?;
        let set = self.path.join(&name);
        let made = make_folder(&set).and_then(|()| {
            let mut folders = outputs(&rendered.files).filter_map(|output| output.path.parent());
            folders.try_for_each(|folder| make_below(&set, folder))
        });
        let staged = made.map_err(|error| vec![problem(&set, "make", error)]).and_then(|()| {
            for file in &mut rendered.files {
                if let Some(Target::Path(output)) = &mut file.target {
                    output.path = set.join(&output.path);
                }
            }
            place::stage(rendered, inputs)?.put()
        });
        match staged {
            Ok(_) => Ok(name),
            Err(problems) => Err(problems.into_iter().chain(self.remove(&name)).collect()),
        }
    }

    /// The one step in which everything changes.
    fn switch(&self, set: &OsStr) -> io::Result<()> {
        let next = self.path.join(DATA_NEXT);
        match fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(set, &next)?;
        let switched = fs::rename(&next, self.path.join(DATA));
        if switched.is_err() {
            // A link that leads nowhere, which the next one removes first.
            let _ = fs::remove_file(&next);
        }
        switched
    }

    /// Makes the names that are not there yet, and removes those that nothing stands behind.
    fn link_names(&self, names: &[OsString]) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for name in names {
            let path = self.path.join(name);
            match symlink(through_data(name), &path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    problems.push(problem(&path, "write", error));
                }
                _ => {}
            }
        }
        for name in self.names() {
            let path = self.path.join(&name);
            let is_own = fs::read_link(&path).is_ok_and(|to| to == through_data(&name));
            if is_own && !names.contains(&name) {
                problems.extend(fs::remove_file(&path).err().map(|e| problem(&path, "remove", e)));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Removes each set but one, and tells those that cannot be: they hold values.
    fn remove_others(&self, kept: Option<&OsStr>) -> Vec<Problem> {
        let sets = self.names().into_iter().filter(|name| is_set(name));
        sets.filter(|name| Some(name.as_os_str()) != kept)
            .filter_map(|name| self.remove(&name))
            .collect()
    }

    fn remove(&self, set: &OsStr) -> Option<Problem> {
        let path = self.path.join(set);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Some(problem(&path, "remove", error))
            }
            _ => None,
        }
    }

    fn names(&self) -> Vec<OsString> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        entries.flatten().map(|entry| entry.file_name()).collect()
    }
}

/// Opens it, and makes it where there is none. It stays: one that is removed could be locked by
/// two.
fn lock_file(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    // Another user's can be locked too, and a link or a pipe leads nowhere.
    let mut options = File::options();
    options.read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    match options.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match File::options().write(true).create_new(true).mode(LOCK_MODE).open(&path) {
        Ok(made) => made.set_permissions(Permissions::from_mode(LOCK_MODE))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // One that stays open for writing would keep the volume from becoming read-only.
    options.open(&path)
}

fn outputs(files: &[RenderedFile]) -> impl Iterator<Item = &Output> {
    files.iter().filter_map(|file| file.target.as_ref()?.output())
}

/// What an output is found by in the folder: its name, or the first of its folders.
fn first_name(output: &Output) -> Option<OsString> {
    output.path.components().next().map(|first| first.as_os_str().to_owned())
}

fn through_data(name: &OsStr) -> PathBuf {
    Path::new(DATA).join(name)
}

/// Two dots and a digit: nobody's file is called so, and hidden where Kubernetes' own are.
fn is_set(name: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(b"..").unwrap_or_default();
    rest.first().is_some_and(u8::is_ascii_digit) && !rest.contains(&b'/')
}

/// When it was made, and what no other has.
fn set_name() -> io::Result<OsString> {
    let random = u32::from_ne_bytes(sys::random()?);
    let now = Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S").to_string();
    Ok(OsString::from(format!("..{now}.{random:08x}")))
}

/// A new folder that all may enter, whatever the mask is.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
}

/// The folders on the way to one inside a set.
fn make_below(set: &Path, folder: &Path) -> io::Result<()> {
    let mut path = set.to_owned();
    for part in folder.components() {
        path.push(part);
        match make_folder(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn count_files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let count = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => count_files(&entry.path()),
        _ => 1,
    };
    entries.flatten().map(count).sum()
}

fn problem(path: &Path, doing: &'static str, error: io::Error) -> Problem {
    Problem::File { path: path.to_owned(), doing, error }
}

fn in_use(path: &Path) -> Problem {
    let what = format!(
        "another sidecar renders into `{}`; end it, or give each of them a folder of its own",
        path.display()
    );
    Problem::Command { exit: exit::INPUT_OUTPUT, what }
}

fn somebody_elses(path: &Path) -> Problem {
    let what = format!(
        "`{}` is no link that a sidecar made; remove it, or give the output another name",
        path.display()
    );
    Problem::Command { exit: exit::INPUT_OUTPUT, what }
}
