//! Init: a new store with the organization that was asked for, where there is none.

use crate::harness::World;
use crate::operations::{names, store};

const ASKED: [&str; 5] = ["init", "--org", "acme", "--owner", "alice@acme.com"];

#[test]
fn a_store_for_an_organization() {
    let world = World::new();
    let made = store(&world, &ASKED).run();
    made.code(0);
    assert!(made.err().contains("a new store is in `[DIR]/data`"), "{}", made.err());
    assert_eq!(names(&world.path("data")), ["master.key", "store.db"]);
    let set = |org| world.inject(["secret", "set", "A_KEY", "--org", org]).stdin("x").run();
    set("acme").code(0);
    set("default").code(77);
    let verified = store(&world, &["verify"]).run();
    verified.code(0);
    assert!(verified.out().contains("acme: 1 secret"), "{}", verified.out());
}

#[test]
fn never_over_another() {
    let world = World::new();
    world.set("A_KEY", "x");
    let again = store(&world, &ASKED).run();
    again.code(64);
    assert!(again.err().contains("there is a store in `[DIR]/data` already"), "{}", again.err());
    assert_eq!(world.launch(["--export", "A_KEY"]).run().seen().text("A_KEY"), "x");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let world = World::new();
    let bad = ["init", "--org", "Acme", "--owner", "alice"];
    let ended = store(&world, &bad).unset("INJECT_DATA").unset("HOME").run();
    ended.code(64);
    for what in ["`--org`: `Acme`", "`--owner`: `alice`", "no home for it"] {
        assert!(ended.err().contains(what), "{}", ended.err());
    }
    assert!(!world.path("data").exists());
}
