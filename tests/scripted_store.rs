//! A store that answers by a script and remembers each request: threads and std, a real socket.
//! It decides nothing, so that what a launcher sends can be told apart from what a store allows.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::harness::DEADLINE;

/// What is answered to one request; the script's last line is answered from then on.
#[derive(Clone)]
pub enum Answer {
    /// As a store would that holds these and no others.
    Secrets(Vec<(String, Vec<u8>)>),
    /// A status, further header lines, and a body.
    Status(u16, String, String),
    /// Bytes as they are, then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, for as long as the launcher waits.
    Hang,
    /// As a store would that holds these, once the other end of the channel is gone.
    Held(Arc<Mutex<Receiver<()>>>, Vec<(String, Vec<u8>)>),
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub struct ScriptedStore {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    arrivals: Receiver<()>,
}

/// What all connections of one store share.
#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<Vec<Answer>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    arrival: Sender<()>,
}

impl ScriptedStore {
    /// On a port of its own, by which it can be reached as soon as this returns.
    pub fn tcp(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port of loopback"), answers)
    }

    pub fn on(listener: TcpListener, answers: impl IntoIterator<Item = Answer>) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let (store, script) = Self::new(format!("http://{address}"), answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = script.clone();
                let reader = stream.try_clone().expect("a descriptor is free");
                thread::spawn(move || script.serve(BufReader::new(reader), stream));
            }
        });
        store
    }

    /// The same over TLS; a handshake that fails is no request.
    pub fn tls(config: Arc<ServerConfig>, answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let address = listener.local_addr().expect("it is bound");
        let (store, script) = Self::new(format!("https://{address}"), answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, config) = (script.clone(), Arc::clone(&config));
                thread::spawn(move || {
                    let connection = ServerConnection::new(config).expect("a configuration");
                    let whole = Rc::new(RefCell::new(StreamOwned::new(connection, stream)));
                    script.serve(BufReader::new(Half(Rc::clone(&whole))), Half(whole));
                });
            }
        });
        store
    }

    pub fn unix(path: &Path, answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = UnixListener::bind(path).expect("a socket that is not there yet");
        let (store, script) = Self::new(format!("unix:{}", path.display()), answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = script.clone();
                let reader = stream.try_clone().expect("a descriptor is free");
                thread::spawn(move || script.serve(BufReader::new(reader), stream));
            }
        });
        store
    }

    fn new(url: String, answers: impl IntoIterator<Item = Answer>) -> (Self, Script) {
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        let (arrival, arrivals) = channel();
        let requests = Arc::default();
        let answers = Arc::new(Mutex::new(answers));
        let script = Script { answers, requests: Arc::clone(&requests), arrival };
        (Self { url, requests, arrivals }, script)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no holder panics").clone()
    }

    /// Waits until one more request has arrived whole.
    #[track_caller]
    pub fn arrival(&self) {
        self.arrivals.recv_timeout(DEADLINE).expect("the launcher asks before the deadline");
    }

    /// The one request that was made.
    #[track_caller]
    pub fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests.into_iter().next().expect("there is one")
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the launcher sends JSON")
    }

    /// The names that are asked for, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        let body = self.json();
        let names = body["names"].as_array().expect("`names` is a list");
        let mut names: Vec<_> =
            names.iter().map(|name| name.as_str().expect("a text").to_owned()).collect();
        names.sort();
        names
    }
}

impl Script {
    fn serve(&self, mut reader: impl BufRead, mut writer: impl Write) {
        while let Some(request) = read_request(&mut reader) {
            let answer = self.next();
            self.requests.lock().expect("no holder panics").push(request.clone());
            // Who started the store may have gone: then nobody waits for arrivals.
            let _ = self.arrival.send(());
            let closes = matches!(answer, Answer::Raw(_));
            let Some(bytes) = answered(answer, &request, &mut reader) else { return };
            // A launcher that was killed does not read: that is the test's own doing.
            if writer.write_all(&bytes).is_err() || closes {
                return;
            }
        }
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.lock().expect("no holder panics");
        match answers.len() {
            0 => panic!("a store needs one answer at least"),
            1 => answers[0].clone(),
            _ => answers.pop().expect("there are several"),
        }
    }
}

/// A TLS connection that is read in one place and written in another, by the same thread.
struct Half<S>(Rc<RefCell<S>>);

impl<S: Read> Read for Half<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

impl<S: Write> Write for Half<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

/// The bytes of an answer, or `None` when the connection is to end without one.
fn answered(answer: Answer, request: &Request, reader: &mut impl Read) -> Option<Vec<u8>> {
    match answer {
        Answer::Secrets(secrets) => Some(resolve(&secrets, request)),
        Answer::Status(status, headers, body) => Some(response(status, &headers, &body)),
        Answer::Raw(bytes) => Some(bytes),
        Answer::Held(until, secrets) => {
            let _ = until.lock().expect("no holder panics").recv();
            Some(resolve(&secrets, request))
        }
        Answer::Hang => {
            // Ends when the launcher closes its side.
            let _ = reader.read(&mut [0]);
            None
        }
    }
}

fn resolve(secrets: &[(String, Vec<u8>)], request: &Request) -> Vec<u8> {
    let (mut found, mut unresolved) = (serde_json::Map::new(), Vec::new());
    for name in request.names() {
        match secrets.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => {
                let value = match str::from_utf8(value) {
                    Ok(text) => json!({"value": text, "version": 1}),
                    Err(_) => {
                        let coded = base64::engine::general_purpose::STANDARD.encode(value);
                        json!({"value_base64": coded, "version": 1})
                    }
                };
                found.insert(name, value);
            }
            None => unresolved.push(json!({"name": name, "reason": "missing", "nearest": null})),
        }
    }
    if unresolved.is_empty() {
        return response(200, "", &json!({"secrets": found}).to_string());
    }
    let problem = json!({
        "type": "urn:inject:problem:unresolved", "title": "unresolved", "status": 404,
        "unresolved": unresolved
    });
    response(404, "Content-Type: application/problem+json\r\n", &problem.to_string())
}

fn response(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let kind = match headers.to_ascii_lowercase().contains("content-type:") {
        true => "",
        false => "Content-Type: application/json\r\n",
    };
    format!("HTTP/1.1 {status} x\r\n{kind}{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

/// Secrets as an answer.
pub fn secrets<V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (&'static str, V)>) -> Answer {
    let own = |(name, value): (&str, V)| (name.to_owned(), value.as_ref().to_vec());
    Answer::Secrets(pairs.into_iter().map(own).collect())
}

/// A secret as an answer that is held until the sender is dropped.
pub fn held(name: &str, value: &str) -> (Sender<()>, Answer) {
    let (release, until) = channel();
    let secrets = vec![(name.to_owned(), value.as_bytes().to_vec())];
    (release, Answer::Held(Arc::new(Mutex::new(until)), secrets))
}
