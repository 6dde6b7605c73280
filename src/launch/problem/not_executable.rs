//! Why a command cannot be executed, although there is a file.

use std::fmt;

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
    /// It is there, and is no program for this machine.
    InterpreterFormat(String),
    /// The kernel takes the end of a line of DOS for a part of the interpreter's name.
    CarriageReturn,
    Os(nix::errno::Errno),
}

impl NotExecutable {
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Permission => Some(
                "make it executable with `chmod +x`; on a volume that is mounted `noexec`, no file \
                 is",
            ),
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
            Self::InterpreterFormat(_) => {
                Some("install one for this machine, or change the line that names it")
            }
            Self::CarriageReturn => Some("remove it from all lines with `sed -i 's/\\r$//'`"),
            Self::Os(_) => None,
        }
    }

    /// The whole sentence, with the command's name.
    pub fn tell(&self, command: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission => write!(f, "`{command}` may not be executed"),
            Self::Directory => write!(f, "`{command}` is a directory"),
            Self::Format => write!(f, "`{command}` is neither a program nor a script"),
            Self::Interpreter(interpreter) => {
                write!(f, "`{command}` needs `{interpreter}`, which is not there")
            }
            Self::Machine => write!(f, "`{command}` is a program for another machine"),
            Self::InterpreterPermission(interpreter) => {
                write!(f, "`{command}` needs `{interpreter}`, which may not be executed")
            }
            Self::InterpreterFormat(interpreter) => {
                write!(f, "`{command}` needs `{interpreter}`, which is no program for this machine")
            }
            Self::CarriageReturn => {
                write!(
                    f,
                    "`{command}` names an interpreter, and that line ends in a carriage return"
                )
            }
            Self::Os(errno) => write!(f, "`{command}` cannot be executed: {}", errno.desc()),
        }
    }
}
