//! Where the master key comes from, and the judgement on its file. It seals nothing, and it never
//! writes over a key that is there.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::store::error::OpenError;
use crate::store::lock::DirectoryLock;
use crate::store::seal::{KEY_BYTES, Key, MasterKey};
use crate::store::storage::deadline::Deadline;
use crate::store::storage::sqlite::{beside, sync_directory};
use crate::sys;

/// The key's file in the data directory.
pub const FILE_NAME: &str = "master.key";
/// What is behind the key's name while it is written.
const STAGED: &str = ".inject-new";
/// The most that is read of what should hold 45 bytes, or as many lines of it as there may be keys.
const TEXT_BYTES_MAX: usize = 4096;
/// Keys in one source: one that seals, and those that rows or backups are still under.
const KEYS_MAX: usize = 16;
/// How long a command may take to print them and to end, where it has nobody to ask.
const KEY_COMMAND_TIME_MAX: Duration = Duration::from_secs(30);

/// Where the master key is: 32 bytes as standard base64, and a newline that may be left out. There
/// may be several, one a line: the first seals, the others only open.
pub enum MasterKeySource {
    /// A file of its owner's alone; made with the store if neither is there.
    File(PathBuf),
    /// A file that systemd guards (`LoadCredential=`): its owner and mode are systemd's matter.
    Credential(PathBuf),
    /// What `sh -c` prints for this.
    Command(String),
    /// The value of `INJECT_MASTER_KEY`.
    Value(Secret),
}

impl MasterKeySource {
    /// The keys, that which seals first. A store that is there is never given a fresh one.
    pub fn read(&self) -> Result<Vec<MasterKey>, OpenError> {
        match self {
            Self::File(path) => {
                let (file, metadata) = open(path)?;
                judge(path, &metadata)?;
                decode(&read_text(path, file)?, self)
            }
            Self::Credential(path) => decode(&read_text(path, open(path)?.0)?, self),
            Self::Command(command) => {
                // Who types takes the time that it takes, and can end it from there.
                let is_alone = !sys::is_in_foreground();
                let until = is_alone.then(|| Instant::now() + KEY_COMMAND_TIME_MAX);
                decode(&run(command, until)?, self)
            }
            Self::Value(text) => decode(text, self),
        }
    }

    /// The key of a store that is to be made: a fresh one, if its file is not there. `lock` is on
    /// the data directory, where the key need not be.
    pub fn read_or_make(
        &self,
        lock: &DirectoryLock,
        deadline: Deadline,
    ) -> Result<Vec<MasterKey>, OpenError> {
        let Self::File(path) = self else {
            return self.read();
        };
        let failed = |error| OpenError::io("make the master key", path, error);
        let staged = beside(path, STAGED);
        // What a crash left goes: it may be a second name of the key.
        let clean = || {
            let other = lock_of_another(path, lock, deadline)?;
            remove(&staged).map_err(failed)?;
            Ok::<_, OpenError>(other)
        };
        match (self.read(), clean()) {
            (Err(OpenError::KeyMissing { .. }), cleaned) => {
                let _other = cleaned?;
                make(path, &staged).map_err(failed)?;
                self.read()
            }
            // A key that is there is good also where nothing may be removed beside it.
            (read, _) => read,
        }
    }

    /// The same source, to be read again later. The environment of a process does not change.
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::File(path) => Some(Self::File(path.clone())),
            Self::Credential(path) => Some(Self::Credential(path.clone())),
            Self::Command(command) => Some(Self::Command(command.clone())),
            Self::Value(_) => None,
        }
    }

    /// The source as errors name it; never the key.
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) | Self::Credential(path) => format!("`{}`", path.display()),
            Self::Command(_) => "the output of `--master-key-command`".to_owned(),
            Self::Value(_) => "the value of `INJECT_MASTER_KEY`".to_owned(),
        }
    }
}

