//! What a file's first bytes say against executing it: a script's first line as the kernel reads it
//! (fs/binfmt_script.c), a program's headers (elf(5)). What cannot be known is left to the kernel.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::launch::exec::look_up::{self, Refusal};
use crate::launch::problem::NotExecutable;

/// What the kernel would have against it, as far as that can be known before execve. A file that
/// may be executed but not read is left to the kernel.
pub fn why_not(path: &CStr) -> Option<NotExecutable> {
    why_not_within(path, INTERPRETERS_MAX)
}

/// The same for a file that this many interpreters may stand behind.
fn why_not_within(path: &CStr, interpreters_max: usize) -> Option<NotExecutable> {
    let start = Start::read(path)?;
    if start.is_script() {
        return match start.interpreter_line() {
            Some(line) => line.why_not(interpreters_max),
            None => other_formats().none_seen().then_some(NotExecutable::Format),
        };
    }
    match start.elf() {
        Elf::Own => why_not_interpreter(&start.loader()?),
        Elf::Compatible => None,
        Elf::Foreign => other_formats().certainly_none().then_some(NotExecutable::Machine),
        Elf::No => other_formats().none_seen().then_some(NotExecutable::Format),
    }
}

/// What a file is of which the kernel said that it knows no such format.
pub fn unknown(path: &CStr) -> NotExecutable {
    match Start::read(path).map(|start| start.elf()) {
        // The kernel may have been built without what it could do on this machine.
        Some(Elf::Foreign | Elf::Compatible) => NotExecutable::Machine,
        _ => NotExecutable::Format,
    }
}

/// How many bytes of arguments a script's start has more than a program's: the interpreter, its
/// argument and the script's path stand in place of the command's name.
pub fn script_bytes(path: &CStr) -> Option<usize> {
    let start = Start::read(path)?;
    let line = start.interpreter_line()?;
    let argument = line.argument.map_or(0, |argument| argument.len() + 1);
    Some(line.name.count_bytes() + 1 + argument + path.count_bytes() + 1)
}

/// How many interpreters the kernel follows: one may be a script itself (fs/exec.c).
const INTERPRETERS_MAX: usize = 5;
/// As much of a first line as the kernel reads (BINPRM_BUF_SIZE).
const LINE_BYTES_MAX: usize = 256;
/// Headers, and mostly the loader's name with them, are in the first kilobyte.
const START_BYTES: usize = 1024;
/// The longest path, with its NUL.
const PATH_BYTES_MAX: u64 = 4096;

/// The start of a file, with zeros behind a short one, as in the kernel's own buffer.
struct Start {
    file: File,
    bytes: [u8; START_BYTES],
    length: usize,
}

struct InterpreterLine<'a> {
    name: CString,
    argument: Option<&'a [u8]>,
}

enum Elf {
    /// For this very machine.
    Own,
    /// For its 32-bit mode, which the kernel may or may not support.
    Compatible,
    Foreign,
    No,
}

impl Start {
    fn read(path: &CStr) -> Option<Self> {
        let mut file = File::open(Path::new(OsStr::from_bytes(path.to_bytes()))).ok()?;
        let mut bytes = [0; START_BYTES];
        let length = file.read(&mut bytes).ok()?;
        Some(Self { file, bytes, length })
    }

    fn is_script(&self) -> bool {
        self.bytes.starts_with(b"#!")
    }

    /// Nothing if the line names no interpreter, or one that is too long for the kernel's buffer.
    fn interpreter_line(&self) -> Option<InterpreterLine<'_>> {
        let line = self.bytes[..self.length.min(LINE_BYTES_MAX)].strip_prefix(b"#!")?;
        let end = line.iter().position(|b| *b == b'\n');
        let cut = end.is_none() && self.length >= LINE_BYTES_MAX;
        let line = &line[..end.unwrap_or(line.len())];
        let line = &line[line.iter().take_while(|b| is_blank(**b)).count()..];
        let separator = line.iter().position(|b| is_blank(*b) || *b == 0);
        if cut && separator.is_none() {
            return None;
        }
        let (name, rest) = line.split_at(separator.unwrap_or(line.len()));
        let argument = trimmed(rest.split(|b| *b == 0).next().unwrap_or_default());
        let argument = (!argument.is_empty()).then_some(argument);
        let name = CString::new(name).ok().filter(|name| !name.is_empty())?;
        Some(InterpreterLine { name, argument })
    }

    fn elf(&self) -> Elf {
        const CLASS: usize = 4;
        const DATA: usize = 5;
        const TYPE: usize = 16;
        const MACHINE: usize = 18;
        const BIG_ENDIAN: u8 = 2;
        let half = |at: usize| {
            let bytes = [self.bytes[at], self.bytes[at + 1]];
            let big = self.bytes[DATA] == BIG_ENDIAN;
            if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        const EXECUTABLE: u16 = 2;
        const SHARED: u16 = 3;
        if !self.bytes.starts_with(b"\x7fELF") || ![EXECUTABLE, SHARED].contains(&half(TYPE)) {
            return Elf::No;
        }
        machine(self.bytes[CLASS], self.bytes[DATA], half(MACHINE))
    }

    /// The loader that a 64-bit program of this machine names (PT_INTERP).
    fn loader(&self) -> Option<CString> {
        const PT_INTERP: u64 = 3;
        const HEADER_BYTES: usize = 56;
        let table = usize::try_from(self.number(32, 8)?).ok()?;
        let count = usize::try_from(self.number(56, 2)?).ok()?;
        let header = (0..count)
            .map_while(|index| {
                let at = table.checked_add(index * HEADER_BYTES)?;
                Some((at, self.number(at, 4)?))
            })
            .find(|(_, kind)| *kind == PT_INTERP)
            .map(|(at, _)| at)?;
        let (offset, size) = (self.number(header + 8, 8)?, self.number(header + 32, 8)?);
        let path = self.at(offset, size)?;
        CStr::from_bytes_until_nul(&path).ok().map(CStr::to_owned)
    }

    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(self.bytes.get(at..at.checked_add(size)?)?);
        Some(u64::from_le_bytes(wide))
    }

    /// Bytes of the file, from what was read where they are in it.
    fn at(&self, offset: u64, size: u64) -> Option<Cow<'_, [u8]>> {
        let length = usize::try_from(size.min(PATH_BYTES_MAX)).ok()?;
        let start = usize::try_from(offset).ok()?;
        if let Some(bytes) = self.bytes[..self.length].get(start..start.checked_add(length)?) {
            return Some(Cow::Borrowed(bytes));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(Cow::Owned(bytes))
    }
}

