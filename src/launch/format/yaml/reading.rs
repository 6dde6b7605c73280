//! What a scalar's parts mean: the line folding of YAML 1.2.2, sections 6.5, 7.3 and 8.1. Values
//! are opaque: a blank or a line break in one, or one that is empty, folds nothing. Keeps no text.

use super::super::Part;
use super::{Block, Form, break_length, is_blank};

/// A piece of a scalar's text.
#[derive(Clone, Copy)]
pub enum Piece<'p> {
    /// What it means.
    Text(&'p [u8]),
    /// As it stands in double quotes, with its escapes.
    Escaped(&'p [u8]),
}

/// Hands on the text of a scalar, from its first piece to its last.
pub fn read<'p>(form: Form, parts: &[Part<'p>], sink: &mut impl FnMut(Piece<'p>)) {
    match form {
        Form::Plain => Flow::new(form, sink).read(parts.iter().copied()),
        Form::Single | Form::Double => Flow::new(form, sink).read(without_quotes(parts)),
        Form::Block(block) => Lines::new(block, Header::of(parts), sink).read(parts),
    }
}

/// The first and the last part are raw text, from the opening quote and up to the closing one.
pub fn without_quotes<'p>(parts: &[Part<'p>]) -> impl Iterator<Item = Part<'p>> {
    let last = parts.len() - 1;
    parts.iter().enumerate().map(move |(number, part)| match *part {
        Part::Raw(raw) => {
            let from = usize::from(number == 0).min(raw.len());
            let to = raw.len() - usize::from(number == last).min(raw.len() - from);
            Part::Raw(&raw[from..to])
        }
        value => value,
    })
}

/// A scalar that is plain or in quotes: its lines are folded, and blanks around breaks are none.
struct Flow<'p, 's, S> {
    form: Form,
    sink: &'s mut S,
    /// Blanks that were passed: text, unless a line break follows.
    blanks: &'p [u8],
    /// Line breaks that were passed since the last text.
    breaks: usize,
    /// The first of them was escaped, and is none.
    joined: bool,
}

impl<'p, 's, S: FnMut(Piece<'p>)> Flow<'p, 's, S> {
    fn new(form: Form, sink: &'s mut S) -> Self {
        Self { form, sink, blanks: b"", breaks: 0, joined: false }
    }

    fn read(mut self, parts: impl Iterator<Item = Part<'p>>) {
        for part in parts {
            match part {
                Part::Raw(raw) => self.raw(raw),
                Part::Value(value) => {
                    self.fold();
                    (self.sink)(Piece::Text(value));
                }
            }
        }
        self.fold();
    }

    fn raw(&mut self, raw: &'p [u8]) {
        let mut at = 0;
        while at < raw.len() {
            let rest = &raw[at..];
            at += match rest {
                [b' ' | b'\t', ..] => self.blanks(rest),
                [b'\r' | b'\n', ..] => {
                    self.blanks = b"";
                    self.breaks += 1;
                    break_length(rest)
                }
                [b'\\', behind @ ..] if self.escapes() && break_length(behind) > 0 => {
                    self.fold();
                    (self.breaks, self.joined) = (1, true);
                    1 + break_length(behind)
                }
                _ => {
                    self.fold();
                    self.text(rest)
                }
            };
        }
    }

    fn escapes(&self) -> bool {
        self.form == Form::Double
    }

    fn blanks(&mut self, rest: &'p [u8]) -> usize {
        let length = rest.iter().take_while(|b| is_blank(**b)).count();
        if self.breaks == 0 {
            self.blanks = &rest[..length];
        }
        length
    }

    /// Text up to a blank or a line break, or through a quote that stands for itself. Returns how
    /// much of the rest is passed.
    fn text(&mut self, rest: &'p [u8]) -> usize {
        let mut length = 0;
        while let Some(b) = rest.get(length) {
            match b {
                b' ' | b'\t' | b'\r' | b'\n' => break,
                b'\\' if self.escapes() => {
                    if break_length(&rest[length + 1..]) > 0 {
                        break;
                    }
                    length += 2;
                }
                b'\'' if self.form == Form::Single => {
                    self.emit(&rest[..=length]);
                    return length + 2;
                }
                _ => length += 1,
            }
        }
        let length = length.min(rest.len());
        self.emit(&rest[..length]);
        length
    }

    /// What was passed is before text.
    fn fold(&mut self) {
        if self.breaks == 0 {
            self.emit(self.blanks);
        } else if self.breaks == 1 && !self.joined {
            (self.sink)(Piece::Text(b" "));
        } else {
            (1..self.breaks).for_each(|_| (self.sink)(Piece::Text(b"\n")));
        }
        (self.blanks, self.breaks, self.joined) = (b"", 0, false);
    }

    fn emit(&mut self, raw: &'p [u8]) {
        if raw.is_empty() {
            return;
        }
        let piece = if self.escapes() { Piece::Escaped(raw) } else { Piece::Text(raw) };
        (self.sink)(piece);
    }
}