/// The lock on the key's directory, if that is not the one that is locked already.
fn lock_of_another(
    path: &Path,
    lock: &DirectoryLock,
    deadline: Deadline,
) -> Result<Option<DirectoryLock>, OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let locked = lock.covers(directory);
    match locked.map_err(|error| OpenError::io("make the master key", path, error))? {
        true => Ok(None),
        false => DirectoryLock::take(directory, deadline).map(Some),
    }
}

/// Opens what must be a regular file: a pipe would be waited for, and nobody may ever write to it.
fn open(path: &Path) -> Result<(File, Metadata), OpenError> {
    let failed = |error| OpenError::io("read the master key", path, error);
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::KeyMissing { path: path.to_owned() },
        _ => failed(error),
    })?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(OpenError::KeyNoFile { path: path.to_owned() });
    }
    Ok((file, metadata))
}

/// Refuses a key that others can read or could have written.
fn judge(path: &Path, metadata: &Metadata) -> Result<(), OpenError> {
    let owner = metadata.uid();
    let user = nix::unistd::geteuid().as_raw();
    if owner != user && owner != 0 {
        return Err(OpenError::KeyOwner { path: path.to_owned(), owner, user });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OpenError::KeyMode { path: path.to_owned(), mode });
    }
    Ok(())
}

fn read_text(path: &Path, file: File) -> Result<Secret, OpenError> {
    let mut text = Vec::with_capacity(TEXT_BYTES_MAX);
    let read = file.take(TEXT_BYTES_MAX as u64).read_to_end(&mut text);
    let text = Secret::new(text);
    read.map_err(|error| OpenError::io("read the master key", path, error))?;
    Ok(text)
}

/// Runs the command with no input; what it says on stderr reaches the user. It ends when this
/// process does, and when its time is over; one without such a time may ask on the terminal.
fn run(command: &str, until: Option<Instant>) -> Result<Secret, OpenError> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        // It has nothing to do with the store's callers.
        .env_remove("INJECT_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let (mut child, group) = sys::spawn_group(&mut shell, until.is_none()).map_err(not_run)?;
    let output = child.stdout.take().expect("it is a pipe");
    let done = printed(output, until).and_then(|text| Ok((text, ended(&mut child, until)?)));
    if done.is_err() {
        group.kill();
        // What it ended with is not what went wrong.
        let _ = child.wait();
    }
    match done? {
        (text, status) if status.success() => Ok(text),
        (_, status) => Err(OpenError::KeyCommand { status: status.to_string() }),
    }
}

fn not_run(error: io::Error) -> OpenError {
    OpenError::io("run the master key's command with", "/bin/sh", error)
}

/// All that a command prints until it closes its output.
fn printed(mut output: ChildStdout, until: Option<Instant>) -> Result<Secret, OpenError> {
    let mut text = Zeroizing::new([0; TEXT_BYTES_MAX + 1]);
    let mut length = 0;
    while length < text.len() {
        let left = left(until)?;
        if !sys::serving::is_readable_within(&output, left).map_err(not_run)? {
            continue;
        }
        match output.read(&mut text[length..]) {
            Ok(0) => return Ok(Secret::new(text[..length].to_vec())),
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(not_run(error)),
        }
    }
    let status = format!("it printed more than {TEXT_BYTES_MAX} bytes");
    Err(OpenError::KeyCommand { status })
}

/// What a command that has closed its output ends with; most do both at once.
fn ended(child: &mut Child, until: Option<Instant>) -> Result<ExitStatus, OpenError> {
    loop {
        if let Some(status) = child.try_wait().map_err(not_run)? {
            return Ok(status);
        }
        std::thread::sleep(left(until)?.min(Duration::from_millis(2)));
    }
}

/// The time that is left, or that none is.
fn left(until: Option<Instant>) -> Result<Duration, OpenError> {
    let Some(until) = until else { return Ok(KEY_COMMAND_TIME_MAX) };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        let status = format!("it did not end within {} s", KEY_COMMAND_TIME_MAX.as_secs());
        return Err(OpenError::KeyCommand { status });
    }
    Ok(left)
}

