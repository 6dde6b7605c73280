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

/// What came of one round.
#[derive(Clone, Copy)]
pub struct Seen {
    pub requests: f64,
    pub per_second: f64,
    pub median_micros: f64,
    pub p99_micros: f64,
}

/// Figures of this run alone, and as they are counted: the report for people rounds them.
const DONE: &str = "
function done(all, latency)
    local errors = all.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    print('figures', all.requests, all.duration, latency:percentile(50), latency:percentile(99), failed)
end
";

impl Load {
    /// `script` sets what is asked; `wrk` hands it the round's number.
    pub fn new(directory: &Path, name: &str, connections: usize, script: &str) -> Outcome<Self> {
        let file = directory.join(name).with_extension("lua");
        fs::write(&file, format!("{script}{DONE}"))?;
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
            [requests, micros, median_micros, p99_micros, 0.0] if requests > 0.0 => {
                let per_second = requests / micros * 1e6;
                Ok(Seen { requests, per_second, median_micros, p99_micros })
            }
            _ => Err(format!("{}: not all succeeded: {text}", self.script.display()).into()),
        }
    }
}
