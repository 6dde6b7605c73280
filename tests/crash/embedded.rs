//! Commands on the machine itself, which open the store in their own process: what they make of
//! it, and that it is whole or as it was.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::tracer::Tracer;
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, Run, World};
use crate::serve_faults::{CANARY, Organization, holds};

/// All that a data directory may hold.
const FILES: [&str; 6] =
    ["master.key", "store.db", "store.db-shm", "store.db-wal", "tls.crt", "tls.key"];

/// What a store says it has: each secret with its version and value, and how many tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub secrets: BTreeMap<String, (u64, String)>,
    pub tokens: usize,
}

impl State {
    /// As the binary tells it; nothing, where there is no store.
    pub fn of(world: &World, data: &str, org: &str, at: &dyn std::fmt::Display) -> Self {
        if !world.path(data).join("store.db").exists() {
            return Self::default();
        }
        let known = |run: Run<'_>| {
            let run = run.env("INJECT_ORG", org).env("INJECT_DATA", world.text(data));
            let ended = run.run();
            assert_eq!(ended.exit(), 0, "{at}\n{}", ended.whole());
            ended
        };
        let list = |noun: &str| -> Vec<Value> {
            let ended = known(world.inject([noun, "list", "--json"]));
            let list: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
            list[format!("{noun}s")].as_array().expect("a list").clone()
        };
        let secrets = list("secret");
        let names: Vec<&str> =
            secrets.iter().filter_map(|secret| secret["name"].as_str()).collect();
        let seen = known(world.launch(["--export", &names.join(",")])).seen();
        let secret = |secret: &Value| {
            let name = secret["name"].as_str().expect("a name");
            let version = secret["version"].as_u64().expect("a version");
            (name.to_owned(), (version, seen.text(name).to_owned()))
        };
        Self { secrets: secrets.iter().map(secret).collect(), tokens: list("token").len() }
    }

    fn with(mut self, name: &str, version: u64, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), (version, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.secrets.remove(name);
        self
    }

    fn with_token(mut self) -> Self {
        self.tokens += 1;
        self
    }
}

/// One command, and what it changes.
pub struct Change {
    pub organization: Organization,
    org: &'static str,
    words: &'static str,
    before: State,
    after: State,
    /// On record where it is done.
    record: Option<&'static str>,
    /// What is in no file any more where it is done.
    gone: Vec<Vec<u8>>,
    last: i64,
}

pub fn value(text: &str) -> String {
    format!("{CANARY} {text}")
}

/// Three secrets, one of them in its second version.
pub fn with_secrets() -> Organization {
    let organization = Organization::new();
    for (name, text) in [("A_KEY", "a1"), ("A_KEY", "a2"), ("B_KEY", "b1"), ("C_KEY", "c1")] {
        organization.local(&format!("secret set {name}")).stdin(value(text)).run().code(0);
    }
    organization
}

impl Change {
    /// To a store with three secrets.
    fn new(words: &'static str, change: impl Fn(State) -> State) -> Self {
        let organization = with_secrets();
        let before = State::of(&organization.world, "data", "acme", &words);
        assert_eq!(before.secrets["A_KEY"], (2, value("a2")));
        let (after, last) = (change(before.clone()), organization.last());
        put_back(&organization.world, "data", "kept");
        let (record, gone) = (None, Vec::new());
        Self { organization, org: "acme", words, before, after, record, gone, last }
    }

    /// Where there is no store yet.
    fn first(org: &'static str, words: &'static str, after: State) -> Self {
        let organization = Organization { world: World::new() };
        let (before, record, gone) = (State::default(), None, Vec::new());
        Self { organization, org, words, before, after, record, gone, last: 0 }
    }

    fn on_record(mut self, record: &'static str) -> Self {
        self.record = Some(record);
        self
    }

    /// The salts of these versions, without which what is sealed is noise.
    fn gone(mut self, which: impl Fn(&str) -> bool) -> Self {
        let salts = Organization::salts(&self.organization.database());
        let gone = salts.into_iter().filter(|((name, _), _)| which(name));
        self.gone = gone.map(|(_, salt)| salt).collect();
        assert!(!self.gone.is_empty());
        self
    }

