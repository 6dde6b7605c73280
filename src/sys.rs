//! What the operating system gives and takes: the entry point, signals, descriptors, memory,
//! execve. The only file with unsafe code; it decides nothing and knows no secret's name.
#![allow(unsafe_code)]

mod ending;
mod holding;
pub mod serving;
mod stream;

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction,
};
use nix::sys::stat::Mode;

pub use ending::{Group, Unfinished, is_in_foreground, remove_at_end, spawn_group};
pub use holding::{HeldSignals, hold_signals};
pub use stream::Stream;

/// What the kernel handed over: it lies below the stack and outlives everything.
#[derive(Debug)]
pub struct Process {
    pub arguments: Vec<&'static CStr>,
    /// Every entry as it came, in order; entries without `=` and doubled ones included.
    pub environment: Vec<&'static CStr>,
}

/// Defines the C entry point. With `#![no_main]`, Rust's own start-up does not run, which would
/// open descriptors 0–2 and ignore SIGPIPE before anyone could see what was inherited.
#[macro_export]
macro_rules! entry_point {
    ($start:path) => {
        /// # Safety
        /// Called by the C runtime alone, with the arguments of C's `main`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            count: ::std::ffi::c_int,
            arguments: *const *const ::std::ffi::c_char,
            environment: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: these are the three arguments with which the C runtime calls `main`.
            let process = unsafe { $crate::sys::Process::new(count, arguments, environment) };
            $start(process)
        }
    };
}

impl Process {
    /// # Safety
    /// The arguments must be those of C's `main`: arrays of pointers to strings that end in NUL and
    /// live as long as the process, `arguments` with `count` of them, `environment` ended by null.
    pub unsafe fn new(
        count: c_int,
        arguments: *const *const c_char,
        environment: *const *const c_char,
    ) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: by the contract above, the first `count` pointers are strings.
        let arguments = (0..count).map(|i| unsafe { CStr::from_ptr(*arguments.add(i)) }).collect();
        let mut entries = Vec::with_capacity(64);
        let mut next = environment;
        // SAFETY: by the contract above, the array ends in a null pointer, and is not read past it.
        while !next.is_null() && unsafe { !(*next).is_null() } {
            entries.push(unsafe { CStr::from_ptr(*next) });
            next = unsafe { next.add(1) };
        }
        Self { arguments, environment: entries }
    }
}

/// Occupies those of descriptors 0–2 that are closed, so that no file of our own gets their number.
/// What stands there can neither be read nor written, and is closed again by execve.
pub fn occupy_standard_descriptors() {
    for descriptor in 0..=2 {
        // SAFETY: F_GETFD on a number is harmless; the borrow ends with the call.
        let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
        if fcntl(borrowed, FcntlArg::F_GETFD) != Err(Errno::EBADF) {
            continue;
        }
        // The lowest closed number is given, and all below `descriptor` are open.
        if let Ok(opened) = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) {
            std::mem::forget(opened);
        }
    }
}

/// The signal mask as it was inherited. Dispositions need no such care: a handler that is installed
/// over the default becomes the default again in execve, and an inherited ignore is left alone.
#[derive(Debug)]
pub struct Inherited {
    mask: Option<SigSet>,
}

/// From here on SIGTERM and SIGINT end the process at once, with 128+n: as process 1 too, where the
/// kernel drops a signal that has no handler, and inside a blocking name look-up. A broken pipe,
/// or a file that would be too large for this process, is an error of the write and no signal.
pub fn end_at_signals() -> Inherited {
    install(Signal::SIGPIPE, SigHandler::Handler(nothing));
    install(Signal::SIGXFSZ, SigHandler::Handler(nothing));
    let mut unblocked = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT].into_iter().chain(ending::other_stops()) {
        if install(signal, SigHandler::Handler(end)) {
            unblocked.add(signal);
        }
    }
    let mut mask = SigSet::empty();
    let changed =
        pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&unblocked), Some(&mut mask)).is_ok();
    Inherited { mask: changed.then_some(mask) }
}

impl Inherited {
    /// Puts the inherited mask back, as the last step before execve.
    pub fn restore(self) {
        if let Some(mask) = self.mask {
            // It was this thread's mask before; setting it again has no way to fail.
            let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&mask), None);
        }
    }
}

/// Installs a handler, unless the signal is ignored. Says whether it did.
fn install(signal: Signal, handler: SigHandler) -> bool {
    disposition(signal) != libc::SIG_IGN && put(signal, handler)
}

