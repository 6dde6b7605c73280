//! The texts of settings → values. Pure; each fault is one line without the setting's name, and
//! does not repeat what may be a secret.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::ReportFormat;
use crate::byte;
use crate::launch::document::{Output, Target};
use crate::launch::format::Format;
use crate::name::{NameError, SecretName};

/// The largest descriptor that a memory file can be put at.
const DESCRIPTOR_MAX: i32 = 65_535;
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

pub fn format(text: &str) -> Result<Format, String> {
    Format::parse(text).ok_or_else(|| {
        "write `json`, `yaml`, `toml`, `env`, `ini`, `properties`, `xml` or `text`".to_owned()
    })
}

/// An octal mode such as `0640`, of which nothing but permissions may be set.
pub fn mode(text: &str) -> Result<u32, String> {
    let fault = || "a mode is octal, such as `0640`, up to `0777`".to_owned();
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o777);
    mode.ok_or_else(fault)
}

/// The number of a user or of a group, whichever `whose` says.
fn id(whose: &str, text: &str) -> Result<u32, String> {
    let id = text.parse().ok().filter(|id| *id < u32::MAX);
    id.ok_or_else(|| format!("a {whose} is given as a number from 0 to {}", u32::MAX - 1))
}

/// `TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]`.
pub fn render(text: &[u8]) -> Result<(PathBuf, Output), Vec<String>> {
    const FORM: &str = "write `TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]`";
    let parts: Vec<&[u8]> = text.split(|b| *b == b':').collect();
    let [template, output, rest @ ..] = parts.as_slice() else {
        return Err(vec![FORM.to_owned()]);
    };
    if template.is_empty() || output.is_empty() || rest.len() > 3 {
        return Err(vec![format!("{FORM}; a path that holds `:` is named in the manifest")]);
    }
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    let rest: Vec<_> = rest.iter().map(|part| String::from_utf8_lossy(part)).collect();
    let text = |index: usize| rest.get(index).map(|part| &**part);
    let mut faults = Faults::default();
    let output = faults.output(path(output), text(0), text(1), text(2));
    faults.unless_any((path(template), output))
}

/// What is wrong with one setting, and each of it: one fault must not hide another.
#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn add(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }

    /// The value, or nothing where its fault is kept.
    pub fn keep<T>(&mut self, parsed: Result<T, impl Into<String>>) -> Option<T> {
        parsed.map_err(|fault| self.add(fault)).ok()
    }

    /// The same for what has several faults.
    pub fn keep_all<T>(&mut self, parsed: Result<T, Vec<String>>) -> Option<T> {
        parsed.map_err(|faults| self.0.extend(faults)).ok()
    }

    /// An output with the mode and the owner that were given.
    pub fn output(
        &mut self,
        path: PathBuf,
        mode_text: Option<&str>,
        uid: Option<&str>,
        gid: Option<&str>,
    ) -> Output {
        let mut made = Output::new(path);
        made.mode = mode_text.and_then(|text| self.keep(mode(text))).unwrap_or(made.mode);
        made.uid = uid.and_then(|text| self.keep(id("user", text)));
        made.gid = gid.and_then(|text| self.keep(id("group", text)));
        made
    }

    pub fn all(self) -> Vec<String> {
        self.0
    }

    pub fn unless_any<T>(self, value: T) -> Result<T, Vec<String>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// What a memory file is for: a variable, or a descriptor of that number.
pub fn memory_target(name: &[u8]) -> Result<Target, String> {
    if !name.is_empty() && name.iter().all(u8::is_ascii_digit) {
        return descriptor(&String::from_utf8_lossy(name)).map(Target::Descriptor);
    }
    path_variable(name).map(|name| Target::Variable(name.to_vec())).map_err(str::to_owned)
}

/// A descriptor's number that is not one of the standard ones.
pub fn descriptor(text: &str) -> Result<i32, String> {
    let number = text.parse().ok().filter(|number| (3..=DESCRIPTOR_MAX).contains(number));
    number.ok_or_else(|| format!("a descriptor is a number from 3 to {DESCRIPTOR_MAX}"))
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
    match halves(bytes)? {
        ([], _) => Err("write `NAME=VALUE`; the name is empty"),
        (name, value) => Ok((variable_name(name)?, value)),
    }
}

/// `VAR=NAME`, of a variable that says where the secret's value is.
pub fn file_pair(bytes: &[u8]) -> Result<(Vec<u8>, SecretName), Vec<String>> {
    let mut faults = Faults::default();
    let halves = halves(bytes).map_err(|_| "write `VAR=NAME`; there is no `=`");
    let Some((variable, name)) = faults.keep(halves) else { return Err(faults.0) };
    let variable = faults.keep(match variable {
        [] => Err("write `VAR=NAME`; the variable's name is empty"),
        variable => path_variable(variable),
    });
    match (variable, faults.keep(self::name(SecretName::parse)(&String::from_utf8_lossy(name)))) {
        (Some(variable), Some(name)) => Ok((variable.to_vec(), name)),
        _ => Err(faults.0),
    }
}

fn halves(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let equals = byte::find(b'=', bytes).ok_or("write `NAME=VALUE`; there is no `=`")?;
    Ok((&bytes[..equals], &bytes[equals + 1..]))
}

/// A variable that says where a file is.
pub fn path_variable(name: &[u8]) -> Result<&[u8], &'static str> {
    match variable_name(name)? {
        b"PATH" => Err("`PATH` says where commands are, not where a file is; choose another name"),
        name => Ok(name),
    }
}

pub fn variable_name(name: &[u8]) -> Result<&[u8], &'static str> {
    match name {
        [] => Err("a variable's name is not empty"),
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
    fn renders() {
        let read = |text: &str| render(text.as_bytes());
        let made = |path: &str, mode, uid, gid| {
            Ok((PathBuf::from("a"), Output { mode, uid, gid, ..Output::new(path.into()) }))
        };
        assert_eq!(read("a:b"), made("b", 0o600, None, None));
        assert_eq!(read("a:b:640"), made("b", 0o640, None, None));
        assert_eq!(read("a:/b c:0440:0:65534"), made("/b c", 0o440, Some(0), Some(65534)));
        for bad in [
            "",
            "a",
            ":b",
            "a:",
            "a:b:",
            "a:b:rw",
            "a:b:4755",
            "a:b:8",
            "a:b:66",
            "a:b:600:root",
            "a:b:600::",
            "a:b:600:1:1:1",
            "a:b:600:4294967295",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_targets() {
        assert_eq!(memory_target(b"10"), Ok(Target::Descriptor(10)));
        assert_eq!(memory_target(b"A"), Ok(Target::Variable(b"A".to_vec())));
        for bad in [&b""[..], b"2", b"65536", b"99999999999", b"INJECT_X", b"PATH"] {
            assert!(memory_target(bad).is_err());
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