/// What stands on a block scalar's first line.
pub struct Header<'p> {
    /// The indentation indicator, if there is one.
    pub digit: Option<u8>,
    pub chomp: Option<u8>,
    /// Blanks and a comment.
    pub behind: &'p [u8],
    pub line_break: &'p [u8],
    /// The raw text of the lines that follow, as far as the first part goes.
    content: &'p [u8],
}

impl<'p> Header<'p> {
    pub fn of(parts: &[Part<'p>]) -> Self {
        let raw = match parts.first() {
            Some(Part::Raw(raw)) => *raw,
            _ => b"",
        };
        let end = raw.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(raw.len());
        let (line, rest) = raw.split_at(end);
        let (line_break, content) = rest.split_at(break_length(rest));
        let indicators = line.iter().position(|b| is_blank(*b)).unwrap_or(line.len());
        let (indicators, behind) = line.split_at(indicators);
        Self {
            digit: indicators.iter().copied().find(u8::is_ascii_digit),
            chomp: indicators.iter().copied().find(|b| matches!(b, b'+' | b'-')),
            behind,
            line_break,
            content,
        }
    }

    pub fn strips(&self) -> bool {
        self.chomp == Some(b'-')
    }

    pub fn keeps(&self) -> bool {
        self.chomp == Some(b'+')
    }
}

/// A block scalar.
struct Lines<'p, 's, S> {
    block: Block,
    header: Header<'p>,
    sink: &'s mut S,
    /// Line breaks that were passed since the last text.
    breaks: usize,
    /// Spaces of the indentation that were passed on this line.
    passed: usize,
    within_line: bool,
    /// There was a line with text, and whether that began with a blank.
    last_indented: Option<bool>,
}

impl<'p, 's, S: FnMut(Piece<'p>)> Lines<'p, 's, S> {
    fn new(block: Block, header: Header<'p>, sink: &'s mut S) -> Self {
        Self { block, header, sink, breaks: 0, passed: 0, within_line: false, last_indented: None }
    }

    fn read(mut self, parts: &[Part<'p>]) {
        self.raw(self.header.content);
        for part in parts.iter().skip(1) {
            match part {
                Part::Raw(raw) => self.raw(raw),
                Part::Value(value) => {
                    self.begin(false);
                    (self.sink)(Piece::Text(value));
                }
            }
        }
        let trailing = match self.header.chomp {
            Some(b'-') => 0,
            // Some readers add the line break that the document lacks, and will to the output.
            _ if self.block.unended => 0,
            Some(b'+') => self.breaks + 1,
            _ => usize::from(self.last_indented.is_some()),
        };
        self.lines(trailing);
    }

    fn raw(&mut self, raw: &'p [u8]) {
        let mut at = 0;
        while at < raw.len() {
            let rest = &raw[at..];
            let length = break_length(rest);
            if length > 0 {
                self.breaks += 1;
                (self.passed, self.within_line) = (0, false);
                at += length;
            } else if !self.within_line && rest[0] == b' ' && self.passed < self.block.indent {
                self.passed += 1;
                at += 1;
            } else {
                self.begin(is_blank(rest[0]));
                let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n'));
                let length = end.unwrap_or(rest.len());
                (self.sink)(Piece::Text(&rest[..length]));
                at += length;
            }
        }
    }

    /// Text begins here, unless it did before on the same line.
    fn begin(&mut self, indented: bool) {
        if self.within_line {
            return;
        }
        let folds = self.block.folded && self.last_indented == Some(false) && !indented;
        match self.breaks {
            1 if folds => (self.sink)(Piece::Text(b" ")),
            breaks => self.lines(breaks - usize::from(folds)),
        }
        self.last_indented = Some(indented);
        (self.breaks, self.within_line) = (0, true);
    }

    fn lines(&mut self, count: usize) {
        (0..count).for_each(|_| (self.sink)(Piece::Text(b"\n")));
    }
}
