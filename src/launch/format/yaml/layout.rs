//! Where a template's references stand: the parser's events, in order, with what is between them.
//! It has the parser judge the template, and follows no alias.

use std::ops::Range;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Tag, options};

use super::super::sites::{Sites, mask};
use super::super::{Fault, FaultKind, Layout, Part};
use super::between::Between;
use super::reading::{Header, Piece, read};
use super::{Block, Form, Style, break_length, is_blank, is_break};
use crate::byte;

pub fn lay_out(text: &[u8], references: &[Range<usize>]) -> Result<Layout, Fault> {
    // It is a letter, but neither a digit of a number nor of an escape, and no escape by itself.
    let masked = mask(text, references, b'Z');
    let masked = std::str::from_utf8(&masked).map_err(|error| encoding(text, &error))?;
    if let Some(at) = masked.rfind('\u{feff}').filter(|at| *at > 0) {
        return Err(Fault { at, kind: INNER_MARK });
    }
    let mut walk = Walk::new(masked, references);
    for event in Parser::new_from_str_with_options(masked, parser_options()) {
        let (event, span) = event.map_err(|error| fault(&error, masked, references))?;
        let range = span.byte_range().unwrap_or(walk.behind..walk.behind);
        walk.event(&event, range)?;
    }
    walk.finish()
}

/// A comment is not kept. A block scalar whose last line has no line break has none, as libyaml
/// reads it; `block` knows of the others.
pub fn parser_options() -> Options {
    options! {
        emit_comments: false,
        flow_nesting_limit: LEVELS_MAX,
        block_nesting_limit: LEVELS_MAX,
        block_scalar_eof_without_line_feed: true,
    }
}

const LEVELS_MAX: usize = 255;

struct Walk<'m, 'r> {
    text: &'m [u8],
    sites: Sites<'r>,
    between: Between,
    /// The end of what the events told of.
    behind: usize,
    /// The collections that were begun.
    open: Vec<Open>,
    /// An alias is a key: which scalar that is, is not followed.
    alias_is_key: bool,
}

struct Open {
    mapping: bool,
    /// The next node in this mapping is a key.
    at_key: bool,
    /// It stands in a key itself.
    in_key: bool,
}

impl<'m, 'r> Walk<'m, 'r> {
    fn new(text: &'m str, references: &'r [Range<usize>]) -> Self {
        Self {
            text: text.as_bytes(),
            sites: Sites::new(references),
            between: Between::default(),
            behind: 0,
            open: Vec::new(),
            alias_is_key: false,
        }
    }

    fn event(&mut self, event: &Event<'_>, range: Range<usize>) -> Result<(), Fault> {
        self.between(range.start)?;
        match event {
            Event::Scalar(value, style, _, tag) => {
                let key = self.node();
                let touched = self.sites.next_before(range.end).is_some();
                self.between.scalar(touched)?;
                if touched {
                    let start = self.scalar(value, *style, range.clone(), key)?;
                    if tag.as_deref().is_some_and(is_lone) {
                        return Err(Fault { at: start, kind: LONE_TAG });
                    }
                }
            }
            Event::Alias(_) => self.alias_is_key |= self.node(),
            Event::SequenceStart(..) => self.begin(false),
            Event::MappingStart(..) => self.begin(true),
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            // Its place is that of the token that it was concluded from, which comes yet.
            Event::DocumentStart(false, _) => return Ok(()),
            _ => {}
        }
        self.behind = self.behind.max(range.end);
        Ok(())
    }

