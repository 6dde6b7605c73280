//! Looks the command up, and becomes it. The rules are those of a shell, but no shell is started
//! for a file that is no executable (POSIX, "Command Search and Execution"; execve(2)).

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};

use crate::launch::place::Placed;
use crate::launch::problem::{NotExecutable, Problem, Unplaceable};
use crate::sys::{self, Process};

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
        let name = self.name().to_bytes();
        let found = match name {
            [] => Err(None),
            name if name.contains(&b'/') => executable(self.name().to_owned()).map_err(Some),
            name => search(name, path.unwrap_or(PATH_DEFAULT)),
        };
        let command = self.shown();
        found.map_err(|failed| match failed {
            Some(Failed::NotExecutable(why)) => Problem::CommandNotExecutable { command, why },
            Some(Failed::NotFound) => {
                Problem::CommandNotFound { command, hint: "there is no such file" }
            }
            None => Problem::CommandNotFound {
                command,
                hint: "it is in no folder of the PATH that the application would have",
            },
        })
    }
}

enum Failed {
    NotFound,
    NotExecutable(NotExecutable),
}

/// The first executable of that name; else the first reason why one is none.
fn search(name: &[u8], path: &[u8]) -> Result<CString, Option<Failed>> {
    let mut first = None;
    for folder in path.split(|b| *b == b':') {
        // An empty element is the working directory.
        let folder = if folder.is_empty() { b"." } else { folder };
        let candidate = [folder, b"/", name].concat();
        let candidate = CString::new(candidate).expect("C strings hold no NUL");
        match executable(candidate) {
            Ok(found) => return Ok(found),
            Err(Failed::NotFound) => {}
            // As in a shell, a folder of that name is passed over.
            Err(Failed::NotExecutable(NotExecutable::Directory)) => {}
            Err(failed) => first = first.or(Some(failed)),
        }
    }
    Err(first)
}

fn executable(path: CString) -> Result<CString, Failed> {
    let file = Path::new(OsStr::from_bytes(path.to_bytes()));
    let metadata = file.metadata().map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Failed::NotExecutable(NotExecutable::Permission),
        _ => Failed::NotFound,
    })?;
    if metadata.is_dir() {
        return Err(Failed::NotExecutable(NotExecutable::Directory));
    }
    let allowed =
        faccessat(AT_FDCWD, path.as_c_str(), AccessFlags::X_OK, AtFlags::AT_EACCESS).is_ok();
    if !metadata.is_file() || !allowed {
        return Err(Failed::NotExecutable(NotExecutable::Permission));
    }
    match why_not_a_program(file) {
        Some(why) => Err(Failed::NotExecutable(why)),
        None => Ok(path),
    }
}

/// What the first bytes say against executing it, as far as that can be known before execve: a file
/// that may be executed but not read, or a machine with formats of its own, is left to the kernel.
fn why_not_a_program(file: &Path) -> Option<NotExecutable> {
    // As much of the first line as the kernel reads (BINPRM_BUF_SIZE).
    let mut start = [0; 256];
    let length = File::open(file).and_then(|mut file| file.read(&mut start)).ok()?;
    let start = &start[..length];
    if let Some(line) = start.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let interpreter = words.next().unwrap_or_default();
        let there = Path::new(OsStr::from_bytes(interpreter)).exists();
        let shown = || String::from_utf8_lossy(interpreter).into_owned();
        return (!there).then(|| NotExecutable::Interpreter(shown()));
    }
    let program = start.starts_with(b"\x7fELF") || other_formats();
    (!program).then_some(NotExecutable::Format)
}

/// Whether this machine has formats besides ELF and scripts (binfmt_misc).
fn other_formats() -> bool {
    let registered = std::fs::read_dir("/proc/sys/fs/binfmt_misc");
    registered.is_ok_and(|entries| {
        let own = [OsStr::new("register"), OsStr::new("status")];
        entries.flatten().any(|entry| !own.contains(&entry.file_name().as_os_str()))
    })
}

/// Checks what the kernel would refuse for its length alone, so that it can be told which variable.
pub fn check_length(command: &Command, file: &CStr, placed: &Placed) -> Result<(), Problem> {
    let (limit, _) = sys::argument_bytes_max();
    let bytes = |strings: &mut dyn Iterator<Item = usize>| -> usize {
        strings.map(|length| length + 1 + size_of::<usize>()).sum()
    };
    let all = bytes(&mut command.arguments.iter().map(|argument| argument.count_bytes()))
        + bytes(&mut placed.environment.iter().map(|entry| entry.count_bytes()))
        + file.count_bytes()
        + 1;
    if all <= limit {
        return Ok(());
    }
    let longest = placed.environment.iter().max_by_key(|entry| entry.count_bytes());
    let name = longest.map_or(&b""[..], |entry| {
        entry.to_bytes().split(|b| *b == b'=').next().unwrap_or_default()
    });
    Err(Problem::Unplaceable {
        variable: String::from_utf8_lossy(name).into_owned(),
        names: Vec::new(),
        why: Unplaceable::AllTooLong { bytes: all, limit },
    })
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
        Errno::ENOEXEC => NotExecutable::Format,
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
