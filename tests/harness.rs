//! Runs the real binary in a situation that is known to the last byte: environment, descriptors,
//! signals, limits, directory. It judges nothing beyond exit codes, and never waits without an end.

mod probe;
mod seen;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub use probe::probe;
pub use seen::Seen;
pub use terminal::Terminal;

/// The binary under test.
pub const INJECT: &str = env!("CARGO_BIN_EXE_inject");
/// How long anything may take before it counts as hanging; far over what a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A fresh directory with a home, a working directory and room for a store.
pub struct World {
    dir: TempDir,
    runs: AtomicU32,
}

/// A command that is being described.
pub struct Run<'w> {
    world: &'w World,
    command: Vec<OsString>,
    entries: Vec<Vec<u8>>,
    situation: Vec<OsString>,
    within: Vec<OsString>,
    streams: String,
    stdin: Vec<u8>,
}

/// A command that runs.
pub struct Started {
    child: Child,
    shown: String,
    streams: PathBuf,
    dir: PathBuf,
}

/// A command that has ended, and all that it left.
pub struct Ended {
    pub pid: u32,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    shown: String,
    dir: PathBuf,
}

impl World {
    pub fn new() -> Self {
        let dir =
            TempDir::with_prefix("inject-test-").expect("the temporary directory is writable");
        for part in ["home", "work"] {
            fs::create_dir(dir.path().join(part)).expect("a fresh directory is writable");
        }
        Self { dir, runs: AtomicU32::new(0) }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub fn text(&self, relative: &str) -> String {
        self.path(relative).into_os_string().into_string().expect("temporary paths are UTF-8")
    }

    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a path below the world")).expect("a directory");
        fs::write(&path, bytes).expect("the world is writable");
        path
    }

    /// Writes a file that is to be executed. Another process writes it: a descriptor of this one,
    /// open for writing, would leak into what other threads start, and the file be busy.
    pub fn script(&self, relative: &str, body: &str, mode: &str) -> PathBuf {
        let source = self.write(&format!("{relative}.source"), body);
        let path = self.path(relative);
        let status = Command::new("/usr/bin/install")
            .args(["-m", mode, "-D"])
            .args([&source, &path])
            .status()
            .expect("install(1) of coreutils is there");
        assert!(status.success(), "installing {}", path.display());
        path
    }

    /// `inject ARG…`, with the data directory of this world.
    pub fn inject<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run<'_> {
        self.command(INJECT, args)
    }

    /// `inject OPTION… -- probe print`: what a program gets; see [`Ended::seen`].
    pub fn launch<A: AsRef<OsStr>>(&self, options: impl IntoIterator<Item = A>) -> Run<'_> {
        let options = options.into_iter().map(|option| option.as_ref().to_owned());
        let program = ["--".into(), probe().as_os_str().to_owned(), "print".into()];
        self.inject(options.chain(program))
    }

    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Run<'_> {
        let mut command = vec![program.as_ref().to_owned()];
        command.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        let entries = [
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            format!("HOME={}", self.text("home")),
            format!("INJECT_DATA={}", self.text("data")),
            "TZ=UTC".to_owned(),
        ];
        Run {
            world: self,
            command,
            entries: entries.map(String::into_bytes).to_vec(),
            situation: vec!["--directory".into(), self.path("work").into()],
            within: Vec::new(),
            streams: format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed)),
            stdin: Vec::new(),
        }
    }

    /// `inject secret set NAME`, which must succeed.
    pub fn set(&self, name: &str, value: impl AsRef<[u8]>) {
        self.inject(["secret", "set", name]).stdin(value).run().code(0);
    }
}

