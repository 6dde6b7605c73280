//! Everything that can keep a program from being started, each with its exit code, its place and
//! the way out. It prints nothing.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use crate::launch::{env_file, format, reference};
use crate::name::SecretName;

pub mod exit;
mod not_executable;
mod output;
mod standing;

pub use self::not_executable::NotExecutable;
pub use self::output::OutputFault;
pub use self::standing::Standing;

/// Where something stands.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    Variable {
        name: String,
        column: usize,
    },
    File {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    /// A file as a whole. The message names it, so that only scripts need it.
    Whole {
        path: PathBuf,
    },
}

#[derive(Debug)]
pub enum Problem {
    /// A setting is bad, or one is needed and not there.
    Setting {
        fault: String,
        hint: Option<String>,
    },
    Malformed {
        fault: reference::Fault,
        places: Vec<Place>,
    },
    EnvFile {
        kind: env_file::FaultKind,
        place: Place,
    },
    /// A config file cannot be read in its format, or a reference stands where it cannot.
    Document {
        kind: format::FaultKind,
        place: Place,
    },
    /// A value, or one of several, cannot stand where its reference does.
    Unwritable {
        names: Vec<SecretName>,
        places: Vec<Place>,
        why: format::Refusal,
    },
    /// All config files together, up to this one.
    RenderedTooLarge {
        path: PathBuf,
        limit: usize,
    },
    /// An output that no file can be put at.
    Output {
        path: PathBuf,
        why: OutputFault,
    },
    Missing {
        name: SecretName,
        places: Vec<Place>,
        nearest: Option<SecretName>,
        standing: Standing,
    },
    Forbidden {
        name: SecretName,
        places: Vec<Place>,
    },
    /// `--require`, and nothing refers to it.
    Unreferenced {
        name: SecretName,
    },
    TooManyNames {
        count: usize,
        limit: usize,
    },
    Unplaceable {
        variable: String,
        names: Vec<SecretName>,
        why: Unplaceable,
    },
    CommandNotFound {
        command: String,
        hint: &'static str,
    },
    CommandNotExecutable {
        command: String,
        why: NotExecutable,
    },
    /// A file that was named as input cannot be read, or an output cannot be written.
    File {
        path: PathBuf,
        doing: &'static str,
        error: std::io::Error,
    },
    /// The store was not reached, or did not answer as a store.
    Unavailable {
        what: String,
    },
    /// The store answered that its own storage fails.
    StoreFailed {
        what: String,
    },
    /// A command other than a launch failed.
    Command {
        exit: u8,
        what: String,
    },
    /// The store refused the caller.
    Refused {
        what: String,
        hint: Cow<'static, str>,
    },
}

/// Why a value cannot stand in a variable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unplaceable {
    Nul,
    TooLong {
        bytes: usize,
        limit: usize,
    },
    /// Arguments and environment together, of which this is the longest variable.
    AllTooLong {
        bytes: usize,
        limit: usize,
    },
}

