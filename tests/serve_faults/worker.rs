//! A client that keeps books: what it asked, what was answered, what must therefore be stored and
//! on record. Its names are its own, so nobody else changes what it expects.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::serve::server::{Connection, Reply};

use super::{Chance, Organization};

/// In each value.
pub const CANARY: &str = "c4n4ry-0f-the-faults";
/// Names that a worker has.
const NAMES: u64 = 5;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Act {
    Set(String),
    Delete(String),
    /// All that are there.
    Resolve,
}

/// One act, and the record that it leaves where it is done.
#[derive(Clone, Debug)]
struct Step {
    act: Act,
    value: String,
    record: String,
}

/// A name's last version, and its value where it is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub version: u64,
    pub value: Option<String>,
}

pub struct Worker {
    pub actor: String,
    pub token: String,
    names: Vec<String>,
    pub kept: BTreeMap<String, Kept>,
    /// The records of what was answered, in their order.
    pub done: Vec<String>,
    /// Versions that were answered to be gone.
    pub retired: Vec<(String, u64)>,
    /// What was asked last, while there is no answer to it.
    pending: Option<Step>,
    values: u64,
    chance: Chance,
    connection: Option<Connection>,
}

impl Worker {
    pub fn new(organization: &Organization, name: &str) -> Self {
        let upper = name.to_uppercase();
        Self {
            actor: format!("{name}@acme.com"),
            token: organization.member(name),
            names: (0..NAMES).map(|number| format!("{upper}_KEY_{number}")).collect(),
            kept: BTreeMap::new(),
            done: Vec::new(),
            retired: Vec::new(),
            pending: None,
            values: 0,
            chance: Chance::new(),
            connection: None,
        }
    }

    /// The name with this number.
    pub fn name(&self, number: usize) -> String {
        self.names[number].clone()
    }

    /// Asks again and again, until somebody says stop or there is no answer.
    pub fn run(&mut self, address: &Mutex<String>, answers: &AtomicUsize, most: usize) {
        self.connect(&address.lock().expect("nobody panics with it"));
        while answers.load(Ordering::Relaxed) < most {
            let act = self.any();
            match self.ask(act) {
                Some(reply) => {
                    assert!(reply.status < 300, "{}", said(&reply));
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                None => return,
            }
        }
    }

    pub fn connect(&mut self, address: &str) {
        self.connection = Connection::to(address).ok();
    }

    fn any(&mut self) -> Act {
        let name = self.names[self.chance.below(NAMES) as usize].clone();
        let is_there = self.kept.get(&name).is_some_and(|kept| kept.value.is_some());
        match self.chance.below(10) {
            0..3 if is_there => Act::Delete(name),
            0..7 => Act::Set(name),
            _ if self.present().next().is_some() => Act::Resolve,
            _ => Act::Set(name),
        }
    }

    /// What needs no purge: a new name while there are some, a resolve in between.
    pub fn addition(&self) -> Act {
        let fresh = self.names.iter().find(|name| !self.kept.contains_key(*name));
        let is_turn = self.values.is_multiple_of(2) || self.kept.is_empty();
        match fresh {
            Some(name) if is_turn => Act::Set(name.clone()),
            _ => Act::Resolve,
        }
    }

    fn present(&self) -> impl Iterator<Item = (&String, &Kept)> {
        self.kept.iter().filter(|(_, kept)| kept.value.is_some())
    }

    /// The same worker with the same books, as it was before it asked anything more.
    pub fn again(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            token: self.token.clone(),
            names: self.names.clone(),
            kept: self.kept.clone(),
            done: self.done.clone(),
            retired: self.retired.clone(),
            pending: None,
            values: self.values,
            chance: Chance::new(),
            connection: None,
        }
    }

    /// Asks, and books what is answered: nothing where the connection ends before.
    pub fn ask(&mut self, act: Act) -> Option<Reply> {
        let step = self.step(act);
        self.ask_step(step)
    }

    /// The same where the last act was refused, and may have been done all the same: then it is the
    /// same value that is sent again.
    pub fn ask_again(&mut self, act: Act) -> Option<Reply> {
        let step = match self.pending.take() {
            Some(step) => step,
            None => self.step(act),
        };
        self.ask_step(step)
    }

    fn ask_step(&mut self, step: Step) -> Option<Reply> {
        let (method, path, body) = self.request(&step);
        let headers = format!("authorization: Bearer {}\r\n", self.token);
        let head = crate::serve::server::head(method, &path, &headers, body.len());
        let connection = self.connection.as_mut()?;
        self.pending = Some(step.clone());
        let sent = connection.try_send([head.as_bytes(), body.as_bytes()].concat());
        let Some(reply) = connection.try_reply().ok().filter(|_| sent) else {
            self.connection = None;
            return None;
        };
        if reply.status < 300 {
            self.judge(&step, &reply);
            self.done.push(step.record.clone());
            self.pending = None;
            self.book(step);
        }
        Some(reply)
    }

