//! What befalls a sidecar and the volume that it shares with an application, in containers as they
//! are: the application's files stay the last good ones, and it is said why.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Podman;
use crate::harness::{Started, World, eventually};
use crate::serve::server::Connection;

const SIDECAR: [&str; 5] = [
    "sidecar",
    "--render=/templates/app.txt:app.txt",
    "--into=/rendered",
    "--listen",
    "unix:/sock/health",
];

/// An application that runs, with a small volume in memory, and a store on a socket.
struct Pod {
    podman: Podman,
    _store: Started,
}

impl Pod {
    fn new() -> Self {
        let podman = Podman::new();
        let world = &podman.world;
        world.set("A_KEY", "key-1");
        fs::create_dir(world.path("sock")).expect("a fresh directory");
        let open = Permissions::from_mode(0o777);
        fs::set_permissions(world.path("sock"), open).expect("it is ours");
        world.write("templates/app.txt", "key $A_KEY\n");
        give_token(world);
        let listen = format!("unix:{}", world.text("sock/store"));
        let serve = ["store", "serve", "--listen", &listen, "--listen-mode", "0666"];
        let mut store = world.inject(serve).streams("server").start();
        assert!(!store.printed().is_empty());
        let size = "--opt=o=nr_blocks=16,mode=1777";
        let volume = ["volume", "create", "--opt=type=tmpfs", "--opt=device=tmpfs", size, "shared"];
        podman.works(&volume);
        let pod = Self { podman, _store: store };
        pod.run("application", "shared:/rendered", "probe", &["wait"]);
        pod.podman.says("application", "ready");
        pod
    }

    fn run(&self, name: &str, volume: &str, program: &str, words: &[&str]) {
        let world = &self.podman.world;
        let name = format!("--name={name}");
        let mounts = [
            format!("--volume={}:/sock", world.text("sock")),
            format!("--volume={}:/templates:ro", world.text("templates")),
            format!("--volume={volume}"),
            format!("--entrypoint={program}"),
        ];
        let settings = ["STORE=unix:/sock/store", "ORG=default", "TOKEN_FILE=/sock/token"];
        let settings = settings.map(|setting| format!("--env=INJECT_{setting}"));
        let mut all =
            vec!["run", "--detach", "--network=none", "--read-only", "--cap-drop=all", &name];
        all.extend(mounts.iter().chain(&settings).map(String::as_str));
        all.push("app");
        all.extend(words);
        self.podman.works(&all);
    }

    /// What the application finds in its volume.
    fn path(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/root/rendered", self.podman.pid("application"));
        PathBuf::from(root).join(name)
    }

    #[track_caller]
    fn becomes(&self, text: &str) {
        let read = || fs::read_to_string(self.path("app.txt")).ok().filter(|now| now == text);
        eventually(read).unwrap_or_else(|| panic!("{}", self.podman.logs("side")));
    }

    #[track_caller]
    fn is_ready(&self, expected: u16) {
        let address = format!("unix:{}", self.podman.world.text("sock/health"));
        let ready = || {
            let reply = Connection::to(&address).ok()?.get("/readyz");
            (reply.status == expected).then_some(())
        };
        eventually(ready).unwrap_or_else(|| panic!("{}", self.podman.logs("side")));
    }

    fn does(&self, words: &[&str]) {
        self.podman.world.inject(words).run().code(0);
    }
}

/// Puts a new token where the sidecar reads one.
fn give_token(world: &World) {
    let token = world.inject(["token", "create", "--workload", "web"]).run();
    let next = world.write("sock/token.next", token.code(0).out().trim_end());
    fs::set_permissions(&next, Permissions::from_mode(0o644)).expect("it is ours");
    fs::rename(next, world.path("sock/token")).expect("it is replaced");
}

fn token_id(world: &World) -> String {
    let list = world.inject(["token", "list", "--json"]).run();
    let list: serde_json::Value = serde_json::from_slice(&list.code(0).stdout).expect("JSON");
    let tokens = list["tokens"].as_array().expect("a list");
    let web = tokens.iter().find(|token| token["workload"] == "web").expect("it was made");
    web["id"].as_str().expect("a text").to_owned()
}

#[test]
fn a_volume_that_is_full_read_only_or_another_s_and_a_sidecar_that_is_killed() {
    let pod = Pod::new();
    pod.run("side", "shared:/rendered", "inject", &SIDECAR);
    pod.becomes("key key-1\n");
    pod.is_ready(200);

    let another = &SIDECAR[..3];
    pod.run("second", "shared:/rendered", "inject", another);
    assert_eq!(pod.podman.ends("second"), 74);
    let said = pod.podman.logs("second");
    assert!(said.contains("another sidecar renders into `/rendered`"), "{said}");
    pod.run("third", "shared:/rendered:ro", "inject", another);
    assert_eq!(pod.podman.ends("third"), 74, "{}", pod.podman.logs("third"));

    let filled = fs::write(pod.path("ballast"), vec![0; 128 << 10]);
    assert!(filled.is_err(), "it is a small one");
    pod.podman.world.set("A_KEY", "key-2");
    let said = pod.podman.says("side", "not_rendered");
    assert!(said.contains("No space left on device"), "{said}");
    pod.is_ready(503);
    pod.becomes("key key-1\n");
    fs::remove_file(pod.path("ballast")).expect("it was made");
    pod.becomes("key key-2\n");
    pod.is_ready(200);

    pod.podman.works(&["kill", "--signal=KILL", "side"]);
    assert_eq!(pod.podman.ends("side"), 137);
    pod.becomes("key key-2\n");
    pod.podman.world.set("A_KEY", "key-3");
    pod.podman.works(&["start", "side"]);
    pod.becomes("key key-3\n");
    pod.is_ready(200);
    pod.podman.works(&["stop", "--time=600", "side"]);
    assert_eq!(pod.podman.ends("side"), 0);
    pod.becomes("key key-3\n");
}

#[test]
fn a_secret_that_is_deleted_and_a_token_that_is_revoked() {
    let pod = Pod::new();
    pod.run("side", "shared:/rendered", "inject", &SIDECAR);
    pod.becomes("key key-1\n");
    pod.does(&["secret", "rm", "A_KEY", "--yes"]);
    let said = pod.podman.says("side", "secret_missing");
    assert!(said.contains("`A_KEY` is missing"), "{said}");
    pod.is_ready(503);
    pod.becomes("key key-1\n");
    pod.podman.world.set("A_KEY", "key-2");
    pod.becomes("key key-2\n");
    pod.is_ready(200);

    pod.does(&["token", "revoke", &token_id(&pod.podman.world)]);
    let said = pod.podman.says("side", " refused ");
    assert!(said.contains("does not accept the token"), "{said}");
    pod.is_ready(503);
    pod.becomes("key key-2\n");
    give_token(&pod.podman.world);
    pod.podman.world.set("A_KEY", "key-3");
    pod.becomes("key key-3\n");
    pod.is_ready(200);
    let said = pod.podman.logs("side");
    assert!(!said.contains("key-") && !said.contains("inj_w_"), "{said}");
}
