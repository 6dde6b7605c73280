//! `--into`: a set that changes at once, laid out as Kubernetes lays out its own volumes, by one
//! sidecar at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use insta::assert_snapshot;
use nix::sys::signal::Signal;

use super::side::Scene;
use crate::harness::eventually;

const SET: [&str; 3] = ["--into=out", "--render=key.txt:key", "--render=key.txt:conf/key:0644"];

/// The names in the folder, sets as `SET`; but not what is locked, which is always there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a text");
    let names = entries.flatten().map(name).filter(|name| name != "..lock");
    let mut names: Vec<String> = names.collect();
    names.iter_mut().filter(|name| is_set(name)).for_each(|name| *name = "SET".to_owned());
    names.sort();
    names
}

fn is_set(name: &str) -> bool {
    name.strip_prefix("..").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn it_is_laid_out_as_kubernetes_does() {
    let scene = Scene::new();
    let side = scene.start(&SET);
    let out = scene.world().path("work/out");
    assert_eq!(names(&out), ["..data", "SET", "conf", "key"]);
    let link = |name: &str| fs::read_link(out.join(name)).expect("a link").display().to_string();
    assert_eq!((link("key"), link("conf")), ("..data/key".to_owned(), "..data/conf".to_owned()));
    assert!(is_set(&link("..data")), "{}", link("..data"));
    let mode =
        |path: &str| fs::metadata(out.join(path)).expect("there").permissions().mode() & 0o7777;
    assert_eq!(
        (mode("..data"), mode("conf"), mode("key"), mode("conf/key")),
        (0o755, 0o755, 0o600, 0o644)
    );
    let first = link("..data");
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/conf/key", "key key-2\n");
    assert_ne!(link("..data"), first);
    eventually(|| (names(&out) == ["..data", "SET", "conf", "key"]).then_some(()))
        .expect("one set");
    side.end().code(0);
}

#[test]
fn a_folder_that_is_not_there_is_said_so() {
    let scene = Scene::new();
    let ended = scene.describe(&["--into=none", "--render=key.txt:key", "--once"]).run();
    ended.code(74);
    let says = "inject: cannot open `none`: No such file or directory\n    make it first\n";
    assert!(ended.err().starts_with(says), "{}", ended.whole());
}

#[test]
fn a_reader_never_sees_a_mix() {
    let scene = Scene::new();
    let side = scene.start(&SET);
    let data = scene.world().path("work/out/..data");
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        let reader = threads.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                // What the link leads to now is one set, which may be gone in the next moment.
                let set = fs::read_link(&data).expect("the link is always there");
                let set = data.with_file_name(set);
                let (key, other) =
                    (fs::read_to_string(set.join("key")), fs::read_to_string(set.join("conf/key")));
                let (Ok(key), Ok(other)) = (key, other) else { continue };
                assert_eq!(key, other);
                if seen.last() != Some(&key) {
                    seen.push(key);
                }
            }
            seen
        });
        for number in 2..6 {
            scene.set("DB_KEY", &format!("key-{number}"));
            scene.becomes("out/key", &format!("key key-{number}\n"));
        }
        over.store(true, Ordering::Relaxed);
        let seen = reader.join().expect("no mix");
        assert!(seen.len() >= 4, "{seen:?}");
    });
    side.end().code(0);
}

#[test]
fn what_a_killed_one_left_is_removed_and_the_set_stays_whole() {
    let scene = Scene::new();
    let side = scene.start(&SET);
    side.signal(Signal::SIGKILL);
    side.wait();
    assert_eq!(scene.text("out/key"), "key key-1\n");
    scene.world().write("work/out/..2020_01_01_00_00_00.00000000/key", "half");
    std::os::unix::fs::symlink("..2020", scene.world().path("work/out/..data_tmp"))
        .expect("a link");
    let side = scene.start(&SET);
    assert!(side.logs("rendered", 1).contains("changed=0"));
    assert_eq!(scene.text("out/key"), "key key-1\n");
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/key", "key key-2\n");
    side.end().code(0);
    assert_eq!(names(&scene.world().path("work/out")), ["..data", "SET", "conf", "key"]);
}

#[test]
fn a_second_one_is_refused_as_long_as_the_first_runs() {
    let scene = Scene::new();
    let side = scene.start(&SET);
    let refused = scene.describe(&SET).env("INJECT_STORE", "unix:/x").run();
    assert_snapshot!(refused.report(), @"
    exit 74
    --- stderr
    inject: another sidecar renders into `out`; end it, or give each of them a folder of its own
      store: unix:/x, organization `acme`
    ");
    side.end().code(0);
    scene.start(&SET).end().code(0);
}

#[test]
fn what_is_no_longer_rendered_goes() {
    let scene = Scene::new();
    scene.start(&SET).end().code(0);
    let side = scene.start(&["--into=out", "--render=user.txt:user"]);
    assert_eq!(names(&scene.world().path("work/out")), ["..data", "SET", "user"]);
    side.end().code(0);
}

#[test]
fn somebody_elses_file_is_not_replaced() {
    let scene = Scene::new();
    scene.world().write("work/out/key", "mine");
    let refused = scene.describe(&SET).run();
    assert_snapshot!(refused.report(), @"
    exit 74
    --- stderr
    inject: `out/key` is no link that a sidecar made; remove it, or give the output another name
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    assert_eq!(scene.text("out/key"), "mine");
    assert_eq!(names(&scene.world().path("work/out")), ["key"]);
    let missing = scene.describe(&["--into=none", "--render=key.txt:key"]).run();
    missing.code(74);
}