    /// A node begins. Says whether it is a key or stands in one.
    fn node(&mut self) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let key = open.in_key || (open.mapping && open.at_key);
        open.at_key = !open.at_key;
        key
    }

    fn begin(&mut self, mapping: bool) {
        let in_key = self.node();
        self.open.push(Open { mapping, at_key: true, in_key });
    }

    /// Between two events, a reference is in a comment, or in what is no value.
    fn between(&mut self, limit: usize) -> Result<(), Fault> {
        while let Some(reference) = self.sites.next_before(limit) {
            let comment = self.comment_before(reference.start);
            let Some(start) = comment else {
                return Err(Fault { at: reference.start, kind: FaultKind::NoScalar });
            };
            self.sites.comment(start..line_end(self.text, reference.start))?;
        }
        self.between.pass(self.text, self.behind..limit)
    }

    /// Where the comment begins that goes on at this offset, outside of any scalar.
    fn comment_before(&self, at: usize) -> Option<usize> {
        let line = self.text.get(self.behind..at)?;
        let start =
            line.iter().rposition(|b| is_break(*b)).map_or(self.behind, |i| self.behind + i);
        let begins = |i: &usize| {
            let before = &self.text[..*i];
            let apart = before.last().is_none_or(|b| is_blank(*b) || is_break(*b));
            self.text[*i] == b'#' && (apart || before.ends_with(b"\xef\xbb\xbf"))
        };
        (start..at).find(begins)
    }

    /// Returns where it begins.
    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        range: Range<usize>,
        key: bool,
    ) -> Result<usize, Fault> {
        let (range, form) = match style {
            ScalarStyle::Plain => (range, Form::Plain),
            ScalarStyle::SingleQuoted => (range, Form::Single),
            ScalarStyle::DoubleQuoted => (range, Form::Double),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                self.block(value, style == ScalarStyle::Folded, range)?
            }
        };
        let raw = &self.text[range.clone()];
        let is_sure = match form {
            Form::Double => !joins_empty_line(raw),
            _ => means(form, raw, value.as_bytes()),
        };
        if !is_sure {
            return Err(unsure(range.start));
        }
        let start = range.start;
        self.sites.scalar(range, super::super::Style::Yaml(Style { form, key }))?;
        Ok(start)
    }

    /// The parser tells where the text is: from the first line's indentation to the next token's.
    fn block(
        &self,
        value: &str,
        folded: bool,
        span: Range<usize>,
    ) -> Result<(Range<usize>, Form), Fault> {
        let unsure = || unsure(span.start);
        let header = self.header_before(span.start).ok_or_else(unsure)?;
        let content = line_end(self.text, header);
        let content = content + break_length(&self.text[content..]);
        // A reference stands in it: its text is neither empty nor all blanks.
        let mut end = span.end;
        while is_blank(self.text[end - 1]) {
            end -= 1;
        }
        let unended = span.end == self.text.len() && !self.text.ends_with(b"\n");
        let unended = unended && !self.text.ends_with(b"\r");
        // Readers do not agree on what a last line of blanks is.
        let is_cut = unended && !is_break(self.text[end - 1]);
        if unended {
            end = span.end;
        } else if is_break(self.text[end - 1]) {
            end -= 1 + usize::from(self.text[..end].ends_with(b"\r\n"));
        } else {
            return Err(unsure());
        }
        if let Some(at) = lone_return(self.text, header..end + 1) {
            return Err(Fault { at, kind: RETURN });
        }
        let written = first_indent(&self.text[content.min(end)..end]);
        let meant = first_indent(value.as_bytes());
        let (Some(written), Some(meant)) = (written, meant) else { return Err(unsure()) };
        let indent = written.checked_sub(meant).ok_or_else(unsure)?;
        let strips = Header::of(&[Part::Raw(&self.text[header..end])]).strips();
        if unended && !is_cut && !strips {
            return Err(Fault { at: header, kind: UNENDED });
        }
        Ok((header..end, Form::Block(Block { folded, indent, unended })))
    }

    /// Its line is the last one with anything on it before the text.
    fn header_before(&self, content: usize) -> Option<usize> {
        let before = self.text.get(self.behind..content)?.trim_ascii_end();
        let line = before.iter().rposition(|b| is_break(*b)).map_or(0, |i| i + 1);
        let mut at = line;
        for token in before[line..].split(|b| is_blank(*b)) {
            if matches!(token.first(), Some(b'|' | b'>')) {
                return Some(self.behind + at);
            }
            at += token.len() + 1;
        }
        None
    }

    fn finish(mut self) -> Result<Layout, Fault> {
        self.between(self.text.len())?;
        let alias_is_key = self.alias_is_key;
        let mut layout = self.sites.finish()?;
        for scalar in &mut layout.scalars {
            if let super::super::Style::Yaml(style) = &mut scalar.style {
                style.key |= alias_is_key;
            }
        }
        Ok(layout)
    }
}

/// Within a text some readers take it for one of its characters, and others begin a document.
pub const INNER_MARK: FaultKind = FaultKind::Unsafe {
    what: "a byte order mark stands within the file, and readers differ on it",
    hint: "take it out, or write it as `\\uFEFF` in double quotes",
};

/// What is written beside it could make it one with a line feed.
pub const RETURN: FaultKind = FaultKind::Unsafe {
    what: "a carriage return alone ends a line of this text",
    hint: "end the lines with line feeds",
};

pub const UNENDED: FaultKind = FaultKind::Unsafe {
    what: "the file ends in a block scalar with a line of blanks, which readers take differently",
    hint: "end the last line, or write `|-`",
};

/// For PyYAML, libyaml, ruamel.yaml and Psych, even what is in quotes is then what it looks like.
pub const LONE_TAG: FaultKind = FaultKind::Unsafe {
    what: "behind a lone `!`, some readers take a text such as `null` or `12` for more than text",
    hint: "write `!!str`, or leave the tag out",
};

fn is_lone(tag: &Tag) -> bool {
    tag.handle().is_empty() && tag.suffix() == "!"
}

