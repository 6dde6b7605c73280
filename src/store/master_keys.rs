//! The master keys of an open store: the one that seals, and those that still open. Where a row is
//! under a key that is not known, the source is asked again, for a `rekey` may have made a new one
//! meanwhile. It seals nothing itself, and it writes no key.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::store::error::OpenError;
use crate::store::master_key::MasterKeySource;
use crate::store::seal::MasterKey;

/// After a reading that was in vain: whoever can write rows could ask for any number of them.
const PAUSE_AFTER_READING: Duration = Duration::from_secs(1);
/// Keys that are remembered, those of the source first.
const KEYS_MAX: usize = 32;

/// Every key that is known. None is forgotten while the process runs but for a great many newer
/// ones: a reader may still look at an older view of the database.
pub struct MasterKeys {
    known: RwLock<Vec<Arc<MasterKey>>>,
    /// None where it cannot be read again.
    source: Option<MasterKeySource>,
    /// When it was read last, where that was in vain.
    read_in_vain_at: Mutex<Option<Instant>>,
}

impl MasterKeys {
    pub fn read(source: &MasterKeySource) -> Result<Self, OpenError> {
        Ok(Self::new(source.read()?, source))
    }

    /// Keys of this source, that which seals first.
    pub fn new(keys: Vec<MasterKey>, source: &MasterKeySource) -> Self {
        assert!(!keys.is_empty(), "a source gives at least one key");
        Self {
            known: RwLock::new(keys.into_iter().map(Arc::new).collect()),
            source: source.again(),
            read_in_vain_at: Mutex::new(None),
        }
    }

    /// The first of the source: what a new store is sealed under, and what a `rekey` seals under.
    pub fn first(&self) -> Arc<MasterKey> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.first().expect("there is at least one, and none is taken away"))
    }

    /// The key with this id, if it is known or the source has it by now.
    pub fn find(&self, id: &[u8]) -> Option<Arc<MasterKey>> {
        self.among_known(id).or_else(|| self.after_reading_again(id))
    }

    fn among_known(&self, id: &[u8]) -> Option<Arc<MasterKey>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|key| key.id() == id).cloned()
    }

    fn after_reading_again(&self, id: &[u8]) -> Option<Arc<MasterKey>> {
        let source = self.source.as_ref()?;
        let in_vain_at = self.read_in_vain_at.lock();
        let mut in_vain_at = in_vain_at.unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read it while this one waited.
        if let Some(key) = self.among_known(id) {
            return Some(key);
        }
        if in_vain_at.is_some_and(|at| at.elapsed() < PAUSE_AFTER_READING) {
            return None;
        }
        // Without a key that it gives, the row counts as what it is with the keys that are known.
        if let Ok(keys) = source.read() {
            self.learn(keys);
        }
        let found = self.among_known(id);
        *in_vain_at = found.is_none().then(Instant::now);
        found
    }

    /// What the source has now comes first, in its order.
    fn learn(&self, keys: Vec<MasterKey>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = keys.into_iter().map(Arc::new).collect();
        let is_new = |old: &Arc<MasterKey>| all.iter().all(|key| key.id() != old.id());
        let older: Vec<_> = known.iter().filter(|old| is_new(old)).cloned().collect();
        all.extend(older);
        all.truncate(KEYS_MAX);
        *known = all;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::store::seal::Key;

    fn line(byte: u8) -> String {
        STANDARD.encode([byte; 32]) + "\n"
    }

    fn id(byte: u8) -> [u8; 16] {
        *MasterKey::new(Key::from_bytes(&[byte; 32]).unwrap()).id()
    }

    fn write(path: &Path, lines: &[u8]) {
        fs::write(path, lines.iter().map(|byte| line(*byte)).collect::<String>()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("key");
        (folder, path)
    }

    #[test]
    fn a_key_that_came_meanwhile_is_found() {
        let (_folder, path) = folder();
        write(&path, &[1]);
        let keys = MasterKeys::read(&MasterKeySource::File(path.clone())).unwrap();
        assert_eq!(*keys.first().id(), id(1));
        write(&path, &[2, 1]);
        assert_eq!(*keys.first().id(), id(1), "nothing asks for another");
        assert!(keys.find(&id(2)).is_some());
        assert_eq!(*keys.first().id(), id(2));
        write(&path, &[2]);
        assert!(keys.find(&id(1)).is_some(), "what is known stays known");
    }

    #[test]
    fn a_source_that_has_it_not_is_read_once_in_a_while() {
        let (folder, path) = folder();
        write(&path, &[1]);
        let log = folder.path().join("log");
        let script = format!("echo x >>'{}'; cat '{}'", log.display(), path.display());
        let keys = MasterKeys::read(&MasterKeySource::Command(script)).unwrap();
        for _ in 0..50 {
            assert!(keys.find(&id(9)).is_none());
        }
        let readings = fs::read_to_string(log).unwrap().lines().count();
        assert!((2..=4).contains(&readings), "{readings}");
    }

    #[test]
    fn a_source_that_is_gone_takes_no_key_away() {
        let (_folder, path) = folder();
        write(&path, &[1]);
        let keys = MasterKeys::read(&MasterKeySource::File(path.clone())).unwrap();
        fs::remove_file(path).unwrap();
        assert!(keys.find(&id(2)).is_none());
        assert!(keys.find(&id(1)).is_some());
    }
}
