//! What contrib/kubernetes has, played by podman: an application that was never changed, rendered
//! files and their rotation, launchers without a token, Jobs, and the store itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::cluster::{Cluster, STORE, with_libraries};
use crate::harness::{DEADLINE, eventually};

const URL: &str = "DATABASE_URL=postgres://app:hunter2@db/billing";
const NGINX: &str = "gate-pod-0-nginx";

/// One cluster for three manifests: each is cleared away before the next one is played.
#[test]
fn applications_that_were_never_changed_start_through_the_installed_binary() {
    let cluster = Cluster::new();
    cluster.set("DB_PASSWORD_PROD", "hunter2");
    cluster.token("billing", "DB_*");
    with_a_token(&cluster);
    cluster.clear("billing-pod-0", &[]);
    with_a_proxy(&cluster);
    cluster.clear("billing", &[]);
    as_a_job(&cluster);
}

/// Over contrib's store, which is found by its pod's name.
fn with_a_token(cluster: &Cluster) {
    cluster.play("entrypoint.yaml", &[("billing", &["/app/server", "print"])]);
    let printed = cluster.podman.says("billing-pod-0-billing", URL);
    assert!(!printed.contains("INJECT_"), "{printed}");
    let trail = cluster.inject(&["audit", "list", "--workload", "billing", "--json"], "");
    assert!(trail.contains("\"resolve\""), "{trail}");
}

/// The launcher holds no token.
fn with_a_proxy(cluster: &Cluster) {
    cluster.play("proxy.yaml", &[("billing", &["/app/server", "print"])]);
    assert_eq!(cluster.podman.ends("billing-billing"), 0);
    let printed = cluster.podman.logs("billing-billing");
    assert!(printed.contains(URL), "{printed}");
    let words = ["inspect", "--format={{.Config.Env}} {{.Mounts}}", "billing-billing"];
    let given = cluster.podman.works(&words);
    assert!(!given.contains("TOKEN") && !given.contains("token"), "{given}");
}

/// The kubelet ends a native sidecar once the Job's own container has; here the test does.
fn as_a_job(cluster: &Cluster) {
    cluster.play("job.yaml", &[("migrate", &["/app/migrate", "print"])]);
    assert_eq!(cluster.podman.ends("migrate-migrate"), 0);
    assert!(cluster.podman.logs("migrate-migrate").contains(URL));
    cluster.podman.works(&["stop", "--time", "600", "migrate-proxy"]);
    assert_eq!(cluster.podman.ends("migrate-proxy"), 0);
}

/// A cluster with nginx as Debian packages it, and what the gate's templates refer to.
fn gate() -> Cluster {
    let cluster = Cluster::new();
    let nginx = with_libraries(Path::new("/usr/sbin/nginx"));
    let page = cluster.podman.world.write("index.html", "members only\n");
    let mut files: Vec<(&Path, &str)> =
        nginx.iter().map(|(path, inside)| (path.as_path(), inside.as_str())).collect();
    files.push((&page, "usr/share/nginx/html/members/index.html"));
    let file = "FROM scratch\nCOPY / /\nENV PATH=/usr/sbin\n";
    cluster.podman.image("nginx", file, &files);
    cluster.set("GATE_API_KEY_PROD", "first-key");
    cluster.set("GATE_PASSWORD_PROD", "first-password");
    cluster.token("gate", "GATE_*");
    cluster
}

/// Where a container is on this machine's side of its network.
fn address(cluster: &Cluster, container: &str) -> String {
    let pod = cluster.podman.works(&["inspect", "--format={{.Pod}}", container]);
    let format = "--format={{.InfraContainerID}}";
    let infra = cluster.podman.works(&["pod", "inspect", format, pod.trim()]);
    let format = "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    cluster.podman.works(&["inspect", format, infra.trim()]).trim().to_owned()
}

/// What nginx answers.
fn get(address: &str, path: &str, header: &str) -> Option<String> {
    let mut stream = TcpStream::connect((address, 8080)).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    write!(stream, "GET {path} HTTP/1.0\r\n{header}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Waits until a key of the API and a member's password open, as rendered.
#[track_caller]
fn lets_in(cluster: &Cluster, address: &str, key: &str, password: &str) {
    let basic = STANDARD.encode(format!("members:{password}"));
    for (path, header) in [
        ("/", format!("X-Api-Key: {key}")),
        ("/members/", format!("X-Api-Key: {key}\r\nAuthorization: Basic {basic}")),
    ] {
        let answered = || {
            let answer = get(address, path, &header)?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        };
        eventually(answered).unwrap_or_else(|| {
            let answer = get(address, path, &header);
            panic!("{path} {header}: {answer:?}\n{}", cluster.podman.logs(NGINX))
        });
    }
}

/// The config is read again at SIGHUP alone, so the sidecar's signal has reached nginx; and both
/// files are of one set. A store that is away changes nothing, and one that is back is followed.
fn rotates(cluster: &Cluster) {
    let sidecar = "gate-pod-0-inject";
    let nginx = &address(cluster, NGINX);
    lets_in(cluster, nginx, "first-key", "first-password");
    cluster.set("GATE_PASSWORD_PROD", "second-password");
    cluster.set("GATE_API_KEY_PROD", "second-key");
    lets_in(cluster, nginx, "second-key", "second-password");
    // A worker with the former config may still answer what came just before.
    let refused =
        || get(nginx, "/", "X-Api-Key: first-key")?.starts_with("HTTP/1.1 403").then_some(());
    eventually(refused).expect("the first key is refused from now on");

    cluster.podman.works(&["stop", "--time=30", STORE]);
    cluster.podman.says(sidecar, "store_away");
    lets_in(cluster, nginx, "second-key", "second-password");
    cluster.podman.works(&["start", STORE]);
    cluster.podman.says(sidecar, "store_back");
    cluster.set("GATE_API_KEY_PROD", "third-key");
    lets_in(cluster, nginx, "third-key", "second-password");
    for value in ["first-", "second-", "third-"] {
        let logs = cluster.podman.logs(sidecar);
        assert!(!logs.contains(value), "{logs}");
    }
}

/// One cluster for both manifests.
#[test]
fn nginx_follows_rotations_with_each_sidecar() {
    let cluster = gate();
    cluster.play("sidecar.yaml", &[]);
    rotates(&cluster);
    cluster.clear("gate-pod-0", &["gate-templates"]);

    cluster.set("GATE_PASSWORD_PROD", "first-password");
    cluster.set("GATE_API_KEY_PROD", "first-key");
    // podman starts at once what a startup probe would keep waiting: nginx ends without its config,
    // and is started again until that is there.
    cluster.play("native-sidecar.yaml", &[]);
    rotates(&cluster);
}
