//! The floor of a launch with references: one HTTP request, the values put in, exec; by std alone.
//! It is what the job physically costs: it knows `$NAME` as a whole value only, takes no escape in
//! the answer, tries once, and checks next to nothing. Its settings are those of `inject`.
//!
//!     INJECT_STORE=http://127.0.0.1:PORT|unix:PATH INJECT_TOKEN=… floor-fetch -- COMMAND [ARG…]

mod job;

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use job::wrong;

fn main() -> io::Result<()> {
    let store = env::var("INJECT_STORE").map_err(io::Error::other)?;
    let references = job::references();
    let request = job::request(&references);
    let answer = if let Some(path) = store.strip_prefix("unix:") {
        exchange(UnixStream::connect(path)?, &request)?
    } else {
        let address = store.strip_prefix("http://").ok_or_else(|| wrong("`INJECT_STORE`"))?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        exchange(stream, &request)?
    };
    job::exec(references, &answer)
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
        if let Some(body) = job::body(&answer)? {
            return Ok(body.to_owned());
        }
    }
}
