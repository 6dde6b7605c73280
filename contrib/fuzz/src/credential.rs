//! Tokens: what the store takes for one, beside another reading of their form; and what a header
//! can hold of any.

use std::cell::OnceCell;

use inject::client::{TOKEN_BYTES_MAX, Token};
use inject::secret::Secret;
use inject::store::fuzzing::{Key, Kind, MacKey, make, read};

const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY_BYTES: usize = 6 + 12 + 32;

struct Made {
    key: MacKey,
    other_key: MacKey,
    tokens: [Secret; 2],
}

thread_local! {
    static MADE: OnceCell<Made> = const { OnceCell::new() };
}

/// The input's first byte says what the rest is: a text; a text to which its checksum is added;
/// or changes of a token that was made.
pub fn check(input: &[u8]) {
    let Some((what, rest)) = input.split_first() else { return };
    MADE.with(|made| {
        let made = made.get_or_init(Made::new);
        match what {
            b'c' => judge(made, &[rest, &checksum(rest)].concat()),
            b'm' => judge(made, &changed(&made.tokens[0], rest)),
            b'w' => judge(made, &changed(&made.tokens[1], rest)),
            _ => judge(made, rest),
        }
    });
}

impl Made {
    fn new() -> Self {
        let key = |byte| MacKey::new(&Key::from_bytes(&[byte; 32]).expect("32 bytes"));
        let (key, other_key) = (key(7), key(8));
        let token = |kind| make(kind, &key).expect("random bytes").token;
        let tokens = [token(Kind::Member), token(Kind::Workload)];
        Self { key, other_key, tokens }
    }
}

/// What is taken is of the form, all that is of the form is taken, and no two have one hash.
fn judge(made: &Made, text: &[u8]) {
    let shown = || text.escape_ascii().to_string();
    let proof = read(text, &made.key);
    assert_eq!(proof.is_some(), has_form(text), "{}", shown());
    if let Some(proof) = proof {
        assert_eq!(proof.id.as_str().as_bytes(), &text[6..18]);
        assert_eq!(proof.kind, if text[4] == b'm' { Kind::Member } else { Kind::Workload });
        let elsewhere = read(text, &made.other_key).expect("the form has no key");
        assert_ne!(proof.hash, elsewhere.hash, "a key makes no difference");
        for token in &made.tokens {
            let whole = read(token.expose_secret(), &made.key).expect("it was made");
            let same = token.expose_secret() == text;
            assert_eq!(proof.hash == whole.hash, same, "altered: {}", shown());
        }
    }
    let parsed = Token::parse(text);
    let trimmed = text.trim_ascii();
    let fits = !trimmed.is_empty()
        && trimmed.len() <= TOKEN_BYTES_MAX
        && trimmed.iter().all(|b| (0x21..0x7f).contains(b));
    assert_eq!(parsed.is_ok(), fits, "{}", shown());
    if let Ok(token) = parsed {
        assert_eq!(token.expose_secret(), trimmed);
    }
}

/// `inj_m_` or `inj_w_`, 12 and 32 of base62, and the checksum in 6.
fn has_form(text: &[u8]) -> bool {
    let Some((body, sum)) = text.split_at_checked(BODY_BYTES) else { return false };
    let prefix = body.starts_with(b"inj_m_") || body.starts_with(b"inj_w_");
    prefix && body[6..].iter().all(u8::is_ascii_alphanumeric) && sum == checksum(body)
}

/// CRC-32, a bit at a time, in base62.
fn checksum(body: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in body {
        for bit in 0..8 {
            let differs = (crc ^ (u32::from(*byte) >> bit)) & 1 == 1;
            crc = (crc >> 1) ^ if differs { 0xedb8_8320 } else { 0 };
        }
    }
    let crc = !crc;
    let digit = |place| DIGITS.as_bytes()[(crc / 62_u32.pow(place) % 62) as usize];
    (0..6).rev().map(digit).collect()
}

/// Each three bytes are a change: what is done, where, and the byte that it is done with. In the
/// end the checksum may be made to fit.
fn changed(token: &Secret, changes: &[u8]) -> Vec<u8> {
    let mut text = token.expose_secret().to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(change[1]) % (text.len() + 1);
        match change[0] {
            b'=' if at < text.len() => text[at] = change[2],
            b'^' if at < text.len() => text[at] ^= change[2],
            b'+' => text.insert(at, change[2]),
            b'-' if at < text.len() => drop(text.remove(at)),
            b'<' => text.truncate(at),
            b'/' => text.rotate_left(at),
            b's' if text.len() > BODY_BYTES => {
                text.truncate(BODY_BYTES);
                text.extend(checksum(&text));
            }
            _ => {}
        }
    }
    text
}