/// The key of each line that is not empty.
fn decode(text: &Secret, source: &MasterKeySource) -> Result<Vec<MasterKey>, OpenError> {
    let lines = text.expose_secret().split(|byte| *byte == b'\n');
    let lines: Vec<_> = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect();
    let unfit = |line| OpenError::KeyForm { source: source.shown(), line };
    match lines.len() {
        0 => return Err(unfit(None)),
        count if count > KEYS_MAX => {
            return Err(OpenError::KeysMany { source: source.shown(), keys_max: KEYS_MAX });
        }
        _ => {}
    }
    let mut keys: Vec<MasterKey> = Vec::with_capacity(lines.len());
    for (number, line) in (1..).zip(&lines) {
        let number = (lines.len() > 1).then_some(number);
        let key = decode_one(line).ok_or_else(|| unfit(number))?;
        if keys.iter().any(|known| known.id() == key.id()) {
            return Err(OpenError::KeyTwice { source: source.shown() });
        }
        keys.push(key);
    }
    Ok(keys)
}

fn decode_one(line: &[u8]) -> Option<MasterKey> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES + 16]);
    let length = STANDARD.decode_slice(line, bytes.as_mut_slice()).ok()?;
    Key::from_bytes(&bytes[..length]).map(MasterKey::new)
}

/// Puts these keys into the file at `path`, one a line, in place of those that are there: at once,
/// or not at all. Owner and mode stay. Links that lead to it stay too. The inner error is the
/// file's own, which may be one that only its owner can write.
pub fn replace(
    path: &Path,
    keys: &[MasterKey],
    lock: &DirectoryLock,
    deadline: Deadline,
) -> Result<io::Result<()>, OpenError> {
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) => return Ok(Err(error)),
    };
    let _other = lock_of_another(&path, lock, deadline)?;
    let staged = beside(&path, STAGED);
    let mut text = Zeroizing::new(Vec::with_capacity(TEXT_BYTES_MAX));
    for key in keys {
        let line = Zeroizing::new(STANDARD.encode(key.expose_secret()));
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    let put = || {
        let before = fs::metadata(&path)?;
        remove(&staged)?;
        write_new(&staged, &text)?;
        chown(&staged, Some(before.uid()), Some(before.gid()))?;
        fs::set_permissions(&staged, before.permissions())?;
        File::open(&staged)?.sync_all()?;
        fs::rename(&staged, &path)?;
        sync_directory(&path)
    };
    let put = put();
    if put.is_err() {
        // It may hold keys; that it could not be put in place is what is told.
        let _ = remove(&staged);
    }
    Ok(put)
}

/// Writes a fresh key under another name, then links it to `path`: the file is there whole or not
/// at all, and one that somebody has put there meanwhile stays.
fn make(path: &Path, staged: &Path) -> io::Result<()> {
    let key = Zeroizing::new(sys::random::<KEY_BYTES>()?);
    let mut text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    text.push('\n');
    let linked = write_new(staged, text.as_bytes()).and_then(|()| fs::hard_link(staged, path));
    // Whether or not it was linked, the name it was written under goes.
    let removed = remove(staged);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => removed?,
    }
    sync_directory(path)
}

pub(super) fn remove(staged: &Path) -> io::Result<()> {
    match fs::remove_file(staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a file of mode 0600, whatever the umask, and waits until it is on the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_its_time() {
        for command in
            ["sleep 86400", "exec >&-; sleep 86400", "sleep 86400 &", "sleep 86400 | cat"]
        {
            let until = Instant::now() + Duration::from_millis(50);
            let error = run(command, Some(until)).err().expect("it does not end");
            assert!(Instant::now() >= until, "{command}");
            let said = "`--master-key-command` failed (it did not end within 30 s)";
            assert!(error.to_string().contains(said), "{error}");
        }
        let until = Instant::now() + KEY_COMMAND_TIME_MAX;
        let printed = run("printf a; exec >&-; exit 0", Some(until)).expect("it ends well");
        assert_eq!(printed.expose_secret(), b"a");
    }
}
