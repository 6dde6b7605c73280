//! The file itself: read whole, written whole, by one process at a time. Its text is TOML, and no
//! fault repeats anything of it.

use std::fmt::{self, Write as _};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use serde::{Deserialize, Deserializer};

use crate::launch::problem::os_text;
use crate::name::OrgName;
use crate::private_file::{self, folder_of};
use crate::secret::Secret;

use super::{Address, Entry, Repinned};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// How long a login waits for others to have written, and how often it looks.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);
const LOCK_LOOKS_EVERY: Duration = Duration::from_millis(10);

const HEAD: &str = "# Written by `inject login`. Who can read this file can use these tokens.\n";

/// Why the file cannot be used.
#[derive(Debug)]
pub enum ReadError {
    Io { path: PathBuf, error: io::Error },
    NoFile { path: PathBuf },
    Mode { path: PathBuf, mode: u32 },
    Owner { path: PathBuf, owner: u32 },
    Form { path: PathBuf, line: usize },
}

/// Why a token is not kept.
#[derive(Debug)]
pub enum SaveError {
    Read(ReadError),
    /// Somebody else holds the folder's lock.
    Locked {
        path: PathBuf,
    },
    Folder {
        path: PathBuf,
        error: io::Error,
    },
    Write {
        path: PathBuf,
        error: io::Error,
    },
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    login: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    store: String,
    pin: Option<String>,
    organization: OrgName,
    #[serde(deserialize_with = "secret")]
    token: Secret,
}