    fn run(&self, words: &str, text: &str) -> Run<'_> {
        let run = self.world().inject(words.split(' ')).stdin(value(text));
        run.env("INJECT_ORG", self.org)
    }

    fn is_gone(&self, at: &At) {
        let gone: Vec<&[u8]> = self.gone.iter().map(Vec::as_slice).collect();
        assert_eq!(holds(self.world(), "data", &gone), None, "{at}");
    }

    /// All of it, or nothing of it. Says which.
    fn is_whole(&self, ended: &Ended, at: &At) -> bool {
        let state = State::of(self.world(), "data", self.org, at);
        let may_be_before = ended.exit() != 0;
        let is_done = state == self.after && !(may_be_before && state == self.before);
        let as_told = is_done || (may_be_before && state == self.before);
        let expected = (&self.before, &self.after);
        assert!(as_told, "{at}\n{}\n{state:#?}\nexpected {expected:#?}", ended.whole());
        if let Some(record) = self.record {
            let records = self.organization.records("os:root", self.last);
            let is_change = |record: &String| !record.starts_with("resolve");
            let records: Vec<String> = records.into_iter().filter(is_change).collect();
            let expected: &[&str] = if is_done { &[record] } else { &[] };
            assert_eq!(records, expected, "{at}\n{}", ended.whole());
        }
        is_done
    }

    /// The next command finishes what was begun, and nothing else is left.
    fn goes_on(&self, at: &At) {
        let is_there = self.world().path("data/store.db").exists();
        let words = match self.words.split(' ').nth(1) {
            // A new store has to be asked for once more; what is sealed anew is so to its end.
            Some("init") if !is_there => self.words,
            Some("rekey") => self.words,
            _ => "secret set NEXT_KEY",
        };
        let ended = self.run(words, "next").run();
        assert_eq!(ended.exit(), 0, "{at}\n{}", ended.whole());
        left_clean(self.world(), "data", at);
        if words == "store rekey" {
            let key = fs::read_to_string(self.world().path("data/master.key"));
            assert_eq!(key.expect("it is there").lines().count(), 1, "{at}");
        }
        let verified = self.world().inject(["store", "verify"]).run();
        assert_eq!(verified.exit(), 0, "{at}\n{}", verified.whole());
    }
}

/// Nothing is in a data directory but what belongs there.
pub fn left_clean(world: &World, data: &str, at: &At) {
    if at.keeps_files() {
        return;
    }
    for entry in fs::read_dir(world.path(data)).expect("it is there").flatten() {
        let name = entry.file_name();
        assert!(FILES.iter().any(|file| *file == name), "{at}: {} is left", name.display());
    }
}

impl Operation for Change {
    fn world(&self) -> &World {
        &self.organization.world
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(self.world(), "kept", "data");
        tracer.around(self.run(self.words, "new")).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        // Before anybody opens it again.
        if ended.exit() == 0 {
            self.is_gone(at);
        }
        if self.world().path("data/store.db").exists() {
            let verified = self.world().inject(["store", "verify"]).run();
            assert_eq!(verified.exit(), 0, "{at}\n{}", verified.whole());
        }
        let is_done = self.is_whole(ended, at);
        self.goes_on(at);
        if is_done || self.words == "store rekey" {
            self.is_gone(at);
        }
    }
}

#[test]
fn a_first_use() {
    let after = State::default().with("D_KEY", 1, &value("new"));
    at_each("first use", &mut Change::first("default", "secret set D_KEY", after));
}

#[test]
fn an_init() {
    let after = State::default().with_token();
    let words = "store init --org acme --owner alice@acme.com";
    at_each("init", &mut Change::first("acme", words, after));
}

#[test]
fn a_create() {
    let change = Change::new("secret set D_KEY", |state| state.with("D_KEY", 1, &value("new")));
    let record = r#"create [{"name":"D_KEY","version":1}] ok"#;
    at_each("create", &mut change.on_record(record));
}

#[test]
fn an_update() {
    let change = Change::new("secret set A_KEY", |state| state.with("A_KEY", 3, &value("new")));
    let record = r#"update [{"name":"A_KEY","version":3}] ok"#;
    at_each("update", &mut change.on_record(record).gone(|name| name == "A_KEY"));
}

#[test]
fn a_delete() {
    let change = Change::new("secret rm A_KEY --yes", |state| state.without("A_KEY"));
    let record = r#"delete [{"name":"A_KEY","version":2}] ok"#;
    at_each("delete", &mut change.on_record(record).gone(|name| name == "A_KEY"));
}

#[test]
fn a_new_token() {
    let mut change = Change::new("token create --workload web", State::with_token);
    at_each("token", &mut change);
}

#[test]
fn a_rekey() {
    let change = Change::new("store rekey", |state| state);
    at_each("rekey", &mut change.gone(|_| true));
}
