//! Offsets of a text → lines and columns. Pure; it counts the text once, whatever is asked.

/// How far apart offsets are whose line and column are known.
const STEP_BYTES: usize = 4096;

/// Line and column at every so many bytes of one text.
#[derive(Debug)]
pub struct Positions(Vec<(usize, usize)>);

impl Positions {
    pub fn new(text: &[u8]) -> Self {
        let mut known = (1, 1);
        let begin = |step| {
            let behind = advance(known, step);
            std::mem::replace(&mut known, behind)
        };
        // The last one begins where the text ends.
        Self(text.chunks(STEP_BYTES).chain([&[][..]]).map(begin).collect())
    }

    /// Line and column of an offset, both from 1; a column is a character.
    pub fn of(&self, text: &[u8], at: usize) -> (usize, usize) {
        let step = at / STEP_BYTES;
        advance(self.0[step], &text[step * STEP_BYTES..at])
    }
}

/// The position behind these bytes.
fn advance((line, column): (usize, usize), bytes: &[u8]) -> (usize, usize) {
    match memchr::memrchr(b'\n', bytes) {
        None => (line, column + characters(bytes)),
        Some(newline) => {
            let lines = memchr::memchr_iter(b'\n', bytes).count();
            (line + lines, 1 + characters(&bytes[newline + 1..]))
        }
    }
}

/// The characters of UTF-8: its bytes but for those that continue one.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &[u8], at: usize) -> (usize, usize) {
        Positions::new(text).of(text, at)
    }

    #[test]
    fn positions_count_characters() {
        let text = "ä$A\nüß$B".as_bytes();
        let at = |needle: u8| text.iter().position(|b| *b == needle).expect("there") - 1;
        assert_eq!(position(text, at(b'A')), (1, 2));
        assert_eq!(position(text, at(b'B')), (2, 3));
        assert_eq!(position(b"\xff\xfe$A", 2), (1, 3));
        assert_eq!(position(b"", 0), (1, 1));
    }

    #[test]
    fn steps_make_no_difference() {
        let text = "wörter und\nzeilen ".repeat(1000).into_bytes();
        for at in (0..=text.len()).step_by(97) {
            assert_eq!(position(&text, at), advance((1, 1), &text[..at]));
        }
    }
}
