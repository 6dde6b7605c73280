//! How it stands, for those who ask: ready or not and why, what was done how often. It holds no
//! name and no value.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

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

/// One for the whole process.
#[derive(Default)]
pub struct State {
    condition: Mutex<Condition>,
    pub is_away: AtomicBool,
    /// Held while outputs are put in their places.
    placing: Mutex<()>,
    pub telling: Telling,
    asked: Notify,
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

    /// Asks for a rendering now.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    pub async fn asked(&self) {
        self.asked.notified().await;
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
