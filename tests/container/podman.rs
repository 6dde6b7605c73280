//! podman with its storage, its settings, its networks and its images in a world of its own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{DEADLINE, INJECT, World, eventually, needs_root, probe};

pub struct Podman {
    pub world: World,
    /// Of its own, for networks of one name are one to podman's name server, whoever made them.
    pub network: String,
    /// Held by who makes networks: another process would be given the same bridge at the same time.
    _bridges: Option<File>,
}

impl Podman {
    /// With an image `app`: the launcher as entrypoint, and the probe.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// The same, with a network on which containers find each other by name.
    pub fn with_network() -> Self {
        let lock = File::create(std::env::temp_dir().join("inject-test-bridges.lock"));
        let lock = lock.expect("the temporary directory is writable");
        lock.lock().expect("a lock can be waited for");
        let podman = Self::with(Some(lock));
        podman.works(&["network", "create", "--subnet=10.89.77.0/24", &podman.network]);
        podman
    }

    fn with(bridges: Option<File>) -> Self {
        needs_root();
        let network = format!("inject-{}", std::process::id());
        let podman = Self { world: World::new(), network, _bridges: bridges };
        let world = &podman.world;
        // crun is refused by some kernels, and limits above the host's own fail.
        let config = format!(
            "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n\
             events_logger = \"file\"\n[network]\nnetwork_config_dir = \"{}\"\n[containers]\n\
             default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n",
            world.text("networks")
        );
        world.write("containers.conf", config);
        let inject = stripped(world);
        let file = "FROM scratch\nCOPY / /\nENV PATH=/bin\nUSER 65532:65532\n\
            ENTRYPOINT [\"inject\", \"--\"]\nCMD [\"probe\", \"print\"]\n";
        podman.image("app", file, &[(&inject, "bin/inject"), (probe(), "bin/probe")]);
        podman
    }

    /// Builds an image of these files, which `COPY / /` in its Containerfile means.
    pub fn image(&self, name: &str, containerfile: &str, files: &[(&Path, &str)]) {
        let context = self.world.path(&format!("{name}.image"));
        for (from, to) in files {
            let to = context.join("root").join(to);
            fs::create_dir_all(to.parent().expect("below the context")).expect("a directory");
            fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
        let containerfile = containerfile.replace("COPY / /", "COPY root/ /");
        fs::write(context.join("Containerfile"), containerfile).expect("a fresh directory");
        let context = context.to_str().expect("temporary paths are UTF-8");
        self.works(&["build", "--quiet", "--network=none", "-t", name, context]);
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command
            .args(["--root", &self.world.text("storage")])
            .args(["--runroot", &self.world.text("run"), "--storage-driver=vfs"])
            .args(args)
            .stdin(Stdio::null())
            .env("CONTAINERS_CONF", self.world.path("containers.conf"));
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("podman is needed: tests/run installs it")
    }

    /// What it prints on standard output; it must succeed.
    #[track_caller]
    pub fn works(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {args:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).expect("podman prints text")
    }

    /// All that a container printed, both streams.
    pub fn logs(&self, container: &str) -> String {
        let output = self.output(&["logs", container]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&output.stdout) + &text(&output.stderr)
    }

    /// Waits until a container has printed this, and gives all that it had printed by then.
    #[track_caller]
    pub fn says(&self, container: &str, part: &str) -> String {
        // What follows ends with the container, which may be started again.
        let said = || Some(self.follow(container, part)).filter(|said| said.contains(part));
        eventually(said).unwrap_or_else(|| {
            let all = self.works(&["ps", "--all"]);
            panic!("no `{part}` in\n{}\n{all}", self.logs(container))
        })
    }

    /// What a container prints up to this part, or to its end.
    fn follow(&self, container: &str, part: &str) -> String {
        let logs = self.command(&["logs", "--follow", container]);
        let seconds = DEADLINE.as_secs().to_string();
        let mut command = Command::new("timeout");
        // Both streams are one.
        command.args([&seconds, "sh", "-c", "exec \"$@\" 2>&1", "sh"]);
        command.arg(logs.get_program()).args(logs.get_args()).stdin(Stdio::null());
        command.env("CONTAINERS_CONF", self.world.path("containers.conf"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("timeout(1) is there");
        let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut said = String::new();
        for line in output.split(b'\n').map_while(Result::ok) {
            said.push_str(&String::from_utf8_lossy(&line));
            said.push('\n');
            if said.contains(part) {
                break;
            }
        }
        // It follows for as long as the container runs.
        let pid = Pid::from_raw(child.id().cast_signed());
        let _ = kill(pid, Signal::SIGTERM);
        child.wait().expect("it was started");
        said
    }

    /// The host's number of a container's process 1.
    pub fn pid(&self, container: &str) -> u32 {
        let pid = self.works(&["inspect", "--format={{.State.Pid}}", container]);
        pid.trim().parse().expect("a number")
    }

    /// What a container ends with.
    #[track_caller]
    pub fn ends(&self, container: &str) -> i32 {
        self.works(&["wait", container]).trim().parse().expect("a number")
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Its layers are mounted below the world, which could not be removed with them.
        for words in [
            &["pod", "rm", "--all", "--force", "--time=0"][..],
            &["rm", "--all", "--force", "--time=0"],
            &["network", "rm", "--force", &self.network],
            &["volume", "rm", "--all", "--force"],
            &["rmi", "--all", "--force"],
        ] {
            self.output(words);
        }
    }
}

/// The binary without what debuggers read: each container has a copy of it.
fn stripped(world: &World) -> PathBuf {
    let path = world.path("inject");
    let status = Command::new("strip").arg("-o").arg(&path).arg(INJECT).status();
    assert!(status.expect("strip(1) of binutils is there").success());
    path
}
