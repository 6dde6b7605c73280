//! What a server says of itself, to stderr: one line an event, whole lines only, in text or JSON.
//! Who logs never waits for who reads: lines go through a bounded queue to one thread, and what
//! finds no room is counted. It takes no value of a secret, no header and no body.

mod line;
mod throttle;
mod writer;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::Stream;

pub use line::Line;
pub use throttle::Throttle;
use writer::{Counts, Writer};

/// Lines that wait to be written.
const QUEUE_LINES_MAX: usize = 4096;
/// How long the end waits for what is not written yet: stderr may be a pipe that nobody reads.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Text,
    Json,
}

/// A handle on the log; a clone is another on the same.
#[derive(Clone)]
pub struct Log {
    level: Level,
    format: Format,
    lines: SyncSender<Vec<u8>>,
    counts: Arc<Counts>,
}

/// The thread that writes. Ended by [`LogEnd::flush`], when every handle is gone or not.
pub struct LogEnd {
    counts: Arc<Counts>,
    lines: SyncSender<Vec<u8>>,
    done: Receiver<()>,
}

impl Log {
    /// Starts the thread that writes to `stream`.
    pub fn start(
        level: Level,
        format: Format,
        stream: Stream,
    ) -> Result<(Self, LogEnd), std::io::Error> {
        let (lines, queue) = sync_channel(QUEUE_LINES_MAX);
        let (finished, done) = sync_channel(1);
        let counts = Arc::new(Counts::default());
        let writer = Writer::new(stream, format, Arc::clone(&counts), queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            writer.run();
            // Nobody waits where the process ends without a flush.
            let _ = finished.send(());
        })?;
        let end = LogEnd { counts: Arc::clone(&counts), lines: lines.clone(), done };
        Ok((Self { level, format, lines, counts }, end))
    }

    pub fn shows(&self, level: Level) -> bool {
        level <= self.level
    }

    pub fn error(&self, event: &str, fields: impl FnOnce(&mut Line)) {
        self.event(Level::Error, event, fields);
    }

    pub fn warn(&self, event: &str, fields: impl FnOnce(&mut Line)) {
        self.event(Level::Warn, event, fields);
    }

    pub fn info(&self, event: &str, fields: impl FnOnce(&mut Line)) {
        self.event(Level::Info, event, fields);
    }

    pub fn debug(&self, event: &str, fields: impl FnOnce(&mut Line)) {
        self.event(Level::Debug, event, fields);
    }

    /// What strangers can cause as often as they like: so many lines a second, then one that says
    /// how many were left out.
    pub fn throttled(
        &self,
        level: Level,
        throttle: &'static Throttle,
        fields: impl FnOnce(&mut Line),
    ) {
        if self.shows(level) && throttle.admits(Instant::now()) {
            self.event(level, throttle.event, fields);
        }
    }

    /// The same at a level that is only known then.
    pub fn event(&self, level: Level, event: &str, fields: impl FnOnce(&mut Line)) {
        if !self.shows(level) {
            return;
        }
        let mut line = Line::new(self.format, level, event);
        fields(&mut line);
        if self.lines.try_send(line.end()).is_err() {
            self.counts.drop_one();
        }
    }
}

impl LogEnd {
    /// Waits until what was logged so far is written, or for [`FLUSH_TIME_MAX`].
    pub fn flush(self) {
        self.counts.end();
        // An empty line wakes the thread; if the queue is full, it is awake.
        let _ = self.lines.try_send(Vec::new());
        let _ = self.done.recv_timeout(FLUSH_TIME_MAX);
    }
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

impl Format {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}
