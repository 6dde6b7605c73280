//! A server under test, and what is true of every delivery: the right owner and mode, nothing on a
//! disk that should not be there, nothing at all where a reference is missing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::{Ended, Run, Started, World, contains, eventually, files, needs_root};

/// Debian's user `nobody` and group `nogroup`, who own nothing.
pub const NOBODY: u32 = 65534;

/// A server that answers. It is this very process that was `inject`.
pub struct Server {
    started: Option<Started>,
    /// Where its standard error goes.
    log: PathBuf,
}

impl Server {
    /// Waits until it is ready, and fails with all it said if it ends before.
    #[track_caller]
    pub fn start(world: &World, run: Run<'_>, ready: impl Fn() -> bool) -> Self {
        let started = run.streams("server").start();
        let mut server = Self { started: Some(started), log: world.path("server.err") };
        let up = eventually(|| (ready() || server.has_ended()).then(&ready));
        if up != Some(true) {
            server.interrupt();
            let started = server.started.take().expect("it is taken at its end alone");
            panic!("it did not become ready\n{}", started.end().whole());
        }
        server
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("made at the start")
    }

    pub fn signal(&self, signal: Signal) {
        self.started.as_ref().expect("it is taken at its end alone").signal(signal);
    }

    /// Ends it in its own way: all three servers take SIGINT as a request to go at once, in order.
    #[track_caller]
    pub fn stop(mut self) -> Ended {
        self.interrupt();
        let ended = self.started.take().expect("it is taken at its end alone").end();
        ended.code(0);
        ended
    }

    /// That there is a memory file at this descriptor, for its owner alone, that nobody can change;
    /// and that nothing of its secret is in the environment.
    #[track_caller]
    pub fn holds_in_memory(&self, number: u32, owner: u32, secret: &str) {
        let proc = PathBuf::from(format!("/proc/{}", self.pid()));
        let path = proc.join(format!("fd/{number}"));
        let target = fs::read_link(&path).expect("the descriptor is open");
        assert!(target.starts_with("/memfd:inject (deleted)"), "{}", target.display());
        assert_eq!(mode_and_owner(&path), (0o400, owner, owner));
        assert!(contains(&fs::read(&path).expect("root reads it"), secret.as_bytes()));
        // Root may open it for writing; the seal is what refuses (fcntl(2), "File Sealing").
        let mut file = OpenOptions::new().write(true).open(&path).expect("root opens it");
        let error = file.write_all(b"x").expect_err("it is sealed");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let environment = fs::read(proc.join("environ")).expect("root reads it");
        assert!(!contains(&environment, secret.as_bytes()));
    }

    fn pid(&self) -> u32 {
        self.started.as_ref().expect("it is taken at its end alone").pid()
    }

    fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    /// Whether it waits to be reaped (proc_pid_stat(5): the state follows the name in parentheses).
    fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        let stat = stat.expect("it is not reaped yet");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
    }
}

/// A test that fails leaves no worker behind: a server that is killed could not end its own.
impl Drop for Server {
    fn drop(&mut self) {
        if self.started.is_some() {
            self.interrupt();
            eventually(|| self.has_ended().then_some(()));
        }
    }
}

/// A world that `nobody` may look into, with these secrets.
pub fn world(secrets: &[(&str, &str)]) -> World {
    needs_root();
    let world = World::new();
    for (name, value) in secrets {
        world.set(name, value);
    }
    fs::set_permissions(world.path(""), Permissions::from_mode(0o755)).expect("it is ours");
    world
}

/// Writes templates into the working directory. `[WORK]` in them is its path.
pub fn templates(world: &World, texts: &[(&str, &str)]) {
    for (name, text) in texts {
        world.write(&format!("work/{name}"), text.replace("[WORK]", &world.text("work")));
    }
}

/// All that is there is from now on `nobody`'s, the store included, so that a launch can be theirs.
pub fn give_to_nobody(world: &World) {
    let status = Command::new("chown")
        .args(["-R", &format!("{NOBODY}:{NOBODY}")])
        .arg(world.path(""))
        .status()
        .expect("chown(1) of coreutils is there");
    assert!(status.success(), "giving the world to nobody: {status}");
}

pub fn mode_and_owner(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

/// That the secret lies in these files of the working directory and in no others, that nothing
/// staged is left beside them, and that the server did not say it.
#[track_caller]
pub fn lies_only_in(world: &World, outputs: &[&str], secret: &str, ended: &Ended) {
    let work = world.path("work");
    for (path, bytes) in files(&work) {
        let name = path.strip_prefix(&work).expect("it is below").to_string_lossy().into_owned();
        let expected = outputs.contains(&&*name);
        assert_eq!(contains(&bytes, secret.as_bytes()), expected, "{name}\n{}", ended.whole());
        let staged = name.rsplit('/').next().is_some_and(|last| last.starts_with('.'));
        assert!(!staged, "{name} is left\n{}", ended.whole());
    }
    for stream in [&ended.stdout, &ended.stderr] {
        assert!(!contains(stream, secret.as_bytes()), "{}", ended.whole());
    }
}

/// That a launch with a missing reference changes nothing: no file is written or left, and no
/// server has been there.
#[track_caller]
pub fn is_refused(world: &World, run: Run<'_>) {
    let before = files(&world.path("work"));
    let ended = run.run();
    ended.code(78);
    assert!(ended.err().contains("was not started"), "{}", ended.whole());
    let after = files(&world.path("work"));
    assert!(before == after, "{after:?}\n{}", ended.whole());
    assert_eq!(ended.out(), "", "{}", ended.whole());
}
