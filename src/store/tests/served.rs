//! A store that is served to many, and those who ask it: each with a token or a session, from an
//! address.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Runtime;

use crate::store::http::Peer;
use crate::store::tests::{Handle, OpenMode, Reply, key_of, open};

pub struct Served {
    pub directory: TempDir,
    pub handle: Handle,
    runtime: Runtime,
    description: RefCell<Option<Value>>,
}

/// Who asks, and how.
#[derive(Clone, Debug)]
pub struct Caller {
    pub proof: Proof,
    pub address: IpAddr,
}

#[derive(Clone, Debug)]
pub enum Proof {
    /// On the machine itself.
    Operator,
    None,
    Bearer(String),
    /// A cookie, and whether the store's own page asks.
    Session(String, bool),
}

impl Caller {
    pub fn operator() -> Self {
        Self::of(Proof::Operator)
    }

    pub fn nobody() -> Self {
        Self::of(Proof::None)
    }

    pub fn bearer(token: &str) -> Self {
        Self::of(Proof::Bearer(token.to_owned()))
    }

    pub fn session(cookie: &str, is_own_page: bool) -> Self {
        Self::of(Proof::Session(cookie.to_owned(), is_own_page))
    }

    pub fn from(self, address: &str) -> Self {
        Self { address: address.parse().unwrap(), ..self }
    }

    fn of(proof: Proof) -> Self {
        Self { proof, address: "192.0.2.7".parse().unwrap() }
    }

    fn headers(&self) -> Vec<(&str, String)> {
        match &self.proof {
            Proof::Operator | Proof::None => vec![],
            Proof::Bearer(token) => vec![("authorization", format!("Bearer {token}"))],
            Proof::Session(cookie, is_own_page) => {
                let site = if *is_own_page { "same-origin" } else { "cross-site" };
                vec![
                    ("cookie", format!("__Host-inject={cookie}")),
                    ("sec-fetch-site", site.to_owned()),
                ]
            }
        }
    }
}

impl Served {
    /// With one organization, `default`, that has no member.
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        open(directory.path(), OpenMode::CreateIfMissing).unwrap();
        let handle = serve(&directory);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { directory, handle, runtime, description: RefCell::new(None) }
    }

    /// The same files, served once more, as by another process.
    pub fn again(&self) -> Handle {
        serve(&self.directory)
    }

    pub fn by_hand(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.directory.path().join("store.db")).unwrap()
    }

    pub fn ask(&self, caller: &Caller, method: &str, path: &str, body: &str) -> Reply {
        self.ask_with(&self.handle, caller, (method, path), &[], body.as_bytes())
    }

    pub fn ask_with(
        &self,
        handle: &Handle,
        caller: &Caller,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "store");
        let own = caller.headers();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        self.runtime.block_on(async {
            let io = TokioIo::new(connect(handle, caller));
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Reply { status: head.status, headers: head.headers, body }
        })
    }

    /// Sends these very bytes on a connection; what comes until the store ends it. Where the
    /// request breaks off, so does the connection, for else both would wait.
    pub fn send_raw(&self, peer: Peer, bytes: &[u8], breaks_off: bool) -> Vec<u8> {
        self.runtime.block_on(async {
            let mut stream = self.handle.connect_as(peer);
            let mut got = Vec::new();
            // The store may answer, and end the connection, before it has read all.
            let _cut_off = stream.write_all(bytes).await;
            if breaks_off {
                let _cut_off = stream.shutdown().await;
            }
            stream.read_to_end(&mut got).await.unwrap();
            got
        })
    }

    pub fn operator(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.ask(&Caller::operator(), method, path, &body.to_string())
    }

    /// A new organization; its owner.
    pub fn org(&self, name: &str, owner: &str) -> Caller {
        let body = json!({ "name": name, "owner": owner });
        self.operator("POST", "/api/v1/orgs", &body).is(201).caller()
    }

    pub fn set(&self, org: &str, name: &str, value: &str) {
        let path = format!("/api/v1/orgs/{org}/secrets/{name}");
        let reply = self.operator("PUT", &path, &json!({ "value": value }));
        assert!(reply.status.is_success(), "{reply:?}");
    }

    pub fn sign_in(&self, token: &str) -> String {
        let body = json!({ "token": token }).to_string();
        self.ask(&Caller::nobody(), "POST", "/api/v1/session", &body).is(200).cookie()
    }

    /// The store's own description.
    pub fn description(&self) -> Value {
        let mut kept = self.description.borrow_mut();
        let path = "/api/v1/openapi.json";
        let read = || self.ask(&Caller::nobody(), "GET", path, "").is(200).json();
        kept.get_or_insert_with(read).clone()
    }

    pub fn resolve(&self, caller: &Caller, org: &str, names: &[&str]) -> Reply {
        let body = json!({ "names": names }).to_string();
        self.ask(caller, "POST", &format!("/api/v1/orgs/{org}/resolve"), &body)
    }

    /// Who did what to what with which outcome, oldest first.
    pub fn trail(&self, org: &str) -> Vec<String> {
        let path = format!("/api/v1/orgs/{org}/audit?limit=1000");
        let list = self.operator("GET", &path, &Value::Null).is(200).json();
        assert_eq!(list["next"], Value::Null);
        let records = list["records"].as_array().unwrap().iter().rev();
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or("-").to_owned();
        records
            .map(|record| {
                let parts = ["actor", "action", "subject", "outcome"];
                let parts: Vec<String> = parts.iter().map(|key| text(record, key)).collect();
                parts.join(" ")
            })
            .collect()
    }

    /// The whole chain holds.
    pub fn verify(&self, org: &str) {
        let path = format!("/api/v1/orgs/{org}/audit/verify");
        let found = self.operator("POST", &path, &json!({})).is(200).json();
        assert_eq!(found.get("broken"), None, "{found}");
    }
}

impl Reply {
    /// Whose token the answer brings.
    #[track_caller]
    pub fn caller(&self) -> Caller {
        Caller::bearer(&self.text("token"))
    }

    #[track_caller]
    pub fn text(&self, key: &str) -> String {
        self.json()[key].as_str().unwrap_or_else(|| panic!("no {key}: {self:?}")).to_owned()
    }

    #[track_caller]
    pub fn cookie(&self) -> String {
        let line = self.headers["set-cookie"].to_str().unwrap();
        let (cookie, _) = line.strip_prefix("__Host-inject=").unwrap().split_once(';').unwrap();
        cookie.to_owned()
    }
}

fn serve(directory: &TempDir) -> Handle {
    // Longer than the tests beside this one keep a core busy.
    let wait_max = Duration::from_secs(5);
    Handle::open_to_serve(directory.path(), &key_of(directory.path()), "alice", wait_max).unwrap()
}

fn connect(handle: &Handle, caller: &Caller) -> DuplexStream {
    match caller.proof {
        Proof::Operator => handle.connect(),
        _ => handle.connect_as(Peer::Stranger { address: Some(caller.address) }),
    }
}
