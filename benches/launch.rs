//! Whole launches of `true`, each contestant beside its floor, in one run and in turns: what the
//! job costs over what it physically costs. README.md says how to read it.
//!
//!     launch [--rounds N | --instructions | --order]

mod document;
mod stage;
mod store;
mod table;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use stage::{Contestant, INJECT, Outcome, Stage, succeed};

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
    let size = fs::metadata(INJECT)?.len() as f64 / (1024.0 * 1024.0);
    let cells = ["size of the binary", &format!("{size:.1} MiB"), "", ""];
    table::row(cells, (size, " MiB"), Some(('≤', BINARY_MIB_MAX)))?;
    Ok(())
}

fn times(Stage { contestants, answered, .. }: &Stage, rounds: usize) -> Outcome {
    let mut micros = vec![Vec::with_capacity(rounds); contestants.len()];
    let mut order = Order::of(contestants.len());
    let before = answered.count();
    for round in 0..WARM_UP + rounds {
        for &turn in order.shuffled() {
            let elapsed = launch(&contestants[turn])?;
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

/// Microseconds from before the process is there until it was waited for.
fn launch(contestant: &Contestant) -> Outcome<f64> {
    let mut command = contestant.command(&[], COMMAND);
    let start = Instant::now();
    let status = command.status()?;
    let elapsed = start.elapsed();
    succeed(contestant.what, status.success())?;
    Ok(elapsed.as_secs_f64() * 1e6)
}

/// Who comes first gains or loses by it, so everybody's turn changes from round to round.
struct Order {
    turns: Vec<usize>,
    /// Of an xorshift generator: the same order in each run.
    state: u64,
}

impl Order {
    fn of(length: usize) -> Self {
        Self { turns: (0..length).collect(), state: 0x9E37_79B9_7F4A_7C15 }
    }

    fn shuffled(&mut self) -> &[usize] {
        for i in (1..self.turns.len()).rev() {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            self.turns.swap(i, (self.state % (i as u64 + 1)) as usize);
        }
        &self.turns
    }
}

fn median_and_p90(all: &mut [f64]) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[all.len() * 9 / 10])
}

/// Each contestant's peak memory, seen by a process of its own whose only children they are.
fn peaks(stage: &Stage) -> Outcome {
    let own = env::current_exe()?;
    for contestant in &stage.contestants {
        let mut command = contestant.command(&[own.as_os_str(), OsStr::new("--peak")], COMMAND);
        let output = command.stderr(Stdio::inherit()).output()?;
        succeed("launch --peak", output.status.success())?;
        let peak: f64 = String::from_utf8(output.stdout)?.trim().parse::<f64>()? / 1024.0;
        let target = contestant.is_inject().then_some(('≤', PEAK_MIB_MAX));
        let what = format!("peak memory: {}", contestant.what);
        table::row([&what, &format!("{peak:.1} MiB"), "", ""], (peak, " MiB"), target)?;
    }
    Ok(())
}

/// What this shows is at least this process's own memory: until its exec, the child shares it.
fn print_peak(program: &str, args: &[&str]) -> Outcome {
    for _ in 0..5 {
        succeed(program, Command::new(program).args(args).status()?.success())?;
    }
    writeln!(io::stdout(), "{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())?;
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
    let mut command = contestant.command(&prefix, COMMAND);
    succeed("valgrind", command.status()?.success())?;
    let dump = PathBuf::from(format!("{}.1", file.display()));
    let text = fs::read_to_string(&dump)
        .map_err(|error| format!("`{}`: {error}; is the binary stripped?", dump.display()))?;
    let count = text.lines().find_map(|line| line.strip_prefix("summary: "));
    Ok(count.ok_or("callgrind wrote no summary")?.trim().parse()?)
}
