//! Whole launches of `true` through programs that people use, beside `inject` and the floors, in
//! one run and in turns. Each does the same job: five values into the environment of its command.
//! One that is not on the PATH is named with the line that brings it, and has no figure.
//!
//!     peers [--rounds N] [--plot FILE]

mod bars;
mod document;
mod measured;
mod peer;
mod plot;
#[expect(dead_code, reason = "floors and limits of its contestants are the matter of `launch`")]
mod stage;
mod store;
mod turns;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bars::{Bar, Kind};
use peer::{PEERS, Peer, Scene};
use stage::{Contestant, FIVE, Outcome, Stage, print_peak, succeed};
use store::Answered;
use turns::{Order, launch, median_and_p90};

const ROUNDS: usize = 300;
const WARM_UP: usize = 3;
/// Who takes longer than that has its caches warm by then.
const WARM_UP_MICROS_MAX: f64 = 1e6;
/// Who takes long takes part in fewer rounds, but in this many at least.
const LAUNCHES_MIN: usize = 5;
/// About how many seconds one contestant may have in all.
const SECONDS_MAX: f64 = 12.0;
const COMMAND: &str = "/bin/true";
/// What of `launch` stands beside the peers.
const OWN: [&str; 7] = [
    "floor: exec only",
    "inject, no reference",
    FLOOR,
    FIVE,
    "inject, five over pinned tls",
    "inject, five over unix",
    "inject, five embedded",
];
const FLOOR: &str = "floor: fetch over tcp";

/// A contestant in its turns.
struct Entry {
    contestant: Contestant,
    label: String,
    kind: Kind,
    stays: bool,
    /// It takes part in each so many rounds.
    every: usize,
    micros: Vec<f64>,
}

fn main() -> Outcome {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let mut args = args.iter().map(String::as_str);
    let (mut rounds, mut plot) = (ROUNDS, None);
    while let Some(arg) = args.next() {
        match (arg, args.next()) {
            ("--rounds", Some(number)) => rounds = number.parse::<usize>()?.max(LAUNCHES_MIN),
            ("--plot", Some(file)) => plot = Some(PathBuf::from(file)),
            ("--peak", Some(program)) => return print_peak(program, &args.collect::<Vec<_>>()),
            _ => return Err("usage: peers [--rounds N] [--plot FILE]".into()),
        }
    }
    let stage = Stage::set()?;
    let scene = Scene::set(&stage.directory, &stage.answered)?;
    let answered = stage.answered.clone();
    let (mut entries, absent) = entries(stage, &scene)?;
    measure(&mut entries, rounds, &answered)?;
    let bars = table(&mut entries)?;
    for line in absent {
        writeln!(io::stdout(), "{line}")?;
    }
    match plot {
        Some(file) => Ok(bars::write(&file, &bars)?),
        None => Ok(()),
    }
}

/// Who takes part, each after it has proved that it does the job; and a row for each that does not.
fn entries(stage: Stage, scene: &Scene) -> Outcome<(Vec<Entry>, Vec<String>)> {
    let own = stage.contestants.into_iter().filter(|each| OWN.contains(&each.what));
    let mut entries: Vec<Entry> = own.map(Entry::own).collect();
    let mut absent = Vec::new();
    for peer in &PEERS {
        let Some(path) = peer.path() else {
            let (program, line) = (peer.program, peer.install);
            absent.push(format!("| {program}: not on PATH; `{line}` | | | | | | |"));
            continue;
        };
        match proved(peer, &path, scene) {
            Ok(proved) => entries.extend(proved),
            Err(error) => {
                let error = error.to_string().replace(['\n', '|'], " ");
                let program = peer.program;
                absent.push(format!("| {program} does not do the job here: {error} | | | | | | |"));
            }
        }
    }
    Ok((entries, absent))
}

/// A peer's contestants under its version, which all must do the job.
fn proved(peer: &Peer, path: &Path, scene: &Scene) -> Outcome<Vec<Entry>> {
    let program = format!("{} {}", peer.program, peer.version(path));
    let prove = |contestant: Contestant| {
        let label = contestant.what.replacen(peer.program, program.trim_end(), 1);
        let stays = contestant.verify(&scene.directory)?.stays;
        Ok(Entry::new(contestant, label, Kind::Peer, stays))
    };
    peer.contestants(path, scene)?.into_iter().map(prove).collect()
}

impl Entry {
    fn new(contestant: Contestant, label: String, kind: Kind, stays: bool) -> Self {
        Self { contestant, label, kind, stays, every: 1, micros: Vec::new() }
    }

    /// A floor or `inject`, which the stage has seen become its command.
    fn own(contestant: Contestant) -> Self {
        let kind = if contestant.is_inject() { Kind::Inject } else { Kind::Floor };
        let label = contestant.what.to_owned();
        Self::new(contestant, label, kind, false)
    }
}

fn measure(entries: &mut [Entry], rounds: usize, answered: &Answered) -> Outcome {
    for entry in entries.iter_mut() {
        let mut micros = Vec::new();
        while micros.len() < WARM_UP && micros.iter().sum::<f64>() < WARM_UP_MICROS_MAX {
            micros.push(timed(&entry.contestant)?);
        }
        let (median, _) = median_and_p90(&mut micros);
        let most = (SECONDS_MAX * 1e6 / median) as usize;
        entry.every = (rounds / most.clamp(LAUNCHES_MIN, rounds)).max(1);
    }
    let before = answered.count();
    let mut order = Order::of(entries.len());
    for round in 0..rounds {
        for &turn in order.shuffled() {
            let entry = &mut entries[turn];
            if round % entry.every == 0 {
                let elapsed = timed(&entry.contestant)?;
                entry.micros.push(elapsed);
            }
        }
    }
    let requests = |entry: &Entry| entry.micros.len() * entry.contestant.requests;
    if answered.count() - before != entries.iter().map(requests).sum::<usize>() {
        return Err("a contestant did not ask exactly once for each launch".into());
    }
    Ok(())
}

fn timed(contestant: &Contestant) -> Outcome<f64> {
    let mut command = contestant.command(&[], COMMAND)?;
    // Some say what they do: where nobody reads it.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (elapsed, success) = launch(command)?;
    succeed(contestant.what, success)?;
    Ok(elapsed)
}

fn table(entries: &mut [Entry]) -> Outcome<Vec<Bar>> {
    let floor = entries.iter_mut().find(|each| each.contestant.what == FLOOR);
    let (floor, _) = median_and_p90(&mut floor.ok_or("no floor")?.micros);
    let mut out = io::stdout();
    writeln!(out, "| what | median | p90 | × floor | peak memory | afterwards | launches |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    let mut bars = Vec::new();
    for entry in entries {
        let launches = entry.micros.len();
        let (median, p90) = median_and_p90(&mut entry.micros);
        let peak = entry.contestant.peak_mib(COMMAND)?;
        let afterwards = if entry.stays { "stays" } else { "replaced" };
        let ratio = median / floor;
        writeln!(
            out,
            "| {} | {} | {} | {ratio:.2} | {peak:.1} MiB | {afterwards} | {launches} |",
            entry.label,
            millis(median),
            millis(p90)
        )?;
        bars.push(Bar {
            label: entry.label.clone(),
            kind: entry.kind,
            millis: median / 1e3,
            ratio,
        });
    }
    Ok(bars)
}

fn millis(micros: f64) -> String {
    format!("{:.2} ms", micros / 1e3)
}
