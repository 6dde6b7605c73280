//! How people, lists and numbers stand in a table's cells. Pure; what it is given may come from
//! strangers, and is escaped.

use jiff::Timestamp;

use crate::grant::Grant;

use super::table::escaped;
use super::{Look, time};

/// What stands where nothing is known.
pub const NONE: &str = "-";
/// What stands for a row that does not carry its authentication code.
pub const DAMAGED: &str = "damaged";
/// The most names that one cell shows.
const NAMES_MAX: usize = 4;

pub fn none() -> String {
    NONE.to_owned()
}

pub fn person(person: &Option<String>) -> String {
    person.as_deref().map_or_else(none, escaped)
}

pub fn when(at: Option<Timestamp>, look: &Look) -> String {
    at.map_or_else(none, |at| time::short(at, &look.zone))
}

/// `2026-03-01 12:00 by alice@acme.com`, as far as it is known.
pub fn when_and_who(when: Option<String>, person: &Option<String>) -> String {
    match (when, person) {
        (Some(when), Some(_)) => format!("{when} by {}", self::person(person)),
        (Some(when), None) => when,
        (None, _) => self::person(person),
    }
}

pub fn version(version: Option<u64>) -> String {
    version.map_or_else(none, |version| version.to_string())
}

/// Which secrets may be resolved: `nothing`, or the list as it was given.
pub fn grant(grant: &Grant) -> String {
    if grant.is_empty() { "nothing".to_owned() } else { some_of(grant.texts().map(str::to_owned)) }
}

/// The first few, and how many more there are.
pub fn some_of(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    match texts.len() {
        0 => none(),
        count if count <= NAMES_MAX => texts.join(", "),
        count => {
            format!("{} and {} more", texts[..NAMES_MAX - 1].join(", "), count + 1 - NAMES_MAX)
        }
    }
}

/// `1 token`, `2 tokens`.
pub fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let some = |count: usize| some_of((1..=count).map(|number| number.to_string()));
        assert_eq!(some(0), "-");
        assert_eq!(some(4), "1, 2, 3, 4");
        assert_eq!(some(5), "1, 2, 3 and 2 more");
        assert_eq!(some(1000), "1, 2, 3 and 997 more");
    }
}
