//! What a container adds to a launch: the same binary, store and measuring program, inside and
//! outside by turns.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::Podman;
use crate::harness::probe;

/// Launches of one turn, and turns on each side.
const LAUNCHES: usize = 30;
const TURNS: usize = 4;
/// A container's system calls go through its seccomp filter. With nothing else running it was 1.0.
const RATIO_MAX: f64 = 1.5;

/// What a tenth of the launches stayed below, in microseconds: whatever else runs on this machine
/// delays some of them, and hits one side more than the other.
fn undisturbed(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 10]
}

fn times(printed: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(printed);
    let times: Vec<u64> = text.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(times.len(), LAUNCHES);
    times
}

#[test]
fn a_launch_inside_costs_what_it_costs_outside() {
    let podman = Podman::new();
    let world = &podman.world;
    world.set("A_KEY", "a value");
    let token = world.inject(["token", "create", "--workload", "web"]).run();
    let token = token.code(0).out().trim_end().to_owned();
    let folder = world.path("sock");
    fs::create_dir(&folder).expect("a fresh directory");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let listen = format!("unix:{}", world.text("sock/store"));
    let serve = ["store", "serve", "--listen", &listen, "--listen-mode", "0666"];
    let mut store = world.inject(serve).streams("server").start();
    assert!(!store.printed().is_empty());

    let settings = [
        ("INJECT_STORE", "unix:/sock/store".to_owned()),
        ("INJECT_ORG", "default".to_owned()),
        ("INJECT_TOKEN", token),
        ("KEY", "x $A_KEY".to_owned()),
    ];
    let mut words = vec!["run".to_owned(), "--detach".into(), "--name=one".into()];
    words.extend(["--network=none".into(), format!("--volume={}:/sock", world.text("sock"))]);
    words.extend(settings.iter().map(|(name, value)| format!("--env={name}={value}")));
    words.extend(["--entrypoint=probe", "app", "wait"].map(str::to_owned));
    podman.works(&words.iter().map(String::as_str).collect::<Vec<_>>());
    podman.says("one", "ready");

    let launches = LAUNCHES.to_string();
    let inside = || {
        let exec = ["exec", "one", "probe", "repeat", &launches, "--", "inject", "--"];
        times(podman.works(&[&exec[..], &["probe", "print"]].concat()).as_bytes())
    };
    let outside = || {
        let mut command = Command::new(probe());
        command.args(["repeat", &launches, "--"]).arg(world.path("inject")).arg("--");
        command.arg(probe()).arg("print").env_clear().env("PATH", "/bin").envs(settings.clone());
        let output = command.env("INJECT_STORE", &listen).output().expect("it was compiled");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        times(&output.stdout)
    };
    let (mut within, mut without) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        within.extend(inside());
        without.extend(outside());
    }
    let (within, without) = (undisturbed(within), undisturbed(without));
    let ratio = within as f64 / without as f64;
    assert!(ratio <= RATIO_MAX, "inside {within} us, outside {without} us: {ratio:.2}");
}
