//! What stands beside its place until it is whole: named so that it is known again, and held while
//! somebody works on it. What nobody holds was left by a process that was killed, and is removed by
//! the next that works at that place.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::sys;

/// A name may have 255 bytes; what is left of one says whose file this is.
const STEM_BYTES_MAX: usize = 200;
/// Hexadecimal digits, and the dot before them.
const TAIL_BYTES: usize = 17;
/// Of a folder with more names than these the others are not looked at.
const NAMES_MAX: usize = 10_000;

/// A name for what is staged: hidden, and random.
pub fn name(of: &OsStr) -> io::Result<OsString> {
    let random = u64::from_ne_bytes(sys::random()?);
    let tail = format!(".{random:016x}");
    Ok(OsString::from_vec([b".", stem(of), tail.as_bytes()].concat()))
}

/// The same as a path beside this one.
pub fn beside(path: &Path) -> io::Result<PathBuf> {
    let of = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(path.with_file_name(name(of)?))
}

/// Takes a file that was just made, until its last descriptor is closed (flock(2)). False where
/// somebody found it before and takes it for left: it is gone then. Where nothing can be locked,
/// nobody takes anything for left.
pub fn hold(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Removes what was left in a folder of the files with these names. What cannot be is still there,
/// for the next one.
pub fn remove_left<'n>(folder: &Path, of: impl Iterator<Item = &'n OsStr> + Clone) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.take(NAMES_MAX).flatten() {
        let name = entry.file_name();
        let whose = whose(name.as_bytes());
        if whose.is_some_and(|whose| of.clone().any(|of| stem(of) == whose)) {
            remove_unheld(&folder.join(name));
        }
    }
}

fn remove_unheld(path: &Path) {
    let flags = O_NOFOLLOW | O_NONBLOCK;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return };
    let is_left = file.metadata().is_ok_and(|seen| seen.is_file()) && file.try_lock().is_ok();
    if is_left {
        let _ = fs::remove_file(path);
    }
}

fn stem(name: &OsStr) -> &[u8] {
    &name.as_bytes()[..name.len().min(STEM_BYTES_MAX)]
}

/// The stem in a name as [`name`] makes it.
fn whose(name: &[u8]) -> Option<&[u8]> {
    let (stem, tail) = name.strip_prefix(b".")?.split_last_chunk::<TAIL_BYTES>()?;
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    (tail[0] == b'.' && tail[1..].iter().all(is_digit) && !stem.is_empty()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_left_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = |name: &OsStr| File::create(folder.path().join(name)).expect("a file");
        let (left, held) = (name(OsStr::new("a")), name(OsStr::new("a")));
        made(&left.expect("there is chance"));
        let held = held.expect("there is chance");
        let file = made(&held);
        assert!(hold(&file));
        let others = ["a", ".a", ".a.0123", ".a.0123456789abcdeg", ".b.0123456789abcdef", ".a.b"];
        let others = others.map(OsString::from);
        others.iter().for_each(|name| drop(made(name)));
        let link = OsString::from(".a.0123456789abcdef");
        std::os::unix::fs::symlink("a", folder.path().join(&link)).expect("a link");
        remove_left(folder.path(), [OsStr::new("a")].into_iter());
        let entries = fs::read_dir(folder.path()).expect("a folder").flatten();
        let mut found: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
        found.sort();
        let mut expected: Vec<OsString> = others.into_iter().chain([held, link]).collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_long_name_is_known_again() {
        let long = OsString::from("x".repeat(255));
        let staged = name(&long).expect("there is chance");
        assert_eq!(staged.len(), 1 + STEM_BYTES_MAX + TAIL_BYTES);
        assert_eq!(whose(staged.as_bytes()), Some(stem(&long)));
    }
}
