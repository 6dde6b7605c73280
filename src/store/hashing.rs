//! Hashes short keys, such as names, in a fraction of the time that SipHash takes. It is keyed at
//! random, so that nobody can choose names that collide; it is no code that proves anything.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A map of names.
pub type Names<K, V> = std::collections::HashMap<K, V, Keyed>;

/// What each hash of one map begins with.
#[derive(Clone)]
pub struct Keyed {
    start: u64,
    factor: u64,
}

/// One hash under way.
pub struct Hashing {
    state: u64,
    factor: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self { start: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }
}

impl BuildHasher for Keyed {
    type Hasher = Hashing;

    fn build_hasher(&self) -> Hashing {
        Hashing { state: self.start, factor: self.factor }
    }
}

impl Hashing {
    /// The two halves of a product, one upon the other: each bit of it depends on all before.
    fn take(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = (product as u64) ^ ((product >> 64) as u64).rotate_left(1);
    }
}

impl Hasher for Hashing {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.take(u64::from_le_bytes(word.try_into().expect("it is eight bytes")));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.take(u64::from_le_bytes(last));
    }

    fn write_u8(&mut self, byte: u8) {
        self.state ^= u64::from(byte);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.state) * u128::from(self.factor);
        (product as u64) ^ (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_alike_are_told_apart() {
        let keyed = Keyed::default();
        let hashes = (0..10_000).map(|number| keyed.hash_one(format!("SERVICE_{number}_PASSWORD")));
        let all: std::collections::HashSet<u64> = hashes.clone().collect();
        assert_eq!(all.len(), 10_000);
        // In the lowest bits, by which a map finds a place, they are spread too.
        let low: std::collections::HashSet<u64> = hashes.map(|hash| hash & 0xffff).collect();
        assert!(low.len() > 8_000, "{}", low.len());
        assert_eq!(keyed.hash_one("A"), keyed.hash_one(String::from("A")));
        assert_ne!(keyed.hash_one("A"), Keyed::default().hash_one("A"));
    }
}