/// The same, whatever there was.
fn put(signal: Signal, handler: SigHandler) -> bool {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers here and in `serving` call nothing but what is async-signal-safe.
    unsafe { sigaction(signal, &action) }.is_ok()
}

fn disposition(signal: Signal) -> libc::sighandler_t {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action the call only fills in the old one, for which all zeros is valid.
    unsafe {
        libc::sigaction(signal as c_int, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    }
}

extern "C" fn nothing(_signal: c_int) {}

extern "C" fn end(signal: c_int) {
    if ending::finish(signal) {
        // SAFETY: `_exit` is async-signal-safe, and runs nothing of this process any more.
        unsafe { libc::_exit(128 + signal) }
    }
}

/// Whether this number is a descriptor that is open.
pub fn is_open(number: RawFd) -> bool {
    // SAFETY: F_GETFD on a number is harmless; the borrow ends with the call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_GETFD).is_ok()
}

/// The first number that no descriptor of this process may have.
pub fn descriptor_limit() -> u64 {
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    limit.map_or(u64::MAX, |(soft, _)| soft)
}

/// The same file at this number, which must not be open: it is this call's to give away.
pub fn duplicate_to(file: &OwnedFd, number: RawFd) -> io::Result<OwnedFd> {
    if is_open(number) {
        return Err(Errno::EBUSY.into());
    }
    // SAFETY: the number is not open, so that the descriptor made here has no other owner.
    unsafe {
        if libc::dup3(file.as_raw_fd(), number, libc::O_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}

/// Whether something is mounted on exactly this name in a folder, which is followed through no link
/// (statx(2)). Before Linux 5.8 the kernel does not say.
pub fn is_mounted_on(folder: BorrowedFd<'_>, name: &CStr) -> bool {
    let mut seen = std::mem::MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    // SAFETY: the name ends in NUL, and the call fills in the structure, for which all zeros, which
    // stay where it fails, is valid.
    let seen = unsafe {
        libc::statx(folder.as_raw_fd(), name.as_ptr(), flags, 0, seen.as_mut_ptr());
        seen.assume_init()
    };
    seen.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0
}

/// Bytes from the kernel (getrandom(2)). No file is opened for them: no `/dev` is needed, and no
/// descriptor stays.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let rest = &mut bytes[filled..];
        // SAFETY: the kernel writes to these bytes, and to no more of them than there are.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => filled += got,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(bytes)
}

/// From here on the process holds values: no core, no tracing by its own user, and what is freed
/// is wiped first. Execve ends both.
pub fn hold_values() {
    HOLDS_VALUES.store(true, Ordering::Relaxed);
    // SAFETY: PR_SET_DUMPABLE takes one integer and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

static HOLDS_VALUES: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which wipes what is freed once the process holds values: buffers of
/// libraries, such as an HTTP connection's, are then wiped like our own.
#[derive(Debug)]
pub struct Wiping;

// SAFETY: every call goes to the system's allocator with the layout it came with; wiping writes
// only to the block that is about to be freed, which is `layout.size()` bytes long.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if HOLDS_VALUES.load(Ordering::Relaxed) {
            unsafe { wipe(block, layout.size()) };
        }
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !HOLDS_VALUES.load(Ordering::Relaxed) {
            return unsafe { System.realloc(block, layout, size) };
        }
        // The system might move the block and free the old one unwiped.
        let grown = Layout::from_size_align(size, layout.align());
        let moved = grown.map_or(std::ptr::null_mut(), |grown| unsafe { System.alloc(grown) });
        if !moved.is_null() {
            unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// # Safety
/// `block` must be valid for writes of `size` bytes.
unsafe fn wipe(block: *mut u8, size: usize) {
    // SAFETY: by the contract above. The empty assembly "reads" the block, so that the write is not
    // dropped as one to memory that is freed next.
    unsafe {
        std::ptr::write_bytes(block, 0, size);
        std::arch::asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags));
    }
    compiler_fence(Ordering::SeqCst);
}

/// Asks for large pages under a large buffer that is about to be written: else every 4 KiB of it is
/// a fault of its own, which takes longer than the copy. Only advice; nothing depends on it.
pub fn expect_large(buffer: &mut Vec<u8>) {
    const LARGE_BYTES_MIN: usize = 4 << 20;
    const PAGE_BYTES: usize = 4096;
    let spare = buffer.spare_capacity_mut();
    let first = spare.as_mut_ptr().addr().next_multiple_of(PAGE_BYTES) - spare.as_ptr().addr();
    if spare.len() < LARGE_BYTES_MIN {
        return;
    }
    let whole = &mut spare[first..];
    // SAFETY: the range is this buffer's own, begins at a page, and MADV_HUGEPAGE changes no
    // content.
    unsafe { libc::madvise(whole.as_mut_ptr().cast(), whole.len(), libc::MADV_HUGEPAGE) };
}

/// Lets go of the pages of this program's own code and constants, for who has long to wait now:
/// what is wanted again comes back from the file, and the rest was for the beginning only.
pub fn rest() {
    const PAGE_BYTES: usize = 4096;
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    let start = (&raw const __executable_start).addr().next_multiple_of(PAGE_BYTES);
    let end = (&raw const etext).addr() / PAGE_BYTES * PAGE_BYTES;
    let first = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the linker puts nothing but constants and code between these two, mapped from the
    // file and never written: dropped pages are read from there again (madvise(2)).
    unsafe { libc::madvise(first, end.saturating_sub(start), libc::MADV_DONTNEED) };
}

/// Gives every page that is free back to the system (malloc_trim(3)). The C library by itself gives
/// back only what is free at the end of its heaps, which one small block keeps. It takes a third of
/// a millisecond for each megabyte, in which others may wait for memory.
pub fn give_back_memory() {
    // Other C libraries keep little, and have no such call.
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes one integer, and locks what it works on as any allocation does.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Becomes the program, or says why not.
pub fn execve(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Errno {
    match nix::unistd::execve(path, arguments, environment) {
        Err(errno) => errno,
        Ok(never) => match never as Infallible {},
    }
}

/// The kernel's limit on arguments and environment together, in bytes, and on one string of them:
/// `fs/exec.c` takes a quarter of the stack's limit, at most 6 MiB, at least 128 KiB.
pub fn argument_bytes_max() -> (usize, usize) {
    const STRING_BYTES_MAX: usize = 32 * 4096;
    let stack = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_STACK);
    let quarter = stack.map_or(u64::MAX, |(soft, _)| soft) / 4;
    let all = quarter.clamp(STRING_BYTES_MAX as u64, 6 * 1024 * 1024);
    (usize::try_from(all).unwrap_or(usize::MAX), STRING_BYTES_MAX)
}

pub fn stdout() -> Stream {
    // SAFETY: the number is never closed by this process: what stands there stays until execve.
    Stream::new(unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) })
}

