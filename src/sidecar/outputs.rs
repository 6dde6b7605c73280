//! Whether an output is in its place already: then it is left alone, and its time with it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::launch::document::Output;
use crate::secret::Secret;

const PERMISSIONS: u32 = 0o7777;

/// Whether this file is there with these bytes, this mode and this owner. What cannot be read is
/// not.
pub fn stands(path: &Path, output: &Output, contents: &Secret) -> bool {
    let Ok(there) = fs::symlink_metadata(path) else { return false };
    let is_same = there.is_file()
        && there.len() == contents.len() as u64
        && there.mode() & PERMISSIONS == output.mode
        && output.uid.is_none_or(|uid| uid == there.uid())
        && output.gid.is_none_or(|gid| gid == there.gid());
    is_same
        && read(path, contents.len())
            .is_some_and(|bytes| bytes.expose_secret() == contents.expose_secret())
}

/// Something is at this path that somebody may have read.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn read(path: &Path, length: usize) -> Option<Secret> {
    // It never grows, so that no copy is left behind.
    let mut bytes = Vec::with_capacity(length + 1);
    let read =
        File::open(path).and_then(|file| file.take(length as u64 + 1).read_to_end(&mut bytes));
    let bytes = Secret::new(bytes);
    read.ok().map(|_| bytes)
}
