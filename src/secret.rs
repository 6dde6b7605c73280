//! The bytes of a secret: wiped when dropped, and shown by nothing but [`Secret::expose_secret`].

use zeroize::Zeroize;

/// A value. It has no `Debug`, `Display`, `Clone` or `Serialize`: each way out is spelled.
pub struct Secret(Vec<u8>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // As one block: `Vec`'s own way goes byte by byte, which takes longer than rendering.
        self.0.spare_capacity_mut().zeroize();
        self.0.as_mut_slice().zeroize();
    }
}
