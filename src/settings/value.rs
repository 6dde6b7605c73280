//! The texts of settings → values. Pure; each fault is one line without the setting's name, and
//! does not repeat what may be a secret.

use std::time::Duration;

use super::ReportFormat;
use crate::name::NameError;

const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// A parser of names, with its error as text.
pub fn name<T>(parse: impl Fn(&str) -> Result<T, NameError>) -> impl Fn(&str) -> Result<T, String> {
    move |text| parse(text).map_err(|error| error.to_string())
}

/// `3`, `500ms`, `2m`: a number, in seconds where it has no unit.
pub fn timeout(text: &str) -> Result<Duration, String> {
    let fault = || "write a time such as `3`, `500ms`, `30s` or `2m`, up to 24 hours".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| fault())?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        _ => return Err(fault()),
    };
    let time = number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(fault)?;
    if time > TIMEOUT_MAX { Err(fault()) } else { Ok(time) }
}

pub fn report(text: &str) -> Result<ReportFormat, String> {
    match text {
        "text" => Ok(ReportFormat::Text),
        "json" => Ok(ReportFormat::Json),
        _ => Err("write `text` or `json`".to_owned()),
    }
}

/// `NAME=VALUE`, of a variable that the application may have.
pub fn pair(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let equals = memchr::memchr(b'=', bytes).ok_or("write `NAME=VALUE`; there is no `=`")?;
    Ok((variable_name(&bytes[..equals])?, &bytes[equals + 1..]))
}

pub fn variable_name(name: &[u8]) -> Result<&[u8], &'static str> {
    match name {
        [] => Err("write `NAME=VALUE`; the name is empty"),
        name if name.starts_with(b"INJECT_") => {
            Err("the application never gets a variable `INJECT_*`; choose another name")
        }
        name if name.contains(&b'=') || name.contains(&0) => {
            Err("a variable's name holds no `=` and no NUL byte")
        }
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("3", Some(3000)),
            ("0", Some(0)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
            ("30s", Some(30_000)),
            ("1h", Some(3_600_000)),
            ("25h", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("3 s", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(timeout(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn pairs() {
        assert_eq!(pair(b"A=b=c"), Ok((&b"A"[..], &b"b=c"[..])));
        assert_eq!(pair(b"A="), Ok((&b"A"[..], &b""[..])));
        for bad in [&b"A"[..], b"=x", b"INJECT_TOKEN=x"] {
            assert!(pair(bad).is_err());
        }
    }
}
