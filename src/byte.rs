//! Where a byte stands in a text. Pure.
//!
//! `memchr` asks the processor once a process which instructions it has. In a virtual machine each
//! such question is answered by the hypervisor, and all of them take about as long as reading
//! 200 KB; a launch mostly reads less than that.

use memchr::arch::all::memchr::{One, Three, Two};

/// From this length on the faster instructions are worth the question.
const LARGE_BYTES_MIN: usize = 64 * 1024;

/// The first place of this byte.
pub fn find(byte: u8, text: &[u8]) -> Option<usize> {
    match text.len() < LARGE_BYTES_MIN {
        true => One::new(byte).find(text),
        false => memchr::memchr(byte, text),
    }
}

/// The first place of one of these bytes.
pub fn find_either([one, other]: [u8; 2], text: &[u8]) -> Option<usize> {
    match text.len() < LARGE_BYTES_MIN {
        true => Two::new(one, other).find(text),
        false => memchr::memchr2(one, other, text),
    }
}

/// The first place of one of these bytes.
pub fn find_any([one, two, three]: [u8; 3], text: &[u8]) -> Option<usize> {
    match text.len() < LARGE_BYTES_MIN {
        true => Three::new(one, two, three).find(text),
        false => memchr::memchr3(one, two, three, text),
    }
}

/// Every place of a byte that is rare.
pub fn each(byte: u8, text: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + find(byte, &text[from..])?;
        from = at + 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_make_no_difference() {
        for length in [0, 1, 7, 8, 100, LARGE_BYTES_MIN - 1, LARGE_BYTES_MIN, LARGE_BYTES_MIN + 1] {
            let mut text = vec![b'.'; length];
            assert_eq!(find(b'$', &text), None);
            assert_eq!(each(b'$', &text).count(), 0);
            if let Some(last) = text.last_mut() {
                *last = b'$';
                let expected = Some(length - 1);
                assert_eq!(find(b'$', &text), expected);
                assert_eq!(find_either([b'{', b'$'], &text), expected);
                assert_eq!(find_any([b'{', b'}', b'$'], &text), expected);
                assert_eq!(each(b'$', &text).collect::<Vec<_>>(), [length - 1]);
            }
        }
        assert_eq!(each(b'$', b"$a$$").collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(find_either([b'a', b'b'], b"..ba"), Some(2));
        assert_eq!(find_any([b'a', b'b', b'c'], b"..cba"), Some(2));
    }
}