impl Problem {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Setting { .. } => exit::USAGE,
            Self::Malformed { .. }
            | Self::EnvFile { .. }
            | Self::Document { .. }
            | Self::Unwritable { .. }
            | Self::RenderedTooLarge { .. }
            | Self::TooManyNames { .. }
            | Self::Unplaceable { .. } => exit::REWRITE,
            Self::Output { why: OutputFault::Mounted, .. } => exit::INPUT_OUTPUT,
            Self::Output { .. } => exit::USAGE,
            Self::Missing { .. } | Self::Unreferenced { .. } => exit::MISSING,
            Self::Forbidden { .. } | Self::Refused { .. } => exit::REFUSED,
            Self::CommandNotFound { .. } => exit::NOT_FOUND,
            Self::CommandNotExecutable { .. } => exit::NOT_EXECUTABLE,
            Self::File { .. } | Self::StoreFailed { .. } => exit::INPUT_OUTPUT,
            Self::Unavailable { .. } => exit::UNAVAILABLE,
            Self::Command { exit, .. } => *exit,
        }
    }

    /// Whether it ends a launch before anything is fetched.
    pub fn ends_before_fetch(&self) -> bool {
        matches!(
            self.exit_code(),
            exit::USAGE | exit::NOT_FOUND | exit::NOT_EXECUTABLE | exit::INPUT_OUTPUT
        )
    }

    /// One word for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Setting { .. } => "setting",
            Self::Malformed { .. } => "malformed",
            Self::EnvFile { .. } => "env-file",
            Self::Document { .. } => "document",
            Self::Unwritable { .. } => "unwritable",
            Self::RenderedTooLarge { .. } => "rendered-too-large",
            Self::Output { .. } => "output",
            Self::Missing { .. } => "missing",
            Self::Forbidden { .. } => "forbidden",
            Self::Unreferenced { .. } => "unreferenced",
            Self::TooManyNames { .. } => "too-many-names",
            Self::Unplaceable { .. } => "unplaceable",
            Self::CommandNotFound { .. } => "command-not-found",
            Self::CommandNotExecutable { .. } => "command-not-executable",
            Self::File { .. } => "file",
            Self::Unavailable { .. } => "unavailable",
            Self::StoreFailed { .. } => "store-failed",
            Self::Refused { .. } => "refused",
            Self::Command { .. } => "command",
        }
    }

    /// The name it is about: a secret's as far as there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Missing { name, .. }
            | Self::Forbidden { name, .. }
            | Self::Unreferenced { name } => Some(name.as_str()),
            Self::Malformed { fault, .. } => Some(fault.name()),
            Self::Unplaceable { names, .. } | Self::Unwritable { names, .. } => {
                names.first().map(SecretName::as_str)
            }
            Self::CommandNotFound { command, .. } | Self::CommandNotExecutable { command, .. } => {
                Some(command)
            }
            _ => None,
        }
    }

    pub fn places(&self) -> Vec<Place> {
        match self {
            Self::Malformed { places, .. }
            | Self::Missing { places, .. }
            | Self::Unwritable { places, .. }
            | Self::Forbidden { places, .. } => places.clone(),
            Self::EnvFile { place, .. } | Self::Document { place, .. } => vec![place.clone()],
            Self::Unplaceable { variable, .. } => {
                vec![Place::Variable { name: variable.clone(), column: 1 }]
            }
            // What is made or handed over is a memory file, which no path leads to.
            Self::File { doing: "make" | "hand over the" | "write to", .. } => Vec::new(),
            Self::RenderedTooLarge { path, .. }
            | Self::Output { path, .. }
            | Self::File { path, .. } => vec![Place::Whole { path: path.clone() }],
            _ => Vec::new(),
        }
    }

    pub fn nearest(&self) -> Option<&SecretName> {
        match self {
            Self::Missing { nearest, .. } => nearest.as_ref(),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Setting { hint, .. } => hint.clone(),
            Self::Malformed { fault, .. } => Some(fault.hint()),
            Self::Missing { name, standing, .. } => Some(standing.hint(name)),
            Self::Forbidden { name, .. } => Some(format!(
                "ask an owner to add `{name}` to the names that this token may resolve"
            )),
            Self::Document { kind, .. } => Some(kind.hint().to_owned()),
            Self::RenderedTooLarge { .. } => Some(
                "refer to large values less often, or deliver them as files with `--as-file`"
                    .to_owned(),
            ),
            Self::Unwritable { why, .. } => Some(why.hint().to_owned()),
            Self::Output { why, .. } => Some(why.hint().to_owned()),
            Self::File { doing, error, .. } => file_hint(doing, error).map(str::to_owned),
            Self::Unreferenced { name } => Some(format!(
                "a layer before this one may have taken the dollar; where it does, write `$${name}`"
            )),
            Self::TooManyNames { .. } => Some("split the launch, or its config files".to_owned()),
            Self::Unplaceable { names, .. } => Some(unplaceable_hint(names)),
            Self::CommandNotFound { hint, .. } => Some((*hint).to_owned()),
            Self::CommandNotExecutable { why, .. } => why.hint().map(str::to_owned),
            Self::Refused { hint, .. } => Some(hint.to_string()),
            _ => None,
        }
    }
}

