//! Servers and their loads in short rounds, in turns, and what came of them as rows of the table.
//! It knows no target and starts nothing.

use std::io;

use crate::served::{Outcome, Server};
use crate::table::{self, Target};
use crate::wrk::{Load, PERCENTILES, Seen};

/// Short, so that what else the machine does is the same for all that take their turns.
const ROUND_SECONDS: u64 = 1;

/// A server with its load, and how both are called.
pub struct Contestant<'a> {
    pub what: &'static str,
    pub server: &'a Server,
    pub load: Load,
    /// Whether each answer is counted by a store and leaves a record.
    pub is_recorded: bool,
}

/// What came of a contestant's rounds.
pub struct Found {
    pub what: &'static str,
    rounds: Vec<Round>,
}

/// One round, and what the server took for each request.
struct Round {
    seen: Seen,
    processor_micros: f64,
}

/// So many rounds of each, after one that does not count.
pub fn run(all: &[Contestant], count: usize) -> Outcome<Vec<Found>> {
    let mut found: Vec<Found> =
        all.iter().map(|each| Found { what: each.what, rounds: Vec::new() }).collect();
    for number in 0..=count {
        // Who comes after whom changes too.
        let forward = number % 2 == 0;
        for turn in 0..all.len() {
            let turn = if forward { turn } else { all.len() - 1 - turn };
            let round = all[turn].round(number)?;
            if number > 0 {
                found[turn].rounds.push(round);
            }
        }
    }
    Ok(found)
}

impl Contestant<'_> {
    /// A store must have answered, and recorded, what the client says it was told.
    fn round(&self, number: usize) -> Outcome<Round> {
        let before = self.is_recorded.then(|| self.server.counted()).transpose()?;
        let processor = self.server.processor_micros()?;
        let seen = self.load.round(&self.server.address, ROUND_SECONDS, number)?;
        let processor_micros = (self.server.processor_micros()? - processor) / seen.requests;
        if let Some(before) = before {
            let after = self.server.counted()?;
            let answered = (after.answered - before.answered) as f64;
            let records = (after.records - before.records) as f64;
            // The client leaves at the round's end, and does not hear what is under way then.
            if answered < seen.requests || records < seen.requests {
                return Err(format!(
                    "{}: {} answers, but the store answered {answered} well and recorded {records}",
                    self.what, seen.requests
                )
                .into());
            }
        }
        Ok(Round { seen, processor_micros })
    }
}

impl Found {
    /// Requests a second; the target is for their ratio to the floor's, or for themselves.
    pub fn rate(&self, floor: Option<&Self>, target: Target) -> io::Result<()> {
        let per_second = self.median(|round| round.seen.per_second);
        let p99 = self.median(p99_millis);
        let ratio = floor.map(|floor| self.ratio(floor, |round| round.seen.per_second));
        let cells = [self.what, &format!("{per_second:.0}/s"), &format!("p99 {p99:.2} ms")];
        let judged = ratio.map_or((per_second, "/s"), |ratio| (ratio, ""));
        row(cells, ratio, judged, target)
    }

    /// The 99th percentile of each round, of which this is the median.
    pub fn p99(&self, target: Target) -> io::Result<()> {
        let p99 = self.median(p99_millis);
        let what = format!("{}, p99", self.what);
        row([&what, &format!("{p99:.2} ms"), ""], None, (p99, " ms"), target)
    }

    /// How long an answer takes; the target is for the ratio to the floor's.
    pub fn latency(&self, floor: Option<&Self>, target: Target) -> io::Result<()> {
        let median = self.median(|round| round.seen.median_micros());
        let p99 = self.median(p99_millis);
        let ratio = floor.map(|floor| self.ratio(floor, |round| round.seen.median_micros()));
        let cells = [self.what, &format!("{median:.0} µs"), &format!("p99 {p99:.2} ms")];
        row(cells, ratio, (ratio.unwrap_or(1.0), ""), target)
    }

    /// The processor's time that the server takes for a request, on all processors together.
    pub fn processor(&self, floor: Option<&Self>) -> io::Result<()> {
        let micros = self.median(|round| round.processor_micros);
        let ratio = floor.map(|floor| self.ratio(floor, |round| round.processor_micros));
        let what = format!("processor: {}", self.what);
        row([&what, &format!("{micros:.1} µs"), ""], ratio, (0.0, ""), None)
    }

    /// How long answers take, in milliseconds, for each of the percentiles.
    pub fn percentiles(&self) -> Vec<f64> {
        let millis =
            |place: usize| self.rounds.iter().map(move |round| round.seen.micros[place] / 1e3);
        (0..PERCENTILES.len()).map(|place| median(millis(place))).collect()
    }

    fn median(&self, figure: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// The median of each round's own ratio: what slows the machine down slows both in that round.
    fn ratio(&self, floor: &Self, figure: fn(&Round) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&floor.rounds);
        median(pairs.map(|(round, floor)| figure(round) / figure(floor)))
    }
}

fn p99_millis(round: &Round) -> f64 {
    round.seen.p99_micros() / 1e3
}

/// The memory that a server has resident, and had at most; the target is for the most.
pub fn memory(when: &str, server: &Server, target: Target) -> Outcome {
    let (now, peak) = server.resident_mib()?;
    let what = format!("memory: store, {when}");
    let cells = [&what, &format!("{now:.1} MiB"), &format!("peak {peak:.1} MiB")];
    row(cells.map(String::as_str), None, (peak, " MiB"), target)?;
    Ok(())
}

fn row(
    [what, median, high]: [&str; 3],
    ratio: Option<f64>,
    judged: (f64, &str),
    target: Target,
) -> io::Result<()> {
    let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    table::row([what, median, high, &ratio], judged, target)
}

pub fn median(all: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
