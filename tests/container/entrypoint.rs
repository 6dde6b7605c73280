//! The binary as the only file of an image: as its entrypoint, process 1, with nothing around it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Podman;
use crate::scripted_store::{Answer, ScriptedStore, secrets};

/// `podman run` of the image, with the store's socket in it, and no network.
fn run(podman: &Podman, more: &[&str]) -> Vec<String> {
    let socket = format!("{}:/sock", podman.world.text("sock"));
    let words = ["run", "--network=none", "--volume", &socket];
    let settings = ["--env", "INJECT_STORE=unix:/sock/store", "--env", "INJECT_ORG=acme"];
    let all = words.iter().chain(&settings).chain(more);
    all.map(|word| (*word).to_owned()).collect()
}

#[track_caller]
fn runs(podman: &Podman, more: &[&str]) -> String {
    let words = run(podman, more);
    podman.works(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A store whose socket the container's user may open.
fn store(podman: &Podman, answer: Answer) -> ScriptedStore {
    let world = &podman.world;
    fs::create_dir(world.path("sock")).expect("a fresh directory");
    let path = world.path("sock/store");
    let store = ScriptedStore::unix(&path, [answer]);
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&path, open.clone()).expect("it is ours");
    fs::set_permissions(world.path("sock"), open).expect("it is ours");
    store
}

#[test]
fn the_entrypoint_of_an_image_that_holds_nothing_else() {
    let podman = Podman::new();
    let store = store(&podman, secrets([("DB_PASSWORD_PROD", "from the store")]));
    let printed = runs(&podman, &["--rm", "--env", "DB=x $DB_PASSWORD_PROD", "app"]);
    let entries: Vec<&str> = printed.split('\0').collect();
    assert_eq!(entries[..3], ["probe", "print", ""], "argv as typed");
    assert!(entries.contains(&"DB=x from the store"), "{entries:?}");
    assert!(!entries.iter().any(|entry| entry.starts_with("INJECT_")), "{entries:?}");
    store.only_request();
}

#[test]
fn the_program_is_process_1_and_ends_as_it_ends() {
    let podman = Podman::new();
    let _store = store(&podman, secrets([("A_KEY", "x")]));
    runs(&podman, &["--detach", "--name", "one", "--env", "A=$A_KEY", "app", "probe", "wait"]);
    assert_eq!(podman.says("one", "ready"), "ready 1\n");
    podman.works(&["kill", "--signal", "KILL", "one"]);
    assert_eq!(podman.ends("one"), 137);
}

/// `podman stop` would kill it, with 137, only after ten minutes.
#[test]
fn a_container_that_waits_for_its_store_ends_at_a_stop() {
    let podman = Podman::new();
    let store = store(&podman, Answer::Hang);
    runs(&podman, &["--detach", "--name", "one", "--env", "A=$A_KEY", "app"]);
    store.arrival();
    podman.works(&["stop", "--time", "600", "one"]);
    assert_eq!(podman.ends("one"), 143);
}

/// As process 1 it is the application that is signalled, by the runtime, with nobody between.
#[test]
fn the_application_gets_the_signals_itself() {
    let podman = Podman::new();
    let _store = store(&podman, secrets([("A_KEY", "x")]));
    runs(&podman, &["--detach", "--name", "one", "--env", "A=$A_KEY", "app", "probe", "signals"]);
    podman.says("one", "ready 1\n");
    for (name, number) in [("HUP", 1), ("USR1", 10)] {
        podman.works(&["kill", "--signal", name, "one"]);
        podman.says("one", &format!("signal {number}\n"));
    }
    podman.works(&["stop", "--time", "600", "one"]);
    assert_eq!(podman.ends("one"), 0);
    assert!(podman.logs("one").ends_with("signal 15\n"), "{}", podman.logs("one"));
}

/// A root that cannot be written, no capability, no way to new privileges, a user without a name:
/// a file is rendered into a volume in memory, and another one into sealed memory.
#[test]
fn nothing_is_needed_but_the_binary() {
    let podman = Podman::new();
    let store = store(&podman, secrets([("A_KEY", "the value")]));
    podman.world.write("templates/app.yaml", "key: $A_KEY\n");
    let templates = format!("{}:/templates:ro", podman.world.text("templates"));
    let hardened = [
        "--read-only",
        "--read-only-tmpfs=false",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--user=54321:54321",
        "--tmpfs=/rendered:mode=1777,size=64k",
    ];
    let mount = ["--volume", &templates, "--detach", "--name", "one"];
    let render = ["--env", "INJECT_RENDER=/templates/app.yaml:/rendered/app.yaml"];
    let memory = ["--env", "INJECT_MEMFD=MEMORY=/templates/app.yaml", "app", "probe", "wait"];
    runs(&podman, &[&hardened[..], &mount, &render, &memory].concat());
    podman.says("one", "ready 1\n");
    store.only_request();
    let proc = format!("/proc/{}", podman.pid("one"));
    let status = fs::read_to_string(format!("{proc}/status")).expect("it runs");
    for line in ["Uid:\t54321\t54321", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{status}");
    }
    let environment = fs::read_to_string(format!("{proc}/environ")).expect("root reads it");
    let memory = environment.split('\0').find_map(|entry| entry.strip_prefix("MEMORY=/proc/self"));
    let memory = format!("{proc}{}", memory.expect("it has a path"));
    for path in [memory, format!("{proc}/root/rendered/app.yaml")] {
        assert_eq!(fs::read_to_string(path).expect("it is there"), "key: \"the value\"\n");
    }
}
