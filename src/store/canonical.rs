//! One way to write fields as bytes, for everything that is authenticated. Each field is preceded
//! by its length, so no two lists of fields give the same bytes. It knows no key.

/// Fields in order; the first is always a label that names what is authenticated.
pub struct Canonical(Vec<u8>);

impl Canonical {
    pub fn new(label: &str) -> Self {
        Self(Vec::with_capacity(512)).bytes(label.as_bytes())
    }

    /// Length as 8 bytes, big endian, then the bytes.
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    pub fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    pub fn number(self, field: i64) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// An absent field is told from an empty one by the byte before it.
    pub fn optional(self, field: Option<&str>) -> Self {
        match field {
            Some(text) => self.bytes(b"\x01").text(text),
            None => self.bytes(b"\x00"),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Canonical;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let one = Canonical::new("t").text("ab").text("c");
        let other = Canonical::new("t").text("a").text("bc");
        assert_ne!(one.as_bytes(), other.as_bytes());
    }

    #[test]
    fn absent_is_not_empty() {
        let absent = Canonical::new("t").optional(None).text("");
        let empty = Canonical::new("t").optional(Some(""));
        assert_ne!(absent.as_bytes(), empty.as_bytes());
    }

    #[test]
    fn the_form_is_as_it_was() {
        let all = Canonical::new("t").number(-2).optional(Some("a")).optional(None).bytes(b"");
        let length = |bytes: u8| [0, 0, 0, 0, 0, 0, 0, bytes];
        let expected: [&[u8]; 11] = [
            &length(1),
            b"t",
            &length(8),
            b"\xff\xff\xff\xff\xff\xff\xff\xfe",
            &length(1),
            b"\x01",
            &length(1),
            b"a",
            &length(1),
            b"\x00",
            &length(0),
        ];
        assert_eq!(all.as_bytes(), expected.concat());
    }
}
