//! A tree of JSON, from the reader that goes by the letters of RFC 8259.

use crate::reader::json;
use crate::token::Token;

/// Numbers stay as they are written, and keys that are there twice are there twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Json {
    Null,
    True,
    False,
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// None where it is not JSON. A byte order mark is not part of any.
pub fn read(document: &[u8]) -> Option<Json> {
    if document.starts_with("\u{feff}".as_bytes()) {
        return None;
    }
    let tokens = json::read(document)?;
    let mut tokens = tokens.into_iter().peekable();
    value(&mut tokens)
}

fn value(tokens: &mut std::iter::Peekable<impl Iterator<Item = Token>>) -> Option<Json> {
    Some(match tokens.next()? {
        Token::Open { pairs: true, .. } => {
            let mut pairs = Vec::new();
            while tokens.next_if_eq(&Token::Close).is_none() {
                let Token::Text { text, .. } = tokens.next()? else { return None };
                pairs.push((text, value(tokens)?));
            }
            Json::Object(pairs)
        }
        Token::Open { pairs: false, .. } => {
            let mut items = Vec::new();
            while tokens.next_if_eq(&Token::Close).is_none() {
                items.push(value(tokens)?);
            }
            Json::List(items)
        }
        Token::Text { text, .. } => Json::Text(text),
        Token::Bare(text) => match text.as_str() {
            "null" => Json::Null,
            "true" => Json::True,
            "false" => Json::False,
            _ => Json::Number(text),
        },
        Token::Close | Token::Fixed(_) | Token::Run(_) => return None,
    })
}

impl Json {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
