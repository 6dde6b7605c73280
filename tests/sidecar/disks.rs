//! Volumes that are full or read-only: the outputs stay whole, the log says why, readiness too, and
//! it is tried again.

use std::fs;
use std::process::Command;

use super::side::{Scene, Side};
use crate::harness::needs_root;

const SET: [&str; 4] =
    ["--into=out", "--render=key.txt:key", "--render=key.txt:other", "--listen=127.0.0.1:0"];

/// A sidecar with a small volume of its own.
fn start(scene: &Scene) -> Side {
    needs_root();
    let out = scene.world().text("work/out");
    let run = scene.describe(&SET).with_mounts(&format!("mount -t tmpfs -o size=128k none {out}"));
    let side = Side::of(scene.world(), run, "side");
    side.is_ready(true);
    side
}

fn read(side: &Side, scene: &Scene, name: &str) -> String {
    let path = side.sees(&scene.world().path("work/out").join(name));
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_full_volume() {
    let scene = Scene::new();
    let side = start(&scene);
    scene.set("DB_KEY", &"x".repeat(65_000));
    let line = side.logs("not_rendered", 1);
    assert!(line.contains("No space left on device"), "{line}");
    side.is_ready(false);
    assert_eq!(
        (read(&side, &scene, "key"), read(&side, &scene, "other")),
        ("key key-1\n".into(), "key key-1\n".into())
    );
    let names = fs::read_dir(side.sees(&scene.world().path("work/out"))).expect("a folder");
    assert_eq!(names.count(), 5, "half a set is left");
    scene.set("DB_KEY", "key-3");
    side.is_ready(true);
    assert_eq!(read(&side, &scene, "other"), "key key-3\n");
    side.end().code(0);
}

#[test]
fn a_volume_that_becomes_read_only() {
    let scene = Scene::new();
    let side = start(&scene);
    let remount = |how: &str| {
        let out = scene.world().text("work/out");
        let pid = side.pid().to_string();
        let status = Command::new("nsenter")
            .args(["-t", &pid, "-m", "mount", "-o", &format!("remount,{how}"), &out])
            .status();
        assert!(status.expect("nsenter(1) of util-linux is there").success());
    };
    remount("ro");
    scene.set("DB_KEY", "key-2");
    let line = side.logs("not_rendered", 1);
    assert!(line.contains("Read-only file system"), "{line}");
    side.is_ready(false);
    assert_eq!(read(&side, &scene, "key"), "key key-1\n");
    remount("rw");
    side.is_ready(true);
    assert_eq!(
        (read(&side, &scene, "key"), read(&side, &scene, "other")),
        ("key key-2\n".into(), "key key-2\n".into())
    );
    side.end().code(0);
}
