//! Bad luck with the store: away at the start, away later, back again; a secret deleted, a token
//! revoked, a template broken. The outputs stay the last good ones.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::side::{PROCESS_1, Scene, Side};
use crate::harness::{World, needs_root};
use crate::scripted_store::{Answer, ScriptedStore};
use crate::service::served::{Day, Served, init};

const KEY: [&str; 2] = ["--render=key.txt:out/key", "--listen=127.0.0.1:0"];

#[test]
fn a_store_that_is_away_at_the_start() {
    let world = World::new();
    world.write("work/t.txt", "$DB_KEY");
    for once in [&[][..], &["--once"]] {
        let options = [&["sidecar", "--render=t.txt:out.txt", "--timeout=300ms"], once].concat();
        let run = world.inject(options).env("INJECT_STORE", "http://127.0.0.1:1");
        let ended = run.env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_x").run();
        let said = ended.code(69).err();
        assert!(said.contains("`http://127.0.0.1:1` cannot be reached"), "{said}");
        assert!(!world.path("work/out.txt").exists());
    }
}

/// A store on a unix socket, which a second one can take over.
fn served(world: &World) -> Served {
    let address = format!("unix:{}", world.text("store.sock"));
    Served::of(world, "server", world.inject(["store", "serve", "--listen", &address]), 1)
}

#[test]
fn a_store_that_goes_and_comes_back() {
    let world = World::new();
    let owner = init(&world);
    let served = served(&world);
    let mut scene = Scene::of(Day { world, served, owner });
    let side = scene.start(&KEY);
    let address = scene.day.served.url().to_owned();
    let again = |scene: &Scene| self::served(scene.world());
    scene.day.served.signal(Signal::SIGTERM);
    side.logs("store_away", 1);
    side.is_ready(true);
    assert_eq!(side.metric("inject_sidecar_store_reachable"), 0);
    assert_eq!(scene.text("out/key"), "key key-1\n");
    // Its socket's file goes with it; only then is there room for another.
    let gone = || (!std::path::Path::new(&address["unix:".len()..]).exists()).then_some(());
    crate::harness::eventually(gone).expect("it ends");
    let served = again(&scene);
    let former = std::mem::replace(&mut scene.day.served, served);
    drop(former);
    side.logs("store_back", 1);
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/key", "key key-2\n");
    assert_eq!(side.metric("inject_sidecar_store_reachable"), 1);
    side.end().code(0);
}

#[test]
fn a_secret_that_is_deleted_while_it_runs() {
    let scene = Scene::new();
    let side = scene.start(&[&KEY[..], &["--render=user.txt:out/user"]].concat());
    side.is_ready(true);
    scene.day.owner().does(0, &["secret", "rm", "DB_KEY", "--yes"]);
    let line = side.logs("secret_missing", 1);
    assert!(line.contains("`DB_KEY` is missing") && !line.contains("DB_USER"), "{line}");
    side.is_ready(false);
    assert_eq!(side.get("/readyz").1, "a secret is missing; the outputs are the last good ones\n");
    scene.set("DB_USER", "user-2");
    assert_eq!(
        (scene.text("out/key"), scene.text("out/user")),
        ("key key-1\n".into(), "user user-1\n".into())
    );
    scene.set("DB_KEY", "key-3");
    scene.becomes("out/key", "key key-3\n");
    scene.becomes("out/user", "user user-2\n");
    side.is_ready(true);
    assert_eq!(side.count("secret_missing"), 1, "{}", side.logged());
    side.end().code(0);
}

/// Through the server, and by a command beside it.
#[test]
fn a_token_that_is_revoked_and_one_that_takes_its_place() {
    let beside = |scene: &Scene, id: &str| {
        scene.world().inject(["token", "revoke", id, "--org", "acme"]).run().code(0);
    };
    let through = |scene: &Scene, id: &str| {
        scene.day.owner().does(0, &["token", "revoke", id]);
    };
    is_noticed(through);
    is_noticed(beside);
}

