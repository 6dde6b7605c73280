//! Looks the command up, and becomes it. The rules are those of a shell, but no shell is started
//! for a file that is no executable (POSIX, "Command Search and Execution"; execve(2)).

mod format;
mod look_up;

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use crate::launch::exec::look_up::Failed;
use crate::launch::place::Placed;
use crate::launch::problem::{NotExecutable, Problem, Unplaceable};
use crate::sys::{self, Process};

/// The most that a script's first line adds to the arguments, besides the script's path.
const SCRIPT_BYTES_MAX: usize = 256 + 3;

/// Where execvp(3) looks when there is no PATH.
const PATH_DEFAULT: &[u8] = b"/bin:/usr/bin";

/// A command and its arguments, as they were typed.
#[derive(Debug)]
pub struct Command {
    pub arguments: Vec<&'static CStr>,
}

impl Command {
    /// The last so many arguments of this process.
    pub fn last_of(process: &Process, count: usize) -> Self {
        let first = process.arguments.len() - count;
        Self { arguments: process.arguments[first..].to_vec() }
    }

    /// The program's name as it was typed: the only argument that is ever shown.
    pub fn shown(&self) -> String {
        self.name().to_string_lossy().into_owned()
    }

    fn name(&self) -> &'static CStr {
        self.arguments[0]
    }

    /// The file to execute, found on this PATH.
    pub fn look_up(&self, path: Option<&[u8]>) -> Result<CString, Problem> {
        let (found, hint) = match self.name().to_bytes() {
            [] => {
                (Err(Failed::NotFound), "it is empty: a variable that stands for it may be unset")
            }
            name if name.contains(&b'/') => {
                (look_up::at(self.name().to_owned()), "there is no such file")
            }
            name => (
                look_up::search(name, path.unwrap_or(PATH_DEFAULT)),
                "it is in no folder of the PATH that the application would have",
            ),
        };
        let command = self.shown();
        found.map_err(|failed| match failed {
            Failed::NotExecutable(why) => Problem::CommandNotExecutable { command, why },
            Failed::NotFound => Problem::CommandNotFound { command, hint },
        })
    }
}

/// Checks what the kernel would refuse for its length alone, so that it can be told which variable.
pub fn check_length(
    command: &Command,
    file: &CStr,
    environment: &[Cow<'static, CStr>],
) -> Result<(), Problem> {
    let (limit, _) = sys::argument_bytes_max();
    let mut all = argument_bytes(command, file, environment);
    // Only near the limit is the file asked whether it is a script.
    if all <= limit && all + file.count_bytes() + SCRIPT_BYTES_MAX > limit {
        let script = format::script_bytes(file).unwrap_or(0);
        all = all.max(all + script - command.name().count_bytes() - 1);
    }
    if all <= limit { Ok(()) } else { Err(all_too_long(environment, all, limit)) }
}

/// What the kernel counts: each string with its NUL and its pointer, and the file's path.
fn argument_bytes(command: &Command, file: &CStr, environment: &[Cow<'static, CStr>]) -> usize {
    let bytes = |length: usize| length + 1 + size_of::<usize>();
    let arguments = command.arguments.iter().map(|argument| bytes(argument.count_bytes()));
    let environment = environment.iter().map(|entry| bytes(entry.count_bytes()));
    arguments.chain(environment).sum::<usize>() + file.count_bytes() + 1
}

fn all_too_long(environment: &[Cow<'static, CStr>], bytes: usize, limit: usize) -> Problem {
    let longest = environment.iter().max_by_key(|entry| entry.count_bytes());
    let name = longest.map_or(&b""[..], |entry| {
        entry.to_bytes().split(|b| *b == b'=').next().unwrap_or_default()
    });
    Problem::Unplaceable {
        variable: String::from_utf8_lossy(name).into_owned(),
        names: Vec::new(),
        why: Unplaceable::AllTooLong { bytes, limit },
    }
}

/// Becomes the program. Comes back only with the reason why not.
pub fn exec(
    command: &Command,
    file: &CStr,
    placed: &Placed,
    inherited: Option<sys::Inherited>,
) -> Problem {
    if let Err(errno) = placed.hand_over() {
        return Problem::File {
            path: "memory file".into(),
            doing: "hand over the",
            error: errno.into(),
        };
    }
    let environment: Vec<&CStr> = placed.environment.iter().map(|entry| &**entry).collect();
    if let Some(inherited) = inherited {
        inherited.restore();
    }
    let errno = sys::execve(file, &command.arguments, &environment);
    let why = match errno {
        Errno::EACCES | Errno::EPERM => NotExecutable::Permission,
        Errno::ENOEXEC => format::unknown(file),
        // An interpreter that is a script itself has more arguments than were counted.
        Errno::E2BIG => {
            let (limit, _) = sys::argument_bytes_max();
            let bytes = argument_bytes(command, file, &placed.environment).max(limit + 1);
            return all_too_long(&placed.environment, bytes, limit);
        }
        // The file is there: what is not is the loader that it names.
        Errno::ENOENT if Path::new(OsStr::from_bytes(file.to_bytes())).exists() => {
            NotExecutable::Interpreter("its loader".to_owned())
        }
        Errno::ENOENT | Errno::ENOTDIR => {
            return Problem::CommandNotFound {
                command: command.shown(),
                hint: "it was there when the launch began, and is gone",
            };
        }
        errno => NotExecutable::Os(errno),
    };
    Problem::CommandNotExecutable { command: command.shown(), why }
}