pub fn stderr() -> Stream {
    // SAFETY: as for standard output.
    Stream::new(unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) })
}

/// Standard input, to be read to its end. Unlike Rust's own, one that is closed is not empty.
pub fn stdin() -> io::Result<File> {
    // SAFETY: as for standard output; the borrow ends when it is duplicated.
    let stdin = unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) };
    Ok(File::from(stdin.try_clone_to_owned()?))
}

/// Has the C library look up names of hosts in `/etc/hosts` and by DNS, both of which it has in
/// itself. For what else `/etc/nsswitch.conf` may name it would load shared libraries into this
/// static program, from wherever `LD_LIBRARY_PATH` says, and another C library with them.
pub fn look_up_without_libraries() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
        }
        // SAFETY: both are strings that end in NUL, and are only read (nss.h of glibc). Where it
        // has no memory for it, a look-up has none either.
        unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
    }
}

/// How many bytes are to be there before a socket counts as readable: SO_RCVLOWAT (socket(7)).
pub fn set_low_water(socket: impl AsFd, bytes: usize) -> io::Result<()> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    let (socket, length) = (socket.as_fd().as_raw_fd(), size_of::<c_int>() as libc::socklen_t);
    let (level, name, value) = (libc::SOL_SOCKET, libc::SO_RCVLOWAT, (&raw const bytes).cast());
    // SAFETY: the option's value is this integer, which outlives the call.
    Errno::result(unsafe { libc::setsockopt(socket, level, name, value, length) })?;
    Ok(())
}

/// How many columns the terminal behind a stream has, where there is one (tty_ioctl(4)).
pub fn terminal_columns(stream: Stream) -> Option<u16> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills in the structure that it is given, or fails and leaves it.
    let done = unsafe { libc::ioctl(stream.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (done == 0).then_some(size.ws_col)
}
