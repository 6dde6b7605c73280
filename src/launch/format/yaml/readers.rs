//! What two readers find in a document: the one that judges templates, and libyaml's, which reads
//! YAML 1.1, as PyYAML, Psych and go-yaml do.

use std::panic::catch_unwind;

use granit_parser::{Event, Options, Parser, ScalarStyle};
use libyaml_safer::EventData;

/// An event, as far as the readers tell it in the same words; the styles of collections are not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// With its anchor and its tag.
    pub kind: String,
    pub text: Option<String>,
    pub plain: bool,
}

pub type Reader = fn(&str) -> Result<Vec<Seen>, String>;

pub const READERS: [Reader; 2] = [granit, libyaml];

fn other(kind: String) -> Seen {
    Seen { kind, text: None, plain: false }
}

pub fn granit(text: &str) -> Result<Vec<Seen>, String> {
    granit_with(text, Options::default())
}

/// These two take a last line without a line break for one with it and without, as YAML 1.2's
/// readers and libyaml do, whose port panics at it.
pub const READERS_OF_CUT: [Reader; 2] = [granit, granit_of_cut];

fn granit_of_cut(text: &str) -> Result<Vec<Seen>, String> {
    let cut = granit_parser::options! { block_scalar_eof_without_line_feed: true };
    granit_with(text, cut)
}

fn granit_with(text: &str, options: Options) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        seen.push(match event {
            Event::Scalar(value, style, anchor, tag) => Seen {
                kind: format!("scalar {anchor} {tag:?}"),
                // Of a node that is not there it says `~`.
                text: Some(if span.is_empty() { String::new() } else { value.into_owned() }),
                plain: style == ScalarStyle::Plain,
            },
            Event::DocumentStart(..) => other("document".to_owned()),
            event => other(format!("{event:?}")),
        });
    }
    Ok(seen)
}

/// Its port panics on some documents that libyaml itself reads or refuses.
pub fn libyaml(text: &str) -> Result<Vec<Seen>, String> {
    catch_unwind(|| libyaml_events(text)).unwrap_or_else(|_| Err("it panicked".to_owned()))
}

fn libyaml_events(text: &str) -> Result<Vec<Seen>, String> {
    let mut input = text.as_bytes();
    let mut parser = libyaml_safer::Parser::new();
    parser.set_input_string(&mut input);
    let mut seen = Vec::new();
    loop {
        let event = parser.parse().map_err(|error| error.to_string())?;
        seen.push(match event.data {
            EventData::StreamEnd => return Ok(seen),
            EventData::Scalar { anchor, tag, value, style, .. } => Seen {
                kind: format!("scalar {anchor:?} {tag:?}"),
                text: Some(value),
                plain: style == libyaml_safer::ScalarStyle::Plain,
            },
            EventData::SequenceStart { anchor, tag, .. } => {
                other(format!("sequence {anchor:?} {tag:?}"))
            }
            EventData::MappingStart { anchor, tag, .. } => {
                other(format!("mapping {anchor:?} {tag:?}"))
            }
            event => other(format!("{event:?}")),
        });
    }
}
