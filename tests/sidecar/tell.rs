//! Who is told of a change: processes by their name, a command; once a change, and not of the first
//! rendering.

use std::fs;

use super::side::Scene;
use crate::harness::eventually;

const KEY: [&str; 1] = ["--render=key.txt:out/key"];

/// A program that writes down each hangup, under a name that no other test's has.
pub fn application(name: &str) -> String {
    format!(
        "#!/bin/sh\ntrap 'echo hup >>{name}.got' HUP\necho started >{name}.got\n\
         while :; do read -t 0.05 x <{name}.fifo; done\n"
    )
}

#[test]
fn a_signal_to_all_that_have_the_name() {
    let scene = Scene::new();
    // Fifteen characters are all that the kernel keeps of a name.
    let name = format!("app-{}", std::process::id());
    let path = scene.world().script(&format!("work/{name}"), &application(&name), "755");
    nix::unistd::mkfifo(
        &scene.world().path("work").join(format!("{name}.fifo")),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .expect("a pipe");
    let running = scene.world().command(&path, [] as [&str; 0]).start();
    let got = format!("{name}.got");
    scene.becomes(&got, "started\n");
    let side = scene.start(&[&KEY[..], &["--signal=hup", "--process", &name]].concat());
    scene.set("DB_KEY", "key-2");
    scene.becomes(&got, "started\nhup\n");
    let line = side.logs("signalled", 1);
    assert!(line.contains(&format!("signal=SIGHUP pid={}", running.pid())), "{line}");
    drop(running);
    scene.set("DB_KEY", "key-3");
    side.logs("no_process", 1);
    assert_eq!(side.count("signalled"), 1);
    side.end().code(0);
}

#[test]
fn a_command_without_a_shell_and_without_our_settings() {
    let scene = Scene::new();
    let print = "env >told.next; pwd >>told.next; mv told.next told; cat out/key >>all";
    let side = scene.start(&[&KEY[..], &["--exec", "--", "sh", "-c", print, "$HOME"]].concat());
    assert!(!scene.world().path("work/told").exists(), "nobody has read anything yet");
    scene.set("DB_KEY", "key-2");
    side.logs("command_done command=sh", 1);
    let told = scene.text("told");
    assert!(told.contains("PATH=") && !told.contains("INJECT_"), "{told}");
    scene.set("DB_KEY", "key-3");
    side.logs("command_done", 2);
    assert_eq!(scene.text("all"), "key key-2\nkey key-3\n");
    side.end().code(0);
}

#[test]
fn a_command_that_fails_is_told_and_the_outputs_are_good() {
    let scene = Scene::new();
    let options =
        [&KEY[..], &["--listen=127.0.0.1:0", "--exec", "--", "sh", "-c", "exit 3"]].concat();
    let side = scene.start(&options);
    scene.set("DB_KEY", "key-2");
    let line = side.logs("command_failed", 1);
    assert!(line.contains("command=sh ended=\"exit code 3\""), "{line}");
    side.is_ready(true);
    assert_eq!(side.metric("inject_sidecar_told_total{outcome=\"failed\"}"), 1);
    side.end().code(0);
    let side = scene.start(&[&KEY[..], &["--exec", "--", "no-such-program"]].concat());
    scene.set("DB_KEY", "key-3");
    side.logs("command_failed command=no-such-program", 1);
    side.end().code(0);
}

#[test]
fn a_restarted_one_tells_what_changed_meanwhile() {
    let scene = Scene::new();
    let options = [&KEY[..], &["--exec", "--", "cp", "out/key", "told"]].concat();
    scene.start(&options).end().code(0);
    scene.set("DB_KEY", "key-2");
    let side = scene.start(&options);
    let told = || fs::read_to_string(scene.world().path("work/told")).ok();
    assert_eq!(eventually(told).expect("it is told"), "key key-2\n");
    side.end().code(0);
}
