//! A server that runs, and a client that says exactly what a test wants said.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::harness::{DEADLINE, Ended, Run, Started, World, eventually};

/// `inject store serve` in a world of its own, or in one that is there.
pub struct Server {
    started: Started,
    /// What stands behind `INJECT_STORE=`, in the order of the options.
    pub addresses: Vec<String>,
    log: PathBuf,
    /// A member's, who may everything but manage people.
    token: String,
}

pub struct Connection {
    stream: Box<dyn Stream>,
    token: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A world with a store in it, and a member's token.
pub fn world() -> World {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", "c4n4ry-of-the-server");
    let add = ["member", "add", "edith@acme.com", "--role", "editor", "--names", "*"];
    let added = world.inject(add).run();
    added.code(0);
    world.write("token", added.out().trim_end());
    world
}

/// `inject store serve OPTION…`, which is not started yet.
pub fn serve<'w>(world: &'w World, options: &[&str]) -> Run<'w> {
    let command = ["store", "serve", "--plaintext"].iter().chain(options);
    world.inject(command).streams("server")
}

impl Server {
    /// Starts it with one listener at least, and waits until all of them are announced.
    pub fn start(world: &World, options: &[&str]) -> Self {
        let listeners = options.iter().filter(|option| **option == "--listen").count();
        Self::of(world, serve(world, options), listeners)
    }

    pub fn of(world: &World, run: Run<'_>, listeners: usize) -> Self {
        Self::try_of(world, run, listeners).unwrap_or_else(|ended| panic!("{}", ended.whole()))
    }

    /// The server, or how it ended before it served.
    pub fn try_of(world: &World, run: Run<'_>, listeners: usize) -> Result<Self, Ended> {
        let mut started = run.start();
        if started.printed().is_empty() {
            return Err(started.end());
        }
        let announced = || {
            let text = fs::read_to_string(world.path("server.out")).expect("made at the start");
            let lines = text.lines().map(|line| line.strip_prefix("INJECT_STORE="));
            let addresses: Option<Vec<_>> = lines.map(|line| line.map(str::to_owned)).collect();
            let whole = text.ends_with('\n') && text.lines().count() == listeners;
            addresses.filter(|_| whole)
        };
        let addresses = eventually(announced).unwrap_or_else(|| {
            panic!("{}", fs::read_to_string(world.path("server.err")).unwrap_or_default())
        });
        let token = fs::read_to_string(world.path("token")).unwrap_or_default();
        Ok(Self { started, addresses, log: world.path("server.err"), token })
    }

    /// To the address with this index.
    pub fn connect(&self, index: usize) -> Connection {
        let connection = Connection::to(&self.addresses[index]).expect("it listens");
        Connection { token: self.token.clone(), ..connection }
    }

    pub fn signal(&self, signal: Signal) {
        self.started.signal(signal);
    }

    pub fn pid(&self) -> u32 {
        self.started.pid()
    }

    /// All that was logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).expect("made at the start")
    }

    /// Waits until a line of the log holds this.
    #[track_caller]
    pub fn logs(&self, part: &str) -> String {
        let line = || self.logged().lines().find(|line| line.contains(part)).map(str::to_owned);
        eventually(line).unwrap_or_else(|| panic!("no `{part}` in\n{}", self.logged()))
    }

    /// Waits until a metric has a value that is as wanted, and gives it.
    #[track_caller]
    pub fn metric(&self, name: &str, wanted: impl Fn(u64) -> bool) -> u64 {
        let seen = || self.metrics(name).filter(|value| wanted(*value));
        eventually(seen).unwrap_or_else(|| panic!("`{name}` is {:?}", self.metrics(name)))
    }

    fn metrics(&self, name: &str) -> Option<u64> {
        let text = self.connect(self.addresses.len() - 1).get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a whole number"))
    }

    pub fn end(self) -> Ended {
        self.started.end()
    }
}

impl Connection {
    pub fn to(address: &str) -> io::Result<Self> {
        if let Some(path) = address.strip_prefix("unix:") {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            return Ok(Self { stream: Box::new(stream), token: String::new() });
        }
        let stream = TcpStream::connect(address.strip_prefix("http://").expect("plain http"))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { stream: Box::new(stream), token: String::new() })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("it reads");
    }

    /// Like [`Connection::send`], to who may have stopped reading.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends the head of a resolve of which the body is still to come.
    pub fn begin_resolve(&mut self, length: usize) {
        self.begin("/api/v1/orgs/default/resolve", length);
    }

    /// The head of a POST, with the token.
    pub fn begin(&mut self, path: &str, length: usize) {
        let head = self.head("POST", path, "", length);
        self.send(head);
    }

    /// The same of a PUT.
    pub fn begin_put(&mut self, path: &str, length: usize) {
        let head = self.head("PUT", path, "", length);
        self.send(head);
    }

    /// A GET whose answer is still to come.
    pub fn begin_get(&mut self, path: &str) {
        let head = self.head("GET", path, "", 0);
        self.send(head);
    }

    /// The head of a request, with the token where the headers have none.
    fn head(&self, method: &str, path: &str, headers: &str, length: usize) -> String {
        let token = match headers.contains("authorization") || self.token.is_empty() {
            true => String::new(),
            false => format!("authorization: Bearer {}\r\n", self.token),
        };
        head(method, path, &format!("{token}{headers}"), length)
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.request("GET", path, "", b"")
    }

    /// `headers` are whole lines.
    pub fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let head = self.head(method, path, headers, body.len());
        self.send(head);
        self.send(body);
        self.reply()
    }

    pub fn reply(&mut self) -> Reply {
        self.try_reply().unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// An answer's status line and headers, up to the empty line.
    pub fn try_head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        Ok(String::from_utf8(head).expect("headers are ASCII"))
    }

    pub fn try_reply(&mut self) -> io::Result<Reply> {
        let head = self.try_head()?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().expect("a length"));
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Reply { status: status.expect("a status"), headers, body })
    }

    /// Waits for the end of the connection, and fails if there is more to read before it.
    #[track_caller]
    pub fn is_closed(&mut self) {
        match self.stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            other => panic!("it is not closed: {other:?}"),
        }
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(self) -> String {
        String::from_utf8(self.body).expect("a text")
    }
}

/// The head of a request; `headers` are whole lines.
pub fn head(method: &str, path: &str, headers: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: store\r\n{headers}content-length: {length}\r\n\r\n")
}
