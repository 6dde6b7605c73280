//! Where a command reads and writes, and how its words look there: results on the output, what is
//! good to know beside it.

use std::io::{self, Read, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::table::{Row, table};
use super::{Error, PromptError, Terminal};

/// What a command reads from and writes to, and how its words look there.
pub struct Console<'a> {
    pub input: &'a mut dyn Read,
    /// Then a value is asked for instead of read.
    pub input_is_terminal: bool,
    pub output: &'a mut dyn Write,
    pub errors: &'a mut dyn Write,
    /// Opens the terminal that questions are asked on; see [`Terminal::open`].
    pub terminal: &'a dyn Fn() -> Result<Terminal, PromptError>,
    pub look: Look,
}

/// How tables and times look.
#[derive(Clone, Debug)]
pub struct Look {
    /// The cells of a terminal's line; `None` where the output is no terminal, and nothing is cut.
    pub columns: Option<usize>,
    /// Whether headers are bold.
    pub bold: bool,
    pub zone: TimeZone,
    pub now: Timestamp,
}

impl Console<'_> {
    /// Says what was changed, before anything else can go wrong.
    pub fn done(&mut self, done: &str) -> io::Result<()> {
        writeln!(self.output, "{done}")?;
        self.output.flush()
    }

    /// Says what is good to know. Where nobody hears it, nothing else is the worse for it.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.errors, "{text}");
    }

    /// Prints text as it is.
    pub fn print(&mut self, text: &str) -> Result<(), Error> {
        let printed = self.output.write_all(text.as_bytes());
        printed.and_then(|()| self.output.flush()).map_err(Error::Output)
    }

    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let mut text =
            serde_json::to_string_pretty(value).expect("names, numbers and times are JSON");
        text.push('\n');
        self.print(&text)
    }

    /// A list as a table; where it is empty, a word on what to do.
    pub fn table<const N: usize>(
        &mut self,
        header: [&str; N],
        rows: &[Row<N>],
        nothing: &str,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            self.note(nothing);
            return Ok(());
        }
        let text = table(header, rows, self.look.columns, self.look.bold);
        self.print(&text)
    }
}

impl Look {
    /// As the output, `COLUMNS` and `NO_COLOR` have it, in the user's zone (`TZ`) and at this
    /// moment. `terminal_columns` is what the kernel says of the output's terminal, if anything.
    pub fn new(
        output_is_terminal: bool,
        terminal_columns: Option<u16>,
        columns: Option<&str>,
        no_color: Option<&[u8]>,
    ) -> Self {
        // The variable is the user's word, and goes before what the kernel measured.
        let asked = columns.and_then(|text| text.parse().ok()).filter(|&columns| columns > 0);
        let measured = terminal_columns.map(usize::from).filter(|&columns| columns > 0);
        let cells = asked.or(measured).unwrap_or(COLUMNS_DEFAULT);
        Self {
            columns: output_is_terminal.then_some(cells),
            // <https://no-color.org>: set and not empty.
            bold: output_is_terminal && no_color.is_none_or(<[u8]>::is_empty),
            zone: TimeZone::system(),
            now: Timestamp::now(),
        }
    }
}

const COLUMNS_DEFAULT: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_of_a_line() {
        let columns =
            |terminal, kernel, variable| Look::new(terminal, kernel, variable, None).columns;
        assert_eq!(columns(true, Some(120), None), Some(120));
        assert_eq!(columns(true, Some(120), Some("60")), Some(60));
        assert_eq!(columns(true, Some(120), Some("0")), Some(120));
        assert_eq!(columns(true, Some(0), Some("wide")), Some(80));
        assert_eq!(columns(false, Some(120), Some("60")), None);
    }

    #[test]
    fn bold_is_for_terminals_that_may() {
        let bold = |terminal, no_color| Look::new(terminal, None, None, no_color).bold;
        assert!(bold(true, None));
        assert!(bold(true, Some(&b""[..])));
        assert!(!bold(true, Some(&b"1"[..])));
        assert!(!bold(false, None));
    }
}
