//! What a sidecar renders: a set that changes at once, and single files. Who reads it finds the
//! former one or the new one.

use std::fs;
use std::path::Path;

use super::tracer::{Fault, Tracer};
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, World};
use crate::sidecar::Scene;

const SET: [&str; 4] =
    ["--once", "--into=out", "--render=key.txt:key", "--render=key.txt:conf/key:0644"];
const SINGLE: [&str; 3] = ["--once", "--render=key.txt:out/key", "--render=key.txt:out/other"];

/// A rendering in place of another one, or the first.
struct Side {
    scene: Scene,
    options: &'static [&'static str],
    /// The two outputs, below the folder, as readers find them.
    paths: [&'static str; 2],
    before: &'static str,
    /// All names in the folder at the end, sets as `SET`.
    names: &'static [&'static str],
}

impl Side {
    fn new(options: &'static [&'static str], is_first: bool) -> Self {
        let scene = Scene::new();
        if !is_first {
            scene.describe(options).run().code(0);
        }
        put_back(scene.world(), "work/out", "work/kept");
        scene.set("DB_KEY", "key-2");
        let before = if is_first { "" } else { "key key-1\n" };
        match options.contains(&"--into=out") {
            true => {
                let names = &["..data", "..lock", "SET", "conf", "key"];
                Self { scene, options, paths: ["..data/key", "..data/conf/key"], before, names }
            }
            false => {
                Self { scene, options, paths: ["key", "other"], before, names: &["key", "other"] }
            }
        }
    }

    fn texts(&self) -> [String; 2] {
        self.paths.map(|path| self.scene.text(&format!("out/{path}")))
    }
}

/// The names in a folder, sets as `SET`.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a text");
        let is_set = name.starts_with("..2");
        if is_set { "SET".to_owned() } else { name }
    };
    let mut names: Vec<String> = entries.flatten().map(name).collect();
    names.sort();
    names
}

impl Operation for Side {
    fn world(&self) -> &World {
        self.scene.world()
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(self.world(), "work/kept", "work/out");
        tracer.around(self.scene.describe(self.options)).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let [key, other] = self.texts();
        let (before, after) = (self.before, "key key-2\n");
        for text in [&key, &other] {
            let may_be = text == after || (ended.exit() != 0 && text == before);
            assert!(may_be, "{at}: {text:?}\n{}", ended.whole());
        }
        // Single files are renamed one by one, and put back where that fails.
        let at_once = self.paths[0].starts_with("..data") || matches!(at.fault, Fault::Once(_));
        assert!(!at_once || key == other, "{at}: {key:?} and {other:?}\n{}", ended.whole());
        let again = self.scene.describe(self.options).run();
        assert_eq!(again.exit(), 0, "{at}\n{}", again.whole());
        assert_eq!(self.texts(), [after, after], "{at}");
        assert_eq!(names(&self.world().path("work/out")), self.names, "{at}");
    }
}

#[test]
fn a_first_set() {
    at_each("first set", &mut Side::new(&SET, true));
}

#[test]
fn a_set_in_place_of_another() {
    at_each("set", &mut Side::new(&SET, false));
}

#[test]
fn single_files() {
    at_each("single outputs", &mut Side::new(&SINGLE, false));
}
