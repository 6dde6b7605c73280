//! The house rules that a program can check: who may import whom, and how long things may be.
//! It reads the sources as text and knows nothing of what they do.

use std::fs;
use std::path::Path;

use crate::harness::{World, files};

/// Which part of the house may not name which others. A part is a file or a directory of `src`.
const FORBIDDEN: [(&str, &[&str]); 21] = [
    ("name", &["client", "launch", "store", "admin", "settings", "cli", "run", "sys", "wire"]),
    ("sys", &["client", "launch", "store", "admin", "settings", "cli", "run", "wire"]),
    ("secret", &["client", "launch", "store", "admin", "settings", "cli", "run", "sys", "wire"]),
    ("listen", &["client", "launch", "store", "admin", "settings", "cli", "run", "sys", "wire"]),
    ("notify", &["client", "launch", "store", "admin", "settings", "cli", "run", "wire"]),
    ("log", &["client", "launch", "store", "admin", "settings", "cli", "run", "wire"]),
    ("wire", &["client", "launch", "store", "admin", "settings", "cli", "run", "sys"]),
    ("cli", &["client", "launch", "store", "admin", "settings", "run", "sys", "wire"]),
    ("settings", &["store", "admin", "run"]),
    ("client", &["launch", "store", "admin", "run", "cli", "settings"]),
    ("launch", &["store", "admin", "run", "cli"]),
    ("store", &["client", "launch", "admin", "run", "cli", "settings"]),
    ("admin", &["launch", "store", "run"]),
    ("sidecar", &["store", "admin", "run", "cli"]),
    ("install", &["client", "launch", "store", "admin", "settings", "cli", "run", "wire"]),
    ("staging", &["client", "launch", "store", "admin", "settings", "cli", "run", "wire"]),
    ("launch/reference.rs", &["client", "sys", "launch::plan", "launch::render", "launch::exec"]),
    (
        "launch/format",
        &["client", "sys", "settings", "launch::plan", "launch::render", "launch::place"],
    ),
    ("launch/render.rs", &["client", "launch::exec", "launch::report"]),
    ("store/permission.rs", &["sys", "store::storage", "store::http", "store::seal"]),
    ("store/storage", &["secret", "store::http", "store::permission", "store::auth"]),
];