impl Run<'_> {
    /// Sets one variable, in place of one of that name.
    pub fn env(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut entry = format!("{name}=").into_bytes();
        entry.extend_from_slice(value.as_ref());
        self.unset(name).entry(entry)
    }

    pub fn unset(mut self, name: &str) -> Self {
        let start = format!("{name}=").into_bytes();
        self.entries.retain(|entry| !entry.starts_with(&start));
        self
    }

    /// Appends an entry as it is, whether or not it looks like a variable.
    pub fn entry(mut self, entry: impl Into<Vec<u8>>) -> Self {
        self.entries.push(entry.into());
        self
    }

    /// Exactly these entries and no others.
    pub fn entries(mut self, entries: Vec<Vec<u8>>) -> Self {
        self.entries = entries;
        self
    }

    /// Options of `probe start`, which arrange what the command finds.
    pub fn situation<A: AsRef<OsStr>>(mut self, options: impl IntoIterator<Item = A>) -> Self {
        self.situation.extend(options.into_iter().map(|option| option.as_ref().to_owned()));
        self
    }

    /// A program and its arguments around all of it, such as `unshare -m`.
    pub fn within<A: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Self {
        self.within.extend(wrapper.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// A mount namespace of its own, in which a shell has done `setup` first.
    pub fn with_mounts(self, setup: &str) -> Self {
        let script = format!("set -e; {setup}; exec \"$@\"");
        self.within(["unshare", "--mount", "sh", "-c", &script, "sh"])
    }

    /// The name of the files that are standard input, output and error.
    pub fn streams(mut self, name: &str) -> Self {
        self.streams = name.to_owned();
        self
    }

    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    pub fn run(self) -> Ended {
        self.start().end()
    }

    pub fn start(self) -> Started {
        let streams = self.world.path(&self.streams);
        let stdin = self.world.write(&format!("{}.in", self.streams), &self.stdin);
        let mut entries = Vec::new();
        for entry in &self.entries {
            entries.extend_from_slice(entry);
            entries.push(0);
        }
        let environment = self.world.write(&format!("{}.env", self.streams), entries);
        let mut words = self.within.clone();
        words.extend([probe().into(), "start".into()]);
        words.extend(["--environment".into(), environment.into()]);
        words.extend(self.situation.iter().cloned());
        words.push("--".into());
        words.extend(self.command.iter().cloned());
        let output = |end| File::create(streams.with_extension(end)).expect("a fresh file");
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(File::open(stdin).expect("just written"))
            .stdout(output("out"))
            .stderr(output("err"))
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", words[0].display()));
        Started { child, shown: self.shown(), streams, dir: self.world.dir.path().to_owned() }
    }

    fn shown(&self) -> String {
        let words = self.within.iter().chain(&self.command);
        let command: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let entries: Vec<_> = self.entries.iter().map(|e| String::from_utf8_lossy(e)).collect();
        format!(
            "command: {}\nsituation: {:?}\nenvironment: {entries:?}\ndirectory: {}",
            command.join(" "),
            self.situation,
            self.world.path("work").display()
        )
    }
}

impl Started {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let sent = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
        assert!(matches!(sent, Ok(()) | Err(nix::errno::Errno::ESRCH)), "{sent:?}");
    }

    /// Waits until it has printed something, and gives what that is.
    pub fn printed(&mut self) -> Vec<u8> {
        let file = self.streams.with_extension("out");
        let printed = || {
            let ended = self.child.try_wait().expect("a child can be waited for").is_some();
            let out = fs::read(&file).expect("made at the start");
            (ended || !out.is_empty()).then_some(out)
        };
        eventually(printed).expect("it prints or ends before the deadline")
    }

    /// Waits for the end, and fails if there is none.
    pub fn end(mut self) -> Ended {
        let child = &mut self.child;
        let status = eventually(|| child.try_wait().expect("a child can be waited for"));
        let in_time = status.is_some();
        let status = status.unwrap_or_else(|| {
            child.kill().expect("it still runs");
            child.wait().expect("it was killed")
        });
        let read = |end| fs::read(self.streams.with_extension(end)).expect("made at the start");
        let ended = Ended {
            pid: self.child.id(),
            status,
            stdout: read("out"),
            stderr: read("err"),
            shown: self.shown.clone(),
            dir: self.dir.clone(),
        };
        assert!(in_time, "it did not end within {DEADLINE:?}\n{}", ended.whole());
        ended
    }
}

/// A test that fails in between leaves nothing running.
impl Drop for Started {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// Fails unless the exit code is this one (128+n for a signal's).
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        let code = self.exit();
        assert!(code == expected, "exit {code}, expected {expected}\n{}", self.whole());
        self
    }

    /// The exit code; minus the signal's number if a signal ended it.
    pub fn exit(&self) -> i32 {
        self.status.code().unwrap_or_else(|| -self.status.signal().expect("ended by one or other"))
    }

    pub fn out(&self) -> String {
        self.filtered(&self.stdout)
    }

    pub fn err(&self) -> String {
        self.filtered(&self.stderr)
    }

    /// Exit code and both streams as one text, for a snapshot.
    pub fn report(&self) -> String {
        let part = |title, text: String| match text.is_empty() {
            true => String::new(),
            false => format!("--- {title}\n{text}"),
        };
        let streams = part("stdout", self.out()) + &part("stderr", self.err());
        format!("exit {}\n{streams}", self.exit())
    }

    /// What `probe print` printed, once it was started.
    #[track_caller]
    pub fn seen(&self) -> Seen {
        self.code(0);
        // The arguments come first, and end with an empty one.
        let parts = self.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        let mut entries: Vec<_> = parts.skip_while(|part| !part.is_empty()).skip(1).collect();
        assert!(entries.pop().is_some_and(|last| last.is_empty()), "{}", self.whole());
        Seen { entries }
    }

    /// Everything, for a message.
    pub fn whole(&self) -> String {
        format!(
            "{}\nstatus: {}\n--- stdout\n{}--- stderr\n{}---",
            self.shown,
            self.status,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        )
    }

    /// What differs from run to run is replaced: this world's directory, the binaries, times.
    fn filtered(&self, bytes: &[u8]) -> String {
        let dir = self.dir.to_str().expect("temporary paths are UTF-8");
        let probe = probe().to_str().expect("the target directory is UTF-8");
        let text = String::from_utf8_lossy(bytes).replace(dir, "[DIR]");
        seen::stable(&text.replace(INJECT, "[INJECT]").replace(probe, "probe"))
    }
}

/// Asks until there is an answer or the deadline is over. There is no event to wait on where this
/// is used: the end of a process that is not ours, the growth of a file.
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > DEADLINE {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Fails, with what is needed, unless this is root: namespaces and foreign owners need it.
pub fn needs_root() {
    let root = nix::unistd::geteuid().is_root();
    assert!(root, "these tests make namespaces and foreign files: run them as root (tests/run)");
}

/// Whether `needle` stands somewhere in `hay`.
pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(hay, needle).is_some()
}

/// Everything below a directory, with what each file holds.
pub fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory that is there") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its type").is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), fs::read(entry.path()).unwrap_or_default()));
        }
    }
    found
}
