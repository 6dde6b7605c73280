//! One line of the log, in text or JSON, field by field. Whatever a field holds, the line stays
//! one line of bounded length.

use std::fmt::{Display, Write};

use super::{Format, Level};

/// The longest text that one field shows, in bytes.
const FIELD_BYTES_MAX: usize = 512;
/// No field begins behind this, so that a line is written to a pipe in one piece (pipe(7)).
const LINE_BYTES_MAX: usize = 3072;

/// A line that is being written.
pub struct Line {
    format: Format,
    text: String,
}

impl Line {
    pub(super) fn new(format: Format, level: Level, event: &str) -> Self {
        let now = jiff::Timestamp::now();
        let mut text = String::with_capacity(160);
        let level = level.as_str();
        let begun = match format {
            Format::Text => write!(text, "{now:.3} {level} {event}"),
            Format::Json => {
                write!(text, r#"{{"time":"{now:.3}","level":"{level}","event":"{event}""#)
            }
        };
        begun.expect("a string takes every write");
        Self { format, text }
    }

    /// A field; its text is quoted where it has to be, and cut where it is too long.
    pub fn text(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.quoted(key, &value.to_string())
    }

    /// Apart from what the value is: the code is the same for all.
    fn quoted(&mut self, key: &str, value: &str) -> &mut Self {
        let value = cut(value);
        if self.key(key) {
            match self.format {
                Format::Text if is_plain(value) => self.text.push_str(value),
                Format::Text => self.write(format_args!("{value:?}")),
                Format::Json => {
                    let quoted = serde_json::to_string(value).expect("a text is JSON");
                    self.text.push_str(&quoted);
                }
            }
        }
        self
    }

    pub fn number(&mut self, key: &str, value: u64) -> &mut Self {
        if self.key(key) {
            self.write(format_args!("{value}"));
        }
        self
    }

    /// Milliseconds, to the microsecond.
    pub fn milliseconds(&mut self, key: &str, value: std::time::Duration) -> &mut Self {
        if self.key(key) {
            self.write(format_args!("{:.3}", value.as_secs_f64() * 1000.0));
        }
        self
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.text.push_str(match self.format {
            Format::Text => "\n",
            Format::Json => "}\n",
        });
        self.text.into_bytes()
    }

    /// Whether there is room for one more field.
    fn key(&mut self, key: &str) -> bool {
        if self.text.len() > LINE_BYTES_MAX {
            return false;
        }
        match self.format {
            Format::Text => self.write(format_args!(" {key}=")),
            Format::Json => self.write(format_args!(r#","{key}":"#)),
        }
        true
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a string takes every write");
    }
}

fn cut(value: &str) -> &str {
    if value.len() <= FIELD_BYTES_MAX {
        return value;
    }
    let shown = value.char_indices().take_while(|(at, c)| at + c.len_utf8() <= FIELD_BYTES_MAX);
    &value[..shown.last().map_or(0, |(at, c)| at + c.len_utf8())]
}

fn is_plain(value: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'=');
    !value.is_empty() && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, fill: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::new(format, Level::Info, "tested");
        fill(&mut line);
        String::from_utf8(line.end()).expect("a text")
    }

    #[test]
    fn fields_are_told_apart_whatever_they_hold() {
        let hostile = "a b\"c\\d=e\nf\u{1b}[31m\u{202e}";
        let text = line(Format::Text, |line| {
            line.text("plain", "[::1]:7410").text("hostile", hostile).number("n", 7);
        });
        let quoted = r#""a b\"c\\d=e\nf\u{1b}[31m\u{202e}""#;
        let rest = format!(" info tested plain=[::1]:7410 hostile={quoted} n=7\n");
        assert!(text.ends_with(&rest), "{text}");
        let json = line(Format::Json, |line| {
            line.text("hostile", hostile).number("n", 7);
        });
        assert_eq!(json.matches('\n').count(), 1);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["hostile"], &json["n"]), (&hostile.into(), &7.into()));
        assert_eq!((&json["level"], &json["event"]), (&"info".into(), &"tested".into()));
    }

    #[test]
    fn times_have_milliseconds_and_a_zone() {
        let text = line(Format::Text, |_| {});
        let time = text.split(' ').next().expect("a word");
        assert_eq!(time.len(), "2026-01-01T00:00:00.000Z".len(), "{time}");
        time.parse::<jiff::Timestamp>().expect("RFC 3339");
    }

    #[test]
    fn a_line_stays_shorter_than_a_pipe_takes_in_one_piece() {
        for format in [Format::Text, Format::Json] {
            let long = line(format, |line| {
                for _ in 0..100 {
                    line.text("long", "ü".repeat(5000));
                }
            });
            assert!(long.len() < 4096, "{}", long.len());
        }
    }
}
