//! Whether a template is another file than when it was read last, as after an update of a
//! ConfigMap. It reads none.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What is looked at, followed through links: another file, or another time of change.
#[derive(Debug, Eq, PartialEq)]
struct Looks {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

pub struct Templates {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Looks>>,
}

impl Templates {
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let mut templates = Self { paths, seen: Vec::new() };
        templates.remember();
        templates
    }

    /// From here on this is how they look; done before they are read, so that no change is missed.
    pub fn remember(&mut self) {
        self.seen = self.look();
    }

    pub fn changed(&self) -> bool {
        self.look() != self.seen
    }

    fn look(&self) -> Vec<Option<Looks>> {
        let look = |path: &PathBuf| {
            let seen = fs::metadata(path).ok()?;
            let changed = (seen.ctime(), seen.ctime_nsec());
            Some(Looks { device: seen.dev(), inode: seen.ino(), length: seen.len(), changed })
        };
        self.paths.iter().map(look).collect()
    }
}
