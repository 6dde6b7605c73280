//! When to try which endpoint again. Pure: times and jitter come in, a decision comes out.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;

use super::error::{Failure, ProtocolFault};

/// How long one attempt may take, from connecting to the last byte of the answer, and how the
/// waits between rounds grow.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub attempt_max: Duration,
    pub backoff_first: Duration,
    pub backoff_max: Duration,
    /// The last try starts this long before the deadline, so that it has a chance.
    pub last_try: Duration,
}

pub const PACE: Pace = Pace {
    attempt_max: Duration::from_secs(5),
    backoff_first: Duration::from_millis(100),
    backoff_max: Duration::from_secs(3),
    last_try: Duration::from_millis(500),
};

/// What to do next. Times count from the start of the call.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    Try {
        endpoint: usize,
        at: Duration,
        attempt_max: Duration,
    },
    GiveUp,
    /// Nothing can be asked before the deadline: the earliest endpoint wants this wait.
    TooLong {
        wait: Duration,
    },
}

/// What a failed attempt says about when its endpoint may be asked again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Again {
    AfterBackoff,
    /// Not before this wait: the endpoint said so.
    After(Duration),
    /// Trying again cannot help, such as a socket that may not be opened.
    Never,
}

/// Rounds over all endpoints: within one, the next is tried at once; after one, a backoff with
/// full jitter. One deadline holds for all.
pub struct Schedule {
    pace: Pace,
    timeout: Duration,
    /// Before these times the endpoints do not want to be asked; `None` is never again.
    not_before: Vec<Option<Duration>>,
    next: usize,
    round: u32,
    round_start: Duration,
}

impl Schedule {
    pub fn new(endpoints: usize, timeout: Duration, pace: Pace) -> Self {
        let last_try = pace.last_try.min(timeout / 4);
        Self {
            pace: Pace { last_try, ..pace },
            timeout,
            not_before: vec![Some(Duration::ZERO); endpoints],
            next: 0,
            round: 0,
            round_start: Duration::ZERO,
        }
    }

    pub fn failed(&mut self, endpoint: usize, now: Duration, again: Again) {
        self.not_before[endpoint] = match again {
            Again::AfterBackoff => Some(Duration::ZERO),
            Again::After(wait) => Some(now.saturating_add(wait)),
            Again::Never => None,
        };
    }

    /// The next step at the time `now`; `jitter` is uniform over all of `u64`.
    pub fn step(&mut self, now: Duration, jitter: u64) -> Step {
        if now >= self.timeout {
            return Step::GiveUp;
        }
        if let Some(endpoint) = self.take_ready() {
            let at = now.max(self.round_start);
            // One that hangs leaves the others of this round their part of what time there is.
            let share = (self.timeout - at) / (1 + self.left_in_round());
            let attempt_max = self.pace.attempt_max.min(share);
            return Step::Try { endpoint, at, attempt_max };
        }
        match self.begin_round(now, jitter) {
            Ok(()) => self.step(now, jitter),
            Err(step) => step,
        }
    }

    /// What is left of the time at `now`.
    pub fn left(&self, now: Duration) -> Duration {
        self.timeout.saturating_sub(now)
    }

    /// Whether no endpoint is left that trying again could help.
    pub fn is_exhausted(&self) -> bool {
        self.not_before.iter().all(Option::is_none)
    }

    fn take_ready(&mut self) -> Option<usize> {
        let mut rest = self.next..self.not_before.len();
        let ready = rest.find(|&i| self.is_ready(i));
        self.next = ready.map_or(self.not_before.len(), |i| i + 1);
        ready
    }

    /// How many endpoints are still to be asked in this round.
    fn left_in_round(&self) -> u32 {
        let left = (self.next..self.not_before.len()).filter(|&i| self.is_ready(i)).count();
        u32::try_from(left).expect("there are few endpoints")
    }

    fn is_ready(&self, endpoint: usize) -> bool {
        self.not_before[endpoint].is_some_and(|time| time <= self.round_start)
    }

