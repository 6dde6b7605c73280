//! Properties as `java.util.Properties.load` reads them: its `LineReader` and its `loadConvert`.

use crate::token::{HALVES, Token};

/// From a stream of bytes.
pub fn latin_1(document: &[u8]) -> Option<Vec<Token>> {
    read(document.iter().map(|b| u16::from(*b)).collect())
}

/// From a reader of characters, as most frameworks have it now.
pub fn utf_8(document: &[u8]) -> Option<Vec<Token>> {
    read(std::str::from_utf8(document).ok()?.encode_utf16().collect())
}

fn read(units: Vec<u16>) -> Option<Vec<Token>> {
    let mut tokens = vec![Token::pairs("")];
    for line in logical_lines(&units) {
        let mut end = 0;
        while end < line.len() && !is_blank(line[end]) && !is(line[end], "=:") {
            end += if is(line[end], "\\") { 2 } else { 1 };
        }
        let end = end.min(line.len());
        let mut start = end;
        while start < line.len() && is_blank(line[start]) {
            start += 1;
        }
        if start < line.len() && is(line[start], "=:") {
            start += 1;
            while start < line.len() && is_blank(line[start]) {
                start += 1;
            }
        }
        tokens.push(Token::text(converted(&line[..end])?));
        tokens.push(Token::text(converted(&line[start..])?));
    }
    tokens.push(Token::Close);
    Some(tokens)
}

/// Without comments, blank lines, the blanks that a line begins with, and what joins two. At the
/// end of the text, a line of a backslash alone is one.
fn logical_lines(units: &[u16]) -> Vec<Vec<u16>> {
    let mut lines = Vec::new();
    let mut line: Vec<u16> = Vec::new();
    let (mut at_start, mut continued, mut escaped) = (true, false, false);
    let mut rest = units.iter().copied().peekable();
    while let Some(unit) = rest.next() {
        if at_start {
            if is_blank(unit) || !continued && is(unit, "\r\n") {
                continue;
            }
            (at_start, continued) = (false, false);
        }
        if line.is_empty() && is(unit, "#!") {
            while rest.next().is_some_and(|unit| !is(unit, "\r\n")) {}
            at_start = true;
        } else if !is(unit, "\r\n") {
            line.push(unit);
            escaped = is(unit, "\\") && !escaped;
        } else if line.is_empty() {
            at_start = true;
        } else if rest.peek().is_none() {
            break;
        } else if escaped {
            line.pop();
            (at_start, continued, escaped) = (true, true, false);
            if is(unit, "\r") {
                rest.next_if(|next| is(*next, "\n"));
            }
        } else {
            lines.push(std::mem::take(&mut line));
            at_start = true;
        }
    }
    if !line.is_empty() {
        line.truncate(line.len() - usize::from(escaped));
        lines.push(line);
    }
    lines
}

/// None where an escape is malformed. Half of a character becomes one of a private plane.
fn converted(text: &[u16]) -> Option<String> {
    let mut out = Vec::new();
    let mut units = text.iter().copied();
    while let Some(unit) = units.next() {
        if !is(unit, "\\") {
            out.push(unit);
            continue;
        }
        let Some(escaped) = units.next() else { continue };
        out.push(match char::from_u32(u32::from(escaped)) {
            Some('t') => 9,
            Some('n') => 10,
            Some('f') => 12,
            Some('r') => 13,
            Some('u') => {
                let digit = |u: u16| char::from_u32(u32::from(u))?.to_digit(16);
                let mut value = 0;
                for _ in 0..4 {
                    value = value << 4 | digit(units.next()?)?;
                }
                u16::try_from(value).ok()?
            }
            _ => escaped,
        });
    }
    let half = |unit: u16| char::from_u32(HALVES + u32::from(unit)).expect("it is in the plane");
    let characters = char::decode_utf16(out);
    Some(characters.map(|c| c.unwrap_or_else(|lone| half(lone.unpaired_surrogate()))).collect())
}

fn is(unit: u16, any: &str) -> bool {
    any.bytes().any(|b| u16::from(b) == unit)
}

fn is_blank(unit: u16) -> bool {
    is(unit, " \t\x0c")
}
