//! Everything that can keep a program from being started, each with its exit code, its place and
//! the way out. It prints nothing.

use std::fmt;
use std::path::PathBuf;

use crate::launch::{env_file, reference};
use crate::name::SecretName;

/// The exit codes besides the application's own (sysexits(3) where it has them).
pub mod exit {
    pub const USAGE: u8 = 64;
    pub const REWRITE: u8 = 65;
    pub const UNAVAILABLE: u8 = 69;
    pub const INTERNAL: u8 = 70;
    pub const INPUT_OUTPUT: u8 = 74;
    pub const REFUSED: u8 = 77;
    pub const MISSING: u8 = 78;
    pub const NOT_EXECUTABLE: u8 = 126;
    pub const NOT_FOUND: u8 = 127;
    pub const BROKEN_PIPE: u8 = 128 + 13;

    /// Of the codes that apply, the first of these is the process's own.
    pub const ORDER: [u8; 9] = [
        USAGE,
        NOT_FOUND,
        NOT_EXECUTABLE,
        UNAVAILABLE,
        INPUT_OUTPUT,
        INTERNAL,
        REWRITE,
        MISSING,
        REFUSED,
    ];
}

/// Where something stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    Variable { name: String, column: usize },
    File { path: PathBuf, line: usize, column: usize },
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
    Missing {
        name: SecretName,
        places: Vec<Place>,
        nearest: Option<SecretName>,
        hash: bool,
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
        hint: &'static str,
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

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotExecutable {
    /// There is a file, and this process may not execute it.
    Permission,
    Directory,
    /// Neither a program nor a script that names its interpreter.
    Format,
    /// A program for another machine.
    Machine,
    /// The interpreter that the script or program names is not there.
    Interpreter(String),
    /// It is there, and is a directory or may not be executed.
    InterpreterPermission(String),
    /// The kernel takes the end of a line of DOS for a part of the interpreter's name.
    CarriageReturn,
    Os(nix::errno::Errno),
}

impl Problem {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Setting { .. } => exit::USAGE,
            Self::Malformed { .. }
            | Self::EnvFile { .. }
            | Self::TooManyNames { .. }
            | Self::Unplaceable { .. } => exit::REWRITE,
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
            Self::Unplaceable { names, .. } => names.first().map(SecretName::as_str),
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
            | Self::Forbidden { places, .. } => places.clone(),
            Self::EnvFile { place, .. } => vec![place.clone()],
            Self::Unplaceable { variable, .. } => {
                vec![Place::Variable { name: variable.clone(), column: 1 }]
            }
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
            Self::Missing { name, hash: true, .. } => Some(format!(
                "this looks like a password hash: keep it with `--literal {name}`, or double its \
                 dollars"
            )),
            Self::Missing { name, .. } => Some(format!(
                "set it with `inject secret set {name}`, or keep the text with `--literal {name}`"
            )),
            Self::Forbidden { name, .. } => Some(format!(
                "ask an owner to add `{name}` to the names that this token may resolve"
            )),
            Self::Unreferenced { name } => Some(format!(
                "a layer before this one may have taken the dollar; where it does, write `$${name}`"
            )),
            Self::TooManyNames { .. } => Some("split the launch, or its config files".to_owned()),
            Self::Unplaceable { names, .. } => Some(unplaceable_hint(names)),
            Self::CommandNotFound { hint, .. } => Some((*hint).to_owned()),
            Self::CommandNotExecutable { why, .. } => why.hint().map(str::to_owned),
            Self::Refused { hint, .. } => Some((*hint).to_owned()),
            _ => None,
        }
    }
}

/// The way out for a value that does not fit: as a file, if it is a secret's.
fn unplaceable_hint(names: &[SecretName]) -> String {
    match names {
        [name, ..] => format!("deliver it as a file: `--as-file VARIABLE={name}`"),
        [] => "shorten it, or unset it for this program".to_owned(),
    }
}

impl NotExecutable {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Permission => Some("make it executable with `chmod +x`"),
            Self::Directory => Some("name the program in it"),
            Self::Format => Some("a script needs a first line such as `#!/bin/sh`"),
            Self::Machine => Some("take one that was built for the machine that `uname -m` shows"),
            Self::Interpreter(_) => Some(
                "install it, or change the line that names it; a program's loader comes with its C \
                 library",
            ),
            Self::InterpreterPermission(_) => {
                Some("make it executable with `chmod +x`, or change the line that names it")
            }
            Self::CarriageReturn => Some("remove it from all lines with `sed -i 's/\\r$//'`"),
            Self::Os(_) => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { fault, .. } => f.write_str(fault),
            Self::Malformed { fault, .. } => write!(f, "{fault}"),
            Self::EnvFile { kind, .. } => write!(f, "{kind}"),
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
            Self::CommandNotExecutable { command, why } => match why {
                NotExecutable::Permission => write!(f, "`{command}` may not be executed"),
                NotExecutable::Directory => write!(f, "`{command}` is a directory"),
                NotExecutable::Format => write!(f, "`{command}` is neither a program nor a script"),
                NotExecutable::Interpreter(interpreter) => {
                    write!(f, "`{command}` needs `{interpreter}`, which is not there")
                }
                NotExecutable::Machine => {
                    write!(f, "`{command}` is a program for another machine")
                }
                NotExecutable::InterpreterPermission(interpreter) => {
                    write!(f, "`{command}` needs `{interpreter}`, which may not be executed")
                }
                NotExecutable::CarriageReturn => write!(
                    f,
                    "`{command}` names an interpreter, and that line ends in a carriage return"
                ),
                NotExecutable::Os(errno) => {
                    write!(f, "`{command}` cannot be executed: {}", errno.desc())
                }
            },
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
