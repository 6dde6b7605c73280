//! A line that is typed unseen, and the keys that change it. Pure: it reads from no terminal.

use nix::sys::termios::{SpecialCharacterIndices as Key, Termios};
use zeroize::Zeroizing;

use crate::secret::Secret;

use super::PromptError;

/// What has been typed so far; wiped.
pub struct Line {
    typed: Zeroizing<Vec<u8>>,
    bytes_max: usize,
    keys: Keys,
    /// The next key is a part of the line, whatever it is.
    literal: bool,
    /// Why the line is refused. It is so only at its end: who types on after an early error types
    /// the rest of the value into a shell that shows it.
    fault: Option<Fault>,
}

#[derive(Clone, Copy)]
enum Fault {
    TooLong,
    ControlCharacter,
}

/// The terminal's keys (termios(3)); 0 is a key that is switched off.
struct Keys {
    erase: u8,
    erase_word: u8,
    kill: u8,
    literal: u8,
    end: u8,
}

impl Line {
    pub fn new(termios: &Termios, bytes_max: usize) -> Self {
        let key = |key: Key| termios.control_chars[key as usize];
        let keys = Keys {
            erase: key(Key::VERASE),
            erase_word: key(Key::VWERASE),
            kill: key(Key::VKILL),
            literal: key(Key::VLNEXT),
            end: key(Key::VEOF),
        };
        // All at once, so that growing leaves no copy behind.
        let typed = Zeroizing::new(Vec::with_capacity(bytes_max));
        Self { typed, bytes_max, keys, literal: false, fault: None }
    }

    pub fn into_secret(mut self) -> Secret {
        Secret::new(std::mem::take(&mut *self.typed))
    }

    /// Takes one key; whether the line is complete by it.
    pub fn take(&mut self, key: u8) -> Result<bool, PromptError> {
        const BACKSPACE: u8 = 0x08;
        const DELETE: u8 = 0x7f;
        let keys = &self.keys;
        let is = |special: u8| special != 0 && key == special;
        if std::mem::take(&mut self.literal) {
            self.push(key);
        } else if key == b'\n' || key == b'\r' {
            return self.complete();
        } else if is(keys.end) {
            let is_empty = self.typed.is_empty() && self.fault.is_none();
            return if is_empty { Err(PromptError::Ended) } else { self.complete() };
        } else if is(keys.kill) {
            self.typed.clear();
            self.fault = None;
        } else if is(keys.erase_word) {
            self.erase_word();
        } else if is(keys.erase) || key == BACKSPACE || key == DELETE {
            self.erase_last();
        } else if is(keys.literal) {
            self.literal = true;
        } else if key.is_ascii_control() && key != b'\t' {
            self.fault.get_or_insert(Fault::ControlCharacter);
        } else {
            self.push(key);
        }
        Ok(false)
    }

    fn complete(&self) -> Result<bool, PromptError> {
        match self.fault {
            None => Ok(true),
            Some(Fault::TooLong) => Err(PromptError::TooLong),
            Some(Fault::ControlCharacter) => Err(PromptError::ControlCharacter),
        }
    }

    fn push(&mut self, key: u8) {
        if self.typed.len() == self.bytes_max {
            self.fault.get_or_insert(Fault::TooLong);
        } else {
            self.typed.push(key);
        }
    }

    /// Takes the last character back, all bytes of it.
    fn erase_last(&mut self) {
        while self.typed.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
    }

    /// Takes the last word back, as a terminal's own line editing does (Linux's `n_tty.c`): what
    /// is no letter, digit or `_`, and then what is.
    fn erase_word(&mut self) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
        while self.typed.pop_if(|byte| !is_word(byte)).is_some() {}
        while self.typed.pop_if(|byte| is_word(byte)).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line that these keys make on a terminal as it usually is.
    fn typed(text: &[u8]) -> Result<Vec<u8>, PromptError> {
        let keys = Keys { erase: 0x7f, erase_word: 0x17, kill: 0x15, literal: 0x16, end: 0x04 };
        typed_with(keys, text)
    }

    fn typed_with(keys: Keys, text: &[u8]) -> Result<Vec<u8>, PromptError> {
        let typed = Zeroizing::new(Vec::new());
        let mut line = Line { typed, bytes_max: 8, keys, literal: false, fault: None };
        for &key in text {
            if line.take(key)? {
                return Ok(line.into_secret().expose_secret().to_vec());
            }
        }
        panic!("the line has no end");
    }

    #[test]
    fn a_word_is_taken_back() {
        for (keys, left) in [
            (&b"ab cd\x17\n"[..], &b"ab "[..]),
            (b"ab cd \x17\n", b"ab "),
            (b"ab-cd\x17\n", b"ab-"),
            (b"ab--\x17\n", b""),
            ("a \u{fc}b\x17\n".as_bytes(), b"a "),
            (b"\x17a\n", b"a"),
        ] {
            assert_eq!(typed(keys).expect("a line"), left, "{keys:?}");
        }
    }

    #[test]
    fn what_follows_the_literal_key_is_kept() {
        assert_eq!(typed(b"a\x16\x1bb\x16\n\x16\x16\n").expect("a line"), b"a\x1bb\n\x16");
        assert!(matches!(typed(b"12345678\x169\n"), Err(PromptError::TooLong)));
    }

    #[test]
    fn control_characters_are_refused_at_the_end() {
        for key in (0..0x20).filter(|key| !b"\x04\x08\t\n\r\x15\x16\x17".contains(key)) {
            let refused = typed(&[b'a', key, b'b', b'\n']);
            assert!(matches!(refused, Err(PromptError::ControlCharacter)), "{key}");
        }
        assert_eq!(typed(b"a\tb\n").expect("a line"), b"a\tb");
        assert_eq!(typed(b"a\x1b[A\x15b\n").expect("all was taken back"), b"b");
        assert_eq!(typed(b"123456789\x15b\n").expect("all was taken back"), b"b");
        assert!(matches!(typed(b"\x1b\x04"), Err(PromptError::ControlCharacter)));
    }

    #[test]
    fn a_key_that_is_switched_off_does_nothing() {
        let keys = Keys { erase: 0, erase_word: 0, kill: 0, literal: 0, end: 0 };
        assert!(matches!(typed_with(keys, b"ab\0\n"), Err(PromptError::ControlCharacter)));
    }
}
