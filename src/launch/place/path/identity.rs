//! What a path stands for, however it is spelled: the folder itself, and the name in it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A name in a folder, whether or not a file has it.
#[derive(Debug, Eq, PartialEq)]
pub struct Identity {
    device: u64,
    inode: u64,
    name: OsString,
}

impl Identity {
    pub fn of_place(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let folder = fs::metadata(folder(path))?;
        Ok(Self { device: folder.dev(), inode: folder.ino(), name })
    }
}

/// The folder that a path's last name is in.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether a template would be gone with what stands at a place: it is the same name, or the same
/// file under another one, which a user took for two.
pub fn stands_at(template: &Path, place: &Identity, path: &Path) -> bool {
    let same_name = Identity::of_place(template).is_ok_and(|of_template| of_template == *place);
    let same_file = match (fs::metadata(template), fs::symlink_metadata(path)) {
        (Ok(template), Ok(there)) => (template.dev(), template.ino()) == (there.dev(), there.ino()),
        _ => false,
    };
    same_name || same_file
}
