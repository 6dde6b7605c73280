//! One file, staged in the folder of its place and renamed onto it. A symlink is replaced and never
//! followed; what is staged never remains.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::PathBuf;

use nix::errno::Errno;

use crate::launch::document::{FileId, Output};
use crate::launch::place::path::check::{Place, kind_fault};
use crate::launch::place::path::folder::{Folder, id};
use crate::launch::problem::{OutputFault, Problem};
use crate::secret::Secret;
use crate::staging;

/// How often another name is tried where one is taken.
const NAMES_MAX: usize = 8;

/// How often a rename is tried while what stands at the place comes and goes.
const RENAMES_MAX: usize = 8;

/// A file that is complete but for its name; dropping it removes it.
pub struct Staged {
    place: Place,
    /// Open while it has no name at all, so that it goes with the process however that ends.
    unnamed: Option<File>,
    /// Says, once it has a name, that somebody works on it.
    held: Option<File>,
    /// By this it is known again in its place.
    id: Option<FileId>,
    /// Its name beside its place, where it has one; after an exchange, that of what it replaced.
    beside: Option<OsString>,
    /// A second name of what it replaces.
    kept: Option<OsString>,
    replaced: Replaced,
}

/// What stood at the place before.
enum Replaced {
    /// Nothing was put there yet.
    NotYet,
    Nothing,
    /// It stands at the staged file's name now.
    Exchanged,
    /// It has a second name.
    Kept,
    /// It is gone: the file system can neither exchange two names nor give a file a second one.
    Gone,
}

impl Staged {
    pub fn new(place: Place) -> Self {
        Self {
            place,
            unnamed: None,
            held: None,
            id: None,
            beside: None,
            kept: None,
            replaced: Replaced::NotYet,
        }
    }

    /// Makes the file, whole.
    pub fn write(&mut self, contents: &Secret) -> Result<(), Problem> {
        let unnamed = self.place.folder.create_unnamed();
        let is_unnamed = unnamed.is_some();
        let mut made = match unnamed {
            Some(made) => {
                staging::hold(&made);
                made
            }
            None => self.create_beside()?,
        };
        let written = made.write_all(contents.expose_secret());
        written.map_err(|error| self.problem("write", error))?;
        self.complete(&made)?;
        if is_unnamed {
            self.unnamed = Some(made);
            return Ok(());
        }
        self.close(made)
    }

    /// Gives it its group, its mode and then its owner: at no time can anyone read it who cannot in
    /// the end, and a mode is set before the file is another user's, whom only some may overrule.
    fn complete(&mut self, made: &File) -> Result<(), Problem> {
        let Output { mode, uid, gid, .. } = self.place.output;
        if gid.is_some() {
            fchown(made, None, gid).map_err(|error| self.problem("set the group of", error))?;
        }
        made.set_permissions(fs::Permissions::from_mode(mode))
            .map_err(|error| self.problem("set the mode of", error))?;
        if uid.is_some() {
            fchown(made, uid, None).map_err(|error| self.problem("set the owner of", error))?;
        }
        let seen = made.metadata().map_err(|error| self.problem("write", error))?;
        self.id = Some(FileId::of(&seen));
        Ok(())
    }

    /// Gives the file a name beside its place, where it has none yet.
    pub fn link(&mut self) -> Result<(), Problem> {
        let Some(file) = self.unnamed.take() else { return Ok(()) };
        match with_new_name(&self.place, |folder, beside| folder.link_unnamed(&file, beside)) {
            Ok(((), beside)) => self.beside = Some(beside),
            Err(Errno::EPERM | Errno::EACCES | Errno::ENOENT | Errno::ENOSYS) => {
                self.copy_beside(&file)?;
            }
            Err(errno) => return Err(self.problem("write", errno.into())),
        }
        self.close(file)
    }

    /// The same for where no link is allowed: a filter of system calls forbids it, or the file is
    /// another user's by now ("protected_hardlinks" in proc(5)).
    fn copy_beside(&mut self, mut unnamed: &File) -> Result<(), Problem> {
        let mut made = self.create_beside()?;
        let copied = unnamed.rewind().and_then(|()| io::copy(&mut unnamed, &mut made));
        copied.map_err(|error| self.problem("write", error))?;
        self.complete(&made)?;
        self.close(made)
    }

    fn create_beside(&mut self) -> Result<File, Problem> {
        let made = with_new_name(&self.place, |folder, beside| {
            let made = folder.create(beside)?;
            let is_held = staging::hold(&made) && folder.look_at(beside).is_ok();
            if is_held { Ok(made) } else { Err(Errno::EEXIST) }
        });
        let (made, beside) = made.map_err(|errno| self.problem("write", errno.into()))?;
        self.beside = Some(beside);
        Ok(made)
    }

    /// A quota or a full disk of another machine may show only now. It stays held.
    fn close(&mut self, file: File) -> Result<(), Problem> {
        self.held = file.try_clone().ok();
        nix::unistd::close(file).map_err(|errno| self.problem("write", errno.into()))
    }

    /// Puts the file in its place, and keeps what it replaces until all others are in theirs. Where
    /// that fails, [`Staged::undo`] undoes what was done of it.
    pub fn rename(&mut self) -> Result<(), Problem> {
        let folder = &*self.place.folder;
        let (from, to) = (self.beside(), self.place.name());
        let mut failed = Errno::EEXIST;
        for _ in 0..RENAMES_MAX {
            failed = match folder.exchange(from, to) {
                Ok(()) => {
                    self.replaced = Replaced::Exchanged;
                    return self.look_at_replaced();
                }
                // Not a plain rename: what is put there meanwhile would be lost unseen.
                Err(Errno::ENOENT) => match folder.rename_to_new(from, to) {
                    Ok(()) => {
                        (self.replaced, self.beside) = (Replaced::Nothing, None);
                        return Ok(());
                    }
                    Err(Errno::EEXIST) => continue,
                    Err(errno) => errno,
                },
                Err(errno) => errno,
            };
            break;
        }
        match failed {
            Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP => self.rename_plainly(),
            Errno::EPERM if folder.is_forbidden_to_exchange() => self.rename_plainly(),
            errno => Err(self.problem("replace", errno.into())),
        }
    }

