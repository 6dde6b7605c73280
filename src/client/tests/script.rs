//! Stores that answer by a script, on real sockets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{JoinHandle, spawn};

use tokio::net::TcpSocket;

use crate::client::Endpoint;

/// What a scripted store does with one connection, after it has read the request.
pub enum Act {
    Say(String),
    /// Closes without a word.
    Close,
    /// Keeps the connection open until the client gives up.
    Hang,
    /// Does something, then answers 503.
    Do(Box<dyn FnOnce() + Send>),
}

/// A store that takes one connection an act; then it is gone. Its end gives the requests.
pub type Script = JoinHandle<Vec<String>>;

pub trait Pipe: Read + Write {}
impl<T: Read + Write> Pipe for T {}

pub fn tcp(acts: Vec<Act>) -> (Endpoint, Script) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = at_port(listener.local_addr().expect("bound").port());
    (endpoint, play(acts, move || Box::new(listener.accept().expect("a client").0)))
}

pub fn at_port(port: u16) -> Endpoint {
    Endpoint::parse(&format!("http://127.0.0.1:{port}"), false).expect("loopback")
}

/// An endpoint whose port is taken, though nobody listens there.
pub fn refusing() -> (Endpoint, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    (at_port(socket.local_addr().expect("bound").port()), socket)
}

pub fn play(acts: Vec<Act>, accept: impl Fn() -> Box<dyn Pipe> + Send + 'static) -> Script {
    spawn(move || {
        let mut requests = Vec::new();
        for act in acts {
            let mut pipe = accept();
            requests.push(read_request(&mut pipe));
            match act {
                Act::Say(text) => pipe.write_all(text.as_bytes()).expect("the client reads"),
                Act::Close => {}
                Act::Hang => drop(pipe.read(&mut [0; 64])),
                Act::Do(act) => {
                    act();
                    pipe.write_all(say(503, "", "").as_bytes()).expect("the client reads");
                }
            }
        }
        requests
    })
}

pub fn read_request(pipe: &mut Box<dyn Pipe>) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .split("content-length: ")
                .nth(1)
                .map_or("0", |rest| rest.split("\r\n").next().expect("split gives one"));
            if body.len() >= length.parse().expect("a length") {
                return text.into_owned();
            }
        }
        let n = pipe.read(&mut buffer).expect("the client writes");
        assert_ne!(n, 0, "the client left in the middle: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..n]);
    }
}

/// An answer with `headers` (each with its line end) and a length.
pub fn say(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

pub fn ok(body: &str) -> Act {
    Act::Say(say(200, "content-type: application/json\r\n", body))
}

pub fn problem(status: u16, kind: &str) -> Act {
    Act::Say(say(status, "", &format!(r#"{{"type":"{kind}"}}"#)))
}