#[test]
fn each_part_imports_only_what_it_may() {
    let mut faults = Vec::new();
    for (part, forbidden) in FORBIDDEN {
        for (path, text) in sources("src") {
            if !belongs(&path, part) {
                continue;
            }
            for (number, import) in imports(&text) {
                for name in forbidden.iter().filter(|name| names(&import, name)) {
                    faults.push(format!("{path}:{number}: `{part}` imports `{name}`: {import}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut faults = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = without_snapshots(&text);
        if lines.len() > 400 {
            faults.push(format!("{path}: {} lines, 400 at most", lines.len()));
        }
        for (number, line) in &lines {
            if line.chars().count() > 100 && !line.contains("://") {
                faults.push(format!("{path}:{number}: over 100 columns"));
            }
        }
        if path.ends_with(".rs") {
            faults.extend(long_functions(&path, &lines));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn each_file_says_what_it_is_for() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let start = if path.ends_with(".c") { "/*" } else { "//!" };
        assert!(text.starts_with(start), "{path} does not begin with `{start}`");
    }
}

#[test]
fn only_sys_is_unsafe_and_only_main_exits() {
    for (path, text) in sources("src") {
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !is_comment(line)) {
            let unsafe_code = line.contains("unsafe ") || line.contains("allow(unsafe_code");
            let allowed = path == "src/sys.rs" || !unsafe_code || line.contains("mod sys");
            assert!(allowed, "{path}:{number}: unsafe code belongs in sys.rs");
            let sets = line.contains("set_var(") || line.contains("remove_var(");
            assert!(!sets, "{path}:{number}: the environment is a value, never set");
            let exits = line.contains("process::exit") || line.contains("libc::_exit");
            let may_exit = ["src/main.rs", "src/sys.rs"].contains(&path.as_str());
            assert!(!exits || may_exit, "{path}:{number}: only main.rs exits");
        }
    }
}

#[test]
fn names_say_something() {
    for (path, _) in sources("src").into_iter().chain(sources("tests")) {
        for vague in ["util", "helpers", "common", "misc", "manager"] {
            assert!(!path.contains(vague), "{path}: `{vague}` says nothing");
        }
    }
}

#[test]
fn nothing_sleeps_is_ignored_or_unfinished() {
    let forbidden = ["thread::sleep", "#[ignore", "TODO", "FIXME", "time::sleep"];
    for (path, text) in sources("tests") {
        for word in forbidden.iter().filter(|_| !path.ends_with("tidy.rs")) {
            assert!(!text.contains(word), "{path}: `{word}`");
        }
    }
    for (path, text) in sources("src") {
        for word in &forbidden[2..4] {
            assert!(!text.contains(word), "{path}: `{word}`");
        }
    }
}

#[test]
fn the_readmes_are_short_and_what_they_show_works() {
    for name in ["README.md", "contrib/store/README.md"] {
        let text = read(name);
        assert!(text.lines().count() <= 400, "{name} has {} lines", text.lines().count());
        let examples = examples(&text);
        assert!(!examples.is_empty(), "{name} marks no example with ```sh runnable");
        for example in examples {
            let world = World::new();
            let bin = Path::new(crate::harness::INJECT).parent().expect("it lies in a directory");
            let path = format!("{}:/usr/bin:/bin", bin.display());
            world.command("sh", ["-eu", "-c", &example]).env("PATH", path).run().code(0);
        }
    }
}

/// The bodies of fenced blocks that begin with ```sh runnable.
fn examples(text: &str) -> Vec<String> {
    let blocks = text.split("```sh runnable\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Sources below a directory of the checkout, as paths relative to it and texts.
fn sources(dir: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for (path, bytes) in files(&root.join(dir)) {
        let path = path.strip_prefix(root).expect("it is below").display().to_string();
        if path.ends_with(".rs") || path.ends_with(".c") {
            found.push((path, String::from_utf8(bytes).expect("sources are UTF-8")));
        }
    }
    assert!(!found.is_empty(), "no sources in {dir}");
    found
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn belongs(path: &str, part: &str) -> bool {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside == part || inside == format!("{part}.rs") || inside.starts_with(&format!("{part}/"))
}

/// What follows `crate::` in a file's imports and paths, each with its line.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !is_comment(line)) {
        let with = line
            .trim_start()
            .strip_prefix("use crate::{")
            .or_else(|| line.trim_start().strip_prefix("pub use crate::{"));
        if let Some(several) = with {
            found.extend(several.split(',').map(|one| (number, one.trim().to_owned())));
        }
        for rest in line.split("crate::").skip(1).filter(|rest| !rest.starts_with('{')) {
            found.push((number, rest.to_owned()));
        }
    }
    found
}

/// Whether an import begins with this module, at a word's end.
fn names(import: &str, module: &str) -> bool {
    let rest = import.strip_prefix(module);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// A file's lines with their numbers, less what a program prints: its length is its own matter.
fn without_snapshots(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut kept = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        inside = inside && !line.trim_start().starts_with("\"");
        if !inside {
            kept.push((number, line));
        }
        inside = inside || ["@\"", "@r\"", "@r#\""].iter().any(|start| line.ends_with(start));
    }
    kept
}

/// Functions of more than 70 lines; rustfmt puts the closing brace under the `fn`.
fn long_functions(path: &str, lines: &[(usize, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    for (start, (number, line)) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function = code.starts_with("fn ") || code.contains(" fn ");
        if is_comment(line) || !is_function || code.contains('"') {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        let length = lines[start..].iter().position(|(_, line)| *line == end).unwrap_or(0) + 1;
        if length > 70 {
            faults.push(format!("{path}:{number}: a function of {length} lines"));
        }
    }
    faults
}