    fn begin_round(&mut self, now: Duration, jitter: u64) -> Result<(), Step> {
        let backoff = backoff(self.pace, self.round, jitter);
        let latest = self.timeout - self.pace.last_try;
        if now >= latest {
            return Err(Step::GiveUp);
        }
        let earliest = self.not_before.iter().flatten().min().copied().ok_or(Step::GiveUp)?;
        if earliest >= self.timeout {
            return Err(Step::TooLong { wait: earliest - now });
        }
        self.round_start = (now + backoff).min(latest).max(earliest);
        self.round = self.round.saturating_add(1);
        self.next = 0;
        Ok(())
    }
}

/// Whether a status says that the same request may succeed later: timed out (408), too early
/// (425), too many requests (429), and whatever the server says is its own fault.
pub fn can_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}

/// Whether the store may have done what was asked although the attempt failed. 503 says that it
/// has not, and so does every status that puts the fault on the request.
pub fn may_have_reached(failure: &Failure) -> bool {
    match failure {
        Failure::LookUp(_) | Failure::Connect(_) | Failure::Tls(_) => false,
        Failure::TimedOut { .. } | Failure::Dropped => true,
        Failure::Status { status, .. } => *status >= 500 && *status != 503,
        Failure::Protocol(fault) => match fault {
            ProtocolFault::NotHttp
            | ProtocolFault::NotPlainHttp
            | ProtocolFault::Redirect { .. }
            | ProtocolFault::Status { .. }
            | ProtocolFault::NotJson { .. } => false,
            // It speaks as a store does, up to a point.
            ProtocolFault::Json { .. }
            | ProtocolFault::TooLarge { .. }
            | ProtocolFault::NameLeftOut(_)
            | ProtocolFault::NoValue(_)
            | ProtocolFault::OtherName => true,
        },
    }
}

