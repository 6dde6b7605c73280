//! Sockets beside what is rendered: one volume of a pod has room for both.

use std::fs::{self, File};

use nix::fcntl::{Flock, FlockArg};

use super::Side;
use super::side::Scene;
use crate::harness::World;
use crate::service::served::{Served, init};

#[test]
fn sockets_in_the_folder_that_is_rendered_into() {
    let scene = Scene::new();
    let address = |name: &str| format!("unix:{}", scene.world().text(&format!("work/out/{name}")));
    let (proxy, probes) = (address("proxy.sock"), address("probes.sock"));
    let set = ["--into=out", "--render=key.txt:key", "--listen", &probes, "--proxy", &proxy];
    let side = scene.start(&set);
    side.is_ready(true);
    // Of other processes, too, while this one has the folder for its files.
    let other = scene.describe(&["--proxy", &address("other.sock")]);
    let other = Side::of(scene.world(), other, "other");
    other.logs("proxy_listening", 1);
    let world = World::new();
    init(&world);
    let listen = address("store.sock");
    let served = world.inject(["store", "serve", "--listen", &listen]);
    let served = Served::of(&world, "server", served, 1);
    assert_eq!(served.url(), listen);
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/key", "key key-2\n");
    side.end().code(0);
    // What is locked stays, and can be locked by another user: a Job's, say.
    let mode = |path: &str| {
        let path = scene.world().path(path);
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).expect("there").permissions())
    };
    assert_eq!(mode("work/out/..lock") & 0o7777, 0o644);
}

#[test]
fn a_folder_that_somebody_keeps_locked_is_told() {
    let scene = Scene::new();
    let folder = File::open(scene.world().path("work/out")).expect("a folder");
    let _locked = Flock::lock(folder, FlockArg::LockExclusive).map_err(|(_, errno)| errno);
    let address = format!("unix:{}", scene.world().text("work/out/proxy.sock"));
    let refused = scene.describe(&["--proxy", &address]).run();
    let said = refused.code(74).err();
    assert!(said.contains("another process has the folder `[DIR]/work/out` locked"), "{said}");
    // Its files are another matter.
    scene.describe(&["--into=out", "--render=key.txt:key", "--once"]).run().code(0);
}
