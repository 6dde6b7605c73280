//! Looks at the database while it is used, and remembers each salt that stood in it: what is
//! retired is then searched for in the files.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{World, contains, files};

use super::Organization;

/// Each version's salt, as far as it was seen.
#[derive(Default)]
pub struct Witness {
    pub seen: BTreeMap<(String, u64), Vec<u8>>,
}

impl Witness {
    /// Looks again and again until it is told to stop.
    pub fn watch(&mut self, organization: &Organization, stop: &AtomicBool) {
        let database = organization.database();
        while !stop.load(Ordering::Relaxed) {
            self.seen.append(&mut Organization::salts(&database));
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// The salts of these versions, of those that were seen.
    pub fn of<'a>(
        &'a self,
        versions: impl IntoIterator<Item = &'a (String, u64)>,
    ) -> Vec<&'a [u8]> {
        versions.into_iter().filter_map(|one| self.seen.get(one)).map(Vec::as_slice).collect()
    }
}

/// Which file of the store holds one of these, or a canary's value.
pub fn holds(world: &World, data: &str, needles: &[&[u8]]) -> Option<String> {
    let canary: &[u8] = super::worker::CANARY.as_bytes();
    for (path, bytes) in files(&world.path(data)) {
        if needles.iter().chain([&canary]).any(|needle| contains(&bytes, needle)) {
            return Some(path.display().to_string());
        }
    }
    None
}
