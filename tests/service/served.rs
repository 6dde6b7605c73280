//! A served store and those who use it, each with a token of their own.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::harness::{Ended, Run, Started, World, eventually};

/// `inject store serve` on a port that the kernel picks, over TLS unless its options say otherwise.
/// It ends when it is dropped, and shows its log where the test fails.
pub struct Served {
    started: Option<Started>,
    /// What stands behind `INJECT_STORE=`, a line each.
    pub addresses: Vec<String>,
    log: PathBuf,
}

/// A world with a served store, which has the organization `acme`.
pub struct Day {
    pub world: World,
    pub served: Served,
    /// The token of `alice@acme.com`, who owns it.
    pub owner: String,
}

/// Somebody with a token.
#[derive(Clone, Copy)]
pub struct Caller<'d> {
    world: &'d World,
    store: &'d str,
    token: &'d str,
}

impl Served {
    pub fn start(world: &World) -> Self {
        Self::of(world, "server", world.inject(["store", "serve", "--listen", "127.0.0.1:0"]), 1)
    }

    /// A server that is described, under a name for its files, with so many listeners.
    pub fn of(world: &World, name: &str, run: Run<'_>, listeners: usize) -> Self {
        let mut started = run.streams(name).start();
        started.printed();
        let (out, log) = (world.path(&format!("{name}.out")), world.path(&format!("{name}.err")));
        let announced = || {
            let text = fs::read_to_string(&out).expect("made at the start");
            let lines = text.lines().map(|line| line.strip_prefix("INJECT_STORE="));
            let addresses: Option<Vec<_>> = lines.map(|line| line.map(str::to_owned)).collect();
            let whole = text.ends_with('\n') && text.lines().count() == listeners;
            addresses.filter(|_| whole)
        };
        let addresses = eventually(announced)
            .unwrap_or_else(|| panic!("{}", fs::read_to_string(&log).unwrap_or_default()));
        Self { started: Some(started), addresses, log }
    }

    /// Its first address, pin included where it has one.
    pub fn url(&self) -> &str {
        &self.addresses[0]
    }

    /// The first address without its pin.
    pub fn bare(&self) -> &str {
        self.url().split('#').next().expect("split gives one")
    }

    pub fn signal(&self, signal: Signal) {
        self.started.as_ref().expect("it was not ended").signal(signal);
    }

    pub fn pid(&self) -> u32 {
        self.started.as_ref().expect("it was not ended").pid()
    }

    /// Waits until this many lines of the log hold a part, and gives the last of them.
    #[track_caller]
    pub fn logs(&self, part: &str, times: usize) -> String {
        let logged = || fs::read_to_string(&self.log).expect("made at the start");
        let line = || {
            logged().lines().filter(|line| line.contains(part)).nth(times - 1).map(str::to_owned)
        };
        eventually(line).unwrap_or_else(|| panic!("no `{part}` in\n{}", logged()))
    }

    /// Asks it to end, and waits for that.
    pub fn end(mut self) -> Ended {
        let started = self.started.take().expect("it ends once");
        started.signal(Signal::SIGTERM);
        started.end()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            // Where even that cannot be written, nothing is left to be said.
            let _ = writeln!(std::io::stderr(), "--- log of {}\n{log}---", self.log.display());
        }
    }
}

impl Day {
    pub fn new() -> Self {
        let world = World::new();
        let owner = init(&world);
        let served = Served::start(&world);
        Self { world, served, owner }
    }

    /// Who has this token.
    pub fn with<'d>(&'d self, token: &'d str) -> Caller<'d> {
        Caller { world: &self.world, store: self.served.url(), token }
    }

    pub fn owner(&self) -> Caller<'_> {
        self.with(&self.owner)
    }

    /// Adds a member, and gives the token that is printed.
    pub fn member(&self, email: &str, options: &[&str]) -> String {
        self.owner().issued(&[&["member", "add", email], options].concat())
    }

    /// A workload's token.
    pub fn token(&self, workload: &str, options: &[&str]) -> String {
        self.owner().issued(&[&["token", "create", "--workload", workload], options].concat())
    }
}

/// Prepares the world's data, and gives the owner's token.
pub fn init(world: &World) -> String {
    let words = ["store", "init", "--org", "acme", "--owner", "alice@acme.com"];
    alone(&world.inject(words).run())
}

/// What is alone on standard output.
#[track_caller]
fn alone(ended: &Ended) -> String {
    let out = ended.code(0).out();
    assert!(out.ends_with('\n') && out.lines().count() == 1, "{}", ended.whole());
    out.trim_end().to_owned()
}

impl<'d> Caller<'d> {
    /// The same one at another address.
    pub fn at(self, store: &'d str) -> Self {
        Self { store, ..self }
    }

    /// `inject WORD…` with this token.
    pub fn inject(&self, words: &[&str]) -> Run<'d> {
        self.known(self.world.inject(words))
    }

    /// A launch of `probe print` with these options and this token.
    pub fn launch(&self, options: &[&str]) -> Run<'d> {
        self.known(self.world.launch(options))
    }

    fn known(&self, run: Run<'d>) -> Run<'d> {
        let run = run.env("INJECT_STORE", self.store).env("INJECT_ORG", "acme");
        run.env("INJECT_TOKEN", self.token)
    }

    /// Runs it with its exit code, and gives what it printed.
    #[track_caller]
    pub fn does(&self, code: i32, words: &[&str]) -> Ended {
        let ended = self.inject(words).run();
        ended.code(code);
        ended
    }

    /// What `inject WORD…` prints as a list.
    #[track_caller]
    pub fn list(&self, words: &[&str]) -> String {
        self.does(0, words).out()
    }

    /// What a list has as JSON.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> serde_json::Value {
        let ended = self.does(0, &[words, &["--json"]].concat());
        serde_json::from_slice(&ended.stdout).expect("JSON")
    }

    /// The one token that a command prints.
    #[track_caller]
    pub fn issued(&self, words: &[&str]) -> String {
        alone(&self.inject(words).run())
    }

    #[track_caller]
    pub fn set(&self, name: &str, value: &str) {
        self.inject(&["secret", "set", name]).stdin(value).run().code(0);
    }

    /// What a launch that exports one secret gets, or how it ended.
    pub fn value(&self, name: &str) -> Result<String, i32> {
        let ended = self.launch(&["--export", name]).run();
        if ended.exit() == 0 { Ok(ended.seen().text(name).to_owned()) } else { Err(ended.exit()) }
    }
}
