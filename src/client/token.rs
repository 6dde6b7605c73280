//! A credential that goes into one header. It is opaque: the store judges what it is worth.

use std::fmt;

use bytes::Bytes;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The longest token, in bytes: far above the store's own, and room for what a proxy may want.
pub const TOKEN_BYTES_MAX: usize = 8192;

/// A token that can stand in a header. It has no `Debug` and is wiped when dropped.
pub struct Token(Secret);

/// Why bytes are not a token; they are not repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenError {
    Empty,
    TooLong,
    /// A blank, a control character or a byte above ASCII, at this offset.
    Byte {
        offset: usize,
    },
}

impl Token {
    /// Blanks and line ends around it are dropped: a token file usually ends in one.
    pub fn parse(bytes: &[u8]) -> Result<Self, TokenError> {
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            return Err(TokenError::Empty);
        }
        if trimmed.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        if let Some(offset) = trimmed.iter().position(|b| !b.is_ascii_graphic()) {
            return Err(TokenError::Byte { offset });
        }
        Ok(Self(Secret::new(trimmed.to_vec())))
    }

    pub fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// `Bearer …` (RFC 6750, section 2.1), wiped with the last request that holds it.
    pub(super) fn header(&self) -> HeaderValue {
        let mut line = Zeroizing::new(Vec::with_capacity(7 + self.0.len()));
        line.extend_from_slice(b"Bearer ");
        line.extend_from_slice(self.0.expose_secret());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(line))
            .expect("`parse` let only visible ASCII pass");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the token is empty"),
            Self::TooLong => write!(f, "the token is longer than {TOKEN_BYTES_MAX} bytes"),
            Self::Byte { offset } => write!(
                f,
                "the token holds a blank, a control character or a byte above ASCII at offset \
                 {offset}"
            ),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_token() {
        let token = |bytes| Token::parse(bytes).map(|token| token.expose_secret().to_vec());
        assert_eq!(token(b"inj_w_abc\r\n"), Ok(b"inj_w_abc".to_vec()));
        assert_eq!(token(b" \n"), Err(TokenError::Empty));
        assert_eq!(token(b"ab cd"), Err(TokenError::Byte { offset: 2 }));
        assert_eq!(token(b"a\r\nX: y"), Err(TokenError::Byte { offset: 1 }));
        assert_eq!(token(b"\xc3\xa4"), Err(TokenError::Byte { offset: 0 }));
        assert_eq!(token(&vec![b'a'; TOKEN_BYTES_MAX + 1]), Err(TokenError::TooLong));
    }

    #[test]
    fn the_header_does_not_show_it() {
        let header = Token::parse(b"hunter2").expect("a token").header();
        assert_eq!(header.as_bytes(), b"Bearer hunter2");
        assert!(!format!("{header:?}").contains("hunter2"));
    }
}
