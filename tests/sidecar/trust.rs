//! The store's certificate and its key are replaced while a sidecar runs: whom it goes on with, and
//! whom it does not believe.

use nix::sys::signal::Signal;

use super::side::Scene;
use crate::authority::{Identity, Says};
use crate::service::trust::{install, with_certificate};

const NAMES: [&str; 1] = ["127.0.0.1"];
const KEY: [&str; 2] = ["--render=key.txt:out/key", "--listen=127.0.0.1:0"];
const REACHABLE: &str = "inject_sidecar_store_reachable";

/// A day whose addresses pin the key that its store shows.
fn pinned(identity: &Identity) -> Scene {
    let mut day = with_certificate(identity);
    day.served.addresses[0] = format!("{}#{}", day.served.bare(), identity.pin());
    Scene::of(day)
}

/// From here on the store shows this one; `times` is how often that happened.
fn shows(scene: &Scene, identity: &Identity, times: usize) {
    install(scene.world(), identity);
    scene.day.served.signal(Signal::SIGHUP);
    scene.day.served.logs(" reloaded", times);
}

#[test]
fn another_certificate_goes_on_and_another_key_does_not() {
    let first = Identity::self_signed(&NAMES, Says::Valid);
    let scene = pinned(&first);
    let side = scene.start(&KEY);
    shows(&scene, &first.again(&NAMES), 1);
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/key", "key key-2\n");
    assert_eq!(side.count("store_away"), 0, "{}", side.logged());

    let other = Identity::self_signed(&NAMES, Says::Valid);
    shows(&scene, &other, 2);
    let address = format!("{}#{}", scene.day.served.bare(), other.pin());
    let set = scene.day.owner().at(&address).inject(&["secret", "set", "DB_KEY"]);
    set.stdin("key-3").run().code(0);
    let line = side.logs("store_away", 1);
    assert!(line.contains(&other.pin()) && line.contains("pin"), "{line}");
    // The outputs are as good as before, and said to be so.
    assert_eq!(side.metric(REACHABLE), 0);
    side.is_ready(true);
    assert_eq!(scene.text("out/key"), "key key-2\n");

    shows(&scene, &first, 3);
    scene.becomes("out/key", "key key-3\n");
    side.logs("store_back", 1);
    assert_eq!(side.metric(REACHABLE), 1);
    let ended = side.end();
    assert!(!ended.code(0).err().contains("key-3"), "a value is logged: {}", ended.whole());
}

/// Whose address has the new pin as well, beside the old one, goes on with either.
#[test]
fn a_key_is_replaced_without_a_gap_where_both_are_named() {
    let first = Identity::self_signed(&NAMES, Says::Valid);
    let other = Identity::self_signed(&NAMES, Says::Valid);
    let mut scene = pinned(&first);
    let bare = scene.day.served.bare().to_owned();
    let both = format!("{bare}#{},{bare}#{}", first.pin(), other.pin());
    scene.day.served.addresses[0] = both;
    let side = scene.start(&KEY);
    shows(&scene, &other, 1);
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/key", "key key-2\n");
    side.is_ready(true);
    assert_eq!(side.metric(REACHABLE), 1);
    side.end().code(0);
}