/// Exponential backoff with full jitter: uniform between nothing and the doubled bound.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
fn backoff(pace: Pace, round: u32, jitter: u64) -> Duration {
    let bound = pace.backoff_first.saturating_mul(2u32.saturating_pow(round));
    let bound = bound.min(pace.backoff_max).as_nanos();
    let nanos = (bound * u128::from(jitter)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The wait that a `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3).
/// What is neither asks for nothing.
pub fn retry_after(header: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(header).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // So many digits that they do not fit mean the same as the longest wait there is.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = http_date(text)?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The three forms of an HTTP-date (RFC 9110, section 5.6.7); all of them mean UTC.
fn http_date(text: &str) -> Option<Timestamp> {
    const FORMS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let parsed = FORMS.iter().find_map(|form| BrokenDownTime::parse(form, text).ok())?;
    let zoned = parsed.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u64 = 1 << 63;
    const TEST: Pace = Pace {
        attempt_max: Duration::from_secs(5),
        backoff_first: Duration::from_millis(100),
        backoff_max: Duration::from_secs(1),
        last_try: Duration::from_millis(500),
    };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn tried(schedule: &mut Schedule, now: Duration) -> (usize, Duration) {
        match schedule.step(now, HALF) {
            Step::Try { endpoint, at, .. } => (endpoint, at),
            other => panic!("no try: {other:?}"),
        }
    }

    #[test]
    fn the_backoff_doubles_up_to_its_bound() {
        let half = |round| backoff(TEST, round, HALF);
        assert_eq!([half(0), half(1), half(2), half(9)], [ms(50), ms(100), ms(200), ms(500)]);
        assert_eq!(half(u32::MAX), ms(500));
        assert_eq!(backoff(TEST, 0, 0), Duration::ZERO);
        assert!(backoff(TEST, 40, u64::MAX) <= TEST.backoff_max);
    }

    #[test]
    fn all_endpoints_are_tried_before_a_backoff() {
        let mut schedule = Schedule::new(3, ms(30_000), TEST);
        for endpoint in 0..3 {
            assert_eq!(tried(&mut schedule, ms(7)), (endpoint, ms(7)));
            schedule.failed(endpoint, ms(7), Again::AfterBackoff);
        }
        assert_eq!(tried(&mut schedule, ms(10)), (0, ms(60)));
        schedule.failed(0, ms(60), Again::AfterBackoff);
        assert_eq!(tried(&mut schedule, ms(61)), (1, ms(61)));
    }

    #[test]
    fn one_that_hangs_leaves_the_others_their_time() {
        let attempt_max = |schedule: &mut Schedule, now| match schedule.step(now, HALF) {
            Step::Try { attempt_max, .. } => attempt_max,
            other => panic!("no try: {other:?}"),
        };
        let mut schedule = Schedule::new(3, ms(3_000), TEST);
        assert_eq!(attempt_max(&mut schedule, ms(0)), ms(1_000));
        schedule.failed(0, ms(0), Again::Never);
        assert_eq!(attempt_max(&mut schedule, ms(200)), ms(1_400));
        schedule.failed(1, ms(200), Again::After(ms(60_000)));
        assert_eq!(attempt_max(&mut schedule, ms(400)), ms(2_600));
        schedule.failed(2, ms(400), Again::AfterBackoff);
        // Of the next round only the last is left: it has all of the time.
        assert_eq!(attempt_max(&mut schedule, ms(950)), ms(2_000));
        assert_eq!(attempt_max(&mut Schedule::new(2, ms(30_000), TEST), ms(0)), ms(5_000));
    }

    #[test]
    fn a_retry_after_holds_for_its_endpoint_alone() {
        let mut schedule = Schedule::new(2, ms(30_000), TEST);
        assert_eq!(tried(&mut schedule, ms(0)).0, 0);
        schedule.failed(0, ms(0), Again::After(ms(2_000)));
        assert_eq!(tried(&mut schedule, ms(1)).0, 1);
        schedule.failed(1, ms(1), Again::AfterBackoff);
        // The first is left out until its time has come.
        assert_eq!(tried(&mut schedule, ms(1)), (1, ms(51)));
        schedule.failed(1, ms(2_000), Again::AfterBackoff);
        assert_eq!(tried(&mut schedule, ms(2_000)), (0, ms(2_100)));
    }

    #[test]
    fn a_retry_after_past_the_deadline_ends_it() {
        let mut schedule = Schedule::new(1, ms(10_000), TEST);
        assert_eq!(tried(&mut schedule, ms(0)).0, 0);
        schedule.failed(0, ms(100), Again::After(ms(60_000)));
        assert_eq!(schedule.step(ms(100), HALF), Step::TooLong { wait: ms(60_000) });
        schedule.failed(0, ms(100), Again::After(Duration::MAX));
        assert!(matches!(schedule.step(ms(100), HALF), Step::TooLong { .. }));
    }

    #[test]
    fn what_cannot_help_is_not_tried_again() {
        let mut schedule = Schedule::new(2, ms(10_000), TEST);
        assert_eq!(tried(&mut schedule, ms(0)).0, 0);
        schedule.failed(0, ms(0), Again::Never);
        assert_eq!(tried(&mut schedule, ms(0)).0, 1);
        schedule.failed(1, ms(0), Again::AfterBackoff);
        assert_eq!(tried(&mut schedule, ms(0)).0, 1);
        assert!(!schedule.is_exhausted());
        schedule.failed(1, ms(0), Again::Never);
        assert_eq!(schedule.step(ms(0), HALF), Step::GiveUp);
        assert!(schedule.is_exhausted());
    }

    #[test]
    fn the_last_try_starts_before_the_deadline() {
        let mut schedule = Schedule::new(1, ms(1_000), TEST);
        let mut now = ms(0);
        let mut tries = Vec::new();
        while let Step::Try { at, attempt_max, .. } = schedule.step(now, u64::MAX) {
            assert!(at + attempt_max <= ms(1_000));
            schedule.failed(0, at, Again::AfterBackoff);
            tries.push(at.as_millis());
            now = at;
        }
        // 100, 200 and 400 milliseconds of backoff; what would start at 700 is the last at 750.
        assert_eq!(tries, [0, 99, 299, 699, 750]);
    }

    #[test]
    fn a_timeout_that_has_passed_allows_nothing() {
        assert_eq!(Schedule::new(1, Duration::ZERO, TEST).step(ms(0), 0), Step::GiveUp);
        assert_eq!(Schedule::new(0, ms(1_000), TEST).step(ms(0), 0), Step::GiveUp);
    }

    #[test]
    fn retry_after_in_all_its_forms() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().expect("a time");
        let after = |text: &str| retry_after(text.as_bytes(), now);
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("0"), Some(Duration::ZERO));
        assert_eq!(after("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(after(date), Some(Duration::from_secs(30)), "{date}");
        }
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for nothing in ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994", "+3"] {
            assert_eq!(after(nothing), None, "{nothing}");
        }
        assert_eq!(retry_after(b"\xff", now), None);
    }
}
