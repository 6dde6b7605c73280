//! Whether the application is to be told of outputs that are in their places: who ends the process
//! waits for that, for a while. It tells nobody.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Telling {
    is_due: Mutex<bool>,
    over: Condvar,
}

impl Telling {
    /// From here on it is due; said while the outputs are being placed.
    pub fn begin(&self) {
        self.set(true);
    }

    pub fn end(&self) {
        self.set(false);
        self.over.notify_all();
    }

    /// Waits for its end; says whether it came in time.
    pub fn ends_within(&self, time_max: Duration) -> bool {
        let is_due = self.is_due.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.over.wait_timeout_while(is_due, time_max, |is_due| *is_due);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn set(&self, is_due: bool) {
        *self.is_due.lock().unwrap_or_else(PoisonError::into_inner) = is_due;
    }
}
