//! YAML by two parsers' events: a port of libyaml, which is YAML 1.1, and one of 1.2.

use libyaml_safer::{EventData, Parser, ScalarStyle};
use saphyr_parser::{Event, Tag};

use crate::reader::quietly;
use crate::token::Token;

/// This port ends by a panic at some ends of documents; it has no opinion on these.
pub fn libyaml(document: &[u8]) -> Option<Vec<Token>> {
    quietly(|| libyaml_events(document))
}

fn libyaml_events(document: &[u8]) -> Option<Vec<Token>> {
    let mut input = document;
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut tokens = Vec::new();
    loop {
        match parser.parse().ok()?.data {
            EventData::StreamStart { .. } => {}
            EventData::StreamEnd => return Some(tokens),
            EventData::DocumentStart { version_directive, .. } => {
                tokens.push(Token::items(format!("document {version_directive:?}")));
            }
            EventData::DocumentEnd { .. } | EventData::SequenceEnd | EventData::MappingEnd => {
                tokens.push(Token::Close);
            }
            EventData::Alias { anchor } => tokens.push(Token::Bare(format!("*{anchor}"))),
            EventData::Scalar { anchor, tag, value, style, .. } => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                tokens.extend(properties(anchor, tag));
                tokens.push(Token::Text { text: value, plain });
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                tokens.extend(properties(anchor, tag));
                tokens.push(Token::items(""));
            }
            EventData::MappingStart { anchor, tag, .. } => {
                tokens.extend(properties(anchor, tag));
                tokens.push(Token::pairs(""));
            }
        }
    }
}

fn properties(anchor: Option<String>, tag: Option<String>) -> Option<Token> {
    (anchor.is_some() || tag.is_some()).then(|| Token::Fixed(format!("&{anchor:?} {tag:?}")))
}

pub fn saphyr(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut tokens = Vec::new();
    for event in saphyr_parser::Parser::new_from_str(text) {
        match event.ok()?.0 {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(_) => tokens.push(Token::items("document")),
            Event::DocumentEnd | Event::SequenceEnd | Event::MappingEnd => {
                tokens.push(Token::Close);
            }
            Event::Alias(anchor) => tokens.push(Token::Bare(format!("*{anchor}"))),
            Event::Scalar(value, style, anchor, tag) => {
                let plain = style == saphyr_parser::ScalarStyle::Plain && tag.is_none();
                tokens.extend(numbered(anchor, tag.as_deref()));
                tokens.push(Token::Text { text: value.into_owned(), plain });
            }
            Event::SequenceStart(anchor, tag) => {
                tokens.extend(numbered(anchor, tag.as_deref()));
                tokens.push(Token::items(""));
            }
            Event::MappingStart(anchor, tag) => {
                tokens.extend(numbered(anchor, tag.as_deref()));
                tokens.push(Token::pairs(""));
            }
        }
    }
    Some(tokens)
}

fn numbered(anchor: usize, tag: Option<&Tag>) -> Option<Token> {
    (anchor != 0 || tag.is_some()).then(|| Token::Fixed(format!("&{anchor} {tag:?}")))
}
