//! Times in the user's own zone, and how moments and spans are written. Pure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Look;

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

/// A text that is neither a span nor a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MomentError;

/// Which way a span goes from now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    Ago,
    FromNow,
}

/// A span such as `90d`, a date such as `2026-03-01` (its first moment, in the user's zone), a time
/// of a day there, or one with its offset (RFC 3339).
pub fn parse_moment(
    text: &str,
    direction: Direction,
    look: &Look,
) -> Result<Timestamp, MomentError> {
    if let Ok(span) = parse_span(text) {
        let moment = match direction {
            Direction::Ago => look.now.checked_sub(span),
            Direction::FromNow => look.now.checked_add(span),
        };
        return moment.map_err(|_| MomentError);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    // A zone of its own would be passed over, and so is not let pass.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"-:T .".contains(&b));
    let local = text.parse::<DateTime>().map_err(|_| MomentError)?;
    let zoned = look.zone.to_ambiguous_zoned(local).compatible().map_err(|_| MomentError)?;
    if plain { Ok(zoned.timestamp()) } else { Err(MomentError) }
}

/// To the minute, for a table.
pub fn short(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// To the second, for a table of what came one after another.
pub fn seconds(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
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

impl fmt::Display for MomentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a time; write hours, days or weeks such as `12h`, `90d` or `2w`, a date such as \
             `2026-03-01`, or a time such as `2026-03-01T12:30` or `2026-03-01T12:30:00Z`",
        )
    }
}

impl std::error::Error for MomentError {}

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
    fn moments() {
        let now: Timestamp = "2026-03-31T00:00:00Z".parse().expect("a time");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let look = Look { columns: None, bold: false, zone, now };
        let moment = |text: &str, direction| {
            parse_moment(text, direction, &look).map(|moment| moment.to_string())
        };
        for (text, expected) in [
            ("2d", "2026-03-29T00:00:00Z"),
            ("2026-03-01", "2026-02-28T23:00:00Z"),
            ("2026-03-01T12:30", "2026-03-01T11:30:00Z"),
            ("2026-03-01 12:30:05", "2026-03-01T11:30:05Z"),
            ("2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z"),
            ("2026-03-01T12:30:00-05:00", "2026-03-01T17:30:00Z"),
        ] {
            assert_eq!(moment(text, Direction::Ago).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(moment("2d", Direction::FromNow).as_deref(), Ok("2026-04-02T00:00:00Z"));
        for bad in [
            "",
            "never",
            "tomorrow",
            "2026-13-01",
            "03/01/2026",
            "2026-03-01T12:30[Asia/Tokyo]",
            "99999999w",
            "12",
        ] {
            assert_eq!(moment(bad, Direction::FromNow), Err(MomentError), "{bad}");
        }
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
