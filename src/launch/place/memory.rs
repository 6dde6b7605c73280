//! Sealed memory files: nothing touches a disk, and nobody can change them.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};

use crate::launch::problem::Problem;
use crate::secret::Secret;
use crate::sys;

/// A memory file with these bytes that nobody can change, readable by its owner, at any time and
/// again and again (memfd_create(2), "File sealing").
pub fn sealed(contents: &Secret) -> io::Result<OwnedFd> {
    // MFD_NOEXEC_SEAL (Linux 6.3): the file can never be executed. Older kernels refuse the flag.
    const MFD_NOEXEC_SEAL: MFdFlags = MFdFlags::from_bits_retain(0x0008);
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let made = match memfd_create(c"inject", flags | MFD_NOEXEC_SEAL) {
        Err(Errno::EINVAL) => memfd_create(c"inject", flags),
        made => made,
    };
    let mut file = File::from(made?);
    file.write_all(contents.expose_secret())?;
    // A program that is given the descriptor itself, not its path, reads on from here.
    file.rewind()?;
    fchmod(&file, Mode::S_IRUSR)?;
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// The same file at this number, which nothing else has.
pub fn move_to(file: OwnedFd, number: RawFd) -> io::Result<OwnedFd> {
    if file.as_raw_fd() == number {
        return Ok(file);
    }
    sys::duplicate_to(&file, number)
}

pub fn problem(what: &str, error: io::Error) -> Problem {
    Problem::File { path: format!("memory file of {what}").into(), doing: "make", error }
}
