//! What both floors that fetch have to do, whatever the request goes over: which names stand in the
//! environment, what is asked, and what the answer gives. Searching text, by std alone.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Each variable that is a reference, and the name in it.
pub type References = Vec<(OsString, String)>;

pub fn references() -> References {
    env::vars_os()
        .filter_map(|(variable, value)| {
            let name = value.to_str()?.strip_prefix('$')?.to_owned();
            Some((variable, name))
        })
        .collect()
}

pub fn request(references: &References) -> Vec<u8> {
    let names: Vec<String> = references.iter().map(|(_, name)| format!("\"{name}\"")).collect();
    let body = format!("{{\"names\":[{}]}}", names.join(","));
    let token = env::var("INJECT_TOKEN").unwrap_or_default();
    let org = env::var("INJECT_ORG").unwrap_or_default();
    format!(
        "POST /api/v1/orgs/{org}/resolve HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The body of an answer, once all of it is there.
pub fn body(answer: &[u8]) -> io::Result<Option<&str>> {
    let text = std::str::from_utf8(answer).map_err(io::Error::other)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(wrong("the answer's status"));
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| wrong("the answer's length"))?;
    Ok((body.len() >= length).then_some(body))
}

/// Becomes the command, with the values in its environment.
pub fn exec(references: References, answer: &str) -> io::Result<()> {
    let mut args = env::args_os().skip(2);
    let mut command = Command::new(args.next().ok_or_else(|| wrong("the command"))?);
    command.args(args);
    for (variable, name) in references {
        command.env(variable, value_of(answer, &name)?);
    }
    for own in ["INJECT_STORE", "INJECT_TOKEN", "INJECT_ORG"] {
        command.env_remove(own);
    }
    Err(command.exec())
}

fn value_of<'a>(answer: &'a str, name: &str) -> io::Result<&'a str> {
    let before = format!("\"{name}\":{{\"value\":\"");
    let start = answer.find(&before).ok_or_else(|| wrong("a secret"))? + before.len();
    let length = answer[start..].find('"').ok_or_else(|| wrong("a value"))?;
    Ok(&answer[start..start + length])
}

pub fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("{what} is missing or not as expected"))
}
