//! An output's folder, which is open from its check to the last rename: whatever is renamed or
//! linked meanwhile, all that is done is done in this folder. It decides nothing.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{
    AT_FDCWD, AtFlags, OFlag, RenameFlags, open, openat, readlinkat, renameat, renameat2,
};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, linkat, unlinkat};

use crate::launch::document::FileId;
use crate::{staging, sys};

/// The folder with a name for each descriptor of this process (proc(5)).
const DESCRIPTORS: &str = "/proc/self/fd";

/// Where the kernel shows its own state, open descriptors included: `/dev/stdout` leads there.
const PROC: &str = "/proc";

/// How many folders are asked for the one above them: a path has 4,096 bytes at most.
const DEPTH_MAX: usize = 4096;

#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    pub id: FileId,
    /// Why this process may make no files in it, where that is so.
    pub refuses: Option<Errno>,
    /// Whether it belongs to the kernel, which shows open descriptors there.
    pub is_proc: bool,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self> {
        let descriptor = open(path, opening(), Mode::empty())?;
        let id = id(&fstat(&descriptor)?);
        let is_proc =
            fstatfs(&descriptor).is_ok_and(|seen| seen.filesystem_type() == PROC_SUPER_MAGIC);
        let refuses = refusal(descriptor.as_fd());
        Ok(Self { descriptor, id, refuses, is_proc })
    }

    /// What has a name here: a link itself, not its end.
    pub fn look_at(&self, name: &OsStr) -> Result<FileStat> {
        fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// Whether a name is a link to an open descriptor.
    pub fn leads_to_proc(&self, name: &OsStr) -> bool {
        let target = readlinkat(&self.descriptor, name);
        target.is_ok_and(|target| Path::new(&target).starts_with(PROC))
    }

    pub fn is_mounted_on(&self, name: &OsStr) -> bool {
        let name = CString::new(name.as_bytes());
        name.is_ok_and(|name| sys::is_mounted_on(self.descriptor.as_fd(), &name))
    }

    /// Whether it is that folder or lies somewhere in it, asked from itself upward: no path could
    /// lead elsewhere meanwhile.
    pub fn lies_in(&self, that: FileId) -> Result<bool> {
        let mut here = self.id;
        let mut above: Option<OwnedFd> = None;
        for _ in 0..DEPTH_MAX {
            if here == that {
                return Ok(true);
            }
            let at = above.as_ref().unwrap_or(&self.descriptor);
            let next = openat(at, "..", opening(), Mode::empty())?;
            let next_id = id(&fstat(&next)?);
            // Nothing is above the root but itself.
            if next_id == here {
                return Ok(false);
            }
            (above, here) = (Some(next), next_id);
        }
        Ok(false)
    }

    /// Removes what a process that was killed left here of the files with these names.
    pub fn remove_left<'n>(&self, of: impl Iterator<Item = &'n OsStr> + Clone) {
        let path = format!("{DESCRIPTORS}/{}", self.descriptor.as_raw_fd());
        staging::remove_left(Path::new(&path), of);
    }

    /// A file with no name (open(2), `O_TMPFILE`); none where the file system has no such files, or
    /// nothing could give it a name later. Other faults show when one with a name is made.
    pub fn create_unnamed(&self) -> Option<File> {
        if !Path::new(DESCRIPTORS).exists() {
            return None;
        }
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        openat(&self.descriptor, ".", flags, own()).ok().map(File::from)
    }

    /// A new file, which nobody else can open.
    pub fn create(&self, name: &OsStr) -> Result<File> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        openat(&self.descriptor, name, flags, own()).map(File::from)
    }

    /// Gives a file that has none a name.
    pub fn link_unnamed(&self, file: &File, name: &OsStr) -> Result<()> {
        let from = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
        let flags = AtFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, from.as_str(), &self.descriptor, name, flags)
    }

    /// A second name for what has the first: for a link itself, not its end.
    pub fn link(&self, first: &OsStr, second: &OsStr) -> Result<()> {
        linkat(&self.descriptor, first, &self.descriptor, second, AtFlags::empty())
    }

    /// Two names change places in one step (rename(2)).
    pub fn exchange(&self, one: &OsStr, other: &OsStr) -> Result<()> {
        let flags = RenameFlags::RENAME_EXCHANGE;
        renameat2(&self.descriptor, one, &self.descriptor, other, flags)
    }

    /// Whether a filter of system calls forbids that, whatever the names are. The file system would
    /// only say that nothing has an empty one.
    pub fn is_forbidden_to_exchange(&self) -> bool {
        self.exchange(OsStr::new(""), OsStr::new("")) == Err(Errno::EPERM)
    }

    /// Renames to what nothing has yet.
    pub fn rename_to_new(&self, from: &OsStr, to: &OsStr) -> Result<()> {
        let flags = RenameFlags::RENAME_NOREPLACE;
        renameat2(&self.descriptor, from, &self.descriptor, to, flags)
    }

    /// Renames, and what had that name loses it.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> Result<()> {
        renameat(&self.descriptor, from, &self.descriptor, to)
    }

    pub fn remove(&self, name: &OsStr) -> Result<()> {
        unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir)
    }
}

pub fn id(file: &FileStat) -> FileId {
    FileId { device: file.st_dev, inode: file.st_ino }
}

/// It is neither read nor written itself, and may be neither readable nor writable.
fn opening() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

fn own() -> Mode {
    Mode::S_IRUSR | Mode::S_IWUSR
}

/// Why this process may not make files in a folder, where that is so.
fn refusal(folder: BorrowedFd<'_>) -> Option<Errno> {
    let asked = AccessFlags::W_OK | AccessFlags::X_OK;
    let errno = faccessat(folder, ".", asked, AtFlags::AT_EACCESS).err()?;
    // What cannot be asked shows when it is done.
    matches!(errno, Errno::EACCES | Errno::EROFS).then_some(errno)
}
