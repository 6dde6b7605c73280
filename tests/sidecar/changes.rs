//! What is rendered again and when: secrets, templates, a signal; and what stays untouched.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use nix::sys::signal::Signal;

use super::Side;
use super::side::Scene;
use crate::harness::{World, eventually};

const BOTH: [&str; 3] = ["--render=key.txt:out/key", "--render=user.txt:out/user:0640", "--"];

fn both() -> &'static [&'static str] {
    &BOTH[..2]
}

#[test]
fn a_rotation_is_seen_within_two_seconds_and_nothing_else_is_touched() {
    let scene = Scene::new();
    let side = scene.start(both());
    let user = scene.world().path("work/out/user");
    let before = fs::metadata(&user).expect("it is rendered");
    assert_eq!(before.mode() & 0o7777, 0o640);
    let mut quickest = Duration::MAX;
    for value in ["key-2", "key-3", "key-4"] {
        scene.set("DB_KEY", value);
        let start = Instant::now();
        scene.becomes("out/key", &format!("key {value}\n"));
        quickest = quickest.min(start.elapsed());
    }
    assert!(quickest <= Duration::from_secs(2), "{quickest:?}");
    let after = fs::metadata(&user).expect("it is there");
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert!(side.logs("rendered", 4).contains("outputs=2 changed=1"));
    let ended = side.end();
    assert!(!ended.code(0).err().contains("key-"), "a value is logged: {}", ended.whole());
}

#[test]
fn a_template_that_changes_is_read_again() {
    let scene = Scene::new();
    let side = scene.start(both());
    scene.world().write("work/key.next", "the key is $DB_KEY and $DB_USER\n");
    let path = |name: &str| scene.world().path("work").join(name);
    fs::rename(path("key.next"), path("key.txt")).expect("it is replaced");
    scene.becomes("out/key", "the key is key-1 and user-1\n");
    // The name that is new is watched too.
    scene.set("DB_USER", "user-2");
    scene.becomes("out/key", "the key is key-1 and user-2\n");
    side.end().code(0);
}

#[test]
fn a_hangup_renders_again() {
    let scene = Scene::new();
    let side = scene.start(both());
    fs::write(scene.world().path("work/out/key"), "somebody else's\n").expect("it is there");
    fs::remove_file(scene.world().path("work/out/user")).expect("it is there");
    side.signal(Signal::SIGHUP);
    scene.becomes("out/key", "key key-1\n");
    scene.becomes("out/user", "user user-1\n");
    side.end().code(0);
}

#[test]
fn what_stands_already_is_left_as_it_is() {
    let scene = Scene::new();
    scene.start(both()).end().code(0);
    let key = scene.world().path("work/out/key");
    let before = fs::metadata(&key).expect("it is rendered").ino();
    let side = scene.start(both());
    assert!(side.logs("rendered", 1).contains("changed=0"));
    side.end().code(0);
    assert_eq!(fs::metadata(&key).expect("it is there").ino(), before);
}

#[test]
fn once_ends_after_the_first_rendering() {
    let scene = Scene::new();
    let ended = scene.describe(&[both(), &["--once"]].concat()).run();
    ended.code(0);
    assert_eq!(
        (scene.text("out/key"), scene.text("out/user")),
        ("key key-1\n".into(), "user user-1\n".into())
    );
    // What a launch requires is nothing to it, even where it needs an environment.
    let run = scene.describe(&[both(), &["--once"]].concat());
    run.env("INJECT_REQUIRE", "API_KEY_@").run().code(0);
    let ended = scene.describe(&["--render=none.txt:out/x", "--once"]).run();
    assert_snapshot!(ended.report(), @"
    exit 74
    --- stderr
    inject: cannot read `none.txt`: No such file or directory
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
}

#[test]
fn nothing_to_fetch_needs_no_store() {
    let world = World::new();
    world.write("work/t.txt", "plain\n");
    let run = world.inject(["sidecar", "--render=t.txt:out.txt", "--listen=127.0.0.1:0"]);
    let side = Side::of(&world, run, "side");
    side.is_ready(true);
    world.write("work/t.txt", "plainer\n");
    let text = || fs::read_to_string(world.path("work/out.txt")).ok();
    eventually(|| text().filter(|text| text == "plainer\n")).expect("it is rendered again");
    side.end().code(0);
}

#[test]
fn the_command_line_is_judged_as_a_whole() {
    let world = World::new();
    let mixed = [
        "sidecar",
        "--into=out",
        "--render=t:/etc/x",
        "--signal=HUB",
        "--process=a/b",
        "--proxy=127.0.0.1:1",
    ];
    assert_snapshot!(world.inject(mixed).run().report(), @"
    exit 64
    --- stderr
    inject: 5 problems
      `--process`: write a program's name, such as `nginx`
      `--signal`: write a signal's name or number, such as `HUP`, `USR1` or `15`
      `--proxy`: it needs a store that is served; set `--store`
      `--proxy`: only a unix socket knows who connects; write `unix:PATH`
      `--into out`: the output `/etc/x` is not a name inside that folder, such as `app.yaml`
    ");
    assert_snapshot!(world.inject(["sidecar"]).run().report(), @"
    exit 64
    --- stderr
    inject: nothing is to be rendered
        name a config file with `--render TEMPLATE:OUTPUT`
    ");
    let half = ["sidecar", "--render=a:b", "--exec"];
    assert_snapshot!(world.inject(half).run().report(), @"
    exit 64
    --- stderr
    inject: the following required arguments were not provided: <COMMAND>...
        the command of `--exec` stands last: `--exec -- nginx -s reload`
    ");
    let shell = ["sidecar", "--render=a:b", "--exec", "nginx -s reload"];
    assert_snapshot!(world.inject(shell).run().report(), @"
    exit 64
    --- stderr
    inject: unexpected argument 'nginx -s reload' found
        the command of `--exec` stands last: `--exec -- nginx -s reload`
    ");
    let once = ["sidecar", "--render=a:b", "--once", "--listen=127.0.0.1:0"];
    assert_snapshot!(world.inject(once).run().report(), @"
    exit 64
    --- stderr
    inject: the argument '--once' cannot be used with '--listen <ADDRESS>'
        see `inject sidecar --help`
    ");
}
