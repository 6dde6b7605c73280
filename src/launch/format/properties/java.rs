//! Who reads properties: Java, by the rules that `java.util.Properties.load` documents, step after
//! step over the whole text, and without any position.

pub type Pairs = Vec<(Vec<u16>, Vec<u16>)>;

/// Reads UTF-16 units, as Java does, in whatever encoding they came; `None` for a malformed escape.
pub fn load(text: &[u16]) -> Option<Pairs> {
    let mut natural = natural_lines(text).into_iter();
    let mut pairs = Vec::new();
    while let Some(line) = natural.next() {
        let mut logical = without_blanks(&line).to_vec();
        if matches!(logical.first(), None | Some(&HASH) | Some(&BANG)) {
            continue;
        }
        while ends_in_backslash(&logical) {
            logical.pop();
            let next = natural.next().unwrap_or_default();
            logical.extend_from_slice(without_blanks(&next));
        }
        // Nothing but backslashes at ends of lines.
        if logical.is_empty() {
            continue;
        }
        let (key, value) = split(&logical);
        pairs.push((unescape(key)?, unescape(value)?));
    }
    Some(pairs)
}

const fn unit(b: u8) -> u16 {
    b as u16
}

const HASH: u16 = unit(b'#');
const BANG: u16 = unit(b'!');
const BACKSLASH: u16 = unit(b'\\');
const RETURN: u16 = unit(b'\r');
const FEED: u16 = unit(b'\n');

/// They end with a carriage return, a line feed or both.
fn natural_lines(text: &[u16]) -> Vec<Vec<u16>> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut before = None;
    for c in text {
        match *c {
            FEED if before == Some(RETURN) => {}
            FEED | RETURN => lines.push(std::mem::take(&mut line)),
            c => line.push(c),
        }
        before = Some(*c);
    }
    lines.push(line);
    lines
}

fn without_blanks(line: &[u16]) -> &[u16] {
    let start = line.iter().position(|c| !is_blank(*c)).unwrap_or(line.len());
    &line[start..]
}

fn is_blank(c: u16) -> bool {
    [b' ', b'\t', b'\x0c'].map(unit).contains(&c)
}

fn is_separator(c: u16) -> bool {
    [b'=', b':'].map(unit).contains(&c)
}

fn ends_in_backslash(line: &[u16]) -> bool {
    line.iter().rev().take_while(|c| **c == BACKSLASH).count() % 2 == 1
}

fn split(line: &[u16]) -> (&[u16], &[u16]) {
    let ends = |i: &usize| {
        (is_blank(line[*i]) || is_separator(line[*i])) && !ends_in_backslash(&line[..*i])
    };
    let end = (0..line.len()).find(ends).unwrap_or(line.len());
    let (key, behind) = line.split_at(end);
    let mut value = without_blanks(behind);
    if value.first().is_some_and(|c| is_separator(*c)) {
        value = without_blanks(&value[1..]);
    }
    (key, value)
}

fn unescape(text: &[u16]) -> Option<Vec<u16>> {
    let mut out = Vec::new();
    let mut units = text.iter().copied();
    while let Some(c) = units.next() {
        if c != BACKSLASH {
            out.push(c);
            continue;
        }
        let escaped = units.next()?;
        out.push(match u8::try_from(escaped) {
            Ok(b't') => unit(b'\t'),
            Ok(b'n') => FEED,
            Ok(b'r') => RETURN,
            Ok(b'f') => unit(b'\x0c'),
            Ok(b'u') => {
                let digits: Vec<u16> = units.by_ref().take(4).collect();
                let digits = String::from_utf16(&digits).ok().filter(|digits| digits.len() == 4)?;
                let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
                hexadecimal.then(|| u16::from_str_radix(&digits, 16).ok()).flatten()?
            }
            _ => escaped,
        });
    }
    Some(out)
}
