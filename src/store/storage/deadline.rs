//! Until when one operation waits for others: all its waits together. It waits for nothing itself
//! but a moment.

use std::thread;
use std::time::{Duration, Instant};

/// The longest wait that is taken: SQLite counts milliseconds in 31 bits.
pub const WAIT_MAX: Duration = Duration::from_secs(20 * 24 * 60 * 60);
/// Between two tries of what has no event to wait for.
const PAUSE: Duration = Duration::from_millis(5);

/// A point in time behind which nobody is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// This long from now, and no longer than [`WAIT_MAX`].
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait.min(WAIT_MAX))
    }

    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits a moment; false if there is none left.
    pub fn pause(self) -> bool {
        let left = self.left();
        thread::sleep(left.min(PAUSE));
        !left.is_zero()
    }
}
