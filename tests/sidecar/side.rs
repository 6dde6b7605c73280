//! A sidecar that runs, and what it logs.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Ended, Run, Started, World, eventually};
use crate::serve::server::Connection;
use crate::service::served::Day;

/// What makes it process 1, in a namespace of its own.
pub const PROCESS_1: [&str; 5] = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// `inject sidecar OPTION…`; it ends when it is dropped.
pub struct Side {
    started: Started,
    log: PathBuf,
}

/// A day with two secrets, a template for each, and a workload's token.
pub struct Scene {
    pub day: Day,
    pub token: String,
}

impl Scene {
    pub fn new() -> Self {
        Self::of(Day::new())
    }

    pub fn of(day: Day) -> Self {
        day.owner().set("DB_KEY", "key-1");
        day.owner().set("DB_USER", "user-1");
        let token = day.token("web", &[]);
        day.world.write("work/key.txt", "key $DB_KEY\n");
        day.world.write("work/user.txt", "user $DB_USER\n");
        fs::create_dir(day.world.path("work/out")).expect("a fresh folder");
        Self { day, token }
    }

    pub fn world(&self) -> &World {
        &self.day.world
    }

    pub fn set(&self, name: &str, value: &str) {
        self.day.owner().set(name, value);
    }

    /// `inject sidecar OPTION…` with the workload's token, not started yet.
    pub fn describe(&self, options: &[&str]) -> Run<'_> {
        self.day.with(&self.token).inject(&[&["sidecar"], options].concat())
    }

    /// Started, and everything rendered.
    pub fn start(&self, options: &[&str]) -> Side {
        let side = Side::of(self.world(), self.describe(options), "side");
        side.logs("rendered", 1);
        side
    }

    /// What is at a path below the working directory.
    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.world().path("work").join(path)).unwrap_or_default()
    }

    /// Waits until a file has this text.
    #[track_caller]
    pub fn becomes(&self, path: &str, text: &str) {
        let same = || (self.text(path) == text).then_some(());
        eventually(same).unwrap_or_else(|| panic!("`{path}` is {:?}", self.text(path)));
    }
}

impl Side {
    pub fn of(world: &World, run: Run<'_>, name: &str) -> Self {
        let started = run.streams(name).start();
        Self { started, log: world.path(&format!("{name}.err")) }
    }

    pub fn pid(&self) -> u32 {
        self.started.pid()
    }

    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).expect("made at the start")
    }

    /// Waits until this many lines hold a part, and gives the last of them.
    #[track_caller]
    pub fn logs(&self, part: &str, times: usize) -> String {
        let line = || {
            let logged = self.logged();
            logged.lines().filter(|line| line.contains(part)).nth(times - 1).map(str::to_owned)
        };
        eventually(line).unwrap_or_else(|| panic!("no `{part}` in\n{}", self.logged()))
    }

    pub fn count(&self, part: &str) -> usize {
        self.logged().lines().filter(|line| line.contains(part)).count()
    }

    pub fn signal(&self, signal: Signal) {
        self.started.signal(signal);
    }

    /// What it answers on the first address that it said it listens on.
    pub fn get(&self, path: &str) -> (u16, String) {
        let line = self.logs(" listening address=", 1);
        let address = line.split("address=").nth(1).expect("just looked for");
        let reply = Connection::to(address).expect("it listens").get(path);
        (reply.status, reply.text())
    }

    #[track_caller]
    pub fn is_ready(&self, expected: bool) {
        let status = if expected { 200 } else { 503 };
        let ready = || Some(self.get("/readyz")).filter(|(now, _)| *now == status);
        eventually(ready).unwrap_or_else(|| panic!("{:?}\n{}", self.get("/readyz"), self.logged()));
    }

    #[track_caller]
    pub fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no `{name}` in\n{text}")).parse().expect("a number")
    }

    /// A path as this process sees it, whatever is mounted for it alone.
    pub fn sees(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").expect("paths of a world are absolute"))
    }

    pub fn wait(self) -> Ended {
        self.started.end()
    }

    /// The processes that a process has started, or inherited.
    pub fn children(of: u32) -> Vec<u32> {
        let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
        let children = children.expect("it runs");
        children.split_whitespace().map(|child| child.parse().expect("a number")).collect()
    }

    /// Its own number here, where it is process 1 of its namespace.
    pub fn process_1(&self) -> u32 {
        Self::children(self.pid())[0]
    }

    /// The same as [`Side::end`] for one that is process 1, by what its image is stopped with.
    pub fn end_process_1(self, signal: Signal) {
        let child = Pid::from_raw(self.process_1().cast_signed());
        kill(child, signal).expect("it runs");
        self.logs("ending", 1);
        self.wait().code(0);
    }

    /// Asks it to end, and waits for that.
    pub fn end(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}
