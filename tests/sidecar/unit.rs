//! The lines of contrib/systemd's unit, played as systemd does at a restart.

use std::fs;

use nix::sys::signal::Signal;

use super::Side;
use super::side::Scene;
use super::tell::application;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/systemd/inject-sidecar.service");

/// The words behind the program, of each line with this key, with this world's own paths.
fn words(key: &str, name: &str) -> Vec<Vec<String>> {
    let unit = fs::read_to_string(UNIT).expect("it is there");
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let own = |word: &str| {
        let word = word.replace("/etc/app/app.yaml.tpl:app.yaml", "key.txt:key");
        let word = word.replace("%t/app", "out").replace("127.0.0.1:7411", "127.0.0.1:0");
        word.replace("--process=app", &format!("--process={name}"))
    };
    lines.map(|line| line.split(' ').skip(1).map(own).collect()).collect()
}

#[test]
fn what_changes_while_it_is_started_again_is_told() {
    let scene = Scene::new();
    let name = format!("unit-{}", std::process::id());
    let (before, start) = (words("ExecStartPre", &name), words("ExecStart", &name));
    let all = |words: &[Vec<String>]| {
        for words in words {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            scene.day.with(&scene.token).inject(&words).run().code(0);
        }
    };
    let sidecar = || {
        let words: Vec<&str> = start[0][1..].iter().map(String::as_str).collect();
        scene.start(&words)
    };
    all(&before);
    let side = sidecar();
    let path = scene.world().script(&format!("work/{name}"), &application(&name), "755");
    let fifo = scene.world().path("work").join(format!("{name}.fifo"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let running = scene.world().command(&path, [] as [&str; 0]).start();
    scene.becomes(&format!("{name}.got"), "started\n");
    side.signal(Signal::SIGKILL);
    side.wait();
    scene.set("DB_KEY", "key-2");
    all(&before);
    let side: Side = sidecar();
    scene.becomes(&format!("{name}.got"), "started\nhup\n");
    assert_eq!(scene.text("out/key"), "key key-2\n");
    side.end().code(0);
    drop(running);
}
