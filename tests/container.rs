//! The binary as the only file of an image: as its entrypoint, process 1, with nothing around it.
//! Images are built by podman from what is already built here: none is pulled.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::harness::{INJECT, World, eventually, needs_root, probe};
use crate::scripted_store::{Answer, ScriptedStore, secrets};

/// podman with its storage, its settings and its images in this world alone.
struct Podman {
    world: World,
}

impl Podman {
    /// With an image `app`: the launcher as entrypoint, and the probe.
    fn new() -> Self {
        needs_root();
        let podman = Self { world: World::new() };
        let world = &podman.world;
        // crun is refused by some kernels, and limits above the host's own fail.
        let config = "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n\
            events_logger = \"file\"\n[containers]\n\
            default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        world.write("containers.conf", config);
        fs::create_dir(world.path("image")).expect("a fresh directory");
        for (from, to) in [(INJECT.into(), "inject"), (probe().to_owned(), "probe")] {
            let from: PathBuf = from;
            fs::copy(from, world.path("image").join(to)).expect("it was built");
        }
        let file = "FROM scratch\nCOPY inject probe /bin/\nENV PATH=/bin\nUSER 65532:65532\n\
            ENTRYPOINT [\"inject\", \"--\"]\nCMD [\"probe\", \"print\"]\n";
        world.write("image/Containerfile", file);
        let image = world.text("image");
        podman.works(&["build", "--quiet", "--network=none", "-t", "app", &image]);
        podman
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command
            .args(["--root", &self.world.text("storage")])
            .args(["--runroot", &self.world.text("run"), "--storage-driver=vfs"])
            .args(args)
            .env("CONTAINERS_CONF", self.world.path("containers.conf"));
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("podman is needed: tests/run installs it")
    }

    #[track_caller]
    fn works(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {args:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).expect("podman prints text")
    }

    /// A container of the image, with the store's socket in it, and no network.
    fn run(&self, more: &[&str]) -> Vec<String> {
        let socket = format!("{}:/sock", self.world.text("sock"));
        let words = ["run", "--network=none", "--volume", &socket];
        let settings = ["--env", "INJECT_STORE=unix:/sock/store", "--env", "INJECT_ORG=acme"];
        let all = words.iter().chain(&settings).chain(more);
        all.map(|word| (*word).to_owned()).collect()
    }

    /// A store whose socket the container's user may open.
    fn store(&self, answer: Answer) -> ScriptedStore {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir(self.world.path("sock")).expect("a fresh directory");
        let path = self.world.path("sock/store");
        let store = ScriptedStore::unix(&path, [answer]);
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(&path, open.clone()).expect("it is ours");
        fs::set_permissions(self.world.path("sock"), open).expect("it is ours");
        store
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Its layers are mounts below the world, which could not be removed with them.
        self.output(&["rm", "--all", "--force", "--time", "0"]);
        self.output(&["rmi", "--all", "--force"]);
    }
}

#[test]
fn the_entrypoint_of_an_image_that_holds_nothing_else() {
    let podman = Podman::new();
    let store = podman.store(secrets([("DB_PASSWORD_PROD", "from the store")]));
    let words = podman.run(&["--rm", "--env", "DB=x $DB_PASSWORD_PROD", "app"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let printed = podman.works(&words);
    let entries: Vec<&str> = printed.split('\0').collect();
    assert_eq!(entries[..3], ["probe", "print", ""], "argv as typed");
    assert!(entries.contains(&"DB=x from the store"), "{entries:?}");
    assert!(!entries.iter().any(|entry| entry.starts_with("INJECT_")), "{entries:?}");
    store.only_request();
}

#[test]
fn the_program_is_process_1_and_ends_as_it_ends() {
    let podman = Podman::new();
    let _store = podman.store(secrets([("A_KEY", "x")]));
    let words =
        podman.run(&["--detach", "--name", "one", "--env", "A=$A_KEY", "app", "probe", "wait"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    podman.works(&words);
    let logs = || Some(podman.works(&["logs", "one"])).filter(|logs| logs.contains("ready"));
    assert_eq!(eventually(logs).expect("it starts"), "ready 1\n");
    podman.works(&["kill", "--signal", "KILL", "one"]);
    assert_eq!(podman.works(&["wait", "one"]).trim(), "137");
}

#[test]
fn a_container_that_waits_for_its_store_ends_at_sigterm() {
    let podman = Podman::new();
    let store = podman.store(Answer::Hang);
    let words = podman.run(&["--detach", "--name", "one", "--env", "A=$A_KEY", "app"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    podman.works(&words);
    store.arrival();
    podman.works(&["kill", "--signal", "TERM", "one"]);
    assert_eq!(podman.works(&["wait", "one"]).trim(), "143");
}