/// It is YAML, and may be as deep as it likes there.
pub const DEEP: FaultKind = FaultKind::Unsafe {
    what: "it is nested deeper than 255 levels, which is more than `inject` reads",
    hint: "nest it less, or use `--format text`, which writes the values as they are",
};

/// The parser and the folding here do not find the same, or it is known that some reader does not.
pub fn unsure(at: usize) -> Fault {
    let what = "not all YAML readers agree on how this text is folded";
    Fault { at, kind: FaultKind::Unsafe { what, hint: "write it in double quotes, on one line" } }
}

/// Whether the raw text is read as the parser reads it.
fn means(form: Form, raw: &[u8], value: &[u8]) -> bool {
    let mut rest = Some(value);
    read(form, &[Part::Raw(raw)], &mut |piece| {
        let (Piece::Text(text) | Piece::Escaped(text)) = piece;
        rest = rest.and_then(|rest| rest.strip_prefix(text));
    });
    rest == Some(b"")
}

/// Behind a line break that is escaped, some readers keep an empty line, others none.
fn joins_empty_line(raw: &[u8]) -> bool {
    let mut joins = false;
    raw.split(|b| *b == b'\n').any(|line| {
        let line = line.trim_ascii_end();
        let backslashes = line.iter().rev().take_while(|b| **b == b'\\').count();
        let joined = std::mem::replace(&mut joins, backslashes % 2 == 1);
        joined && line.is_empty()
    })
}

/// How many spaces are before the first line's text, where there is one that is not blank.
fn first_indent(text: &[u8]) -> Option<usize> {
    let mut lines = text.split(|b| is_break(*b));
    let line = lines.find(|line| !line.iter().all(|b| is_blank(*b)))?;
    Some(line.iter().take_while(|b| **b == b' ').count())
}

/// The first carriage return that no line feed follows.
fn lone_return(text: &[u8], within: Range<usize>) -> Option<usize> {
    let all = &text[within.start..within.end.min(text.len())];
    let mut returns = byte::each(b'\r', all).map(|at| within.start + at);
    returns.find(|at| text.get(at + 1) != Some(&b'\n'))
}

fn line_end(text: &[u8], at: usize) -> usize {
    byte::find_either([b'\n', b'\r'], &text[at..]).map_or(text.len(), |length| at + length)
}

fn encoding(text: &[u8], error: &std::str::Utf8Error) -> Fault {
    let wide = [&b"\xff\xfe"[..], b"\xfe\xff", b"\0\0\xfe\xff"];
    if wide.iter().any(|bom| text.starts_with(bom)) {
        return syntax(0, "it is UTF-16 or UTF-32, not UTF-8");
    }
    syntax(error.valid_up_to(), "it is not UTF-8")
}

fn syntax(at: usize, message: &str) -> Fault {
    Fault { at, kind: FaultKind::Syntax { format: "yaml", message: message.to_owned() } }
}

fn fault(error: &ScanError, text: &str, references: &[Range<usize>]) -> Fault {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return Fault { at, kind: DEEP };
    }
    let text = text.as_bytes();
    let next = references.partition_point(|range| range.end <= at);
    let next = references.get(next).map_or(text.len(), |range| range.start);
    // Of an escape, it tells where the scalar begins.
    if let Some(escape) = broken_escape(&text[at..]) {
        return match references.binary_search_by_key(&(at + escape.end), |range| range.start) {
            Ok(_) => Fault { at: at + escape.end, kind: FaultKind::Escape },
            Err(_) => syntax(at + escape.start, &error.info()),
        };
    }
    let line = text[..at].iter().rposition(|b| is_break(*b)).map_or(0, |i| i + 1);
    let end = match (text.get(line), text.get(at)) {
        (Some(b'%'), _) => line_end(text, at),
        (_, Some(b'*' | b'&' | b'!' | b'|' | b'>')) => {
            let token = text[at..].iter().take_while(|b| !is_blank(**b) && !is_break(**b));
            at + token.count()
        }
        _ => at,
    };
    if next < end {
        return Fault { at: next, kind: FaultKind::NoScalar };
    }
    syntax(at, &error.info())
}

/// The first escape of a text that opens with a double quote that is none or is cut short: from its
/// backslash to the first byte that does not belong to it.
fn broken_escape(text: &[u8]) -> Option<Range<usize>> {
    if text.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += byte::find_either([b'\\', b'"'], &text[at..]).filter(|i| text[at + i] == b'\\')?;
        let behind = text.get(at + 1)?;
        let digits = match behind {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            b if b"0abtnvfre \"/\\N_LP\t\r\n".contains(b) => 0,
            _ => return Some(at..at + 1),
        };
        let there =
            text[at + 2..].iter().take(digits).take_while(|b| b.is_ascii_hexdigit()).count();
        if there < digits {
            return Some(at..at + 2 + there);
        }
        at += 2 + digits;
    }
}
