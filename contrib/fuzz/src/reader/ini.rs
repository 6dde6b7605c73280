//! INI as the `_read` of Python 3.11's `configparser` reads it, strict and without interpolation.

use crate::token::Token;

/// Its options count for every section, and it may be there again.
const DEFAULT: &str = "DEFAULT";

type Options = Vec<(String, Vec<String>)>;

pub fn read(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    // In the encoding `utf-8-sig`, and with universal line ends.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut sections: Vec<(String, Options)> = Vec::new();
    let mut indent = 0;
    // Whether the last option of the last section may go on.
    let mut open = false;
    for line in text.split_inclusive('\n') {
        let value = line.trim_matches(is_space);
        if value.starts_with(['#', ';']) {
            continue;
        }
        let option = sections.last_mut().and_then(|(_, options)| options.last_mut());
        let option = option.filter(|_| open);
        if value.is_empty() {
            option.into_iter().for_each(|(_, lines)| lines.push(String::new()));
            continue;
        }
        let present = line.chars().take_while(|c| is_space(*c)).count();
        match option {
            Some((_, lines)) if present > indent => {
                lines.push(value.to_owned());
                continue;
            }
            _ => indent = present,
        }
        if let Some(name) = section(value) {
            if name != DEFAULT && sections.iter().any(|(other, _)| other == name) {
                return None;
            }
            sections.push((name.to_owned(), Vec::new()));
            open = false;
            continue;
        }
        let (current, _) = sections.last()?;
        let at = value.find(['=', ':'])?;
        let name = value[..at].trim_end_matches(is_space);
        let same = |other: &str| other.to_lowercase() == name.to_lowercase();
        let of_section = sections.iter().filter(|(other, _)| other == current);
        let mut names = of_section.flat_map(|(_, options)| options).map(|(name, _)| name);
        if name.is_empty() || names.any(|other| same(other)) {
            return None;
        }
        let first = value[at + 1..].trim_matches(is_space).to_owned();
        sections.last_mut()?.1.push((name.to_owned(), vec![first]));
        open = true;
    }
    Some(tokens(sections))
}

/// `\[(?P<header>.+)\]`, from the line's beginning; what follows does not count.
fn section(line: &str) -> Option<&str> {
    let inside = line.strip_prefix('[')?;
    inside.rfind(']').filter(|end| *end > 0).map(|end| &inside[..end])
}

fn tokens(sections: Vec<(String, Options)>) -> Vec<Token> {
    let mut tokens = vec![Token::pairs("")];
    for (name, options) in sections {
        tokens.push(if name == DEFAULT { Token::Bare(name) } else { Token::text(name) });
        tokens.push(Token::pairs(""));
        for (name, lines) in options {
            let value = lines.join("\n");
            tokens.push(Token::text(name));
            tokens.push(Token::text(value.trim_end_matches(is_space)));
        }
        tokens.push(Token::Close);
    }
    tokens.push(Token::Close);
    tokens
}

/// `str.isspace`.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}