fn is_noticed(revoke: impl Fn(&Scene, &str)) {
    let scene = Scene::new();
    let world = scene.world();
    world.write("work/token", &scene.token);
    let describe = || {
        let words = [&["sidecar", "--token-file=token"], &KEY[..]].concat();
        let run = world.inject(words).env("INJECT_STORE", scene.day.served.url());
        run.env("INJECT_ORG", "acme")
    };
    let side = Side::of(world, describe(), "side");
    side.is_ready(true);
    let list = scene.day.owner().json(&["token", "list"]);
    let tokens = list["tokens"].as_array().expect("a list");
    let web = tokens.iter().find(|token| token["workload"] == "web").expect("it was made");
    revoke(&scene, web["id"].as_str().expect("an id"));
    // What it holds is answered at once: no secret has to change, nor the watch to end.
    let begun = Instant::now();
    let line = side.logs("refused", 1);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(line.contains("does not accept the token"), "{line}");
    side.is_ready(false);
    assert_eq!(side.get("/readyz").1, "the store refuses; the outputs are the last good ones\n");
    scene.set("DB_KEY", "key-2");
    assert_eq!(scene.text("out/key"), "key key-1\n");
    world.write("work/token.next", scene.day.token("web", &[]));
    fs::rename(world.path("work/token.next"), world.path("work/token")).expect("it is replaced");
    scene.becomes("out/key", "key key-2\n");
    side.is_ready(true);
    let ended = side.end();
    assert!(!ended.code(0).err().contains("inj_w_"), "a token is logged: {}", ended.whole());
}

#[test]
fn a_template_that_is_broken_and_mended() {
    let scene = Scene::new();
    let side = scene.start(&KEY);
    scene.world().write("work/key.txt", "key ${DB_KEY:-default}\n");
    let line = side.logs("not_rendered", 1);
    assert!(line.contains("DB_KEY"), "{line}");
    side.is_ready(false);
    assert_eq!(scene.text("out/key"), "key key-1\n");
    scene.world().write("work/key.txt", "the key ${DB_KEY}\n");
    scene.becomes("out/key", "the key key-1\n");
    side.is_ready(true);
    side.end().code(0);
}

#[test]
fn a_store_with_another_key_is_not_believed() {
    let scene = Scene::new();
    let other = World::new();
    let owner = init(&other);
    let impostor = Served::start(&other);
    // The one address, and the pin of another.
    let pin = impostor.url().split('#').nth(1).expect("a pin");
    let address = format!("{}#{pin}", scene.day.served.bare());
    let ended = scene.describe(&KEY).env("INJECT_STORE", address).run();
    let said = ended.code(69).err();
    assert!(said.contains("pin"), "{said}");
    drop(owner);
}

#[test]
fn as_process_1_it_ends_at_once_whatever_it_waits_for() {
    needs_root();
    let scene = Scene::new();
    // One holds a watch, the other waits for a store that never answers.
    let silent = ScriptedStore::unix(&scene.world().path("silent.sock"), [Answer::Hang]);
    for (name, store) in [("held", scene.day.served.url()), ("silent", &*silent.url)] {
        let run = scene.describe(&KEY).env("INJECT_STORE", store).within(PROCESS_1);
        let side = Side::of(scene.world(), run, name);
        match name {
            "held" => drop(side.logs("rendered", 1)),
            _ => silent.arrival(),
        }
        side.end_process_1(Signal::SIGQUIT);
    }
}

/// What answered the first time is watched, and asked again.
#[test]
fn a_store_that_hangs_is_not_waited_for_at_each_change() {
    let scene = Scene::new();
    let silent = ScriptedStore::tcp([Answer::Hang]);
    let both = format!("{},{}", silent.url, scene.day.served.url());
    let options = [&KEY[..], &["--timeout=2s"]].concat();
    let run = scene.describe(&options).env("INJECT_STORE", both);
    let side = Side::of(scene.world(), run, "side");
    side.logs("rendered", 1);
    for value in ["key-2", "key-3"] {
        scene.set("DB_KEY", value);
        scene.becomes("out/key", &format!("key {value}\n"));
    }
    assert_eq!(silent.requests().len(), 1);
    side.end().code(0);
}
