//! A command whose calls that change files are counted, and of which one goes wrong: see
//! `tests/probe/fault.c`. What it was, and whether it came to that, is read from the tracer's log.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::harness::{Run, World, eventually, probe};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Nothing,
    /// The process is killed before it is done.
    Kill,
    /// The process is killed when half of its bytes are written.
    Torn,
    /// Half of its bytes are written, and it says so.
    Short,
    /// It fails, and nothing is done.
    Once(Errno),
    /// It fails, and so do all behind it.
    Ever(Errno),
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::Kill,
        Self::Torn,
        Self::Short,
        Self::Once(Errno::EIO),
        Self::Once(Errno::ENOSPC),
        Self::Ever(Errno::EIO),
        Self::Ever(Errno::ENOSPC),
    ];

    pub fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::Torn)
    }

    /// Whether this is tried in a call: half of one byte is none; and who waits for a line on
    /// standard output would wait for its other half.
    pub fn concerns(self, call: &Call) -> bool {
        match self {
            Self::Torn => call.bytes > 1 && !call.target.ends_with(".out"),
            Self::Short => call.bytes > 1,
            _ => true,
        }
    }

    fn kind(self) -> String {
        match self {
            Self::Nothing => "none".to_owned(),
            Self::Kill => "kill".to_owned(),
            Self::Torn => "torn".to_owned(),
            Self::Short => "short".to_owned(),
            Self::Once(errno) | Self::Ever(errno) => format!("error:{}", errno as i32),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(errno) => write!(f, "{errno:?}"),
            Self::Ever(errno) => write!(f, "{errno:?} from there on"),
            other => write!(f, "{}", other.kind()),
        }
    }
}

/// A call that changes a file or a folder.
#[derive(Clone, Debug)]
pub struct Call {
    pub number: usize,
    name: String,
    bytes: usize,
    target: String,
}

impl Call {
    pub fn removes(&self) -> bool {
        self.name.starts_with("unlink")
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "call {}, {} of {}", self.number, self.name, self.target)
    }
}

/// The calls that there were, and whether the fault was among them.
pub struct Traced {
    pub calls: Vec<Call>,
    pub was_met: bool,
}

pub struct Tracer {
    log: PathBuf,
    kind: String,
    first: usize,
    last: usize,
}

impl Tracer {
    /// Of a command in this world; the call with this number is the one.
    pub fn new(world: &World, fault: Fault, number: usize) -> Self {
        let last = if matches!(fault, Fault::Ever(_)) { usize::MAX } else { number };
        Self { log: world.path("calls"), kind: fault.kind(), first: number, last }
    }

    /// The words before the command.
    pub fn words(&self) -> Vec<String> {
        let path = |path: &std::path::Path| path.display().to_string();
        let range = [self.first.to_string(), self.last.to_string()];
        let words = [path(probe()), "fault".to_owned(), path(&self.log), self.kind.clone()];
        words.into_iter().chain(range).chain(["--".to_owned()]).collect()
    }

    pub fn around<'w>(&self, run: Run<'w>) -> Run<'w> {
        run.within(self.words())
    }

    /// What there was, once the command and all that it started have ended.
    pub fn traced(&self) -> Traced {
        let log = || fs::read_to_string(&self.log).ok().filter(|log| log.ends_with("end\n"));
        let log = eventually(log).unwrap_or_else(|| {
            let seen = fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = seen.lines().rev().take(5).collect();
            panic!("the tracer sees no end: {} at {}: {last:?}", self.kind, self.first)
        });
        let calls = log.lines().filter_map(call).collect();
        Traced { calls, was_met: log.lines().any(|line| line == "met") }
    }
}

/// Number, name, bytes, target.
fn call(line: &str) -> Option<Call> {
    let mut parts = line.splitn(4, ' ');
    let number = parts.next()?.parse().ok()?;
    let (name, bytes, target) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = bytes.parse().expect("a number of bytes");
    Some(Call { number, name: name.to_owned(), bytes, target: target.to_owned() })
}
