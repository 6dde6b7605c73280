//! Binds the sockets that a server listens on. A unix socket that nobody answers at is replaced,
//! one that somebody answers at is not; whatever else stands at its path stays.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net as std_unix;
use std::path::{Path, PathBuf, absolute};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, umask};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// Connections that the system completes and keeps until they are accepted; it may take fewer
/// (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;
/// How long another process may have the folder of a socket locked: a server needs a moment.
const LOCK_TIME_MAX: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The folder of a socket stays locked.
#[derive(Debug)]
struct FolderLocked(PathBuf);

/// A unix socket's name in the file system, which goes when this is dropped.
pub struct SocketFile {
    path: PathBuf,
    /// Device and number: another socket may have taken the name meanwhile.
    identity: (u64, u64),
}

/// Listens on TCP.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Else connections of a server that has just ended would keep the address for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens on a unix socket of this mode. Two servers that begin at once look one after the other.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    let path = whole(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let _lock = lock(folder)?;
    remove_stale(&path)?;
    // From its first moment on it is the owner's alone, whatever the mask was.
    let before = umask(Mode::from_bits_truncate(0o077));
    let bound = std_unix::UnixListener::bind(&path);
    umask(before);
    let listener = bound?;
    let found = fs::symlink_metadata(&path)?;
    let file = SocketFile { path, identity: (found.dev(), found.ino()) };
    fs::set_permissions(&file.path, fs::Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, file))
}

/// Comes back in any case: whoever locks it may do so for as long as it runs.
fn lock(folder: &Path) -> io::Result<Flock<File>> {
    let until = Instant::now() + LOCK_TIME_MAX;
    let mut opened = File::open(folder)?;
    loop {
        opened = match Flock::lock(opened, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK)) if Instant::now() < until => file,
            Err((_, Errno::EWOULDBLOCK)) => {
                let locked = FolderLocked(folder.to_owned());
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, locked));
            }
            Err((_, errno)) => return Err(errno.into()),
        };
        thread::sleep(LOCK_PAUSE);
    }
}

/// From the root on, so that it can be copied; one line, whatever the folder is called.
fn whole(path: &Path) -> io::Result<PathBuf> {
    let whole = absolute(path)?;
    let is_line = !whole.display().to_string().chars().any(char::is_control);
    if is_line { Ok(whole) } else { Err(io::ErrorKind::InvalidFilename.into()) }
}

/// Removes a socket whose server is gone, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => {}
    }
    match std_unix::UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl fmt::Display for FolderLocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another process has the folder `{}` locked", self.0.display())
    }
}

impl std::error::Error for FolderLocked {}

impl SocketFile {
    /// From the root on.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            // One that cannot be removed is replaced by the next server.
            let _ = fs::remove_file(&self.path);
        }
    }
}
