//! What a server asks of the operating system: signals that can be waited for, descriptors enough,
//! the clock that systemd reads, its own size. It has no unsafe code, and decides nothing.

use std::ffi::c_int;
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::time::{ClockId, clock_gettime};

use super::ending::other_stops;
use super::{end, install};

/// What a server is told from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// SIGTERM or SIGINT. The next of them ends the process at once, with 128+n.
    End,
    /// SIGHUP.
    Reload,
}

/// The signals, in the order in which they came.
pub struct Signals(PipeReader);

static WRITER: OnceLock<PipeWriter> = OnceLock::new();
static ENDS: AtomicBool = AtomicBool::new(false);

/// From here on SIGTERM, SIGINT and SIGHUP are told by [`Signals::wait`], but for those that are
/// ignored, which stay so; of process 1, what else an image may be stopped by too, as SIGTERM is.
/// Once in a process; threads that are there already may keep theirs blocked, this one does not.
pub fn watch_signals() -> io::Result<Signals> {
    let (reader, writer) = io::pipe()?;
    // A handler must not wait, whatever else is in the pipe.
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    WRITER.set(writer).map_err(|_| io::ErrorKind::AlreadyExists)?;
    let mut unblocked = SigSet::empty();
    let ends = [Signal::SIGTERM, Signal::SIGINT].into_iter().chain(other_stops());
    for signal in ends.chain([Signal::SIGHUP]) {
        if install(signal, SigHandler::Handler(tell)) {
            unblocked.add(signal);
        }
    }
    pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&unblocked), None)?;
    Ok(Signals(reader))
}

impl Signals {
    /// Waits for the next.
    pub fn wait(&mut self) -> io::Result<Told> {
        let mut signal = [0];
        self.0.read_exact(&mut signal)?;
        Ok(if c_int::from(signal[0]) == Signal::SIGHUP as c_int { Told::Reload } else { Told::End })
    }
}

impl Signals {
    /// The same, but for when there is something to read from another end, be it that it is closed.
    pub fn wait_unless(&mut self, other: impl AsFd) -> io::Result<Option<Told>> {
        loop {
            let mut both = [
                PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
                PollFd::new(other.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut both, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                ready => ready?,
            };
            let [told, over] = both.map(|one| one.any().unwrap_or(false));
            match (told, over) {
                (true, _) => return self.wait().map(Some),
                (false, true) => return Ok(None),
                (false, false) => {}
            }
        }
    }
}

/// A handler: a write and `_exit` are all that it does, which signal-safety(7) allows.
extern "C" fn tell(signal: c_int) {
    if signal != Signal::SIGHUP as c_int && ENDS.swap(true, Ordering::Relaxed) {
        end(signal);
    }
    let interrupted = Errno::last_raw();
    if let (Some(writer), Ok(byte)) = (WRITER.get(), u8::try_from(signal)) {
        // A full pipe holds signals enough already.
        let _ = nix::unistd::write(writer, &[byte]);
    }
    Errno::set_raw(interrupted);
}

/// Whether a read would find something, be it the end.
pub fn is_readable(file: impl AsFd) -> io::Result<bool> {
    is_readable_within(file, Duration::ZERO)
}

/// The same, after a wait for so long at most; it may be shorter.
pub fn is_readable_within(file: impl AsFd, wait_max: Duration) -> io::Result<bool> {
    let mut one = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    let wait_max = PollTimeout::try_from(wait_max).unwrap_or(PollTimeout::MAX);
    match poll(&mut one, wait_max) {
        Err(Errno::EINTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}

/// Lets this process have as many open descriptors as it may ask for, and says how many that is.
pub fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// CLOCK_MONOTONIC in microseconds, as systemd compares it (sd_notify(3)).
pub fn monotonic_microseconds() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC);
    let seconds = now.map_or(0, |now| u64::try_from(now.tv_sec()).unwrap_or(0));
    let nanoseconds = now.map_or(0, |now| u64::try_from(now.tv_nsec()).unwrap_or(0));
    seconds * 1_000_000 + nanoseconds / 1000
}

/// The bytes of this process that are in memory (proc_pid_status(5)), where the system says so.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The machine's name, as it is known to the kernel (uname(2)).
pub fn host_name() -> Option<String> {
    let name = nix::sys::utsname::uname().ok()?.nodename().to_str()?.to_owned();
    (!name.is_empty()).then_some(name)
}