impl InterpreterLine<'_> {
    fn why_not(&self, interpreters_max: usize) -> Option<NotExecutable> {
        match why_not_interpreter(&self.name) {
            Some(NotExecutable::Interpreter(_)) if self.name.to_bytes().ends_with(b"\r") => {
                Some(NotExecutable::CarriageReturn)
            }
            Some(why) => Some(why),
            // What is behind too many is left to the kernel.
            None => match why_not_within(&self.name, interpreters_max.checked_sub(1)?)? {
                NotExecutable::Format | NotExecutable::Machine => {
                    Some(NotExecutable::InterpreterFormat(shown(&self.name)))
                }
                why => Some(why),
            },
        }
    }
}

fn why_not_interpreter(path: &CStr) -> Option<NotExecutable> {
    Some(match look_up::refusal(path)? {
        Refusal::NotFound => NotExecutable::Interpreter(shown(path)),
        Refusal::Unsearchable | Refusal::Directory | Refusal::File => {
            NotExecutable::InterpreterPermission(shown(path))
        }
    })
}

fn shown(path: &CStr) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether a program is for this machine: the one that this binary was built for.
fn machine(class: u8, data: u8, machine: u16) -> Elf {
    const BITS_32: u8 = 1;
    const BITS_64: u8 = 2;
    const LITTLE_ENDIAN: u8 = 1;
    const I386: u16 = 3;
    const I486: u16 = 6;
    const ARM: u16 = 40;
    const X86_64: u16 = 62;
    const AARCH64: u16 = 183;
    let (own, compatible): (u16, &[u16]) = if cfg!(target_arch = "x86_64") {
        (X86_64, &[I386, I486, X86_64])
    } else if cfg!(target_arch = "aarch64") {
        (AARCH64, &[ARM])
    } else {
        return Elf::Compatible;
    };
    match (class, data) {
        (BITS_64, LITTLE_ENDIAN) if machine == own => Elf::Own,
        (BITS_32, LITTLE_ENDIAN) if compatible.contains(&machine) => Elf::Compatible,
        _ => Elf::Foreign,
    }
}

/// Whether this machine has formats besides ELF and scripts (binfmt_misc).
#[derive(Clone, Copy, Eq, PartialEq)]
enum OtherFormats {
    None,
    Registered,
    /// A container does not see its host's, and yet they apply: an emulator, mostly.
    Unseen,
}

impl OtherFormats {
    fn certainly_none(self) -> bool {
        self == Self::None
    }

    fn none_seen(self) -> bool {
        self != Self::Registered
    }
}

fn other_formats() -> OtherFormats {
    let kinds = std::fs::read("/proc/filesystems").unwrap_or_default();
    if !kinds.is_empty() && memchr::memmem::find(&kinds, b"binfmt_misc").is_none() {
        return OtherFormats::None;
    }
    let entries = std::fs::read_dir("/proc/sys/fs/binfmt_misc");
    let names: Vec<_> =
        entries.into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    let own = ["register", "status"];
    if names.iter().any(|name| !own.iter().any(|own| name == own)) {
        OtherFormats::Registered
    } else if names.is_empty() {
        OtherFormats::Unseen
    } else {
        OtherFormats::None
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Without blanks and tabs at both ends. A carriage return is none to the kernel.
fn trimmed(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|b| !is_blank(*b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !is_blank(*b)).map_or(start, |last| last + 1);
    &line[start..end]
}
