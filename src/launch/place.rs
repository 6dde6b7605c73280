//! Rendered values → sealed memory files. Nothing touches a disk.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};

use crate::launch::problem::Problem;
use crate::launch::render::{Rendered, RenderedVariable};
use crate::secret::Secret;

/// The environment as execve takes it, and the memory files that its paths lead to.
pub struct Placed {
    pub environment: Vec<Cow<'static, CStr>>,
    files: Vec<OwnedFd>,
}

/// Makes the memory files, and sets their variables.
pub fn place(rendered: Rendered) -> Result<Placed, Vec<Problem>> {
    let Rendered { variables, values } = rendered;
    let mut placed = Placed { environment: Vec::with_capacity(variables.len()), files: Vec::new() };
    for variable in variables {
        let entry = match variable {
            RenderedVariable::Entry(entry) => entry,
            RenderedVariable::AsFile { name, secret } => {
                let file =
                    sealed(values.get(secret)).map_err(|error| vec![problem(&name, error)])?;
                let path = format!("=/proc/self/fd/{}", file.as_raw_fd());
                placed.files.push(file);
                let entry = [name.as_slice(), path.as_bytes()].concat();
                Cow::Owned(CString::new(entry).expect("a variable's name was checked for NUL"))
            }
        };
        placed.environment.push(entry);
    }
    Ok(placed)
}

impl Placed {
    /// Lets the memory files pass execve. Until then no other program could have got them.
    pub fn hand_over(&self) -> Result<(), Errno> {
        for file in &self.files {
            fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    }
}

/// A memory file with these bytes that nobody can change, readable by its owner, at any time and
/// again and again (memfd_create(2), "File sealing").
fn sealed(value: &Secret) -> io::Result<OwnedFd> {
    // MFD_NOEXEC_SEAL (Linux 6.3): the file can never be executed. Older kernels refuse the flag.
    const MFD_NOEXEC_SEAL: MFdFlags = MFdFlags::from_bits_retain(0x0008);
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let made = match memfd_create(c"inject", flags | MFD_NOEXEC_SEAL) {
        Err(Errno::EINVAL) => memfd_create(c"inject", flags),
        made => made,
    };
    let mut file = File::from(made?);
    file.write_all(value.expose_secret())?;
    fchmod(&file, Mode::S_IRUSR)?;
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

fn problem(variable: &[u8], error: io::Error) -> Problem {
    let path = format!("memory file of {}", String::from_utf8_lossy(variable)).into();
    Problem::File { path, doing: "make", error }
}
