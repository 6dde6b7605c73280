//! So many lines a second of one kind, and a count of the others. It writes nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

/// One kind of event that strangers can cause; a static, each in its own place.
pub struct Throttle {
    pub event: &'static str,
    lines_per_second_max: u32,
    window: Mutex<Option<Window>>,
    left_out: AtomicU64,
    listed: AtomicBool,
}

struct Window {
    since: Instant,
    lines: u32,
}

impl Throttle {
    pub const fn new(event: &'static str, lines_per_second_max: u32) -> Self {
        Self {
            event,
            lines_per_second_max,
            window: Mutex::new(None),
            left_out: AtomicU64::new(0),
            listed: AtomicBool::new(false),
        }
    }

    /// Whether one more line may be written now.
    pub fn admits(&'static self, now: Instant) -> bool {
        self.list();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = match &mut *window {
            Some(window) if now.saturating_duration_since(window.since) < WINDOW => {
                window.lines += 1;
                window.lines <= self.lines_per_second_max
            }
            _ => {
                *window = Some(Window { since: now, lines: 1 });
                true
            }
        };
        if !admitted {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// How many were left out since this was asked last.
    pub fn take_left_out(&self) -> u64 {
        self.left_out.swap(0, Ordering::Relaxed)
    }

    /// Makes it known to the thread that tells what was left out.
    fn list(&'static self) {
        if !self.listed.swap(true, Ordering::Relaxed) {
            all().push(self);
        }
    }
}

static LISTED: Mutex<Vec<&'static Throttle>> = Mutex::new(Vec::new());

fn all() -> std::sync::MutexGuard<'static, Vec<&'static Throttle>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of each kind of which lines were left out: the event, and how many.
pub fn left_out() -> Vec<(&'static str, u64)> {
    let each = |throttle: &&'static Throttle| (throttle.event, throttle.take_left_out());
    all().iter().map(each).filter(|(_, left_out)| *left_out > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_some_lines_and_a_count() {
        static FLOOD: Throttle = Throttle::new("flood", 10);
        let start = Instant::now();
        let admitted = |at: Instant| (0..1000).filter(|_| FLOOD.admits(at)).count();
        assert_eq!((admitted(start), FLOOD.take_left_out()), (10, 990));
        assert_eq!((admitted(start + WINDOW / 2), FLOOD.take_left_out()), (0, 1000));
        assert_eq!((admitted(start + WINDOW), FLOOD.take_left_out()), (10, 990));
        assert_eq!(FLOOD.take_left_out(), 0);
    }
}
