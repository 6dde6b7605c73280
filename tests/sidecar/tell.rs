//! Who is told of a change: processes by their name, a command; once a change, and not of the first
//! rendering.

use std::fs;
use std::io::Write as _;

use super::side::{PROCESS_1, Scene, Side};
use crate::harness::{eventually, needs_root};

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
    side.logs("command_done", 1);
    assert_eq!(scene.text("told"), "key key-2\n");
    side.end().code(0);
}

/// A program that hears hangups, and its worker that a hangup would end.
#[test]
fn whoever_has_workers_is_told_and_they_are_not() {
    let scene = Scene::new();
    let name = format!("pre-{}", std::process::id());
    let script = format!(
        "#!/bin/sh\n(trap - HUP; read -r x <{name}.work) &\nworker=$!\n\
         trap 'echo hup >>{name}.got' HUP\necho started >{name}.got\n\
         while kill -0 $worker; do read -t 0.05 x <>{name}.fifo; done; echo ended >>{name}.got\n"
    );
    let path = scene.world().script(&format!("work/{name}"), &script, "755");
    pipes(&scene, &[&format!("{name}.work"), &format!("{name}.fifo")]);
    let running = scene.world().command(&path, [] as [&str; 0]).start();
    let got = format!("{name}.got");
    scene.becomes(&got, "started\n");
    let side = scene.start(&[&KEY[..], &["--signal=HUP", "--process", &name]].concat());
    for (value, heard) in [("key-2", "started\nhup\n"), ("key-3", "started\nhup\nhup\n")] {
        scene.set("DB_KEY", value);
        scene.becomes(&got, heard);
    }
    // The hangup may be there before the line that tells of it.
    side.logs("signalled", 2);
    assert_eq!(side.count("signalled"), 2, "{}", side.logged());
    assert_eq!(side.count(&format!("pid={}", running.pid())), 2, "{}", side.logged());
    side.end().code(0);
    // It was there all the time: only now it ends.
    fs::write(scene.world().path("work").join(format!("{name}.work")), "\n").expect("it reads");
    scene.becomes(&got, "started\nhup\nhup\nended\n");
    drop(running);
}

#[test]
fn a_script_with_a_longer_name_than_the_kernel_keeps() {
    let scene = Scene::new();
    let name = format!("a-{}-with-a-long-name.sh", std::process::id());
    let path = scene.world().script(&format!("work/{name}"), &application(&name), "755");
    pipes(&scene, &[&format!("{name}.fifo")]);
    let running = scene.world().command(&path, [] as [&str; 0]).start();
    let got = format!("{name}.got");
    scene.becomes(&got, "started\n");
    let side = scene.start(&[&KEY[..], &["--signal=HUP", "--process", &name]].concat());
    scene.set("DB_KEY", "key-2");
    scene.becomes(&got, "started\nhup\n");
    side.end().code(0);
    drop(running);
}

fn pipes(scene: &Scene, names: &[&str]) {
    for name in names {
        let path = scene.world().path("work").join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    }
}

/// A command that takes until somebody writes to `go`.
const SLOW: [&str; 5] =
    ["--exec", "--", "sh", "-c", "echo begun >>told; read -r x <go; echo told >>told"];

#[test]
fn the_end_waits_for_who_is_being_told() {
    let scene = Scene::new();
    pipes(&scene, &["go"]);
    let side = scene.start(&[&KEY[..], &SLOW].concat());
    scene.set("DB_KEY", "key-2");
    scene.becomes("told", "begun\n");
    side.signal(nix::sys::signal::Signal::SIGTERM);
    side.logs(" ending", 1);
    fs::write(scene.world().path("work/go"), "\n").expect("it reads");
    side.logs("command_done", 1);
    side.wait().code(0);
    assert_eq!(scene.text("told"), "begun\ntold\n");
}

/// It was killed between the change of the set and its telling.
#[test]
fn what_nobody_was_told_of_is_told_by_the_next_one() {
    let scene = Scene::new();
    pipes(&scene, &["go"]);
    let options = [&["--render=key.txt:key", "--into=out"], &SLOW[..]].concat();
    let side = scene.start(&options);
    scene.set("DB_KEY", "key-2");
    scene.becomes("told", "begun\n");
    side.signal(nix::sys::signal::Signal::SIGKILL);
    side.wait();
    let side = Side::of(scene.world(), scene.describe(&options), "second");
    assert!(side.logs("rendered", 1).contains("changed=0"));
    scene.becomes("told", "begun\nbegun\n");
    // Both commands wait there: the one that was left behind, and the one of now.
    let go = fs::OpenOptions::new().read(true).write(true).open(scene.world().path("work/go"));
    let mut go = go.expect("it is a pipe");
    go.write_all(b"\n\n").expect("there is room");
    side.logs("command_done", 1);
    drop(go);
    let mark = scene.world().path("work/out/..untold");
    eventually(|| (!mark.exists()).then_some(())).expect("it was told");
    side.end().code(0);
    // Once it was told it is not told again.
    let third = Side::of(scene.world(), scene.describe(&options), "third");
    third.logs("rendered", 1);
    third.end().code(0);
    assert_eq!(scene.text("told").matches("begun").count(), 2);
}

/// Where SIGCHLD is ignored, the system says of no child how it ended.
#[test]
fn how_a_command_ended_is_known_whatever_is_ignored() {
    let scene = Scene::new();
    let options = [&KEY[..], &["--exec", "--", "sh", "-c", "exit $(cat code)"]].concat();
    let run = scene.describe(&options).situation(["--ignore", "CHLD"]);
    let side = Side::of(scene.world(), run, "side");
    side.logs("rendered", 1);
    for (value, code, said) in
        [("key-2", "0", "command_done"), ("key-3", "3", "command_failed command=sh ended=\"exit")]
    {
        scene.world().write("work/code", code);
        scene.set("DB_KEY", value);
        side.logs(said, 1);
    }
    side.end().code(0);
}

#[test]
fn as_process_1_it_keeps_nothing_of_what_commands_left_running() {
    needs_root();
    let scene = Scene::new();
    pipes(&scene, &["go"]);
    let left = "(read -r x <go) & exit 0";
    let options = [&KEY[..], &["--exec", "--", "sh", "-c", left]].concat();
    let side = Side::of(scene.world(), scene.describe(&options).within(PROCESS_1), "side");
    side.logs("rendered", 1);
    scene.set("DB_KEY", "key-2");
    side.logs("command_done", 1);
    let own = side.process_1();
    let ended = Side::children(own)[0];
    fs::write(scene.world().path("work/go"), "\n").expect("it reads");
    let state = || fs::read_to_string(format!("/proc/{ended}/stat")).ok();
    eventually(|| state().filter(|stat| stat.contains(") Z "))).expect("it has ended");
    scene.set("DB_KEY", "key-3");
    side.logs("command_done", 2);
    assert!(!Side::children(own).contains(&ended), "it is still there: {:?}", state());
    side.end_process_1(nix::sys::signal::Signal::SIGTERM);
}
