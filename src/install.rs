//! Copies this program to a path: beside its place first, whole and synced, then renamed. Who
//! starts it there gets the old one or the new one, and a copy that runs is not disturbed.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;

use crate::private_file::folder_of;
use crate::{staging, sys};

/// This program, whatever its path is by now (proc_pid_exe(5)).
const OWN: &str = "/proc/self/exe";
const NAME: &str = "inject";
/// Whoever may reach it may start it.
const MODE: u32 = 0o755;

/// What could not be done, and where.
#[derive(Debug)]
pub struct InstallError {
    pub path: PathBuf,
    pub doing: &'static str,
    pub error: io::Error,
}

/// Installs it at a path, or under its own name in a folder. Nothing half is left, also where a
/// signal ends it.
pub fn install(path: &Path) -> Result<(), InstallError> {
    let path = if path.is_dir() { path.join(NAME) } else { path.to_owned() };
    let failed = |doing| {
        let path = path.clone();
        move |error| InstallError { path, doing, error }
    };
    if path.is_dir() {
        return Err(failed("replace")(io::ErrorKind::IsADirectory.into()));
    }
    if is_special(&path) {
        let special = io::Error::other("it is a pipe, a socket or a device");
        return Err(failed("replace")(special));
    }
    let own = |error| InstallError { path: OWN.into(), doing: "read", error };
    let source = File::open(OWN).map_err(own)?;
    let length = source.metadata().map_err(own)?.len();
    staging::remove_left(folder_of(&path), path.file_name().into_iter());
    let staged = staging::beside(&path).map_err(failed("write"))?;
    let _unfinished = sys::remove_at_end(&staged).map_err(failed("write"))?;
    let put = stage(&source, length, &staged)
        .map_err(failed("write"))
        .and_then(|_held| fs::rename(&staged, &path).map_err(failed("replace")));
    if put.is_err() {
        // Where it was never made, nothing is to be removed.
        let _ = fs::remove_file(&staged);
    }
    put?;
    let synced = File::open(folder_of(&path)).and_then(|folder| folder.sync_all());
    synced.map_err(failed("sync the folder of"))
}

/// Whether it is no file that could be another one. A link is replaced and never followed, but
/// nobody means one that stands for an open descriptor, as `/dev/stdout` does.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| !there.is_file())
        || path.read_link().is_ok_and(|to| to.starts_with("/proc"))
}

/// Makes the file under its staged name, and holds it. Until it is whole it has none, where the
/// system can do that: then a process that is killed leaves nothing of it.
fn stage(source: &File, length: u64, staged: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o700);
    let unnamed = options.clone().custom_flags(OFlag::O_TMPFILE.bits()).open(folder_of(staged));
    if let Ok(file) = unnamed {
        let own = own_path(&file);
        let held = held(&own)?;
        fill(source, &file, length)?;
        if linkat(AT_FDCWD, &own, AT_FDCWD, staged, AtFlags::AT_SYMLINK_FOLLOW).is_ok() {
            return Ok(held);
        }
    }
    let file = options.create_new(true).open(staged)?;
    let held = held(staged)?;
    fill(source, &file, length)?;
    Ok(held)
}

/// What holds it is open for reading alone: what is open for writing cannot be started.
fn held(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    staging::hold(&file);
    Ok(file)
}

/// A file that has no name yet is reached, and gets one, by this (open(2), `O_TMPFILE`).
fn own_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// The whole of it, or an error: a copy that is short would be started all the same.
fn fill(mut source: &File, mut file: &File, length: u64) -> io::Result<()> {
    source.rewind()?;
    let copied = io::copy(&mut source, &mut file)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()?;
    match copied == length && file.metadata()?.len() == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
