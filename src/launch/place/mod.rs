//! Rendered files → paths or sealed memory files. All are staged and checked before the first is
//! put in its place; from then on nothing is expected to fail, and what does is undone.

mod memory;
mod path;

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::launch::document::Target;
use crate::launch::place::path::StagedFiles;
use crate::launch::problem::Problem;
use crate::launch::render::{Rendered, RenderedFile, RenderedVariable};
use crate::secret::Secret;
use crate::sys;

pub use self::path::{Inputs, faults};

/// Everything is made, and no path shows anything of it yet.
pub struct Staged {
    pub environment: Vec<Cow<'static, CStr>>,
    memory: Vec<OwnedFd>,
    files: StagedFiles,
    /// Let come when no staged file is left: fields are dropped in their order.
    held: Option<sys::HeldSignals>,
}

/// The environment as execve takes it, and the memory files that its paths lead to.
pub struct Placed {
    pub environment: Vec<Cow<'static, CStr>>,
    memory: Vec<OwnedFd>,
}

/// Makes the memory files, sets their variables, and stages the files that go to paths. From here
/// until all are in their places signals wait: none comes between two of them. The files at chosen
/// descriptors come first, then those of variables: what is opened for a path takes no number of
/// theirs.
pub fn stage(rendered: Rendered, inputs: &Inputs) -> Result<Staged, Vec<Problem>> {
    let Rendered { variables, files, values } = rendered;
    let has_path = files.iter().flat_map(|file| &file.target).any(|it| it.output().is_some());
    let held = has_path.then(sys::hold_signals);
    let mut memory = Memory::default();
    memory.chosen(&files).map_err(|problem| vec![problem])?;
    let mut environment = Vec::with_capacity(variables.len());
    for variable in variables {
        environment.push(match variable {
            RenderedVariable::Entry(entry) => entry,
            RenderedVariable::AsFile { name, secret } => {
                memory.variable(&name, values.get(secret)).map_err(|problem| vec![problem])?
            }
            RenderedVariable::Memory { name, file } => {
                let contents = &files[file].contents;
                memory.variable(&name, contents).map_err(|problem| vec![problem])?
            }
        });
    }
    let files = StagedFiles::stage(&files, inputs)?;
    Ok(Staged { environment, memory: memory.files, files, held })
}

impl Staged {
    /// Puts all files in their places.
    pub fn put(self) -> Result<Placed, Vec<Problem>> {
        let Self { environment, memory, files, held } = self;
        files.put()?;
        drop(held);
        Ok(Placed { environment, memory })
    }

    /// Gives all up, and tells what cannot be removed.
    pub fn discard(mut self) -> Vec<Problem> {
        self.files.discard()
    }
}

impl Placed {
    /// Lets the memory files pass execve. Until then no other program could have got them.
    pub fn hand_over(&self) -> Result<(), Errno> {
        for file in &self.memory {
            fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Memory {
    files: Vec<OwnedFd>,
}

impl Memory {
    /// Files at chosen descriptors come first, before another one is given such a number.
    fn chosen(&mut self, files: &[RenderedFile]) -> Result<(), Problem> {
        for file in files {
            if let Some(Target::Descriptor(number)) = file.target {
                let made = memory::sealed(&file.contents)
                    .and_then(|made| memory::move_to(made, number))
                    .map_err(|error| memory::problem(&number.to_string(), error))?;
                self.files.push(made);
            }
        }
        Ok(())
    }

    /// A variable with the path of a memory file that holds these bytes.
    fn variable(&mut self, name: &[u8], contents: &Secret) -> Result<Cow<'static, CStr>, Problem> {
        let file = memory::sealed(contents)
            .map_err(|error| memory::problem(&String::from_utf8_lossy(name), error))?;
        let path = format!("=/proc/self/fd/{}", file.as_raw_fd());
        self.files.push(file);
        let entry = [name, path.as_bytes()].concat();
        Ok(Cow::Owned(CString::new(entry).expect("a variable's name was checked for NUL")))
    }
}
