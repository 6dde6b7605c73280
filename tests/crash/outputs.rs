//! What a launch renders, what `inject install` puts beside an image, what `inject login` keeps:
//! the former file or the new one, whole.

use std::fs;

use super::tracer::Tracer;
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, INJECT, World, files};
use crate::output_faults::{NEW, outputs, texts, world};
use crate::service::served::Day;

/// `old` is replaced, and two are new.
struct Launch(World);

/// Over a program that is there.
struct Install(World);

/// To a second store, beside the login to a first.
struct Login(Day);

/// Names and texts of all in the outputs' folder.
type Texts = Vec<(String, String)>;

#[track_caller]
fn ends_well(ended: &Ended, at: &At) {
    assert_eq!(ended.exit(), 0, "{at}\n{}", ended.whole());
}

impl Launch {
    fn run(&self) -> crate::harness::Run<'_> {
        let folder = self.0.text("work/out");
        let option = |name| format!("--render=t.txt:{folder}/{name}");
        let options = ["old", "first", "last"].map(option);
        let program = ["--", "true"].map(str::to_owned);
        self.0.inject(options.into_iter().chain(program))
    }
}

impl Operation for Launch {
    fn world(&self) -> &World {
        &self.0
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(&self.0, "kept", "data");
        put_back(&self.0, "work/kept", "work/out");
        tracer.around(self.run()).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let all: Texts = texts(&[("first", NEW), ("last", NEW), ("old", NEW)]);
        let found = outputs(&self.0);
        if at.fault.is_kill() || !at.passes() {
            // Each of them is the former one or the new one.
            for (name, text) in &found {
                let was = name == "old" || name.starts_with(".old.");
                assert!(text == NEW || (was && text == "old\n"), "{at}: {name}: {text:?}");
            }
        } else {
            let none = texts(&[("old", "old\n")]);
            let said = ended.err();
            // What cannot be removed is told.
            let is_told =
                |name: &str| said.contains(&format!("cannot remove `[DIR]/work/out/{name}`"));
            let found: Texts = found.into_iter().filter(|(name, _)| !is_told(name)).collect();
            let may_be = found == all || (ended.exit() != 0 && found == none);
            assert!(may_be, "{at}: {found:?}\n{}", ended.whole());
        }
        ends_well(&self.0.inject(["store", "verify"]).run(), at);
        ends_well(&self.run().run(), at);
        assert_eq!(outputs(&self.0), all, "{at}: something is left");
    }
}

impl Operation for Install {
    fn world(&self) -> &World {
        &self.0
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(&self.0, "work/kept", "work/shared");
        tracer.around(self.0.inject(["install", "shared"])).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let path = self.0.path("work/shared/inject");
        let own = fs::metadata(INJECT).expect("it is there").len();
        let length = fs::metadata(&path).expect("it is there").len();
        assert!(length == own || (ended.exit() != 0 && length == 4), "{at}: {length} bytes");
        if length == own {
            let run = self.0.command(&path, ["--", "true"]).run();
            ends_well(&run, at);
        }
        ends_well(&self.0.inject(["install", "shared"]).run(), at);
        let left = fs::read_dir(self.0.path("work/shared")).expect("it is there").count();
        assert_eq!(left, 1, "{at}: something is left");
    }
}

impl Login {
    fn run(&self, address: &str) -> crate::harness::Run<'_> {
        let run = self.0.world.inject(["login", address]).stdin(format!("{}\n", self.0.owner));
        run.env("HOME", self.0.world.text("home"))
    }

    /// Whether this login is kept: then it is enough.
    fn is_kept(&self, address: &str) -> bool {
        let run = self.0.world.inject(["secret", "list"]).env("INJECT_STORE", address);
        run.run().exit() == 0
    }
}

impl Operation for Login {
    fn world(&self) -> &World {
        &self.0.world
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(&self.0.world, "kept", "home");
        tracer.around(self.run(self.0.served.addresses[1].as_str())).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let [first, second] = [0, 1].map(|index| self.0.served.addresses[index].as_str());
        assert!(self.is_kept(first), "{at}: the one before is lost");
        assert!(self.is_kept(second) || ended.exit() != 0, "{at}\n{}", ended.whole());
        ends_well(&self.run(second).run(), at);
        assert!(self.is_kept(first) && self.is_kept(second), "{at}");
        let left = files(&self.0.world.path("home"));
        assert_eq!(left.len(), 1, "{at}: something is left");
    }
}

#[test]
fn a_launch_that_renders() {
    let world = world();
    put_back(&world, "data", "kept");
    put_back(&world, "work/out", "work/kept");
    at_each("launch", &mut Launch(world));
}

#[test]
fn an_installation() {
    let world = World::new();
    world.write("work/kept/inject", "old\n");
    at_each("install", &mut Install(world));
}

#[test]
fn a_login() {
    let world = World::new();
    let owner = crate::service::served::init(&world);
    let listen = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
    let run = world.inject([&["store", "serve"][..], &listen].concat());
    let served = crate::service::served::Served::of(&world, "server", run, 2);
    let mut login = Login(Day { world, served, owner });
    login.run(login.0.served.url()).run().code(0);
    put_back(&login.0.world, "home", "kept");
    at_each("login", &mut login);
}
