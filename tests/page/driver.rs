//! A chromedriver and one session of it, spoken to as the WebDriver specification says: JSON over
//! HTTP. It knows nothing of the page.

use std::cell::RefCell;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long one command may take before the browser counts as hanging.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(60);
/// How often it is tried to start one.
const STARTS_MAX: usize = 5;
/// A browser as it comes, which asks no other host for anything and shows no window.
const FLAGS: [&str; 15] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--window-size=1280,900",
    "--host-resolver-rules=MAP store.example 127.0.0.1",
    "about:blank",
];

/// What this machine is called in the flags above by a name that is none of loopback's.
pub const OFF_LOOPBACK: &str = "store.example";

/// The key under which WebDriver names an element (W3C WebDriver, section 12.1).
pub const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a fresh profile. It ends, with all of its processes, when this is dropped.
pub struct Driver {
    child: Child,
    stream: RefCell<BufReader<TcpStream>>,
    session: String,
    _home: TempDir,
}

/// What a command was refused with: the specification's word, and the driver's own.
pub struct Refused {
    pub error: String,
    pub message: String,
}

impl Driver {
    /// `insecure`: whether a certificate that no authority vouches for will do.
    pub fn start(insecure: bool) -> Self {
        let home = TempDir::with_prefix("inject-browser-").expect("a temporary directory");
        let (child, port) = (0..STARTS_MAX)
            .find_map(|_| launch(home.path()))
            .expect("chromium and chromium-driver are needed: tests/run installs them");
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it said that it listens");
        stream.set_read_timeout(Some(COMMAND_TIME_MAX)).expect("a time above nothing");
        let stream = RefCell::new(BufReader::new(stream));
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        let mut driver = Self { child, stream, session: String::new(), _home: home };
        let args: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": insecure,
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": {"args": args, "perfLoggingPrefs": {"enableNetwork": true}},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let answer = driver.ask("POST", "/session", Some(&wanted));
        let answer = answer.unwrap_or_else(|refused| panic!("no browser: {refused}"));
        let id = answer["sessionId"].as_str().expect("a session has an id");
        driver.session = format!("/session/{id}");
        driver
    }

    pub fn get(&self, path: &str) -> Result<Value, Refused> {
        self.ask("GET", &format!("{}{path}", self.session), None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.ask("POST", &format!("{}{path}", self.session), Some(body))
    }

    /// A command of the Chrome DevTools Protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, Refused> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = self.stream.borrow_mut();
        stream.get_mut().write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let (is_good, answer) = reply(&mut *stream);
        let value = answer["value"].clone();
        if is_good {
            return Ok(value);
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Err(Refused { error: text("error"), message: text("message") })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is in the driver's process group, and with it all that it started.
        let group = Pid::from_raw(self.child.id().cast_signed());
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// A chromedriver and the port on which it says it listens. It gives up where the port that it was
/// given for IPv4 is another's for IPv6.
fn launch(home: &Path) -> Option<(Child, u16)> {
    let mut child = Command::new("chromedriver")
        .arg("--port=0")
        .env("HOME", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let stdout = child.stdout.take().expect("it is piped");
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let mut ports = lines.filter_map(|line| {
        let (_, port) = line.rsplit_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    match ports.next() {
        Some(port) => Some((child, port)),
        None => {
            let _ = child.wait();
            None
        }
    }
}

/// Whether a command was done, and what was answered.
fn reply(stream: &mut impl BufRead) -> (bool, Value) {
    let (status, body) = answer(stream);
    let answer = serde_json::from_slice(&body).expect("an answer is JSON");
    (status == 200, answer)
}

/// Status and body of an answer that says how long it is.
pub fn answer(stream: &mut impl BufRead) -> (u16, Vec<u8>) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("there is an answer");
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).expect("an answer has a head");
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("an answer is as long as it says");
    (status.expect("a status"), body)
}