    fn step(&mut self, act: Act) -> Step {
        let named =
            |name: &str, version| format!("[{{\"name\":\"{name}\",\"version\":{version}}}]");
        let record = match &act {
            Act::Set(name) => {
                let kept = self.kept.get(name).cloned().unwrap_or_default();
                let action = if kept.value.is_some() { "update" } else { "create" };
                format!("{action} {} ok", named(name, kept.version + 1))
            }
            Act::Delete(name) => format!("delete {} ok", named(name, self.kept[name].version)),
            Act::Resolve => {
                let each = self.present().map(|(name, kept)| named(name, kept.version));
                let all: Vec<String> = each.collect();
                format!("resolve {} ok", all.join("").replace("][", ","))
            }
        };
        self.values += 1;
        let value = format!("{CANARY} {} {}", self.actor, self.values);
        Step { act, value, record }
    }

    fn request(&self, step: &Step) -> (&'static str, String, String) {
        let secret = |name: &str| format!("/api/v1/orgs/acme/secrets/{name}");
        match &step.act {
            Act::Set(name) => ("PUT", secret(name), json!({"value": step.value}).to_string()),
            Act::Delete(name) => ("DELETE", secret(name), String::new()),
            Act::Resolve => {
                let names: Vec<_> = self.present().map(|(name, _)| name).collect();
                ("POST", "/api/v1/orgs/acme/resolve".into(), json!({"names": names}).to_string())
            }
        }
    }

    /// Whether an answer says what is stored.
    fn judge(&self, step: &Step, reply: &Reply) {
        match &step.act {
            Act::Resolve => assert_eq!(self.resolved(reply), self.expected(), "{}", self.actor),
            Act::Set(_) => {
                let version = reply.header("etag").expect("it has a version").trim_matches('"');
                let expected = format!("\"version\":{version}}}");
                assert!(step.record.contains(&expected), "{version}: {}", step.record);
            }
            Act::Delete(_) => assert_eq!(reply.status, 204),
        }
    }

    fn resolved(&self, reply: &Reply) -> BTreeMap<String, Kept> {
        let body: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
        let secrets = body["secrets"].as_object().expect("an object");
        let kept = |one: &Value| Kept {
            version: one["version"].as_u64().expect("a version"),
            value: one["value"].as_str().map(str::to_owned),
        };
        secrets.iter().map(|(name, one)| (name.clone(), kept(one))).collect()
    }

    fn expected(&self) -> BTreeMap<String, Kept> {
        self.present().map(|(name, kept)| (name.clone(), kept.clone())).collect()
    }

    /// What is so once the step was done.
    fn book(&mut self, step: Step) {
        match step.act {
            Act::Set(name) => {
                let kept = self.kept.entry(name.clone()).or_default();
                if kept.value.is_some() {
                    self.retired.push((name, kept.version));
                }
                *kept = Kept { version: kept.version + 1, value: Some(step.value) };
            }
            Act::Delete(name) => {
                let kept = self.kept.get_mut(&name).expect("it was there");
                self.retired.push((name, kept.version));
                kept.value = None;
            }
            Act::Resolve => {}
        }
    }

    /// Compares the books with the trail: every answer is there, in its order, and at most what was
    /// asked last beside it. That is booked as done too, where it is there. Says whether it was.
    /// What was asked for again, and done before, is done once.
    #[track_caller]
    pub fn reconcile(&mut self, organization: &Organization, after: i64, context: &str) -> bool {
        let mut records = organization.records(&self.actor, after);
        records.retain(|record| !record.ends_with(" repeated"));
        let more = match records.strip_prefix(self.done.as_slice()) {
            Some(more) => more.to_vec(),
            None => panic!("{context}: answered {:#?}\non record {records:#?}", self.done),
        };
        let pending = self.pending.take();
        self.done.clear();
        match (more.as_slice(), pending) {
            ([], _) => false,
            ([one], Some(step)) if *one == step.record => {
                self.book(step);
                true
            }
            (more, pending) => panic!("{context}: nobody asked for {more:?}, but for {pending:?}"),
        }
    }

    /// Asks a server for all that must be there, and for what must not.
    #[track_caller]
    pub fn confirm(&mut self, address: &str, context: &str) {
        self.connect(address);
        if self.present().next().is_some() {
            let reply = self.ask(Act::Resolve).expect("it answers");
            assert_eq!(reply.status, 200, "{context}: {}", said(&reply));
        }
        let gone = self.kept.iter().filter(|(_, kept)| kept.value.is_none());
        let gone: Vec<_> = gone.map(|(name, _)| name.clone()).collect();
        let connection = self.connection.as_mut().expect("it listens");
        for name in gone {
            let headers = format!("authorization: Bearer {}\r\n", self.token);
            let path = format!("/api/v1/orgs/acme/secrets/{name}");
            let reply = connection.request("GET", &path, &headers, b"");
            assert_eq!(reply.status, 404, "{context}: {name} is gone");
        }
    }
}

/// An answer, for a message.
pub fn said(reply: &Reply) -> String {
    format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body))
}

/// A request that failed is told why, and what to do.
#[track_caller]
pub fn is_told(reply: &Reply, context: &str) {
    assert!([500, 503, 507].contains(&reply.status), "{context}: {}", said(reply));
    let kind = reply.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{context}: {}", said(reply));
    let problem: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{context}");
}
