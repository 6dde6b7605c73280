//! What the documentation says is what the sources have: limits, settings, commands and options.
//! It reads both as text, and runs nothing but help.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::harness::World;

/// Where limits are named; in the first of these, each constant is one.
const WHOLE: usize = 4;
const SOURCES: [&str; 11] = [
    "src/store/serve/limits.rs",
    "src/store/http/route.rs",
    "src/store/session.rs",
    "src/store/watches.rs",
    "src/wire.rs",
    "src/wire/trail.rs",
    "src/store/master_key.rs",
    "src/store/lane.rs",
    "src/store/service/usage.rs",
    "src/name.rs",
    "src/grant.rs",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The constants of a source that are numbers or times, each with its expression.
fn constants(source: &str) -> BTreeMap<String, String> {
    let text = read(source).replace("\npub const ", "\nconst ");
    let constant = |text: &str| {
        let (name, rest) = text.split_once(": ")?;
        let (kind, rest) = rest.split_once(" =")?;
        let (value, _) = rest.split_once(';')?;
        let counts = kind == "Duration" || kind.starts_with(['u', 'i']);
        counts.then(|| (name.to_owned(), value.to_owned()))
    };
    text.split("\nconst ").skip(1).filter_map(constant).collect()
}

/// What an expression comes to: sums of products of numbers, of other constants, and of seconds.
fn value(expression: &str, all: &BTreeMap<String, String>) -> u64 {
    let apart = ["(", ")", "+", "*"].into_iter();
    let apart =
        apart.fold(expression.to_owned(), |text, sign| text.replace(sign, &format!(" {sign} ")));
    let words: Vec<&str> = apart.split_whitespace().collect();
    let mut words = words.as_slice();
    let sum = sum(&mut words, all);
    assert!(words.is_empty(), "`{expression}`");
    sum
}

fn sum(words: &mut &[&str], all: &BTreeMap<String, String>) -> u64 {
    let mut sum = product(words, all);
    while let ["+", rest @ ..] = *words {
        *words = rest;
        sum += product(words, all);
    }
    sum
}

fn product(words: &mut &[&str], all: &BTreeMap<String, String>) -> u64 {
    let mut product = factor(words, all);
    while let ["*", rest @ ..] = *words {
        *words = rest;
        product *= factor(words, all);
    }
    product
}

fn factor(words: &mut &[&str], all: &BTreeMap<String, String>) -> u64 {
    let [word, rest @ ..] = *words else { panic!("an expression ends early") };
    *words = rest;
    match *word {
        "Duration::from_secs" => factor(words, all),
        "(" => {
            let inside = sum(words, all);
            let [")", rest @ ..] = *words else { panic!("`)` is missing before {words:?}") };
            *words = rest;
            inside
        }
        word => match word.replace('_', "").parse() {
            Ok(number) => number,
            Err(_) => {
                let name = word.rsplit("::").next().expect("split gives one");
                value(all.get(name).unwrap_or_else(|| panic!("no constant `{word}`")), all)
            }
        },
    }
}

/// `4,096`, `16 KiB`, `12 h` as a number of bytes, seconds or whatever is counted.
fn shown(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("`{text}`"));
    number
        * match unit {
            "" | "s" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            "h" => 3600,
            _ => panic!("`{text}` has an unknown unit"),
        }
}

#[test]
fn the_table_of_limits_is_the_sources_own() {
    let all: BTreeMap<_, _> = SOURCES.iter().flat_map(|source| constants(source)).collect();
    let text = read("contrib/store/README.md");
    let table = text.split("## Limits").nth(1).expect("a chapter about limits");
    let rows = table.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    let mut named = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let numbers = cells[1].split(", ").map(shown);
        let names = cells[2].split(", ").map(|name| name.trim_matches('`'));
        assert_eq!(numbers.clone().count(), names.clone().count(), "{row}");
        for (number, name) in numbers.zip(names) {
            let expression = all.get(name).unwrap_or_else(|| panic!("no constant `{name}`: {row}"));
            assert_eq!(number, value(expression, &all), "`{name}` is {expression}: {row}");
            named.push(name.to_owned());
        }
    }
    let whole = SOURCES[..WHOLE].iter().flat_map(|source| constants(source).into_keys());
    for name in whole {
        assert!(named.contains(&name), "`{name}` is in no row of the table");
    }
}

/// Both documents that have a reference.
fn reference() -> String {
    read("README.md") + &read("contrib/store/README.md")
}

#[test]
fn every_variable_is_documented() {
    let text = reference();
    let source = read("src/settings/variables.rs");
    let quoted = source.split('"').filter(|part| part.starts_with("INJECT_") && part.len() > 7);
    let variables: Vec<_> = quoted.collect();
    assert!(variables.len() > 25, "{variables:?}");
    for variable in variables {
        let named = ['`', '='].iter().any(|end| text.contains(&format!("{variable}{end}")));
        assert!(named, "`{variable}` is documented nowhere");
    }
}

#[test]
fn every_option_is_documented() {
    let (world, text) = (World::new(), reference());
    let commands = [
        "",
        "check",
        "render",
        "secret set",
        "secret list",
        "secret show",
        "secret rm",
        "org create",
        "member add",
        "member set",
        "member rm",
        "token create",
        "audit list",
        "audit verify",
        "audit checkpoint",
        "login",
        "store init",
        "store serve",
        "store backup",
        "store restore",
        "store rekey",
        "store verify",
    ];
    let mut missing = Vec::new();
    for command in commands {
        let words: Vec<_> = command.split(' ').filter(|word| !word.is_empty()).collect();
        let help = world.inject([&words[..], &["--help"]].concat()).run();
        let help = help.code(0).out();
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options.map(|word| word.trim_end_matches([',', ';', '.'])) {
            let known = ["--help", "--version", "--"].contains(&option) || text.contains(option);
            missing.extend((!known).then(|| format!("`{option}` of `inject {command}`")));
        }
    }
    assert!(missing.is_empty(), "not documented: {missing:?}");
}
