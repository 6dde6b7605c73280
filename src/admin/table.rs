//! Rows of text as a table that fits a terminal. Pure; what it is given may come from strangers.

use std::fmt::Write;

/// The cells between two columns, and the fewest that a column is shortened to.
const GAP: usize = 2;
const COLUMN_MIN: usize = 6;

/// One row of `N` cells of text.
pub type Row<const N: usize> = [String; N];

/// The header and the rows, aligned, each line with its end. Where `columns` bounds the line,
/// cells are shortened with `…`, those of the first column last.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: &[Row<N>],
    columns: Option<usize>,
    bold: bool,
) -> String {
    let header = header.map(str::to_owned);
    let mut widths = header.each_ref().map(|cell| width(cell));
    for row in rows {
        for (width_now, cell) in widths.iter_mut().zip(row) {
            *width_now = (*width_now).max(width(cell));
        }
    }
    if let Some(columns) = columns {
        fit(&mut widths, columns);
    }
    let mut out = String::new();
    if bold {
        out.push_str("\x1b[1m");
    }
    line(&mut out, &header, &widths);
    if bold {
        out.push_str("\x1b[0m");
    }
    out.push('\n');
    for row in rows {
        line(&mut out, row, &widths);
        out.push('\n');
    }
    out
}

/// Takes from the widest column, one cell after another, until the line fits or nothing can give.
/// The first column is what a row is known by: it gives when no other can.
fn fit(widths: &mut [usize], columns: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > columns {
        let Some((first, others)) = widths.split_first_mut() else { return };
        match others.iter_mut().max() {
            Some(widest) if *widest > COLUMN_MIN => *widest -= 1,
            _ if *first > COLUMN_MIN => *first -= 1,
            _ => return,
        }
    }
}

fn line<const N: usize>(out: &mut String, row: &Row<N>, widths: &[usize; N]) {
    for (i, (cell, &column)) in row.iter().zip(widths).enumerate() {
        let cell = shorten(cell, column);
        let padding = if i + 1 == N { 0 } else { column - width(&cell) + GAP };
        write!(out, "{cell}{:padding$}", "").expect("a string takes every write");
    }
    out.truncate(out.trim_end_matches(' ').len());
}

/// `text` in at most `cells` cells, with a `…` where something is left out.
fn shorten(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut used = 1;
    let fitting = text.chars().take_while(|&c| {
        used += char_width(c);
        used <= cells
    });
    fitting.chain(['…']).collect()
}

/// The cells that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Two for East Asian wide characters and emoji, none for combining marks, else one: the blocks of
/// Unicode's EastAsianWidth.txt, which is as near as terminals agree.
fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => {
            0
        }
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xa960..=0xa97f
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Text from outside, with what steers a terminal or turns the direction of writing spelled out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that take no room or turn the direction of what follows (Unicode's category Cf).
fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x61c
            | 0x180e
            | 0x200b..=0x200f
            | 0x2028..=0x202e
            | 0x2060..=0x206f
            | 0xfeff
            | 0xfff9..=0xfffb
            | 0xe0000..=0xe007f
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row<3>> {
        [["A", "1", "alice"], ["DB_PASSWORD_PROD", "12", "日本語@acme.com"]]
            .map(|row| row.map(str::to_owned))
            .to_vec()
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            table(["NAME", "VERSION", "BY"], &rows(), None, false),
            "NAME              VERSION  BY\n\
             A                 1        alice\n\
             DB_PASSWORD_PROD  12       日本語@acme.com\n"
        );
    }

    #[test]
    fn what_does_not_fit_is_shortened() {
        let out = table(["NAME", "VERSION", "BY"], &rows(), Some(30), false);
        assert_eq!(
            out,
            "NAME            VERSI…  BY\n\
             A               1       alice\n\
             DB_PASSWORD_P…  12      日本…\n"
        );
        // The name is what a secret is asked for by, so it is the last to give.
        let out = table(["NAME", "VERSION", "BY"], &rows(), Some(34), false);
        assert!(out.contains("\nDB_PASSWORD_PROD  12       日本語…\n"), "{out}");
        for columns in 22..60 {
            let out = table(["NAME", "VERSION", "BY"], &rows(), Some(columns), false);
            assert!(out.lines().all(|line| width(line) <= columns), "{columns}:\n{out}");
        }
        // A terminal without any room gets what cannot be shortened further.
        assert!(table(["NAME", "VERSION", "BY"], &rows(), Some(1), false).contains("DB_PA…"));
    }

    #[test]
    fn the_header_alone_is_bold() {
        let out = table(["A", "B"], &[["c".to_owned(), "d".to_owned()]], None, true);
        assert_eq!(out, "\x1b[1mA  B\x1b[0m\nc  d\n");
    }

    #[test]
    fn cells_are_counted_as_a_terminal_shows_them() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("日本"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("🔑"), 2);
        assert_eq!(shorten("日本語", 4), "日…");
        assert_eq!(shorten("日本語", 6), "日本語");
    }

    #[test]
    fn what_steers_a_terminal_is_spelled_out() {
        assert_eq!(escaped("a\x1b[2J\n\u{202e}b\u{9b}ü"), "a\\u{1b}[2J\\n\\u{202e}b\\u{9b}ü");
    }
}
