//! INI as the `_read` of Python's `configparser` reads it without interpolation, and with all that
//! it can be told to take: names without values, sections and options again, and options before any
//! section.

use crate::token::Token;

/// Its options count for every section, and it may be there again.
const DEFAULT: &str = "DEFAULT";
/// No section that is written has such a name.
const UNNAMED: &str = "";

/// Each with its lines, or with no value at all.
type Options = Vec<(String, Option<Vec<String>>)>;

pub fn read(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    // In the encoding `utf-8-sig`, and with universal line ends.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut sections: Vec<(String, Options)> = vec![(UNNAMED.to_owned(), Vec::new())];
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
            let lines = option.and_then(|(_, lines)| lines.as_mut());
            lines.into_iter().for_each(|lines| lines.push(String::new()));
            continue;
        }
        let present = line.chars().take_while(|c| is_space(*c)).count();
        match option {
            Some((_, lines)) if present > indent => {
                // It would add the line to nothing, and fail.
                lines.as_mut()?.push(value.to_owned());
                continue;
            }
            _ => indent = present,
        }
        if let Some(name) = section(value) {
            sections.push((name.to_owned(), Vec::new()));
            open = false;
            continue;
        }
        let at = value.find(['=', ':']);
        let name = value[..at.unwrap_or(value.len())].trim_end_matches(is_space);
        if name.is_empty() {
            return None;
        }
        let first = at.map(|at| vec![value[at + 1..].trim_matches(is_space).to_owned()]);
        sections.last_mut()?.1.push((name.to_owned(), first));
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
        let special = name == DEFAULT || name == UNNAMED;
        tokens.push(if special { Token::Bare(name) } else { Token::text(name) });
        tokens.push(Token::pairs(""));
        for (name, lines) in options {
            tokens.push(Token::text(name));
            tokens.push(match lines {
                Some(lines) => Token::text(lines.join("\n").trim_end_matches(is_space)),
                None => Token::Bare(String::new()),
            });
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
