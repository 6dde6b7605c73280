//! How a store's name is looked up: by what is in the binary, and with an error where it cannot be.

use std::fs;

use crate::harness::{World, needs_root};
use crate::scripted_store::{ScriptedStore, secrets};

const NO_OPTIONS: [&str; 0] = [];

#[test]
fn no_library_is_loaded_for_it() {
    needs_root();
    let world = World::new();
    let hosts = world.write("hosts", "127.0.0.1 store.internal\n");
    let order = world.write("nsswitch.conf", "hosts: elsewhere files dns\n");
    let mounts = format!(
        "mount --bind {} /etc/hosts; mount --bind {} /etc/nsswitch.conf",
        hosts.display(),
        order.display()
    );
    let store = ScriptedStore::tcp([secrets([("A_KEY", "x")])]);
    let url = store.url.replace("127.0.0.1", "store.internal");
    let trace = world.text("trace");
    let run = world.launch(NO_OPTIONS).env("A", "$A_KEY").env("INJECT_STORE", url);
    let run = run.env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token");
    let run = run.env("INJECT_ALLOW_PLAINTEXT", "1").with_mounts(&mounts);
    let strace = ["strace", "-f", "-qq", "-o", &trace, "-e", "trace=openat"];
    let ended = run.within(strace).run();
    assert_eq!(ended.seen().text("A"), "x", "{}", ended.whole());
    let opened = fs::read_to_string(trace).expect("strace wrote it");
    assert!(opened.contains("/etc/hosts"), "{opened}");
    assert!(!opened.contains("libnss_elsewhere"), "{opened}");
}

/// As under a limit of processes that is reached (pids in cgroups(7), `RLIMIT_NPROC`).
#[test]
fn no_thread_can_be_started() {
    let world = World::new();
    let run = world.launch(["--timeout", "1"]).env("A", "$A_KEY").env("INJECT_ORG", "acme");
    let run = run.env("INJECT_STORE", "https://store.invalid").env("INJECT_TOKEN", "inj_w_token");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=clone3,clone"];
    let refuses = ["-e", "inject=clone3,clone:error=EAGAIN"];
    let ended = run.within(strace).within(refuses).run();
    ended.code(69);
    let why = "its name cannot be looked up: Resource temporarily unavailable";
    assert!(ended.err().contains(why), "{}", ended.whole());
}
