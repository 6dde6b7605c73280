//! A served store that browsers ask, with people and programs that know it.

use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::browser::{Browser, Seat};
use crate::harness::{World, eventually};
use crate::serve::server::Connection;
use crate::service::{Day, Served, init};

/// The organization `acme` of `alice@acme.com`, over plain HTTP, and room for a browser or two.
pub struct Site {
    pub day: Day,
    port: String,
    _seat: Seat,
}

impl Site {
    pub fn new() -> Self {
        let world = World::new();
        let owner = init(&world);
        Self::of(world, owner)
    }

    /// With a store that is there.
    pub fn of(world: World, owner: String) -> Self {
        let seat = Seat::take();
        let served = serve(&world, "0");
        let (_, port) = served.url().rsplit_once(':').expect("an address has a port");
        let port = port.to_owned();
        Self { day: Day { world, served, owner }, port, _seat: seat }
    }

    /// A fresh browser at the store's own origin.
    pub fn browser(&self) -> Browser {
        Browser::start(self.day.served.bare())
    }

    /// A browser in which this token is signed in, at an address.
    #[track_caller]
    pub fn signed_in(&self, path: &str, token: &str) -> Browser {
        let browser = self.browser();
        browser.sign_in(path, token);
        browser
    }

    /// Ends the server, and waits until nobody listens.
    pub fn stop(&self) {
        self.day.served.signal(Signal::SIGTERM);
        let address = format!("127.0.0.1:{}", self.port);
        let gone = || TcpStream::connect(&address).is_err().then_some(());
        eventually(gone).expect("it ends when it is told to");
    }

    /// Starts it again where it was.
    pub fn start(&mut self) {
        self.day.served = serve(&self.day.world, &self.port);
    }

    /// Changes the database behind the back of a store that is stopped.
    pub fn tamper(&self, statement: &str) {
        let file = self.day.world.path("data/store.db");
        let database = rusqlite::Connection::open(file).expect("the store is there");
        let changed = database.execute(statement, []).expect("a statement");
        assert!(changed > 0, "nothing is changed by {statement}");
    }

    /// One request of the API by the owner, which must succeed: what it answers.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let headers = format!("authorization: Bearer {}\r\n", self.day.owner);
        let mut connection = Connection::to(self.day.served.bare()).expect("it listens");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/api/v1{path}");
        let reply = connection.request(method, &path, &headers, body.as_bytes());
        let (status, text) = (reply.status, reply.text());
        assert!(matches!(status, 200..=299), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Creates or updates secrets, as the owner.
    #[track_caller]
    pub fn put(&self, names: &[&str]) {
        for name in names {
            let path = format!("/orgs/acme/secrets/{name}");
            self.ask("PUT", &path, &json!({"value": format!("value of {name}")}));
        }
    }

    /// Names of all the secrets that there are.
    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        let list = self.ask("GET", "/orgs/acme/secrets?sort=name", &Value::Null);
        let secrets = list["secrets"].as_array().expect("a list");
        secrets.iter().filter_map(|one| one["name"].as_str()).map(str::to_owned).collect()
    }

    /// What a secret's value is, as who may resolve it gets it.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        let token = self.day.token("looks", &["--names", name]);
        self.day.with(&token).value(name).unwrap_or_else(|code| panic!("{name}: exit {code}"))
    }
}

fn serve(world: &World, port: &str) -> Served {
    let listen = format!("127.0.0.1:{port}");
    let words = ["store", "serve", "--plaintext", "--listen", &listen];
    Served::of(world, "server", world.inject(words), 1)
}
