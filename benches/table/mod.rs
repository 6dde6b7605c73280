//! One row of the table that `run` prints: a figure beside what it should be. It measures nothing.

use std::io::{self, Write};

/// `≤` or `≥`, and the limit; or `None` for what is there to compare with.
pub type Target = Option<(char, f64)>;

/// The target is for `judged`, which is one of the cells as a number, in that unit.
pub fn row(
    [what, median, p90, ratio]: [&str; 4],
    (judged, unit): (f64, &str),
    target: Target,
) -> io::Result<()> {
    let (target, verdict) = match target {
        None => (String::new(), ""),
        Some((sign, limit)) => {
            let met = if sign == '≤' { judged <= limit } else { judged >= limit };
            (format!("{sign} {limit}{unit}"), if met { "in" } else { "**missed**" })
        }
    };
    writeln!(io::stdout(), "| {what} | {median} | {p90} | {ratio} | {target} | {verdict} |")
}
