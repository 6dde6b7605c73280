//! The `$NAME` scanner beside another reading of its description, with every setting that changes
//! what is a reference: names that are plain text, and environments.

use inject::launch::reference::{Fault, Grammar, Kind};
use inject::name::{Environment, SecretName};

/// What a grammar is read with.
#[derive(Default)]
struct Settings {
    environment: Option<String>,
    environments: Vec<String>,
    literal: Vec<String>,
}

/// What stands at some place, as either reading says it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    start: usize,
    end: usize,
    dollars: usize,
    /// Where the `$` of the reference itself is.
    at: usize,
    what: What,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum What {
    Escape,
    Reference(String),
    NotClosed(String),
    NoEnvironment(String),
    TooLong(String),
    Crossed { name: String, other: String },
}

/// The input's first line is the settings, `PROD DEV,STAGING HOME,PATH`; the rest is the text.
pub fn check(input: &[u8]) {
    let (line, text) = match input.iter().position(|b| *b == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (&b""[..], input),
    };
    let settings = Settings::of(&String::from_utf8_lossy(line));
    let grammar = settings.grammar();
    let found: Vec<Seen> = grammar.scan(text).map(|found| seen(&found)).collect();
    let expected = settings.read(text);
    assert_eq!(found, expected, "{} {}", line.escape_ascii(), text.escape_ascii());
}

fn seen(found: &inject::launch::reference::Found<'_>) -> Seen {
    let what = match &found.kind {
        Kind::Escape => What::Escape,
        Kind::Reference(name) => What::Reference((*name).to_owned()),
        Kind::ReferenceFor(name) => What::Reference(name.to_string()),
        Kind::Fault(fault) => {
            assert!(!fault.to_string().is_empty() && !fault.hint().is_empty());
            let name = fault.name().to_owned();
            match fault {
                Fault::NotClosed { .. } => What::NotClosed(name),
                Fault::NoEnvironment { .. } => What::NoEnvironment(name),
                Fault::TooLong { .. } => What::TooLong(name),
                Fault::Crossed { other, .. } => What::Crossed { name, other: other.to_string() },
            }
        }
    };
    let at = if what == What::Escape { found.start } else { found.at() };
    Seen { start: found.start, end: found.end, dollars: found.dollars, at, what }
}

impl Settings {
    fn of(line: &str) -> Self {
        let mut words = line.split(' ');
        let environment = words.next().and_then(environment);
        let list = |words: Option<&str>, parse: fn(&str) -> Option<String>| {
            words.into_iter().flat_map(|word| word.split(',')).filter_map(parse).collect()
        };
        let environments = list(words.next(), self::environment);
        let name = |word: &str| is_name(word).then(|| word.to_owned());
        Self { environment, environments, literal: list(words.next(), name) }
    }

    fn grammar(&self) -> Grammar {
        let environment = |text: &String| Environment::parse(text).expect("it is one");
        let name = |text: &String| SecretName::parse(text).expect("it is one");
        Grammar {
            literal: self.literal.iter().map(name).collect(),
            environment: self.environment.as_ref().map(environment),
            environments: self.environments.iter().map(environment).collect(),
        }
    }

    /// Every place that is not simply copied.
    fn read(&self, text: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let dollars = text[start..].iter().take_while(|b| **b == b'$').count();
            if dollars == 0 {
                start += 1;
                continue;
            }
            let behind = start + dollars;
            let named = self.named(&text[behind..]);
            let next = named.as_ref().map_or(behind, |(length, _)| behind + length);
            if let Some((_, Some(what))) = named {
                let is_odd = dollars % 2 == 1;
                seen.push(Seen {
                    start,
                    end: if is_odd { next } else { behind },
                    dollars: dollars / 2,
                    at: if is_odd { behind - 1 } else { start },
                    what: if is_odd { what } else { What::Escape },
                });
            }
            start = next;
        }
        seen
    }

    /// How many bytes behind a `$` belong to it, and what they are; nothing where they are literal.
    fn named(&self, text: &[u8]) -> Option<(usize, Option<What>)> {
        let text: String = text.iter().take(200).map(|b| char::from(*b)).collect();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let Some(inside) = text.strip_prefix('{') else {
            let name: String = text.chars().take_while(|c| word(*c)).collect();
            let what = self.what(name.clone());
            return is_name(&name).then_some((name.len(), what));
        };
        let name: String = inside.chars().take_while(|c| word(*c) || *c == '@').collect();
        let is_closed = inside[name.len()..].starts_with('}');
        let length = 1 + name.len() + usize::from(is_closed);
        if is_name(&name) {
            let open = || What::NotClosed(name.clone());
            let what = self.what(name.clone());
            return Some((length, what.map(|what| if is_closed { what } else { open() })));
        }
        let could_be = is_name(&name.replace('@', "A")) && name.chars().any(|c| c != '@');
        if !could_be || !name.contains('@') {
            return None;
        }
        let what = match &self.environment {
            None => Some(What::NoEnvironment(name.clone())),
            Some(environment) => {
                let made = name.replace('@', environment);
                match is_name(&made) {
                    true => self.what(made),
                    false => Some(What::TooLong(name.clone())),
                }
            }
        };
        let open = || What::NotClosed(name.clone());
        Some((length, what.map(|what| if is_closed { what } else { open() })))
    }

    /// A name in full; nothing where it is plain text.
    fn what(&self, name: String) -> Option<What> {
        if self.literal.contains(&name) {
            return None;
        }
        let Some(set) = &self.environment else { return Some(What::Reference(name)) };
        let known = self.environments.iter().chain([set]);
        let ends = known.filter(|one| name.ends_with(&format!("_{one}")));
        let longest = ends.max_by_key(|one| one.len());
        match longest {
            Some(other) if other != set => Some(What::Crossed { other: other.clone(), name }),
            _ => Some(What::Reference(name)),
        }
    }
}

/// `[A-Z][A-Z0-9_]{0,31}`, in any case.
fn environment(word: &str) -> Option<String> {
    let upper = word.to_ascii_uppercase();
    (is_name(&upper) && upper.len() <= 32).then_some(upper)
}

fn is_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(rest)
}