/// What is kept; nothing where there is no file.
pub fn read(path: &Path) -> Result<Vec<Entry>, ReadError> {
    let failed = |error| ReadError::Io { path: path.to_owned(), error };
    // A pipe would be waited for, and nobody may ever write to it.
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    judge(path, &file)?;
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |seen| seen.len() as usize) + 1);
    let done = file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    let bytes = Secret::new(bytes);
    match done.map_err(failed)? {
        length if length > FILE_BYTES_MAX => Err(failed(io::ErrorKind::FileTooLarge.into())),
        _ => parse(path, bytes.expose_secret()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Refuses what others can read or could have written.
fn judge(path: &Path, file: &File) -> Result<(), ReadError> {
    let path = path.to_owned();
    let seen = match file.metadata() {
        Ok(seen) => seen,
        Err(error) => return Err(ReadError::Io { path, error }),
    };
    let (owner, mode) = (seen.uid(), seen.mode() & 0o7777);
    if !seen.is_file() {
        return Err(ReadError::NoFile { path });
    }
    if owner != nix::unistd::geteuid().as_raw() && owner != 0 {
        return Err(ReadError::Owner { path, owner });
    }
    if mode & 0o077 != 0 { Err(ReadError::Mode { path, mode }) } else { Ok(()) }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Entry>, ReadError> {
    // The parser's own words would quote the line.
    let form = |at: usize| {
        let line = 1 + bytes[..at.min(bytes.len())].iter().filter(|b| **b == b'\n').count();
        ReadError::Form { path: path.to_owned(), line }
    };
    let text = std::str::from_utf8(bytes).map_err(|error| form(error.valid_up_to()))?;
    let text: Text =
        toml::from_str(text).map_err(|error| form(error.span().map_or(0, |span| span.start)))?;
    let entry = |table: Table| Entry {
        address: Address { text: table.store, pin: table.pin },
        org: table.organization,
        token: table.token,
    };
    Ok(text.login.into_iter().map(entry).collect())
}

/// Keeps the new entries, and all others that are there. A new pin is its address's, whichever the
/// organization: what was kept with another one is kept with the new one from now on, and told.
pub fn save(path: &Path, new: Vec<Entry>) -> Result<Vec<Repinned>, SaveError> {
    let folder = folder_of(path);
    let failed = |error| SaveError::Folder { path: folder.to_owned(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // Held until the end of this function, or of the process.
    let _lock = locked(folder)?;
    let is_new = |old: &Entry| {
        new.iter().any(|new| new.address.text == old.address.text && new.org == old.org)
    };
    let mut entries = read(path).map_err(SaveError::Read)?;
    entries.retain(|old| !is_new(old));
    let repinned = new.iter().filter_map(|new| repin(&mut entries, &new.address)).collect();
    entries.extend(new);
    let text = write(&entries);
    private_file::replace(path, text.expose_secret())
        .map_err(|error| SaveError::Write { path: path.to_owned(), error })?;
    Ok(repinned)
}

/// The folder, locked by this process alone. One that never lets go of it is not waited for.
fn locked(folder: &Path) -> Result<File, SaveError> {
    let failed = |error| SaveError::Folder { path: folder.to_owned(), error };
    let file = File::open(folder).map_err(failed)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() >= LOCK_WAIT_MAX => {
                return Err(SaveError::Locked { path: folder.to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_LOOKS_EVERY),
        }
    }
}

/// Gives all that is kept for an address its new pin.
fn repin(entries: &mut [Entry], new: &Address) -> Option<Repinned> {
    let pin = new.pin.as_ref()?;
    let other = |entry: &&mut Entry| {
        entry.address.text == new.text && entry.address.pin.as_ref() != Some(pin)
    };
    let mut orgs = Vec::new();
    for entry in entries.iter_mut().filter(other) {
        entry.address.pin = Some(pin.clone());
        orgs.push(entry.org.clone());
    }
    (!orgs.is_empty()).then(|| Repinned { address: new.text.clone(), orgs })
}

fn write(entries: &[Entry]) -> Secret {
    // Room for all of it, so that growing leaves no copy behind: a byte needs six at most.
    let of = |entry: &Entry| {
        let Address { text, pin } = &entry.address;
        128 + 6 * (text.len() + pin.as_ref().map_or(0, String::len) + entry.token.len())
    };
    let mut text = String::with_capacity(HEAD.len() + entries.iter().map(of).sum::<usize>());
    text.push_str(HEAD);
    for Entry { address, org, token } in entries {
        text.push_str("\n[[login]]\nstore = ");
        quote(&mut text, &address.text);
        if let Some(pin) = &address.pin {
            text.push_str("\npin = ");
            quote(&mut text, pin);
        }
        text.push_str("\norganization = ");
        quote(&mut text, org.as_str());
        text.push_str("\ntoken = ");
        quote(&mut text, &String::from_utf8_lossy(token.expose_secret()));
        text.push('\n');
    }
    Secret::new(text.into_bytes())
}

/// A basic string (TOML 1.0, "String").
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("a string takes every write");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|text| Secret::new(text.into_bytes()))
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => {
                write!(f, "cannot read `{}`: {}", path.display(), os_text(error))
            }
            Self::NoFile { path } => write!(f, "`{}` is not a regular file", path.display()),
            Self::Mode { path, mode } => write!(
                f,
                "`{0}` has mode {mode:04o}, and others may read the tokens in it; run `chmod 600 \
                 {0}`",
                path.display()
            ),
            Self::Owner { path, owner } => write!(
                f,
                "`{}` belongs to user {owner}, who could change where tokens are sent; it has to \
                 be your own",
                path.display()
            ),
            Self::Form { path, line } => write!(
                f,
                "`{}`: what stands at line {line} is not as `inject login` writes it; remove it, \
                 and log in again",
                path.display()
            ),
        }
    }
}

impl ReadError {
    /// Whether it is another user's file, as where a service or `sudo` has somebody else's home.
    pub fn is_anothers(&self) -> bool {
        match self {
            Self::Owner { .. } => true,
            Self::Io { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            Self::NoFile { .. } | Self::Mode { .. } | Self::Form { .. } => false,
        }
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Locked { path } => write!(
                f,
                "cannot write to `{}`: another program has held its lock for {} s, perhaps another \
                 `inject login`; end that one, and log in once more",
                path.display(),
                LOCK_WAIT_MAX.as_secs()
            ),
            Self::Folder { path, error } | Self::Write { path, error } => {
                write!(f, "cannot write `{}`: {}", path.display(), os_text(error))
            }
        }
    }
}

impl std::error::Error for ReadError {}
impl std::error::Error for SaveError {}
