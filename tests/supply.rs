//! What is said of the parts that the binary is made of: the bill of materials, and the table of
//! dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::World;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// It has CycloneDX's own schemas.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/sbom/bin/python");
const JUDGE: &str = "
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(fault and str(fault))
";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("it is in the sources")
}

/// Runs with this machine's Cargo, which knows its registry without a network.
fn printed<const N: usize>(world: &World, script: &str, args: [&str; N]) -> String {
    let home = std::env::var("HOME").expect("a home");
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let rust = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    let path = std::env::var("PATH").expect("a path");
    let run = world.command(format!("{ROOT}/contrib/supply/{script}"), args).env("PATH", path);
    let run =
        run.env("CARGO_HOME", cargo).env("RUSTUP_HOME", rust).env("CARGO_NET_OFFLINE", "true");
    run.run().code(0).out()
}

/// The names of Cargo.toml's dependencies, which end where another table begins.
fn direct(table: &str) -> BTreeSet<String> {
    let text = read("Cargo.toml");
    let text = text.split(&format!("\n[{table}]\n")).nth(1).expect("a table of dependencies");
    let text = text.split("\n[").next().expect("split gives one");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_bill_of_materials_is_valid_whole_and_the_same_each_time() {
    assert!(
        Path::new(PYTHON).exists(),
        "`{PYTHON}` is missing; start tests/run, or `python3 -m venv target/sbom && \
         target/sbom/bin/pip install -r tests/supply/requirements.txt`"
    );
    let world = World::new();
    let text = printed(&world, "sbom", []);
    assert_eq!(text, printed(&world, "sbom", []));
    let file = world.write("bill.json", &text);
    let file = file.to_str().expect("temporary paths are UTF-8");
    world.command(PYTHON, ["-c", JUDGE, file]).run().code(0);

    let bill: Value = serde_json::from_str(&text).expect("it is JSON");
    let components = bill["components"].as_array().expect("a list");
    let lock = read("Cargo.lock");
    let mut scopes = BTreeMap::new();
    for component in components {
        let text = |key: &str| component[key].as_str().expect("a text").to_owned();
        scopes.insert(text("name"), text("scope"));
        if text("purl").starts_with("pkg:cargo/") {
            let checksum = component["hashes"][0]["content"].as_str().expect("a checksum");
            let (name, version) = (text("name"), text("version"));
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            let entry = lock.split(&entry).nth(1).expect("it is in the lock");
            let checksummed = format!("checksum = \"{checksum}\"");
            assert!(entry.split("\n\n").next().expect("one").contains(&checksummed), "{name}");
        }
    }
    let required = |name: &str| scopes.get(name).is_some_and(|scope| scope == "required");
    for name in direct("dependencies").iter().filter(|name| *name != "webpki") {
        assert!(required(name), "`{name}`");
    }
    for name in ["rustls-webpki", "sqlite", "rust-std", "libsqlite3-sys"] {
        assert!(required(name), "`{name}`");
    }
    // What works at build time, and what only tests use.
    assert_eq!(scopes["serde_derive"], "excluded");
    assert_eq!(scopes["flate2"], "excluded");
    assert!(!scopes.contains_key("proptest"));
}

#[test]
fn each_dependency_has_a_row_that_says_what_it_is_for() {
    let text = read("ARCHITECTURE.md");
    let chapter = text.split("\n## Dependencies\n").nth(1).expect("a chapter of dependencies");
    let chapter = chapter.split("\n## ").next().expect("split gives one");
    let first = |line: &str| line.split('|').nth(1).unwrap_or_default().to_owned();
    let named: String = chapter.lines().filter(|line| line.starts_with('|')).map(first).collect();
    let named: BTreeSet<&str> = named.split('`').skip(1).step_by(2).collect();
    let all = direct("dependencies");
    let all: BTreeSet<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(named, all);
}

#[test]
fn sizes_are_counted_for_whom_code_is_named() {
    let world = World::new();
    let rust = "/t/deps/inject-1.inject.2-cgu.0.rcgu.o";
    let sqlite = "/t/deps/liblibsqlite3_sys-1f.rlib(2-sqlite3.o)";
    let sections = [
        (2000, rust, ".text._ZN5tokio7runtime4work17h0123456789abcdefE"),
        (3000, rust, ".text._ZN60_$LT$mio..Poll$u20$as$u20$core..fmt..Debug$GT$3fmt17h01E"),
        (4000, rust, ".text._ZN4core3ptr4drop17h0123456789abcdefE"),
        (5000, rust, ".text._RNvNtCs1a2B_3std2io4read"),
        (6000, rust, ".rodata..Lanon.0123"),
        (7000, sqlite, ".text"),
        (8000, "/usr/lib/libc.a(malloc.o)", ".text"),
        (9000, rust, ".debug_info"),
    ];
    let line = |(size, file, section)| {
        format!("{:16x} {:16x} {size:8x}     1         {file}:({section})\n", 0, 0)
    };
    let map = world.write("map", sections.map(line).concat());
    let map = map.to_str().expect("temporary paths are UTF-8");
    let table = printed(&world, "sizes", [map]);
    for row in [
        "| tokio | 5 |",
        "| rusqlite | 7 |",
        "| Rust's own library | 9 |",
        "| constants without a name | 6 |",
        "| the C library | 8 |",
        "| in all | 35 |",
    ] {
        assert!(table.contains(row), "`{row}` is not in\n{table}");
    }
}
