//! Base64 by the letters of RFC 4648: the one way that each text is written, and no other.

const STANDARD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The standard alphabet, with padding.
pub fn read(text: &str) -> Option<Vec<u8>> {
    let plain = text.trim_end_matches('=');
    let padding = text.len() - plain.len();
    let fits = text.len().is_multiple_of(4) && padding == (4 - plain.len() % 4) % 4;
    if fits { letters(plain, STANDARD) } else { None }
}

/// The alphabet for URLs, without padding.
pub fn read_url(text: &str) -> Option<Vec<u8>> {
    letters(text, FOR_URLS)
}

fn letters(text: &str, alphabet: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.chars() {
        let value = u32::try_from(alphabet.find(letter)?).ok()?;
        bits = (bits << 6 | value) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    // What is left over says nothing, and is less than a letter.
    (count < 6 && bits & ((1 << count) - 1) == 0).then_some(bytes)
}
