//! What does not outlive this process where a signal ends it at once: the command that it waits
//! for, the file that it has half written. The handler looks here; nothing is decided here.

use std::ffi::{CString, c_int};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::sys::signal::{self, SigHandler, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, unlink};

use super::{disposition, end, install, put};

/// What ends any other process, and what the kernel drops for process 1: images are stopped by such
/// a signal too (`STOPSIGNAL` of nginx and of PHP is SIGQUIT, of HAProxy SIGUSR1).
const OTHER_STOPS: [Signal; 4] =
    [Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];

/// The command as kill(2) takes it: less than 0 is its process group, 0 is none.
static GROUP: AtomicI32 = AtomicI32::new(0);
/// Whether one is just being started, and the signal that came to end this process; 0 is none.
static IS_SPAWNING: AtomicBool = AtomicBool::new(false);
static CAME: AtomicI32 = AtomicI32::new(0);
/// The file, and whether it is still unfinished. What a handler may be reading never changes.
static FILE: OnceLock<CString> = OnceLock::new();
static IS_UNFINISHED: AtomicBool = AtomicBool::new(false);

/// A command that ends if a signal ends this process, as long as this is kept.
#[derive(Debug)]
pub struct Group {
    target: i32,
    _signals: TerminalSignals,
    _awaited: Awaited,
}

/// A file that is removed if a signal ends this process, as long as this is kept.
#[derive(Debug)]
pub struct Unfinished {
    _signals: TerminalSignals,
}

/// SIGHUP and SIGQUIT, which end this process as SIGTERM does, as long as this is kept; but for
/// what is ignored, or is handled already.
#[derive(Debug)]
struct TerminalSignals([Option<Signal>; 2]);

/// An inherited ignore of SIGCHLD, set aside as long as this is kept: with it the system takes each
/// child away as it ends, and nobody learns how (wait(2)).
#[derive(Debug)]
struct Awaited {
    was_ignored: bool,
}

/// Whether this process may ask on a terminal: it has one, and is not in the background there.
pub fn is_in_foreground() -> bool {
    // Opened by this name, it never becomes the controlling terminal (tty(4)).
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

/// Starts a command. It leads a group of its own, which ends as a whole, unless it may ask on the
/// terminal: there a group of its own would be in the background, and be stopped as soon as it
/// reads. A process waits for one at a time.
pub fn spawn_group(command: &mut Command, may_ask: bool) -> io::Result<(Child, Group)> {
    let (signals, awaited) = (TerminalSignals::end(), Awaited::begin());
    // The child would inherit a mask; so the handler itself waits until it is known.
    IS_SPAWNING.store(true, Ordering::SeqCst);
    let spawned = if may_ask { command.spawn() } else { command.process_group(0).spawn() };
    let child = spawned.as_ref().map_or(0, |child| i32::try_from(child.id()).unwrap_or(0));
    let group = if may_ask { child } else { -child };
    GROUP.store(group, Ordering::SeqCst);
    IS_SPAWNING.store(false, Ordering::SeqCst);
    match CAME.load(Ordering::SeqCst) {
        0 => {}
        signal => end(signal),
    }
    Ok((spawned?, Group { target: group, _signals: signals, _awaited: awaited }))
}

/// Of the file at this path, from the root: the working directory may be another by then. A process
/// makes one; a second one would be left.
pub fn remove_at_end(path: &Path) -> io::Result<Unfinished> {
    let name = CString::new(std::path::absolute(path)?.as_os_str().as_bytes())?;
    let unfinished = Unfinished { _signals: TerminalSignals::end() };
    IS_UNFINISHED.store(FILE.set(name).is_ok(), Ordering::SeqCst);
    Ok(unfinished)
}

impl TerminalSignals {
    fn end() -> Self {
        Self([Signal::SIGHUP, Signal::SIGQUIT].map(|signal| {
            let is_free = disposition(signal) == libc::SIG_DFL;
            (is_free && install(signal, SigHandler::Handler(end))).then_some(signal)
        }))
    }
}

/// None but for process 1.
pub fn other_stops() -> impl Iterator<Item = Signal> {
    OTHER_STOPS.into_iter().filter(|_| std::process::id() == 1)
}

impl Drop for TerminalSignals {
    fn drop(&mut self) {
        for signal in self.0.into_iter().flatten() {
            install(signal, SigHandler::SigDfl);
        }
    }
}

impl Awaited {
    fn begin() -> Self {
        let was_ignored = disposition(Signal::SIGCHLD) == libc::SIG_IGN;
        Self { was_ignored: was_ignored && put(Signal::SIGCHLD, SigHandler::SigDfl) }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if self.was_ignored {
            put(Signal::SIGCHLD, SigHandler::SigIgn);
        }
    }
}

impl Group {
    /// Ends all of it now.
    pub fn kill(&self) {
        kill(self.target, Signal::SIGKILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Another one may have taken its place.
        let _ = GROUP.compare_exchange(self.target, 0, Ordering::SeqCst, Ordering::SeqCst);
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
    match GROUP.load(Ordering::SeqCst) {
        // Who asks on the terminal may have its echo to put back.
        child @ 1.. => kill(child, Signal::SIGTERM),
        group => kill(group, Signal::SIGKILL),
    }
    if IS_UNFINISHED.load(Ordering::SeqCst)
        && let Some(file) = FILE.get()
    {
        // Where it is gone already, nothing is left to do.
        let _ = unlink(file.as_c_str());
    }
    true
}

fn kill(target: i32, with: Signal) {
    // 0, 1 and -1 would be others than a child. One that has ended is no longer there.
    if target.unsigned_abs() > 1 {
        let _ = signal::kill(Pid::from_raw(target), with);
    }
}