    /// What came back may not be what was seen when the place was checked.
    fn look_at_replaced(&self) -> Result<(), Problem> {
        match self.place.folder.look_at(self.beside()) {
            Ok(file) => kind_fault(&file).map_or(Ok(()), |why| Err(self.fault(why))),
            // Another launch took it for left: nobody holds what was there before.
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.problem("replace", errno.into())),
        }
    }

    /// For a file system, or a filter of system calls, that lets no names be exchanged.
    fn rename_plainly(&mut self) -> Result<(), Problem> {
        let (from, to) = (self.beside().to_owned(), self.place.name().to_owned());
        // The last moment to look: what is replaced now is seen no more.
        let there = self.place.folder.look_at(&to).ok();
        if let Some(why) = there.as_ref().and_then(kind_fault) {
            return Err(self.fault(why));
        }
        let replaced = self.keep();
        if let Err(errno) = self.place.folder.rename(&from, &to) {
            return Err(self.problem("replace", errno.into()));
        }
        (self.replaced, self.beside) = (replaced, None);
        Ok(())
    }

    /// Gives what stands at the place a second name, as far as that can be.
    fn keep(&mut self) -> Replaced {
        let link = |folder: &Folder, kept: &OsStr| folder.link(self.place.name(), kept);
        match with_new_name(&self.place, link) {
            Ok(((), kept)) => {
                self.kept = Some(kept);
                Replaced::Kept
            }
            Err(Errno::ENOENT) => Replaced::Nothing,
            Err(_) => Replaced::Gone,
        }
    }

    /// Puts back what stood at the place. Where that fails, it is left under the name that is told.
    /// What another launch has put there meanwhile is newer, and stays.
    pub fn undo(&mut self) -> Result<(), Problem> {
        let replaced = std::mem::replace(&mut self.replaced, Replaced::NotYet);
        if matches!(replaced, Replaced::NotYet) || !self.stands() {
            return Ok(());
        }
        let (folder, place) = (&*self.place.folder, self.place.name());
        let (name, doing, undone) = match replaced {
            Replaced::NotYet => return Ok(()),
            Replaced::Nothing => (None, "remove", folder.remove(place)),
            Replaced::Gone => (None, "put back", Err(Errno::EOPNOTSUPP)),
            Replaced::Kept => {
                let kept = self.kept.take().unwrap_or_default();
                let undone = folder.rename(&kept, place);
                (Some(kept), "put back", undone)
            }
            Replaced::Exchanged => {
                let beside = self.beside.take().unwrap_or_default();
                let undone = folder.exchange(&beside, place);
                if undone.is_ok() {
                    self.beside = Some(beside.clone());
                }
                (Some(beside), "put back", undone)
            }
        };
        undone.map_err(|errno| {
            let path = self.path(name.as_deref().unwrap_or(place));
            Problem::File { path, doing, error: errno.into() }
        })
    }

    /// Whether it is still this file that stands at the place. Where that cannot be told, what is
    /// done next tells why.
    fn stands(&self) -> bool {
        match self.place.folder.look_at(self.place.name()) {
            Ok(file) => Some(id(&file)) == self.id,
            Err(errno) => errno != Errno::ENOENT,
        }
    }

    /// Removes every name but that of the place, and tells those that cannot be.
    pub fn discard(&mut self) -> Vec<Problem> {
        let names: Vec<OsString> = self.beside.take().into_iter().chain(self.kept.take()).collect();
        let remove = |name: OsString| match self.place.folder.remove(&name) {
            Ok(()) | Err(Errno::ENOENT) => None,
            Err(errno) => {
                let path = self.path(&name);
                Some(Problem::File { path, doing: "remove", error: errno.into() })
            }
        };
        names.into_iter().filter_map(remove).collect()
    }

    fn beside(&self) -> &OsStr {
        self.beside.as_deref().expect("it was linked before it is renamed")
    }

    /// Another name in the same folder, as the user knows that.
    fn path(&self, name: &OsStr) -> PathBuf {
        self.place.output.path.with_file_name(name)
    }

    fn fault(&self, why: OutputFault) -> Problem {
        Problem::Output { path: self.place.output.path.clone(), why }
    }

    fn problem(&self, doing: &'static str, error: io::Error) -> Problem {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EBUSY) => self.fault(OutputFault::Mounted),
            _ => Problem::File { path: self.place.output.path.clone(), doing, error },
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Where this matters, it was done before, and told.
        self.discard();
    }
}

/// Makes something under a name in the place's folder that nothing has yet.
fn with_new_name<T>(
    place: &Place,
    make: impl Fn(&Folder, &OsStr) -> nix::Result<T>,
) -> nix::Result<(T, OsString)> {
    let mut taken = Errno::EEXIST;
    for _ in 0..NAMES_MAX {
        let beside = staging::name(place.name());
        let beside = beside.map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?;
        match make(&place.folder, &beside) {
            Ok(made) => return Ok((made, beside)),
            Err(Errno::EEXIST) => taken = Errno::EEXIST,
            Err(errno) => return Err(errno),
        }
    }
    Err(taken)
}
