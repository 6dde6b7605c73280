//! The served API against its own description: Schemathesis makes requests of it, good and bad,
//! and finds no failure of the store and no answer that is not described.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::harness::{Started, World, eventually};

/// The same requests each time.
const SEED: &str = "1";
/// How long they go on. Each phase has its part of it.
const SECONDS: &str = "45";
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api");
const SCHEMATHESIS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/schemathesis/bin/schemathesis");

/// A store that is served, and the token of its owner.
struct Server {
    _started: Started,
    address: String,
    token: String,
}

impl Server {
    fn start(world: &World) -> Self {
        let init = ["store", "init", "--org", "acme", "--owner", "keeper@acme.com"];
        let ended = world.inject(init).run();
        let out = String::from_utf8_lossy(&ended.code(0).stdout).into_owned();
        let token = out.split_whitespace().find(|word| word.starts_with("inj_m_"));
        let token = token.expect("the owner's first token is printed").to_owned();
        let serve = ["store", "serve", "--plaintext", "--listen", "127.0.0.1:0"];
        let started = world.inject(serve).streams("server").start();
        let announced = || {
            let text = fs::read_to_string(world.path("server.out")).expect("made at the start");
            let (line, _) = text.split_once('\n')?;
            line.strip_prefix("INJECT_STORE=http://").map(str::to_owned)
        };
        let address = eventually(announced).expect("it prints where it listens");
        Self { _started: started, address, token }
    }

    /// The status of one request by the owner.
    fn ask(&self, method: &str, path: &str, body: &str) -> u16 {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: store\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("{answer}"))
    }
}

#[test]
fn the_described_api_is_the_served_one() {
    assert!(
        Path::new(SCHEMATHESIS).exists(),
        "{SCHEMATHESIS} is missing: `tests/run` installs it, or `python3 -m venv \
         target/schemathesis && target/schemathesis/bin/pip install -r tests/api/requirements.txt`"
    );
    let world = World::new();
    let server = Server::start(&world);
    let org = "/api/v1/orgs/acme";
    let names = r#"{"names":["*"]}"#;
    assert_eq!(server.ask("PATCH", &format!("{org}/members/keeper@acme.com"), names), 200);
    for name in ["DB_PASSWORD_PROD", "STRIPE_API_KEY"] {
        let path = format!("{org}/secrets/{name}");
        assert_eq!(server.ask("PUT", &path, r#"{"value":"x"}"#), 201);
    }
    for file in ["schemathesis.toml", "hooks.py"] {
        world.write(&format!("work/{file}"), fs::read(Path::new(HERE).join(file)).expect("a file"));
    }
    let description = format!("http://{}/api/v1/openapi.json", server.address);
    let header = format!("Authorization: Bearer {}", server.token);
    let run = ["run", &description, "--header", &header, "--no-color"];
    let bounds = ["--seed", SEED, "--max-time", SECONDS];
    let schemathesis = world.command(SCHEMATHESIS, [&run[..], &bounds].concat());
    schemathesis.env("INJECT_TOKEN", &server.token).run().code(0);
    assert_eq!(server.ask("GET", "/api/v1/orgs", ""), 200, "it locked itself out");
    assert_eq!(server.ask("GET", "/readyz", ""), 200);
}
