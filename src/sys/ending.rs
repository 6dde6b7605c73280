//! What does not outlive this process where a signal ends it at once: the command that it waits
//! for, the file that it has half written. The handler looks here; nothing is decided here.

use std::ffi::{CString, c_int};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, unlink};

use super::end;

/// The process group of a command; 0 is none.
static GROUP: AtomicI32 = AtomicI32::new(0);
/// Whether one is just being started, and the signal that came to end this process; 0 is none.
static IS_SPAWNING: AtomicBool = AtomicBool::new(false);
static CAME: AtomicI32 = AtomicI32::new(0);
/// The file, and whether it is still unfinished. What a handler may be reading never changes.
static FILE: OnceLock<CString> = OnceLock::new();
static IS_UNFINISHED: AtomicBool = AtomicBool::new(false);

/// A process group that is killed if a signal ends this process, as long as this is kept.
#[derive(Debug)]
pub struct Group(i32);

/// A file that is removed if a signal ends this process, as long as this is kept.
#[derive(Debug)]
pub struct Unfinished(());

/// Starts a command that leads a group of its own. A process waits for one at a time.
pub fn spawn_group(command: &mut Command) -> io::Result<(Child, Group)> {
    // The child would inherit a mask; so the handler itself waits until it is known.
    IS_SPAWNING.store(true, Ordering::SeqCst);
    let spawned = command.process_group(0).spawn();
    let group = spawned.as_ref().map_or(0, |child| i32::try_from(child.id()).unwrap_or(0));
    GROUP.store(group, Ordering::SeqCst);
    IS_SPAWNING.store(false, Ordering::SeqCst);
    match CAME.load(Ordering::SeqCst) {
        0 => {}
        signal => end(signal),
    }
    Ok((spawned?, Group(group)))
}

/// Of the file at this path, from the root: the working directory may be another by then. A process
/// makes one; a second one would be left.
pub fn remove_at_end(path: &Path) -> io::Result<Unfinished> {
    let name = CString::new(std::path::absolute(path)?.as_os_str().as_bytes())?;
    IS_UNFINISHED.store(FILE.set(name).is_ok(), Ordering::SeqCst);
    Ok(Unfinished(()))
}

impl Group {
    /// Ends all of it now.
    pub fn kill(&self) {
        kill(self.0);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Another one may have taken its place.
        let _ = GROUP.compare_exchange(self.0, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        IS_UNFINISHED.store(false, Ordering::SeqCst);
    }
}

/// A handler's part: kill(2) and unlink(2), which signal-safety(7) allows. Says whether this is the
/// end: where a command is just being started, that is for who starts it. In this order, either
/// one of the two sees what the other one stored.
pub(super) fn finish(signal: c_int) -> bool {
    CAME.store(signal, Ordering::SeqCst);
    if IS_SPAWNING.load(Ordering::SeqCst) {
        return false;
    }
    kill(GROUP.load(Ordering::SeqCst));
    if IS_UNFINISHED.load(Ordering::SeqCst)
        && let Some(file) = FILE.get()
    {
        // Where it is gone already, nothing is left to do.
        let _ = unlink(file.as_c_str());
    }
    true
}

fn kill(group: i32) {
    // 0 and -1 would be other groups than a child's. One that has ended is no longer there.
    if group > 1 {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}
