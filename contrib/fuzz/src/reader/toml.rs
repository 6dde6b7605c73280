//! TOML by the parser that everyone uses, and by one of another descent. Entries in the order of
//! the document; what is no string stays as it is written.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_span::value::{Table, ValueInner};

use crate::token::Token;

pub fn toml(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut tokens = Vec::new();
    table(text, DeTable::parse(text).ok()?.get_ref(), &mut tokens)?;
    Some(tokens)
}

fn table(text: &str, table: &DeTable<'_>, tokens: &mut Vec<Token>) -> Option<()> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    tokens.push(Token::pairs(""));
    for (key, entry) in entries {
        tokens.push(Token::text(key.get_ref().as_ref()));
        value(text, entry, tokens)?;
    }
    tokens.push(Token::Close);
    Some(())
}

fn value(text: &str, entry: &Spanned<DeValue<'_>>, tokens: &mut Vec<Token>) -> Option<()> {
    match entry.get_ref() {
        DeValue::String(string) => tokens.push(Token::text(string.as_ref())),
        DeValue::Array(items) => {
            tokens.push(Token::items(""));
            for item in items.iter() {
                value(text, item, tokens)?;
            }
            tokens.push(Token::Close);
        }
        DeValue::Table(entries) => table(text, entries, tokens)?,
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            tokens.push(Token::Bare(text.get(entry.span())?.to_owned()));
        }
    }
    Some(())
}

pub fn toml_span(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut tokens = Vec::new();
    other_value(text, &mut toml_span::parse(text).ok()?, &mut tokens)?;
    Some(tokens)
}

fn other_table(text: &str, table: Table<'_>, tokens: &mut Vec<Token>) -> Option<()> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    tokens.push(Token::pairs(""));
    for (key, mut entry) in entries {
        tokens.push(Token::text(key.name.as_ref()));
        other_value(text, &mut entry, tokens)?;
    }
    tokens.push(Token::Close);
    Some(())
}

fn other_value(
    text: &str,
    value: &mut toml_span::Value<'_>,
    tokens: &mut Vec<Token>,
) -> Option<()> {
    let written = text.get(value.span.start..value.span.end);
    match value.take() {
        ValueInner::String(string) => tokens.push(Token::text(string.as_ref())),
        ValueInner::Array(items) => {
            tokens.push(Token::items(""));
            for mut item in items {
                other_value(text, &mut item, tokens)?;
            }
            tokens.push(Token::Close);
        }
        ValueInner::Table(entries) => other_table(text, entries, tokens)?,
        ValueInner::Integer(_) | ValueInner::Float(_) | ValueInner::Boolean(_) => {
            tokens.push(Token::Bare(written?.to_owned()));
        }
    }
    Some(())
}
