//! What keeps a rendering from being done, and how long to wait before the next try. Pure.

use std::time::Duration;

use crate::client::Error;
use crate::launch::problem::Problem;
use crate::sidecar::state::Condition;

/// The kinds of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// The store does not answer, or not as one: that passes, and the outputs are still good.
    Away,
    /// The store does not accept the token, or no longer lets it resolve a name.
    Refused,
    /// A secret is gone.
    Missing,
    /// A template is at fault, or an output cannot be put in its place.
    Failed,
}

impl Trouble {
    /// What a watch ended with.
    pub fn of_error(error: &Error) -> Self {
        match error {
            Error::Refused { .. } | Error::NoOrganization(_) | Error::Unresolved(_) => {
                Self::Refused
            }
            _ => Self::Away,
        }
    }

    /// What a rendering ended with: the worst of it counts.
    pub fn of_problems(problems: &[Problem]) -> Self {
        let one = |problem: &Problem| match problem {
            Problem::Unavailable { .. } | Problem::StoreFailed { .. } => Self::Away,
            Problem::Missing { .. } => Self::Missing,
            Problem::Refused { .. } | Problem::Forbidden { .. } => Self::Refused,
            _ => Self::Failed,
        };
        let rank = |trouble: &Self| match trouble {
            Self::Away => 0,
            Self::Missing => 1,
            Self::Refused => 2,
            Self::Failed => 3,
        };
        problems.iter().map(one).max_by_key(rank).unwrap_or(Self::Failed)
    }

    /// What it makes of readiness; nothing where the outputs are as good as before.
    pub fn condition(self) -> Option<Condition> {
        match self {
            Self::Away => None,
            Self::Refused => Some(Condition::Refused),
            Self::Missing => Some(Condition::Missing),
            Self::Failed => Some(Condition::Failed),
        }
    }

    /// How the log calls its beginning.
    pub fn event(self) -> &'static str {
        match self {
            Self::Away => "store_away",
            Self::Refused => "refused",
            Self::Missing => "secret_missing",
            Self::Failed => "not_rendered",
        }
    }

    /// How the waits between tries grow, from and to.
    fn pauses(self) -> (Duration, Duration) {
        match self {
            Self::Away => (Duration::from_millis(500), Duration::from_secs(15)),
            Self::Missing => (Duration::from_millis(500), Duration::from_secs(15)),
            Self::Failed => (Duration::from_secs(1), Duration::from_secs(30)),
            Self::Refused => (Duration::from_secs(2), Duration::from_secs(60)),
        }
    }

    /// The wait before the next try, of which a part is left to chance.
    pub fn pause_max(self, tries: u32) -> Duration {
        let (first, longest) = self.pauses();
        first.saturating_mul(2u32.saturating_pow(tries)).min(longest)
    }
}
