//! The thread that writes the log: from the queue to the stream, several lines at a time where
//! several wait. A stream that takes nothing holds up this thread and nobody else.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Format, Level, Line, throttle};
use crate::sys::Stream;

/// What is written at once: as much as a pipe takes in one piece (pipe(7)).
const CHUNK_BYTES_MAX: usize = 4096;
/// How long after the last line it is looked whether lines were left out.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// What those who log and the thread say to each other.
#[derive(Default)]
pub struct Counts {
    dropped: AtomicU64,
    ends: AtomicBool,
}

pub struct Writer {
    stream: Stream,
    format: Format,
    counts: Arc<Counts>,
    queue: Receiver<Vec<u8>>,
}

impl Counts {
    /// A line found no room.
    pub fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The thread is to end when the queue is empty.
    pub fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    pub fn new(
        stream: Stream,
        format: Format,
        counts: Arc<Counts>,
        queue: Receiver<Vec<u8>>,
    ) -> Self {
        Self { stream, format, counts, queue }
    }

    /// Waits for lines and writes them. It waits without end only where nothing can be left to
    /// tell: what is left out follows a line of its kind within a second.
    pub fn run(mut self) {
        let mut is_quiet = true;
        loop {
            let first = match is_quiet {
                true => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => self.queue.recv_timeout(LOOK_AFTER),
            };
            is_quiet = false;
            match first {
                Ok(first) => self.write(first),
                Err(RecvTimeoutError::Timeout) => is_quiet = !self.tell_missing(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.counts.ends.load(Ordering::Relaxed) {
                while let Ok(line) = self.queue.try_recv() {
                    self.write(line);
                }
                self.tell_missing();
                return;
            }
        }
    }

    /// Writes a line and those that wait behind it.
    fn write(&mut self, first: Vec<u8>) {
        let mut chunk = first;
        while let Ok(line) = self.queue.try_recv() {
            if chunk.len() + line.len() > CHUNK_BYTES_MAX {
                self.write_whole(&chunk);
                chunk.clear();
            }
            chunk.extend_from_slice(&line);
        }
        self.write_whole(&chunk);
        self.tell_dropped();
    }

    /// Says what is not in the log; false if nothing is missing.
    fn tell_missing(&mut self) -> bool {
        let left_out = throttle::left_out();
        for (event, lines) in &left_out {
            let mut line = Line::new(self.format, Level::Warn, "lines_left_out");
            line.text("of", event).number("lines", *lines);
            self.write_whole(&line.end());
        }
        self.tell_dropped() || !left_out.is_empty()
    }

    fn tell_dropped(&mut self) -> bool {
        let dropped = self.counts.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let mut line = Line::new(self.format, Level::Warn, "lines_dropped");
            line.number("lines", dropped);
            self.write_whole(&line.end());
        }
        dropped > 0
    }

    /// Writes all of it, or gives up where nobody can read it any more.
    fn write_whole(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}
