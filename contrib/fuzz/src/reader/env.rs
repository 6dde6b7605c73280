//! Env files as the format's own tests have python-dotenv read them, and as a shell does, without
//! any that would run what is there.

#[allow(dead_code)]
#[path = "../../../../src/launch/format/env/readers.rs"]
mod readers;

use crate::token::Token;

pub fn python_dotenv(document: &[u8]) -> Option<Vec<Token>> {
    tokens(readers::python_dotenv(std::str::from_utf8(document).ok()?)?)
}

/// Assignments, comments and blank lines alone; none where a shell would do anything else, or
/// expand what is not known here.
pub fn shell(document: &[u8]) -> Option<Vec<Token>> {
    let mut rest = std::str::from_utf8(document).ok()?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n']);
        if rest.is_empty() {
            return tokens(pairs);
        }
        if rest.starts_with('#') {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        }
        if let Some(behind) = rest.strip_prefix("export ") {
            rest = behind.trim_start_matches([' ', '\t']);
        }
        let (name, behind) = rest.split_once('=')?;
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !name.bytes().all(word) || name.bytes().next().is_none_or(|b| b.is_ascii_digit()) {
            return None;
        }
        let (value, behind) = value(behind)?;
        pairs.retain(|(other, _)| other != name);
        pairs.push((name.to_owned(), value));
        rest = behind.trim_start_matches([' ', '\t']);
        let commented = rest.len() < behind.len() && rest.starts_with('#');
        if !(rest.is_empty() || rest.starts_with('\n') || commented) {
            return None;
        }
    }
}

/// One word, with its quotes removed (POSIX, section 2.2), and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        rest = match c {
            '\'' => {
                let (inside, behind) = behind.split_once('\'')?;
                out.push_str(inside);
                behind
            }
            '"' => double(behind, &mut out)?,
            ' ' | '\t' | '\n' => break,
            // Tildes are expanded at the beginning, and behind a colon.
            '~' | '\\' | '$' | '`' | '|' | '&' | ';' | '<' | '>' | '(' | ')' => return None,
            _ => {
                out.push(c);
                behind
            }
        };
    }
    Some((out, rest))
}

/// Behind the closing quote.
fn double<'t>(text: &'t str, out: &mut String) -> Option<&'t str> {
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some(&text[at + 1..]),
            (_, '\\') => match chars.next()?.1 {
                '\n' => {}
                c @ ('$' | '`' | '"' | '\\') => out.push(c),
                c => out.extend(['\\', c]),
            },
            (at, '$') => match text[at + 1..].chars().next()? {
                ' ' | '"' | '.' | '/' | '%' | ',' | ':' => out.push('$'),
                _ => return None,
            },
            (_, '`') => return None,
            (_, c) => out.push(c),
        }
    }
}

fn tokens(pairs: Vec<(String, String)>) -> Option<Vec<Token>> {
    let mut tokens = vec![Token::pairs("")];
    for (name, value) in pairs {
        tokens.extend([Token::text(name), Token::text(value)]);
    }
    tokens.push(Token::Close);
    Some(tokens)
}
