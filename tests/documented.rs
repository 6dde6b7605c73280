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
    let mut commands = vec![Vec::new()];
    let mut missing = Vec::new();
    while let Some(words) = commands.pop() {
        let words: Vec<String> = words;
        let help = world.inject([&words[..], &["--help".to_owned()]].concat()).run();
        let help = help.code(0).out();
        let below = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let below = below.into_iter().flat_map(str::lines).filter_map(|line| {
            line.split_whitespace().next().filter(|word| *word != "help").map(str::to_owned)
        });
        commands.extend(below.map(|word| [&words[..], &[word]].concat()));
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options.map(|word| word.trim_end_matches([',', ';', '.', '`'])) {
            let known = ["--help", "--version", "--"].contains(&option) || text.contains(option);
            missing.extend((!known).then(|| format!("`{option}` of `inject {}`", words.join(" "))));
        }
    }
    assert!(missing.is_empty(), "not documented: {missing:?}");
}

/// The blocks of a document that begin with a fence and this word.
fn blocks<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let begun = text.split("```").skip(1).step_by(2);
    begun.filter_map(|block| block.strip_prefix(word)?.strip_prefix('\n')).collect()
}

#[test]
fn the_manifest_that_is_shown_starts_a_program_where_it_is_found() {
    let world = World::new();
    let text = read("README.md");
    let [manifest] = blocks(&text, "toml")[..] else { panic!("one manifest is shown") };
    world.write("work/inject.toml", manifest);
    world.write("work/app.env", "PORT=80\n");
    world.write("work/app.yaml", "password: $DB_PASSWORD_DEV\nhome: $HOME\n");
    world.write("work/nginx.conf.in", "listen $host;\n");
    world.set("DB_PASSWORD_DEV", "correct horse");
    world.set("TLS_KEY_DEV", "key");
    let seen = world.launch([""; 0]).run().seen();
    assert_eq!(seen.text("DATABASE_URL"), "postgres://app:correct horse@localhost/app");
    assert_eq!(seen.text("PORT"), "80");
}

#[test]
fn every_address_of_the_api_is_documented() {
    let text = read("contrib/store/README.md");
    let api = read("src/store/http/openapi.json");
    let paths = api.split('"').filter(|part| part.starts_with("/api/v1/orgs"));
    // The organizations themselves are the table's own head.
    let below = paths.filter_map(|path| path.strip_prefix("/api/v1/orgs/"));
    let missing: Vec<_> = below
        .filter(|path| ["`", ","].iter().all(|end| !text.contains(&format!("/{path}{end}"))))
        .collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
}

#[test]
fn the_stores_unit_lets_it_have_as_many_descriptors_as_it_may_use() {
    let all = constants("src/store/serve/limits.rs");
    let most = ["CONNECTIONS_MAX", "CONNECTIONS_WATCHING_MAX", "DESCRIPTORS_KEPT"];
    let most: u64 = most.iter().map(|name| value(name, &all)).sum();
    let unit = read("contrib/systemd/inject-store.service");
    let limit = unit.lines().find_map(|line| line.strip_prefix("LimitNOFILE="));
    let limit: u64 = limit.expect("it has a limit").parse().expect("a number");
    assert!(limit >= most, "{limit} of {most}");
}
