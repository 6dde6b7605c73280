//! How what a store or a backup holds is told.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::store::operations::{Held, HeldOrganization};

/// Organizations that are told one by one.
const TOLD_MAX: usize = 100;

/// A line for all of it, and one for each organization.
pub fn lines(title: &str, held: &Held) -> String {
    let mut text = format!(
        "{title}: {}, {}, {}\n",
        counted(held.organizations.len() as u64, "organization"),
        counted(held.secrets(), "secret"),
        counted(held.records().unsigned_abs(), "record"),
    );
    for organization in held.organizations.iter().take(TOLD_MAX) {
        text.push_str(&line(organization));
    }
    let more = held.organizations.len().saturating_sub(TOLD_MAX);
    if more > 0 {
        let _ = writeln!(text, "  and {} more", counted(more as u64, "organization"));
    }
    text
}

/// The master keys that it needs, as they are told apart.
pub fn keys(held: &Held) -> String {
    let mut ids: Vec<_> = held.sealed_under.keys().map(String::as_str).collect();
    if !ids.contains(&held.ring_under.as_str()) {
        ids.push(&held.ring_under);
    }
    let plural = if ids.len() == 1 { "" } else { "s" };
    format!("master key{plural} (id {})", ids.join(", "))
}

fn line(organization: &HeldOrganization) -> String {
    let HeldOrganization { name, secrets, records, head } = organization;
    let mut line = format!(
        "  {name}: {}, {}",
        counted(*secrets, "secret"),
        counted(records.unsigned_abs(), "record")
    );
    if let Some((at, code)) = head {
        let start: String = code.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let at = Timestamp::from_millisecond(*at)
            .map_or_else(|_| String::new(), |at| format!(" of {at}"));
        let _ = write!(line, ", the last{at} with code {start}…");
    }
    line.push('\n');
    line
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
