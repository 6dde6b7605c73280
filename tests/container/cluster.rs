//! As much of a cluster as podman is: contrib/'s store on a network, and what its applications need
//! before they are played.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::Podman;
use crate::harness::probe;

const KUBERNETES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/kubernetes");
const PODS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/container/pods.py");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/manifests/bin/python");
/// The container of the store's pod.
pub const STORE: &str = "inject-store-0-store";

pub struct Cluster {
    pub podman: Podman,
    /// The store as pods are given it: by its pod's name, with its pin.
    pub store: String,
}

impl Cluster {
    /// With the store of store-init.yaml and store.yaml, its organization `acme`, and the images
    /// that stand for the manifests' placeholders.
    pub fn new() -> Self {
        let podman = Podman::with_network();
        let file = "FROM scratch\nCOPY / /\n";
        podman.image("billing", file, &[(probe(), "app/server"), (probe(), "app/migrate")]);
        let mut cluster = Self { podman, store: String::new() };
        cluster.secret("inject-master-key", "inject-master-key", &master_key());
        cluster.play("store-init.yaml", &[]);
        assert_eq!(cluster.podman.ends("inject-store-init-init"), 0);
        assert!(cluster.podman.logs("inject-store-init-init").contains("inj_m_"));
        cluster.podman.works(&["pod", "rm", "--force", "--time=0", "inject-store-init"]);
        cluster.play("store.yaml", &[]);
        let logs = cluster.podman.says(STORE, "INJECT_STORE=");
        let line = logs.lines().find_map(|line| line.strip_prefix("INJECT_STORE="));
        cluster.store = line.expect("it was waited for").to_owned();
        assert!(cluster.store.starts_with("https://inject-store-0:7410#sha256-"));
        let data = json!({ "INJECT_STORE": cluster.store, "INJECT_ORG": "acme" });
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "inject" },
            "data": data });
        cluster.podman.world.write("inject.yaml", map.to_string());
        cluster
    }

    /// A Secret with one file.
    pub fn secret(&self, name: &str, file: &str, value: &str) {
        // podman 4.3 takes what stands under `data` as it is.
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
            "data": { file: value } });
        let path = self.podman.world.write(&format!("{name}.yaml"), secret.to_string());
        self.podman.works(&["secret", "create", name, text(&path)]);
    }

    /// A workload's token for these names, as the Secret that its manifest mounts.
    pub fn token(&self, workload: &str, names: &str) {
        let create = ["token", "create", "--workload", workload, "--names", names];
        let token = self.inject(&create, "");
        self.secret(&format!("{workload}-inject-token"), "token", token.trim_end());
    }

    pub fn set(&self, name: &str, value: &str) {
        self.inject(&["secret", "set", name], value);
    }

    /// `inject WORD…` in the store's own container, as its operator: what `kubectl exec` does.
    pub fn inject(&self, words: &[&str], stdin: &str) -> String {
        let exec = ["exec", "--interactive", "--env=INJECT_ORG=acme", STORE, "inject"];
        let mut command = self.podman.command(&[&exec[..], words].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("podman is needed: tests/run installs it");
        let mut input = child.stdin.take().expect("it is a pipe");
        input.write_all(stdin.as_bytes()).expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "inject {words:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// Plays a manifest of contrib/kubernetes with its placeholders filled; applications get these
    /// arguments in place of their own.
    #[track_caller]
    pub fn play(&self, manifest: &str, args: &[(&str, &[&str])]) {
        let args: serde_json::Map<_, _> =
            args.iter().map(|(name, args)| ((*name).to_owned(), json!(args))).collect();
        let fill = json!({ "args": args, "images": {
            "registry.example.com/inject:0.1.0": "localhost/app",
            "registry.example.com/billing:1.0": "localhost/billing",
            "docker.io/nginxinc/nginx-unprivileged:1.29": "localhost/nginx",
        }});
        let manifest = Path::new(KUBERNETES).join(manifest);
        let output = Command::new(PYTHON)
            .args([PODS, text(&manifest), &fill.to_string()])
            .output()
            .expect("Python and its packages are needed: tests/run installs them");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // podman takes a folder with an image's name for a build context.
        let pods = self.podman.world.write("manifests/played.yaml", output.stdout);
        let map = self.podman.world.text("inject.yaml");
        let network = format!("--network={}", self.podman.network);
        let play = ["kube", "play", &network];
        let maps = format!("--configmap={map}");
        let maps = if fs::exists(&map).is_ok_and(|is| is) { &[maps.as_str()][..] } else { &[] };
        self.podman.works(&[&play[..], maps, &[text(&pods)]].concat());
    }

    /// Removes a pod, and what podman made of these ConfigMaps.
    pub fn clear(&self, pod: &str, maps: &[&str]) {
        self.podman.works(&["pod", "rm", "--force", "--time=0", pod]);
        for map in maps {
            self.podman.works(&["volume", "rm", map]);
        }
    }
}

fn master_key() -> String {
    let output = Command::new("openssl").args(["rand", "-base64", "32"]).output();
    let output = output.expect("openssl(1) is needed: tests/run installs it");
    String::from_utf8(output.stdout).expect("base64").trim_end().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths are UTF-8")
}

/// The files that a dynamic program needs, at the paths where it looks for them.
pub fn with_libraries(program: &Path) -> Vec<(PathBuf, String)> {
    let output = Command::new("ldd").arg(program).output().expect("ldd(1) is there");
    let listed = String::from_utf8(output.stdout).expect("paths in UTF-8");
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    let paths = paths.map(PathBuf::from).chain([program.to_owned()]);
    paths
        .map(|path| {
            let inside = path.strip_prefix("/").expect("it is absolute").display().to_string();
            (path, inside)
        })
        .collect()
}
