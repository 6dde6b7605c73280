//! The served store on a bad day, through the real binary and real sockets: killed, on a disk that
//! fails or is full, beside local commands, with a clock that jumps, told to end. What was answered
//! is so and on record, what was not is whole or not at all, and it goes on by itself.

mod batch;
mod beside;
mod clock;
mod drain;
mod full;
mod kill;
mod organization;
mod wall_clock;
mod witness;
mod worker;

use std::fs::OpenOptions;
use std::io::Write;

pub use organization::Organization;
pub use wall_clock::{Clock, Kind};
pub use witness::holds;
pub use worker::{Act, CANARY, Worker, is_told, said};

use witness::Witness;

/// Where it is set, things are done as often as it takes to be sure, and what was counted is added
/// to the file that it names.
const LONG: &str = "INJECT_TEST_LONG";

/// How often something is done.
pub fn times(few: usize, many: usize) -> usize {
    if std::env::var_os(LONG).is_some() { many } else { few }
}

/// Keeps what a long run counted or measured.
pub fn report(line: &str) {
    let Some(path) = std::env::var_os(LONG) else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.expect("`INJECT_TEST_LONG` names a file");
    file.write_all(format!("{line}\n").as_bytes()).expect("it can be written");
}

/// A source of chance whose seed can be told (xorshift64; Marsaglia, 2003).
pub struct Chance(u64);

impl Chance {
    /// Another one each time; a failure says which.
    pub fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(now.expect("it is later than 1970").as_nanos() as u64 | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
