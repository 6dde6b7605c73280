//! Standard output and standard error as they were inherited. It has no unsafe code, and decides
//! nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Standard output or standard error, unbuffered. Unlike Rust's own, it tells when it is closed,
/// and needs no flush at the end of a process that never ran Rust's start-up.
#[derive(Clone, Copy, Debug)]
pub struct Stream(BorrowedFd<'static>);

impl Stream {
    pub(super) fn new(descriptor: BorrowedFd<'static>) -> Self {
        Self(descriptor)
    }
}

impl io::Write for Stream {
    /// Waits for room, also where somebody who shares the stream has made it non-blocking.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match nix::unistd::write(self.0, bytes) {
                Err(Errno::EAGAIN) => {
                    let mut one = [PollFd::new(self.0, PollFlags::POLLOUT)];
                    // Whatever ends the wait, the next write says how it is.
                    let _ = poll(&mut one, PollTimeout::NONE);
                }
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}
