//! How it stands, for those who ask: ready or not and why, what was done how often; and what the
//! worker is asked for. It holds no name and no value.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// How long the proxy waits for settings to be read again, and how often it has them read at most.
const RENEWAL_TIME_MAX: Duration = Duration::from_secs(1);
const RENEWAL_PAUSE: Duration = Duration::from_secs(1);

use crate::sidecar::telling::Telling;

/// What the outputs are worth.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Condition {
    #[default]
    NotRendered,
    /// Everything resolved and is in its place.
    Whole,
    /// A secret is gone; the outputs are those of before.
    Missing,
    /// The store refuses; the outputs are those of before.
    Refused,
    /// A template or an output is at fault; the outputs are those of before.
    Failed,
}

impl Condition {
    /// For a probe: no name is in it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotRendered => "nothing is rendered yet",
            Self::Whole => "ready",
            Self::Missing => "a secret is missing; the outputs are the last good ones",
            Self::Refused => "the store refuses; the outputs are the last good ones",
            Self::Failed => "rendering fails; the outputs are the last good ones",
        }
    }
}

/// What the worker is asked for. What comes before it looks is asked together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    pub render: bool,
    /// The settings, and with them the token's file, are to be read again.
    pub renew: bool,
    /// How the latest request of a launcher ended, where that is news.
    pub proxied: Option<Proxied>,
}

/// What the store made of a launcher's request that was handed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proxied {
    Well,
    Refused,
    Away,
}

/// When the proxy had the settings read again last, and whether that is still to be done.
#[derive(Default)]
struct Renewal {
    asked_at: Option<Instant>,
    is_under_way: bool,
}

/// One for the whole process.
#[derive(Default)]
pub struct State {
    condition: Mutex<Condition>,
    pub is_away: AtomicBool,
    /// Held while outputs are put in their places.
    placing: Mutex<()>,
    pub telling: Telling,
    asked: Mutex<Asked>,
    woken: Notify,
    renewals: watch::Sender<u64>,
    renewal: Mutex<Renewal>,
    pub rendered: AtomicU64,
    pub unchanged: AtomicU64,
    pub failed: AtomicU64,
    /// Seconds since 1970.
    rendered_at: AtomicU64,
    pub told: AtomicU64,
    pub not_told: AtomicU64,
    pub proxied: AtomicU64,
    pub turned_away: AtomicU64,
}

impl State {
    pub fn condition(&self) -> Condition {
        *self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, condition: Condition) {
        *self.condition.lock().unwrap_or_else(PoisonError::into_inner) = condition;
    }

    pub fn placing(&self) -> MutexGuard<'_, ()> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a rendering now, with the settings as they are now.
    pub fn ask(&self) {
        self.ask_for(|asked| (asked.render, asked.renew) = (true, true));
    }

    /// What the proxy heard. Only what changes how it stands wakes the worker.
    pub fn heard(&self, proxied: Proxied) {
        let (is_refused, is_away) =
            (self.condition() == Condition::Refused, self.is_away.load(Ordering::Relaxed));
        let is_news = match proxied {
            Proxied::Well => is_refused || is_away,
            Proxied::Refused => !is_refused,
            Proxied::Away => !is_away,
        };
        if is_news {
            self.ask_for(|asked| asked.proxied = Some(proxied));
        }
    }

    /// Comes back when the settings were read again, or soon in any case: the worker may be busy,
    /// or they were read a moment ago.
    pub async fn renewed(&self) {
        let mut renewals = self.renewals.subscribe();
        if !self.is_renewal_under_way() {
            return;
        }
        // The worker is busy with something else: then it comes to it later.
        let _ = timeout(RENEWAL_TIME_MAX, renewals.changed()).await;
    }

    /// Asks for one, unless there was one just now.
    fn is_renewal_under_way(&self) -> bool {
        let mut renewal = self.renewal();
        let is_fresh = |at: Instant| at.elapsed() < RENEWAL_PAUSE;
        if !renewal.is_under_way && !renewal.asked_at.is_some_and(is_fresh) {
            *renewal = Renewal { asked_at: Some(Instant::now()), is_under_way: true };
            self.ask_for(|asked| asked.renew = true);
        }
        renewal.is_under_way
    }

    fn renewal(&self) -> MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker has read them, or could not.
    pub fn were_renewed(&self) {
        self.renewal().is_under_way = false;
        self.renewals.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until something is asked for, and takes it.
    pub async fn asked(&self) -> Asked {
        self.woken.notified().await;
        std::mem::take(&mut *self.asked_now())
    }

    fn ask_for(&self, what: impl FnOnce(&mut Asked)) {
        what(&mut self.asked_now());
        self.woken.notify_one();
    }

    fn asked_now(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn just_rendered(&self) {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
        self.rendered_at.store(now, Ordering::Relaxed);
    }

    pub fn rendered_at(&self) -> u64 {
        self.rendered_at.load(Ordering::Relaxed)
    }
}

/// Counts one more.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
