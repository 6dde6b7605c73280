//! What a path stands for, however it is spelled: the folder itself, and the name in it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How many links a path is followed through, as the kernel does (path_resolution(7)).
const LINKS_MAX: usize = 40;

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
        if !folder.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
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

/// A template under each name that leads to it.
pub struct TemplateFile {
    /// Its own, and those of the links on the way.
    names: Vec<Identity>,
    /// Device and inode of the file itself.
    file: Option<(u64, u64)>,
}

impl TemplateFile {
    pub fn of(path: &Path) -> Self {
        let mut names = Vec::new();
        let mut at = path.to_owned();
        for _ in 0..LINKS_MAX {
            names.extend(Identity::of_place(&at));
            let Ok(target) = fs::read_link(&at) else { break };
            at = folder(&at).join(target);
        }
        let file = fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        Self { names, file }
    }

    /// Whether it would be gone with what stands at a place: one of its names, or the same file
    /// under another one, which a user took for two.
    pub fn stands_at(&self, place: &Identity, path: &Path) -> bool {
        let there = fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()));
        self.names.contains(place) || (there.is_some() && there == self.file)
    }
}
