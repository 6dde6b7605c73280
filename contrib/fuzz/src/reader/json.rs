//! JSON by the letters of RFC 8259. Numbers stay as they are written.

use crate::token::Token;

/// What may come next.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

pub fn read(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tokens = Vec::new();
    // Whether each open collection is an object.
    let mut open: Vec<bool> = Vec::new();
    let mut next = Next::Value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let done = open.is_empty() && next == Next::CommaOrEnd;
        let Some(first) = rest.chars().next() else { return done.then_some(tokens) };
        if done {
            return None;
        }
        let value = matches!(next, Next::Value | Next::ValueOrEnd);
        match first {
            '{' | '[' if value => {
                open.push(first == '{');
                let what = String::new();
                tokens.push(Token::Open { pairs: first == '{', what });
                next = if first == '{' { Next::KeyOrEnd } else { Next::ValueOrEnd };
                rest = &rest[1..];
            }
            '}' | ']' => {
                let ends = match next {
                    Next::CommaOrEnd => true,
                    Next::KeyOrEnd => first == '}',
                    Next::ValueOrEnd => first == ']',
                    Next::Value | Next::Key | Next::Colon => false,
                };
                if !ends || open.pop()? != (first == '}') {
                    return None;
                }
                tokens.push(Token::Close);
                next = Next::CommaOrEnd;
                rest = &rest[1..];
            }
            ',' if next == Next::CommaOrEnd => {
                next = if *open.last()? { Next::Key } else { Next::Value };
                rest = &rest[1..];
            }
            ':' if next == Next::Colon => {
                next = Next::Value;
                rest = &rest[1..];
            }
            '"' if value || matches!(next, Next::Key | Next::KeyOrEnd) => {
                let (text, behind) = string(&rest[1..])?;
                tokens.push(Token::text(text));
                next = if value { Next::CommaOrEnd } else { Next::Colon };
                rest = behind;
            }
            _ if value => {
                let end = rest.find([' ', '\t', '\n', '\r', ',', ']', '}']).unwrap_or(rest.len());
                let (token, behind) = rest.split_at(end);
                let known = matches!(token, "true" | "false" | "null") || is_number(token);
                tokens.push(known.then(|| Token::Bare(token.to_owned()))?);
                next = Next::CommaOrEnd;
                rest = behind;
            }
            _ => return None,
        }
    }
}

fn string(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return Some((out, rest)),
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                out.push(match escaped {
                    '"' | '\\' | '/' => escaped,
                    'b' => '\x08',
                    'f' => '\x0c',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let (high, behind) = unit(rest)?;
                        let (low, both) = match behind.strip_prefix("\\u").and_then(unit) {
                            Some((low, both)) if (0xd800..0xdc00).contains(&high) => {
                                (Some(low), both)
                            }
                            _ => (None, behind),
                        };
                        rest = both;
                        char::decode_utf16([high].into_iter().chain(low)).next()?.ok()?
                    }
                    _ => return None,
                });
            }
            c if c < ' ' => return None,
            c => out.push(c),
        }
    }
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u16::from_str_radix(digits, 16).ok()?, &text[4..]))
}

fn is_number(token: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let token = token.strip_prefix('-').unwrap_or(token);
    let (mantissa, exponent) = match token.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (token, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}
