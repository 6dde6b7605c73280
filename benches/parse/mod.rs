//! The bare parsers that the formats stand on, going through a document and keeping nothing.

use std::error::Error;
use std::hint::black_box;

use granit_parser::Parser;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::de::IgnoredAny;
use toml_parser::Source;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// That of a format which is not read line by line by our own code.
pub fn parser(ending: &str) -> Option<fn(&[u8]) -> Outcome> {
    match ending {
        "json" => Some(json),
        "yaml" => Some(yaml),
        "toml" => Some(toml),
        "xml" => Some(xml),
        _ => None,
    }
}

fn json(text: &[u8]) -> Outcome {
    serde_json::from_slice::<IgnoredAny>(text)?;
    Ok(())
}

fn yaml(text: &[u8]) -> Outcome {
    for event in Parser::new_from_str(std::str::from_utf8(text)?) {
        black_box(event?);
    }
    Ok(())
}

fn toml(text: &[u8]) -> Outcome {
    let source = Source::new(std::str::from_utf8(text)?);
    let tokens = source.lex().into_vec();
    let mut events = Vec::with_capacity(tokens.len());
    let mut receiver = |event| events.push(event);
    toml_parser::parser::parse_document(&tokens, &mut receiver, &mut ());
    black_box(events);
    Ok(())
}

fn xml(text: &[u8]) -> Outcome {
    let mut reader = Reader::from_reader(text);
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(()),
            event => drop(black_box(event)),
        }
    }
}
