//! A store in this process, with two organizations, and requests to it. It is made once; each case
//! gets a copy of its database, in a folder in memory where there is one.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use inject::name::{EmailAddress, OrgName};
use inject::store::operations::{self, Site};
use inject::store::{DATABASE_NAME, MASTER_KEY_NAME, MasterKeySource, OpenMode, Store};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long the store waits for others who use its files: there are none.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// How long an answer is waited for: on a clock that goes on where nothing else does.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(600);

pub struct World {
    folder: PathBuf,
    key: MasterKeySource,
    /// The database as it was made, and each of its tokens by the name of who has it.
    whole: Vec<u8>,
    tokens: Vec<(&'static str, String)>,
}

/// One answer, read by nothing but its length.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    Operator,
    /// One of the tokens by its name.
    Token(&'a str),
}

/// Every value there is, by organization and name. No other text of the store is like them.
pub const VALUES: [(&str, &str, &str); 5] = [
    ("acme", "DB_PASSWORD", "canary-of-acme-db"),
    ("acme", "DB_PASSWORD_OLD", "canary-of-acme-old"),
    ("acme", "STRIPE_KEY", "canary-of-acme-stripe"),
    ("acme", "Z_KEY", "canary-of-acme-z"),
    ("beta", "DB_PASSWORD", "canary-of-beta-db"),
];

impl World {
    pub fn new(target: &str) -> Self {
        let folder = format!("inject-fuzz-{target}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder for the store");
        let key = MasterKeySource::File(folder.join(MASTER_KEY_NAME));
        let mut world = Self { folder, key, whole: Vec::new(), tokens: Vec::new() };
        world.fill();
        world.whole = fs::read(world.database()).expect("it was made");
        world
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE_NAME)
    }

    pub fn site(&self) -> Site<'_> {
        let wait_max = WAIT_MAX;
        Site { directory: &self.folder, master_key: &self.key, operator: "root", wait_max }
    }

    /// Puts the database as it was made in its place, as a file of its own, and nothing beside it.
    pub fn restore(&self) {
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            let _absent = fs::remove_file(self.folder.join(name));
        }
        fs::write(self.database(), &self.whole).expect("there is room for a copy");
    }

    /// None where there is nothing that can be opened.
    pub fn open(&self) -> Option<Store> {
        let wait = WAIT_MAX;
        let opened = Store::open(&self.folder, &self.key, OpenMode::Existing, "root", wait);
        opened.ok().map(|opened| opened.store)
    }

    pub fn token(&self, who: &str) -> &str {
        let token = self.tokens.iter().find(|(name, _)| *name == who);
        &token.expect("it was made").1
    }

    pub fn tokens(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.tokens.iter().map(|(name, token)| (*name, token.as_str()))
    }

    /// One request on a connection of its own.
    pub fn ask(&self, store: &Store, who: Who<'_>, method: &str, path: &str, body: &str) -> Reply {
        let token = match who {
            Who::Operator => String::new(),
            Who::Token(name) => format!("authorization: Bearer {}\r\n", self.token(name)),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: store\r\nconnection: close\r\n{token}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answers = exchange(store, matches!(who, Who::Operator), request.as_bytes());
        let reply = replies(&answers, true).and_then(|mut all| all.pop());
        reply.unwrap_or_else(|| panic!("no answer to {request:?}: {}", answers.escape_ascii()))
    }

    fn fill(&mut self) {
        let (acme, alice) = ("acme", "alice@acme.com");
        let org = OrgName::parse(acme).expect("a slug");
        let owner = EmailAddress::parse(alice).expect("an address");
        let made = operations::init(self.site(), &org, &owner).ok().expect("a new store");
        let token = String::from_utf8(made.token.expose_secret().to_vec()).expect("it is ASCII");
        self.tokens.push(("owner", token));
        let store = self.open().expect("it was made");
        let beta = json!({ "name": "beta", "owner": "bob@beta.com" });
        self.keep("other", &store, "/api/v1/orgs", &beta);
        let reader = json!({ "email": "rita@acme.com", "role": "reader", "names": ["STRIPE_*"] });
        self.keep("reader", &store, "/api/v1/orgs/acme/members", &reader);
        let tokens = "/api/v1/orgs/acme/tokens";
        let names = ["DB_*"];
        self.keep("workload", &store, tokens, &json!({ "workload": "billing", "names": names }));
        let away = json!({ "workload": "away", "names": names, "network": "10.0.0.0/8" });
        self.keep("away", &store, tokens, &away);
        self.keep("revoked", &store, tokens, &json!({ "workload": "gone", "names": names }));
        let gone = self.token("revoked")[6..18].to_owned();
        self.ask(&store, Who::Operator, "DELETE", &format!("{tokens}/{gone}"), "").is(204);
        let beta = "/api/v1/orgs/beta/tokens";
        self.keep("beta", &store, beta, &json!({ "workload": "billing" }));
        for (org, name, value) in VALUES {
            let path = format!("/api/v1/orgs/{org}/secrets/{name}");
            let body = json!({ "value": value }).to_string();
            self.ask(&store, Who::Operator, "PUT", &path, &body).is(201);
        }
        let gone = "/api/v1/orgs/acme/secrets/GONE_KEY";
        let value = r#"{"value":"canary-of-what-is-gone"}"#;
        self.ask(&store, Who::Operator, "PUT", gone, value).is(201);
        self.ask(&store, Who::Operator, "DELETE", gone, "").is(204);
        let resolve = "/api/v1/orgs/acme/resolve";
        let names = r#"{"names":["DB_PASSWORD"]}"#;
        self.ask(&store, Who::Token("workload"), "POST", resolve, names).is(200);
        drop(store);
        self.settle();
    }

    /// Makes something that comes with a token, and keeps the token under that name.
    fn keep(&mut self, name: &'static str, store: &Store, path: &str, body: &Value) {
        let reply = self.ask(store, Who::Operator, "POST", path, &body.to_string()).is(201);
        let token = reply.json()["token"].as_str().expect("a token").to_owned();
        self.tokens.push((name, token));
    }

    /// All of the database is in its one file.
    fn settle(&self) {
        let by_hand = rusqlite::Connection::open(self.database()).expect("it is there");
        let empty = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let kept = by_hand.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], empty);
        assert_eq!(kept.expect("nobody else has it open"), 0);
    }
}

impl Reply {
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// Sends these bytes, which are fewer than may be under way, and reads all that comes until the
/// other side ends it or has no more to say. Nothing of the connection is left behind.
pub fn exchange(store: &Store, is_operator: bool, bytes: &[u8]) -> Vec<u8> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    let mut answers = Vec::new();
    runtime.block_on(async {
        let mut stream = if is_operator { store.connect() } else { store.connect_as_stranger() };
        let both = async {
            stream.write_all(bytes).await?;
            stream.read_to_end(&mut answers).await
        };
        // Who has heard enough ends the connection; who has nothing to say is not waited for.
        let _ended = tokio::time::timeout(ANSWER_TIME_MAX, both).await;
    });
    answers
}

/// What stands in these bytes, each answer by its length; none if they are something else. The body
/// of an answer to `HEAD` is not there.
pub fn replies(mut bytes: &[u8], has_bodies: bool) -> Option<Vec<Reply>> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
        let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "))?;
        let status = status.get(..3)?.parse().ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>())
        });
        let length = if has_bodies { length.and_then(Result::ok).unwrap_or(0) } else { 0 };
        let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
        bytes = &bytes[end + 4 + length..];
        replies.push(Reply { status, head, body });
    }
    Some(replies)
}
