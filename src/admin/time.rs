//! Times in the user's own zone, and the spans that `--stale` takes. Pure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A text that is not `90d`, `12h` or `2w`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpanError;

/// A whole number and its unit: hours, days of 24 hours, or weeks.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let unit = text.chars().next_back().ok_or(SpanError)?;
    let number = &text[..text.len() - unit.len_utf8()];
    let seconds: u64 = match unit {
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(SpanError),
    };
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SpanError);
    }
    let number: u64 = number.parse().map_err(|_| SpanError)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or(SpanError)
}

/// To the minute, for a table.
pub fn short(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// To the second and with its offset, for one secret alone.
pub fn long(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Whether `time` lies at least `span` before `now`.
pub fn is_past(time: Timestamp, span: Duration, now: Timestamp) -> bool {
    // A span that goes back before all time leaves nothing that is older.
    now.checked_sub(span).is_ok_and(|limit| time <= limit)
}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a span of time; write hours, days or weeks, such as `12h`, `90d` or `2w`")
    }
}

impl std::error::Error for SpanError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(parse_span("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(parse_span("90d"), Ok(Duration::from_secs(7_776_000)));
        assert_eq!(parse_span("2w"), Ok(Duration::from_secs(1_209_600)));
        assert_eq!(parse_span("0d"), Ok(Duration::ZERO));
        for bad in ["", "d", "90", "-1d", "+1d", "1.5d", "1 d", "1m", "1ü", "99999999999999999w"] {
            assert_eq!(parse_span(bad), Err(SpanError), "{bad}");
        }
    }

    #[test]
    fn times_are_in_the_given_zone() {
        let time: Timestamp = "2026-03-01T23:30:05Z".parse().expect("a time");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(short(time, &zone), "2026-03-02 00:30");
        assert_eq!(long(time, &zone), "2026-03-02 00:30:05 +01:00");
        assert_eq!(long(time, &TimeZone::UTC), "2026-03-01 23:30:05 +00:00");
    }

    #[test]
    fn what_is_past() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let now = time("2026-03-31T00:00:00Z");
        let month = Duration::from_secs(30 * 86_400);
        assert!(is_past(time("2026-03-01T00:00:00Z"), month, now));
        assert!(!is_past(time("2026-03-01T00:00:01Z"), month, now));
        assert!(!is_past(Timestamp::MIN, Duration::from_secs(u64::MAX), now));
    }
}
