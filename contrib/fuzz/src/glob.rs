//! Globs and lists of them, beside a matcher that tries every way there is.

use inject::grant::{GRANT_PATTERNS_MAX, Grant};
use inject::name::SecretName;
use inject::pattern::Pattern;

/// As long are texts of which one match takes a few milliseconds where each star is tried at each
/// place, and hours where each is tried beside each other: that is more than a case may take.
const LONG_BYTES: usize = 1 << 10;

/// The input is a name, then globs, with a byte 0xFF between any two.
pub fn check(input: &[u8]) {
    let mut parts = input.split(|b| *b == 0xff);
    let name = parts.next().unwrap_or_default();
    let globs: Vec<&[u8]> = parts.collect();
    if let Some(glob) = globs.first() {
        ends(glob, name);
    }
    for glob in &globs {
        let found = Pattern::new(glob).matches(name);
        assert_eq!(found, matches(glob, name), "{} {}", glob.escape_ascii(), name.escape_ascii());
    }
    grants(&globs, name);
}

/// Whether a name fits, by a table of which of its beginnings fit which of the glob's.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for letter in glob {
        let mut next = vec![false; name.len() + 1];
        for end in 0..=name.len() {
            next[end] = match letter {
                b'*' => fits[end] || end > 0 && next[end - 1],
                letter => end > 0 && fits[end - 1] && name[end - 1] == *letter,
            };
        }
        fits = next;
    }
    fits[name.len()]
}

fn ends(glob: &[u8], name: &[u8]) {
    let long = |text: &[u8]| text.repeat(LONG_BYTES / text.len().max(1));
    let _found = Pattern::new(&long(glob)).matches(&long(name));
}

/// A list is taken if each of its texts could be a name with stars in it, and then covers what one
/// of them fits.
fn grants(globs: &[&[u8]], name: &[u8]) {
    let Some(texts) = globs.iter().map(|glob| std::str::from_utf8(glob).ok()).collect() else {
        return;
    };
    let texts: Vec<&str> = texts;
    let legal = |text: &&str| is_legal(&text.replace('*', "A"));
    let expected = texts.len() <= GRANT_PATTERNS_MAX && texts.iter().all(legal);
    let grant = Grant::parse(&texts);
    assert_eq!(grant.is_ok(), expected, "{texts:?}");
    let Ok(grant) = grant else { return };
    assert!(grant.texts().eq(texts.iter().copied()));
    let json = serde_json::to_string(&grant).expect("texts are JSON");
    let again: Grant = serde_json::from_str(&json).expect("it was a list");
    assert_eq!(again, grant);
    let Ok(name) = std::str::from_utf8(name) else { return };
    let parsed = SecretName::parse(name);
    assert_eq!(parsed.is_ok(), is_legal(name), "{name:?}");
    let Ok(parsed) = parsed else { return };
    let covered = texts.iter().any(|text| matches(text.as_bytes(), name.as_bytes()));
    assert_eq!(grant.covers(&parsed), covered, "{texts:?} {name}");
}

/// `[A-Z][A-Z0-9_]{0,127}`.
fn is_legal(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(rest)
}
