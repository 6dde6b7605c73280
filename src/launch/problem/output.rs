//! Why a rendered file cannot be put at its path, or at its descriptor.

use std::fmt;
use std::path::Path;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OutputFault {
    /// A template, its own or another one's, would be lost.
    Template,
    /// The same for an env file.
    EnvFile,
    /// The same for the manifest in use.
    Manifest,
    /// It is not in the folder of the manifest that named it, which was only found.
    Outside,
    /// Another file is written to the same place.
    Twice,
    Directory,
    /// A pipe, a socket or a device.
    Special,
    /// Something is mounted on it, such as a single file that a container was given.
    Mounted,
    /// The chosen descriptor is one that the application inherits.
    DescriptorInUse(i32),
    /// The chosen descriptor is beyond what a process may have open.
    DescriptorTooHigh {
        number: i32,
        limit: u64,
    },
}

impl OutputFault {
    pub fn hint(self) -> &'static str {
        match self {
            Self::Template | Self::EnvFile | Self::Manifest | Self::Twice => {
                "render to another path"
            }
            Self::Outside => "trust the manifest with `--config`",
            Self::Directory => "name a file in it",
            Self::Special => "render to a file, or to memory with `--memfd`",
            Self::Mounted => {
                "mount the folder that it is in, render to another path, or to memory with \
                 `--memfd`"
            }
            Self::DescriptorInUse(_) | Self::DescriptorTooHigh { .. } => "choose another number",
        }
    }

    /// The whole sentence, with the path: that of the template where there is no output.
    pub fn tell(self, path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = path.display();
        match self {
            Self::Template => write!(f, "cannot write `{path}`: it is a template"),
            Self::EnvFile => write!(f, "cannot write `{path}`: it is an env file"),
            Self::Manifest => write!(f, "cannot write `{path}`: it is the manifest"),
            Self::Outside => write!(
                f,
                "cannot write `{path}`: it is outside the folder of the manifest, which was only \
                 found"
            ),
            Self::Twice => write!(f, "cannot write `{path}`: another file is rendered to it"),
            Self::Directory => write!(f, "cannot write `{path}`: it is a folder"),
            Self::Special => {
                write!(f, "cannot write `{path}`: it is a pipe, a socket or a device")
            }
            Self::Mounted => {
                write!(f, "cannot replace `{path}`: something is mounted on it")
            }
            Self::DescriptorInUse(number) => write!(
                f,
                "cannot put `{path}` at descriptor {number}: the application inherits another \
                 file there"
            ),
            Self::DescriptorTooHigh { number, limit } => write!(
                f,
                "cannot put `{path}` at descriptor {number}: this process may use those below \
                 {limit}"
            ),
        }
    }
}
