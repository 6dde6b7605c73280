//! `benches/run` with stand-ins for what builds and measures: results are written whole or not at
//! all, what missed its target is named, and what is not installed is said first. The same holds
//! for the order that the release is linked in. What is measured is the benches' own matter.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{Ended, World};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// In place of Cargo: each bench prints a row, or fails where it is told to. What is linked has the
/// map that it is asked for.
const CARGO: &str = r#"#!/bin/sh
if [ "$1" = rustc ]; then
    mkdir -p "$CARGO_TARGET_DIR/any/release"
    : > "$CARGO_TARGET_DIR/any/release/inject"
    for last; do :; done
    case $last in *-Map=*) map=${last#*-Map=} && cp map "${map%,--no-demangle}" ;; esac
fi
[ "$1" = bench ] || exit 0
name= plot= order=
while [ $# -gt 0 ]; do
    case $1 in
    --bench) name=$2 && shift ;;
    --no-run) exit 0 ;;
    --order) order=dump ;;
    --plot) plot=$2 && shift ;;
    esac
    shift
done
[ "$name" != "${FAILS-}" ] || { echo "$name fails" >&2; exit 1; }
[ -z "$order" ] || { echo "$order"; exit; }
[ -z "$plot" ] || echo "<svg>$name</svg>" > "$plot"
echo "| a row of $name | 1 | | | ≤ 2 | in |"
[ "$name" != list ] || echo '| a slow list | 3 | | | ≤ 2 | **missed** |'
"#;
/// What it starts besides.
const TOOLS: [&str; 22] = [
    "awk", "bash", "cat", "cp", "cut", "date", "dirname", "git", "grep", "head", "mkdir", "mktemp",
    "mv", "nproc", "python3", "rm", "sed", "sh", "stat", "tee", "tr", "uname",
];
/// A linker's map of three functions in sections of their own, and what callgrind says of two.
const MAP: &str = "\
               0                0        9    16 .text
               0                0        3    16         /t/inject.o:(.text.first)
               0                0        3     1                 first
               3                3        3    16         /t/inject.o:(.text.never)
               3                3        3     1                 never
               6                6        3    16         /t/inject.o:(.text.second)
               6                6        3     1                 second
";
const DUMP: &str = "fn=(1) first\n1 1\ncfn=(2) second\nfn=(2)\n1 1\n";

/// A machine with these programs, and the results of a former run.
fn machine(commands: &[&str]) -> World {
    let world = World::new();
    world.script("bin/cargo", CARGO, "0755");
    let rustc = "#!/bin/sh\n[ \"$1\" = --print ] && echo /rust || echo 'host: any'\n";
    world.script("bin/rustc", rustc, "0755");
    for command in commands {
        world.script(&format!("bin/{command}"), "#!/bin/sh\n", "0755");
    }
    for tool in TOOLS {
        symlink(format!("/usr/bin/{tool}"), world.path(&format!("bin/{tool}")))
            .expect("a fresh name");
    }
    for name in ["RESULTS.md", "launch.svg", "latency.svg"] {
        world.write(&format!("out/{name}"), "former\n");
    }
    world
}

fn run(world: &World, fails: &str) -> Ended {
    let script = format!("{ROOT}/benches/run");
    let run = world.command("/usr/bin/bash", [&script, "--quick", "--out", &world.text("out")]);
    let run = run.env("PATH", world.text("bin")).env("CARGO_TARGET_DIR", world.text("target"));
    run.env("FAILS", fails).env("CARGO_HOME", "/cargo").run()
}

fn names(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.path("out")).expect("it is there");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<_> =
        entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_run_writes_its_tables_and_plots_and_names_what_missed() {
    let world = machine(&["cc", "wrk", "envsubst"]);
    let ended = run(&world, "none");
    // What is kept was printed while it ran.
    assert!(ended.code(0).out().contains("| a row of substitute | 1 |"), "{}", ended.whole());
    let results = fs::read_to_string(world.path("out/RESULTS.md")).expect("it was written");
    for part in [
        "## Launch\n",
        "## Substitution\n",
        "## Rendering config files\n",
        "## The store under load\n",
        "## The store with 100,000 secrets\n",
        "## Other programs that start a command with secrets\n",
        "| load average |",
        "7 of 8 targets are in. Missed:\n\n- a slow list: no reason is known yet\n",
    ] {
        assert!(results.contains(part), "`{part}` is not in\n{results}");
    }
    assert_eq!(names(&world), ["RESULTS.md", "latency.svg", "launch.svg"]);
    let plot = fs::read_to_string(world.path("out/launch.svg")).expect("it was written");
    assert_eq!(plot, "<svg>peers</svg>\n");
}

#[test]
fn a_run_that_fails_leaves_the_former_results() {
    for fails in ["launch", "peers"] {
        let world = machine(&["cc", "wrk", "envsubst"]);
        run(&world, fails).code(1);
        assert_eq!(names(&world), ["RESULTS.md", "latency.svg", "launch.svg"], "{fails}");
        for name in names(&world) {
            let text = fs::read_to_string(world.path(&format!("out/{name}"))).expect("it is there");
            assert_eq!(text, "former\n", "{name}, when {fails} fails");
        }
    }
}

#[test]
fn what_is_not_installed_is_said_before_anything_is_built() {
    let world = machine(&["cc"]);
    let ended = run(&world, "none");
    ended.code(1);
    assert_eq!(ended.err(), "benches/run: first, `apt-get install wrk gettext-base`\n");
}

#[test]
fn what_a_launch_calls_is_written_in_its_order_or_left_as_it_was() {
    for (fails, code) in [("launch", 1), ("none", 0)] {
        let world = machine(&["cc", "valgrind"]);
        for (script, mode) in
            [("benches/run", "0755"), ("benches/order", "0755"), ("contrib/supply/mapped", "0644")]
        {
            let text =
                fs::read_to_string(format!("{ROOT}/{script}")).expect("it is in the sources");
            world.script(script, &text, mode);
        }
        let order = world.write("contrib/order.ld", "former\n");
        world.write("map", MAP);
        world.write("dump", DUMP);
        let run = world.command("/usr/bin/bash", [&world.text("benches/run"), "--order"]);
        let run = run.env("PATH", world.text("bin")).env("CARGO_HOME", "/cargo");
        let ended = run.env("FAILS", fails).run();
        ended.code(code);
        let order = fs::read_to_string(order).expect("it is there");
        let place = |name: &str| order.find(&format!("*(.text.{name})\n"));
        if fails == "none" {
            let [first, second] = ["first", "second"].map(place);
            assert!(first.is_some() && first < second, "{order}");
            assert_eq!(place("never"), None, "{order}");
        } else {
            assert_eq!(order, "former\n", "{}", ended.whole());
        }
    }
}
