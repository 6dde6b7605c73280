//! The API's own description, `openapi.json` beside this file, as it is sent: without the blanks
//! that make it readable here. It holds no name of anything in the store.

use bytes::Bytes;
use hyper::StatusCode;

use crate::store::http::{Answer, answer};

const WRITTEN: &[u8] = include_bytes!("openapi.json");
static SENT: [u8; sent_bytes()] = sent();

pub fn description() -> Answer {
    answer::typed(StatusCode::OK, "application/json", Bytes::from_static(&SENT))
}

const fn sent_bytes() -> usize {
    let (mut at, mut bytes, mut quoted) = (0, 0, false);
    while at < WRITTEN.len() {
        quoted = quoted ^ ends_quoting(at);
        bytes += is_sent(at, quoted) as usize;
        at += 1;
    }
    bytes
}

const fn sent() -> [u8; sent_bytes()] {
    let mut sent = [0; sent_bytes()];
    let (mut at, mut bytes, mut quoted) = (0, 0, false);
    while at < WRITTEN.len() {
        quoted = quoted ^ ends_quoting(at);
        if is_sent(at, quoted) {
            sent[bytes] = WRITTEN[at];
            bytes += 1;
        }
        at += 1;
    }
    sent
}

/// Whether a string begins or ends here. No text of the file ends with a backslash, so one before a
/// quote always escapes it.
const fn ends_quoting(at: usize) -> bool {
    WRITTEN[at] == b'"' && WRITTEN[at - 1] != b'\\'
}

const fn is_sent(at: usize, quoted: bool) -> bool {
    quoted || !WRITTEN[at].is_ascii_whitespace()
}

#[cfg(test)]
mod tests;
