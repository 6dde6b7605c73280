//! One short load by `wrk`, and what it says came of it. An answer that is no success, or a
//! connection that broke, is an error and never a figure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::served::Outcome;

/// What a load is made of.
pub struct Load {
    pub connections: usize,
    script: PathBuf,
}

/// Which percentiles of a round are known; the median and the 99th are among them.
pub const PERCENTILES: [f64; 6] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9];
const MEDIAN: usize = 0;
const P99: usize = 4;

/// What came of one round.
#[derive(Clone, Copy)]
pub struct Seen {
    pub requests: f64,
    pub per_second: f64,
    /// How long answers took, for each of the percentiles.
    pub micros: [f64; PERCENTILES.len()],
}

impl Seen {
    pub fn median_micros(&self) -> f64 {
        self.micros[MEDIAN]
    }

    pub fn p99_micros(&self) -> f64 {
        self.micros[P99]
    }
}

/// Figures of this run alone, and as they are counted: the report for people rounds them.
const DONE: &str = "
function done(all, latency)
    local errors = all.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write('figures\\t', all.requests, '\\t', all.duration, '\\t', failed)
    for _, one in ipairs(percentiles) do io.write('\\t', latency:percentile(one)) end
    io.write('\\n')
end
";

impl Load {
    /// `script` sets what is asked; `wrk` hands it the round's number.
    pub fn new(directory: &Path, name: &str, connections: usize, script: &str) -> Outcome<Self> {
        let file = directory.join(name).with_extension("lua");
        let percentiles = PERCENTILES.map(|one| one.to_string()).join(", ");
        fs::write(&file, format!("{script}\nlocal percentiles = {{ {percentiles} }}{DONE}"))?;
        Ok(Self { connections, script: file })
    }

    /// Asks for so many seconds.
    pub fn round(&self, address: &str, seconds: u64, round: usize) -> Outcome<Seen> {
        let mut command = Command::new("wrk");
        command.args(["--threads", "1", "--connections", &self.connections.to_string()]);
        command.args(["--duration", &format!("{seconds}s"), "--script"]).arg(&self.script);
        command.args([&format!("http://{address}"), "--", &round.to_string()]);
        let output = command.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "`wrk` is not installed; `apt-get install wrk`".into(),
            _ => format!("`wrk`: {error}"),
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let figures = text.lines().find_map(|line| line.strip_prefix("figures\t"));
        let figures = figures.filter(|_| output.status.success()).ok_or_else(|| {
            format!("`wrk` fails: {text}{}", String::from_utf8_lossy(&output.stderr))
        })?;
        let figures: Vec<f64> = figures.split('\t').map(str::parse).collect::<Result<_, _>>()?;
        match figures[..] {
            [requests, duration, 0.0, ref micros @ ..] if requests > 0.0 => {
                let per_second = requests / duration * 1e6;
                let micros = micros.try_into().map_err(|_| "`wrk` gives other percentiles")?;
                Ok(Seen { requests, per_second, micros })
            }
            _ => Err(format!("{}: not all succeeded: {text}", self.script.display()).into()),
        }
    }
}