/// What to do where the system's words alone do not say it.
fn file_hint(doing: &str, error: &std::io::Error) -> Option<&'static str> {
    use nix::errno::Errno;
    match (doing, Errno::from_raw(error.raw_os_error()?)) {
        ("write", Errno::ENOENT) => Some("make its folder first"),
        ("open", Errno::ENOENT) => Some("make it first"),
        ("write", Errno::EROFS) => {
            Some("mount it writable, render to another path, or to memory with `--memfd`")
        }
        ("set the owner of", Errno::EPERM) => Some("only root gives a file to another user"),
        ("set the group of", Errno::EPERM) => {
            Some("only root gives a file to a group that its owner is not in")
        }
        ("set the owner of" | "set the group of", Errno::EINVAL) => {
            Some("this user namespace does not map that number; choose one that it does")
        }
        ("remove", _) => Some("it may hold values: remove it yourself"),
        (_, Errno::EMFILE) => Some("let it have more files open (`ulimit -n`)"),
        _ => None,
    }
}

/// The way out for a value that does not fit: as a file, if it is a secret's.
fn unplaceable_hint(names: &[SecretName]) -> String {
    match names {
        [name, ..] => format!("deliver it as a file: `--as-file VARIABLE={name}`"),
        [] => "shorten it, or unset it for this program".to_owned(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { fault, .. } => f.write_str(fault),
            Self::Malformed { fault, .. } => write!(f, "{fault}"),
            Self::EnvFile { kind, .. } => write!(f, "{kind}"),
            Self::Document { kind, .. } => write!(f, "{kind}"),
            Self::Unwritable { names, why, .. } => match names.as_slice() {
                [] => write!(f, "the text cannot stand here: {why}"),
                [name] => write!(f, "`{name}` cannot stand here: {why}"),
                [name, others @ ..] => {
                    write!(f, "`{name}`")?;
                    others.iter().try_for_each(|other| write!(f, " and `{other}`"))?;
                    write!(f, " cannot stand here together: {why}")
                }
            },
            Self::RenderedTooLarge { path, limit } => write!(
                f,
                "with `{}`, all rendered files would have more than {limit} bytes",
                path.display()
            ),
            Self::Output { path, why } => why.tell(path, f),
            Self::Missing { name, .. } => write!(f, "`{name}` is missing"),
            Self::Forbidden { name, .. } => write!(f, "`{name}` is forbidden"),
            Self::Unreferenced { name } => {
                write!(f, "`{name}` is required, and nothing refers to it")
            }
            Self::TooManyNames { count, limit } => {
                write!(f, "{count} secrets are referenced, and a store resolves {limit} at once")
            }
            Self::Unplaceable { variable, why, .. } => match why {
                Unplaceable::Nul => {
                    write!(f, "`{variable}` would hold a NUL byte, which no variable can")
                }
                Unplaceable::TooLong { bytes, limit } => write!(
                    f,
                    "`{variable}` would have {bytes} bytes, and the kernel takes {limit} for one \
                     variable"
                ),
                Unplaceable::AllTooLong { bytes, limit } => write!(
                    f,
                    "arguments and environment would have {bytes} bytes, and the kernel takes \
                     {limit}; `{variable}` is the longest variable"
                ),
            },
            Self::CommandNotFound { command, .. } => write!(f, "`{command}` is not found"),
            Self::CommandNotExecutable { command, why } => why.tell(command, f),
            Self::File { path, doing, error } => {
                write!(f, "cannot {doing} `{}`: {}", path.display(), os_text(error))
            }
            Self::Unavailable { what }
            | Self::StoreFailed { what }
            | Self::Command { what, .. }
            | Self::Refused { what, .. } => f.write_str(what),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { name, .. } => write!(f, "variable `{name}`"),
            Self::File { path, line, column } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::Whole { path } => write!(f, "{}", path.display()),
        }
    }
}

/// The system's words without the number that Rust appends.
pub fn os_text(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}
