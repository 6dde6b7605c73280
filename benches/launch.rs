//! Whole launches of `true`, each contestant beside its floor, in one run and in turns: what the
//! job costs over what it physically costs. README.md says how to read it.
//!
//!     launch [--rounds N | --instructions | --order]

mod document;
mod measured;
mod stage;
mod store;
mod table;
mod turns;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use measured::inject;
use stage::{Contestant, Outcome, Stage, print_peak, succeed};
use turns::{Order, launch, median_and_p90};

const ROUNDS: usize = 1000;
/// Rounds before the first that counts: they fill the caches.
const WARM_UP: usize = 50;
const PEAK_MIB_MAX: f64 = 5.0;
const BINARY_MIB_MAX: f64 = 6.0;
/// Dynamic, small, and everywhere.
const COMMAND: &str = "/bin/true";

fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => measure(ROUNDS),
        ["--rounds", rounds] => measure(rounds.parse()?),
        ["--instructions"] => count_instructions(),
        ["--order"] => name_dumps(),
        ["--peak", program, ref args @ ..] => print_peak(program, args),
        _ => Err("usage: launch [--rounds N | --instructions | --order]".into()),
    }
}

fn measure(rounds: usize) -> Outcome {
    let stage = Stage::set()?;
    times(&stage, rounds)?;
    peaks(&stage)?;
    let size = fs::metadata(inject())?.len() as f64 / (1024.0 * 1024.0);
    let cells = ["size of the binary", &format!("{size:.2} MiB"), "", ""];
    table::row(cells, (size, " MiB"), Some(('≤', BINARY_MIB_MAX)))?;
    Ok(())
}

fn times(Stage { contestants, answered, .. }: &Stage, rounds: usize) -> Outcome {
    let mut micros = vec![Vec::with_capacity(rounds); contestants.len()];
    let mut order = Order::of(contestants.len());
    let before = answered.count();
    for round in 0..WARM_UP + rounds {
        for &turn in order.shuffled() {
            let (elapsed, success) = launch(contestants[turn].command(&[], COMMAND)?)?;
            succeed(contestants[turn].what, success)?;
            if round >= WARM_UP {
                micros[turn].push(elapsed);
            }
        }
    }
    let expected: usize = contestants.iter().map(|each| each.requests).sum();
    if answered.count() - before != expected * (WARM_UP + rounds) {
        return Err("a contestant did not ask the store exactly once for each launch".into());
    }
    let found: Vec<_> = micros.iter_mut().map(|all| median_and_p90(all)).collect();
    for (contestant, &(median, p90)) in contestants.iter().zip(&found) {
        let index_of = |floor| contestants.iter().position(|each| each.what == floor);
        let floor = contestant.floor.and_then(|(floor, _)| index_of(floor));
        let ratio = floor.map_or(1.0, |floor| median / found[floor].0);
        let shown = floor.map_or_else(String::new, |_| format!("{ratio:.2}"));
        let target = contestant.floor.and_then(|(_, target)| target);
        let [median, p90] = [median, p90].map(|micros| format!("{micros:.0} µs"));
        table::row([contestant.what, &median, &p90, &shown], (ratio, ""), target)?;
        if let (Some(limit), Some(floor)) = (contestant.adds_max, floor) {
            let added = found[index_of(contestant.what).expect("itself")].0 - found[floor].0;
            let what = format!("added: {}", contestant.what);
            let shown = format!("{added:.0} µs");
            table::row([&what, &shown, "", ""], (added, " µs"), Some(('≤', limit)))?;
        }
    }
    Ok(())
}

/// Each contestant's peak memory.
fn peaks(stage: &Stage) -> Outcome {
    for contestant in &stage.contestants {
        let peak = contestant.peak_mib(COMMAND)?;
        let target = contestant.is_inject().then_some(('≤', PEAK_MIB_MAX));
        let what = format!("peak memory: {}", contestant.what);
        table::row([&what, &format!("{peak:.2} MiB"), "", ""], (peak, " MiB"), target)?;
    }
    Ok(())
}

/// Instructions up to exec, instead of microseconds: a busy machine does not change them.
fn count_instructions() -> Outcome {
    let stage = Stage::set()?;
    let out = stage.directory.with_file_name("callgrind");
    fs::create_dir_all(&out)?;
    let mut counts: Vec<(&str, f64)> = Vec::new();
    writeln!(io::stdout(), "| what | instructions | ratio |\n| --- | --- | --- |")?;
    for contestant in &stage.contestants[1..] {
        let file = out.join(contestant.what.replace([' ', ',', ':'], ""));
        let count = instructions(contestant, &file, &[])?;
        let floor = contestant.floor.and_then(|(floor, _)| {
            counts.iter().find(|(what, _)| *what == floor).map(|(_, count)| count)
        });
        let ratio = floor.map_or_else(String::new, |floor| format!("{:.2}", count / floor));
        writeln!(io::stdout(), "| {} | {count:.0} | {ratio} |", contestant.what)?;
        counts.push((contestant.what, count));
    }
    writeln!(io::stdout(), "\nBy function: callgrind_annotate {}/*.1", out.display())?;
    Ok(())
}

/// Prints the files that name each function that a launch calls, by the linker's names.
fn name_dumps() -> Outcome {
    let stage = Stage::set()?;
    let out = stage.directory.with_file_name("order");
    fs::create_dir_all(&out)?;
    for contestant in stage.contestants.iter().filter(|each| each.is_inject()) {
        let file = out.join(contestant.what.replace([' ', ',', ':'], ""));
        instructions(contestant, &file, &["--demangle=no"])?;
        writeln!(io::stdout(), "{}.1", file.display())?;
    }
    Ok(())
}

/// Callgrind forgets what it counted when the process execs, so it dumps just before.
fn instructions(contestant: &Contestant, file: &Path, options: &[&str]) -> Outcome<f64> {
    let mut option = OsString::from("--callgrind-out-file=");
    option.push(file);
    let valgrind = ["valgrind", "-q", "--tool=callgrind", "--dump-before=execve"].map(OsStr::new);
    let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    let prefix = [&valgrind[..], &[&option], &options].concat();
    let mut command = contestant.command(&prefix, COMMAND)?;
    succeed("valgrind", command.status()?.success())?;
    let dump = PathBuf::from(format!("{}.1", file.display()));
    let text = fs::read_to_string(&dump)
        .map_err(|error| format!("`{}`: {error}; is the binary stripped?", dump.display()))?;
    let count = text.lines().find_map(|line| line.strip_prefix("summary: "));
    Ok(count.ok_or("callgrind wrote no summary")?.trim().parse()?)
}
