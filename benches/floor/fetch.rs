//! The floor of a launch with references: one HTTP request, the values put in, exec; by std alone.
//! It is what the job physically costs: it knows `$NAME` as a whole value only, takes no escape in
//! the answer, tries once, and checks next to nothing. Its settings are those of `inject`.
//!
//!     INJECT_STORE=http://127.0.0.1:PORT|unix:PATH INJECT_TOKEN=… floor-fetch -- COMMAND [ARG…]

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() -> io::Result<()> {
    let store = env::var("INJECT_STORE").map_err(io::Error::other)?;
    let references = references();
    let request = request(&references);
    let answer = if let Some(path) = store.strip_prefix("unix:") {
        exchange(UnixStream::connect(path)?, &request)?
    } else {
        let address = store.strip_prefix("http://").ok_or_else(|| wrong("`INJECT_STORE`"))?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        exchange(stream, &request)?
    };
    let mut args = env::args_os().skip(2);
    let mut command = Command::new(args.next().ok_or_else(|| wrong("the command"))?);
    command.args(args);
    for (variable, name) in references {
        command.env(variable, value_of(&answer, &name)?);
    }
    for own in ["INJECT_STORE", "INJECT_TOKEN", "INJECT_ORG"] {
        command.env_remove(own);
    }
    Err(command.exec())
}

/// Each variable that is a reference, and the name in it.
fn references() -> Vec<(OsString, String)> {
    env::vars_os()
        .filter_map(|(variable, value)| {
            let name = value.to_str()?.strip_prefix('$')?.to_owned();
            Some((variable, name))
        })
        .collect()
}

fn request(references: &[(OsString, String)]) -> Vec<u8> {
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

/// Sends the request and reads the answer to its announced end; gives the body.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<String> {
    stream.write_all(request)?;
    let mut answer = Vec::with_capacity(4096);
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Err(wrong("the answer's end"));
        }
        answer.extend_from_slice(&chunk[..n]);
        let text = std::str::from_utf8(&answer).map_err(io::Error::other)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(wrong("the answer's status"));
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.parse().ok())
            .ok_or_else(|| wrong("the answer's length"))?;
        if body.len() >= length {
            return Ok(body.to_owned());
        }
    }
}

fn value_of<'a>(answer: &'a str, name: &str) -> io::Result<&'a str> {
    let before = format!("\"{name}\":{{\"value\":\"");
    let start = answer.find(&before).ok_or_else(|| wrong("a secret"))? + before.len();
    let length = answer[start..].find('"').ok_or_else(|| wrong("a value"))?;
    Ok(&answer[start..start + length])
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("{what} is missing or not as expected"))
}
