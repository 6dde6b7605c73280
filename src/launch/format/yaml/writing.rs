//! Writes a scalar with its values. Nothing of a value is kept beside the output.

use super::super::{Part, Refusal};
use super::reading::{Header, Piece, read, without_quotes};
use super::{Block, Form, Style, break_length, escape, is_blank};

pub fn write(style: Style, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for part in parts {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        std::str::from_utf8(bytes).map_err(|_| Refusal::NotUtf8)?;
    }
    match style.form {
        Form::Plain | Form::Double => write_double(style.form, parts, out),
        Form::Single if stays_single(parts) => write_single(parts, out),
        Form::Single => write_double(style.form, parts, out),
        Form::Block(block) => write_block(block, parts, out)?,
    }
    Ok(())
}

/// On one line, so that nothing is folded.
fn write_double(form: Form, parts: &[Part<'_>], out: &mut Vec<u8>) {
    out.push(b'"');
    read(form, parts, &mut |piece| match piece {
        Piece::Text(text) => escape::write_text(text, out),
        Piece::Escaped(raw) => escape::write_raw(raw, out),
    });
    out.push(b'"');
}

/// Single quotes have no escapes, and fold the lines.
fn stays_single(parts: &[Part<'_>]) -> bool {
    parts.iter().all(|part| {
        let (Part::Raw(bytes) | Part::Value(bytes)) = part;
        !escape::chars(bytes).any(escape::is_unprintable)
    })
}

fn write_single(parts: &[Part<'_>], out: &mut Vec<u8>) {
    out.push(b'\'');
    for part in without_quotes(parts) {
        match part {
            Part::Raw(raw) => out.extend_from_slice(raw),
            Part::Value(value) => {
                for run in value.split_inclusive(|b| *b == b'\'') {
                    out.extend_from_slice(run);
                    if run.ends_with(b"'") {
                        out.push(b'\'');
                    }
                }
            }
        }
    }
    out.push(b'\'');
}

/// As it is, if what is folded stays so; as a literal block with the same indentation, if that can
/// hold the text; else in double quotes.
fn write_block(block: Block, parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let header = Header::of(parts);
    let form = Form::Block(block);
    let mut shape = Shape::default();
    read(form, parts, &mut |piece| shape.pass(piece));
    if shape.stays_folded(block, parts) {
        for part in parts {
            let (Part::Raw(bytes) | Part::Value(bytes)) = part;
            out.extend_from_slice(bytes);
        }
        return Ok(());
    }
    let fits = shape.fits(block, &header);
    let is_cut = block.unended && !header.strips();
    if is_cut && !fits {
        return Err(UNENDED);
    }
    // Empty lines behind the text mean nothing, unless all line breaks are kept.
    let mut behind = if header.keeps() { 0 } else { empty_lines_behind(parts) };
    if !fits {
        write_double(form, parts, out);
        out.extend_from_slice(header.behind);
        (0..behind).for_each(|_| out.extend_from_slice(header.line_break));
        return Ok(());
    }
    out.push(b'|');
    out.extend(header.digit);
    match shape.breaks {
        // What each reader made of the template's end, it makes of this one.
        _ if is_cut => out.extend(header.chomp),
        0 => out.push(b'-'),
        1 => {}
        _ => {
            out.push(b'+');
            behind = 0;
        }
    }
    out.extend_from_slice(header.behind);
    // YAML 1.1 wants a space at least.
    let indent = if block.indent == 0 { 2 } else { block.indent };
    let mut lines = Lines { indent, line_break: header.line_break, breaks: 1, out };
    read(form, parts, &mut |piece| lines.write(piece));
    lines.finish(behind);
    Ok(())
}

pub const UNENDED: Refusal = Refusal::Unheld {
    what: "with it the block scalar could not end the file without a line break, as it does",
    hint: "end the last line of the template, or write `|-`",
};

fn empty_lines_behind(parts: &[Part<'_>]) -> usize {
    let Some(Part::Raw(raw)) = parts.last() else { return 0 };
    let text = raw.iter().rposition(|b| !is_blank(*b) && !matches!(b, b'\r' | b'\n'));
    let mut rest = &raw[text.unwrap_or(0)..];
    let mut count = 0;
    while !rest.is_empty() {
        let length = break_length(rest);
        count += usize::from(length > 0);
        rest = &rest[length.max(1)..];
    }
    count
}

/// What a text is like that may become a literal block.
#[derive(Default)]
struct Shape {
    /// The first character of the first line that is not empty.
    first: Option<char>,
    /// A line begins with a tab, or is of blanks alone, or a character may not stand as it is.
    is_odd: bool,
    within_line: bool,
    /// The line, as far as it was passed, is of blanks alone.
    is_blank: bool,
    /// The line breaks at the end.
    breaks: usize,
}

impl Shape {
    fn pass(&mut self, piece: Piece<'_>) {
        let (Piece::Text(text) | Piece::Escaped(text)) = piece;
        for c in escape::chars(text) {
            if c == '\n' {
                self.end_line();
                self.breaks += 1;
                continue;
            }
            let blank = matches!(c, ' ' | '\t');
            if !self.within_line {
                self.first.get_or_insert(c);
                self.is_blank = true;
                self.is_odd |= c == '\t';
            }
            self.is_blank &= blank;
            self.is_odd |= escape::is_unprintable(c) && !blank;
            (self.within_line, self.breaks) = (true, 0);
        }
    }

    /// Some readers drop the blanks of a line that has nothing else.
    fn end_line(&mut self) {
        self.is_odd |= self.within_line && self.is_blank;
        self.within_line = false;
    }

    /// Each line begins and ends as it did with the reference: nothing is folded anew.
    fn stays_folded(&self, block: Block, parts: &[Part<'_>]) -> bool {
        let is_word = |part: &Part<'_>| match part {
            Part::Raw(_) => true,
            Part::Value(value) => {
                let inner = !escape::chars(value).any(escape::is_unprintable);
                inner && !value.is_empty() && !value.starts_with(b" ") && !value.ends_with(b" ")
            }
        };
        // At the margin, a value could be a document's end.
        block.folded && block.indent > 0 && !self.is_odd && parts.iter().all(is_word)
    }

    fn fits(&mut self, block: Block, header: &Header<'_>) -> bool {
        self.end_line();
        // Without an indicator, the first line's spaces are the indentation. With one, that counts
        // from what the scalar stands in.
        let indents = header.digit.is_some() || self.first != Some(' ');
        let ends = self.breaks == 0 || !block.unended;
        self.first.is_some() && !self.is_odd && indents && ends
    }
}

/// Writes the lines of a literal block, but for the last line break: the document has it already.
struct Lines<'o, 'p> {
    indent: usize,
    line_break: &'p [u8],
    /// Line breaks that go before the next text.
    breaks: usize,
    out: &'o mut Vec<u8>,
}

impl Lines<'_, '_> {
    fn write(&mut self, piece: Piece<'_>) {
        let (Piece::Text(text) | Piece::Escaped(text)) = piece;
        let mut rest = text;
        while !rest.is_empty() {
            let ended = break_length(rest);
            if ended > 0 {
                self.breaks += 1;
                rest = &rest[ended..];
                continue;
            }
            let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            self.text(&rest[..length]);
            rest = &rest[length..];
        }
    }

    fn text(&mut self, text: &[u8]) {
        if self.breaks > 0 {
            self.end_lines(self.breaks);
            self.out.resize(self.out.len() + self.indent, b' ');
            self.breaks = 0;
        }
        self.out.extend_from_slice(text);
    }

    /// Of the empty lines at the end, with so many more.
    fn finish(&mut self, behind: usize) {
        self.end_lines(self.breaks.saturating_sub(1) + behind);
    }

    fn end_lines(&mut self, count: usize) {
        (0..count).for_each(|_| self.out.extend_from_slice(self.line_break));
    }
}
