//! What a reader makes of a document, as a flat list, and how two of these are compared.

/// A document's structure, in its order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Token {
    /// A collection begins: whether of pairs, and whatever else is said of it.
    Open {
        pairs: bool,
        what: String,
    },
    Close,
    /// Anything that no value may change.
    Fixed(String),
    /// A string. In YAML one without quotes may be something else: its text says what.
    Text {
        text: String,
        plain: bool,
    },
    /// Text between the tags of XML, where an empty one is none.
    Run(String),
    /// A number and the like, as it is written.
    Bare(String),
}

impl Token {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), plain: false }
    }

    pub fn pairs(what: impl Into<String>) -> Self {
        Self::Open { pairs: true, what: what.into() }
    }

    pub fn items(what: impl Into<String>) -> Self {
        Self::Open { pairs: false, what: what.into() }
    }
}

/// What readers of one document agree on, whatever they call its parts.
pub fn shape(tokens: &[Token]) -> Vec<&str> {
    let part = |token| match token {
        &Token::Open { pairs: true, .. } => Some("{"),
        &Token::Open { pairs: false, .. } => Some("["),
        Token::Close => Some("]"),
        Token::Text { text, .. } | Token::Run(text) => Some(text.as_str()),
        Token::Bare(_) => Some(""),
        Token::Fixed(_) => None,
    };
    tokens.iter().filter_map(part).collect()
}

/// What keeps the output from being the marked document with its marks replaced by the values.
pub fn difference(
    marked: &[Token],
    marks: &[Vec<u8>],
    values: &[Vec<u8>],
    found: &[Token],
) -> Option<String> {
    let expected: Option<Vec<Token>> =
        marked.iter().map(|token| replaced(token, marks, values)).collect();
    let Some(mut expected) = expected else {
        return Some("a value that is not UTF-8 was written".to_owned());
    };
    expected.retain(|token| *token != Token::Run(String::new()));
    if expected.len() != found.len() {
        return Some(format!("expected {expected:?}, found {found:?}"));
    }
    for (expected, found) in expected.iter().zip(found) {
        if !same(expected, found) {
            return Some(format!("expected {expected:?}, found {found:?}"));
        }
    }
    let more = repeated_keys(found) > repeated_keys(marked);
    more.then(|| "two keys became the same".to_owned())
}

/// `None` if a value is not UTF-8. A text with a value in it is a string, quoted or not.
fn replaced(token: &Token, marks: &[Vec<u8>], values: &[Vec<u8>]) -> Option<Token> {
    let with_values = |text: &str| {
        let mut rest = text.as_bytes();
        let mut out = Vec::new();
        while let Some(first) = rest.first() {
            match marks.iter().position(|mark| rest.starts_with(mark)) {
                Some(i) => {
                    out.extend_from_slice(&values[i]);
                    rest = &rest[marks[i].len()..];
                }
                None => {
                    out.push(*first);
                    rest = &rest[1..];
                }
            }
        }
        String::from_utf8(out).ok().map(joined)
    };
    let touched = |text: &str| {
        let has = |mark: &Vec<u8>| text.as_bytes().windows(mark.len()).any(|w| w == mark);
        marks.iter().any(has)
    };
    Some(match token {
        Token::Text { text, .. } if touched(text) => Token::text(with_values(text)?),
        Token::Run(text) => Token::Run(with_values(text)?),
        Token::Bare(text) => Token::Bare(with_values(text)?),
        Token::Text { .. } | Token::Open { .. } | Token::Close | Token::Fixed(_) => token.clone(),
    })
}

/// From here on, characters stand for halves of some, which escapes of properties can make. Two that
/// an empty value leaves side by side are one.
pub const HALVES: u32 = 0xf_0000;

fn joined(text: String) -> String {
    let half = |c: char| u16::try_from(u32::from(c).wrapping_sub(HALVES)).ok();
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let pair = half(c).zip(chars.peek().copied().and_then(half));
        let one = pair.and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        if let Some(one) = one.filter(|one| u32::from(*one) > 0xffff) {
            chars.next();
            out.push(one);
        } else {
            out.push(c);
        }
    }
    out
}

fn same(expected: &Token, found: &Token) -> bool {
    match (expected, found) {
        (Token::Text { text: a, plain: one }, Token::Text { text: b, plain: other }) => {
            a == b && (one == other || is_string(a))
        }
        _ => expected == found,
    }
}

/// Whether YAML of any version takes this for a string without quotes, however it is resolved.
fn is_string(plain: &str) -> bool {
    let words = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="];
    let number = |c: char| c.is_ascii_hexdigit() || "xXoO_.:+-iInNfFaAtTzZ ".contains(c);
    let begins = plain.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let word = words.contains(&plain.to_ascii_lowercase().as_str());
    !(word || begins && plain.chars().all(number))
}

/// How many keys of their collections are there twice.
fn repeated_keys(tokens: &[Token]) -> usize {
    struct Level<'t> {
        keys: Option<Vec<&'t [Token]>>,
        /// Where the present key began, and whether the next node is one.
        node: usize,
        is_key: bool,
    }
    let mut repeated = 0;
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut node_start = None;
    for (at, token) in tokens.iter().enumerate() {
        let start = node_start.take().unwrap_or(at);
        match token {
            Token::Open { pairs, .. } => {
                let keys = pairs.then(Vec::new);
                levels.push(Level { keys, node: start, is_key: true });
                continue;
            }
            // It belongs to the node that follows.
            Token::Fixed(_) => {
                node_start = Some(start);
                continue;
            }
            Token::Close | Token::Text { .. } | Token::Run(_) | Token::Bare(_) => {}
        }
        let start = match token {
            Token::Close => levels.pop().map_or(start, |level| level.node),
            _ => start,
        };
        let Some(Level { keys: Some(keys), is_key, .. }) = levels.last_mut() else { continue };
        if *is_key {
            let key = &tokens[start..=at];
            let alike = |other: &&[Token]| {
                other.len() == key.len() && other.iter().zip(key).all(|(a, b)| same_key(a, b))
            };
            repeated += usize::from(keys.iter().any(alike));
            keys.push(key);
        }
        *is_key = !*is_key;
    }
    repeated
}

fn same_key(a: &Token, b: &Token) -> bool {
    same(a, b)
}
