//! A file for its owner's eyes, replaced as a whole: staged beside its place with mode 0600,
//! synced, then renamed. Who reads it sees the old one or the new one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::{staging, sys};

/// Puts these bytes at a path. A link there stays one: what it leads to is replaced. One that leads
/// nowhere is replaced itself.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let not_a_file = || Err(io::Error::other("not a regular file"));
    let path = match fs::canonicalize(path) {
        Ok(path) if !path.metadata()?.is_file() => return not_a_file(),
        Ok(path) => path,
        // What is there all the same has no path, such as the pipe behind `/dev/stdout`.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.exists() => {
            return not_a_file();
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    staging::remove_left(folder_of(&path), path.file_name().into_iter());
    let staged = staging::beside(&path)?;
    // What is staged never remains, whatever signal comes.
    let _held = sys::hold_signals();
    let written = write_new(&staged, bytes);
    let put = written.and_then(|_held| fs::rename(&staged, &path));
    if put.is_err() {
        // Where it was never made, nothing is to be removed.
        let _ = fs::remove_file(&staged);
    }
    put.and_then(|()| File::open(folder_of(&path))?.sync_all())
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Mode 0600, whatever the umask; held as long as it is open.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    staging::hold(&file);
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    }

    #[test]
    fn it_is_replaced_whole_and_nothing_else_remains() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        for text in ["first", "second, and longer"] {
            replace(&path, text.as_bytes()).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), text);
            let mode = path.metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        fs::write(&path, "first").expect("a file");
        std::os::unix::fs::symlink("a", &link).expect("a link");
        replace(&link, b"second").expect("it is written");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "second");
    }

    #[test]
    fn only_a_file_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        assert!(replace(&socket, b"x").is_err());
        assert!(replace(folder.path(), b"x").is_err());
        assert!(replace(&folder.path().join("none/a"), b"x").is_err());
        assert_eq!(names(folder.path()), ["socket"]);
    }
}
