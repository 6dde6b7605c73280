//! Contestants in turns: who comes first gains or loses by it, so everybody's turn changes from
//! round to round. And what one launch takes. It knows no contestant and no target.

use std::io;
use std::process::Command;
use std::time::Instant;

/// An order of so many turns that is another one in each round.
pub struct Order {
    turns: Vec<usize>,
    /// Of an xorshift generator: the same order in each run.
    state: u64,
}

impl Order {
    pub fn of(length: usize) -> Self {
        Self { turns: (0..length).collect(), state: 0x9E37_79B9_7F4A_7C15 }
    }

    pub fn shuffled(&mut self) -> &[usize] {
        for i in (1..self.turns.len()).rev() {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            self.turns.swap(i, (self.state % (i as u64 + 1)) as usize);
        }
        &self.turns
    }
}

/// Microseconds from before the process is there until it was waited for, and whether it succeeded.
pub fn launch(mut command: Command) -> io::Result<(f64, bool)> {
    let start = Instant::now();
    let status = command.status()?;
    let elapsed = start.elapsed();
    Ok((elapsed.as_secs_f64() * 1e6, status.success()))
}

/// Of at least one figure.
pub fn median_and_p90(all: &mut [f64]) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[all.len() * 9 / 10])
}
