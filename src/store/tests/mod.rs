//! The store through its own HTTP face, on real files.
#![allow(clippy::unwrap_used)]

mod api;
mod canary;
mod first_use;
mod forgery;
mod hostile;
mod lasting;
mod many;
mod matrix;
mod people;
mod purge;
mod records;
mod rekey;
mod replaced;
mod revoked;
mod served;
mod sessions;
mod tamper;
mod tenants;
mod trail;
mod usage;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;

use crate::store::audit::Broken;
use crate::store::{MasterKeySource, OpenError, OpenMode, Opened, Store as Handle};

/// A store in a directory of its own.
struct Store {
    directory: TempDir,
    handle: Handle,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

fn open(directory: &Path, mode: OpenMode) -> Result<Opened, OpenError> {
    // A reader that is held on purpose is not waited for longer than this.
    let wait_max = Duration::from_millis(20);
    Handle::open(directory, &key_of(directory), mode, "alice", wait_max)
}

fn key_of(directory: &Path) -> MasterKeySource {
    MasterKeySource::File(directory.join("master.key"))
}

impl Store {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let handle = open(directory.path(), OpenMode::CreateIfMissing).unwrap().store;
        Self { directory, handle }
    }

    /// The same store, opened once more.
    fn reopened(&self) -> Handle {
        open(self.directory.path(), OpenMode::Existing).unwrap().store
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    /// A connection beside the store's, as somebody with an editor for SQLite has.
    fn by_hand(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        call(&self.handle, method, path, &[], body.as_bytes())
    }

    fn set(&self, name: &str, value: &str) -> Reply {
        let body = serde_json::json!({ "value": value }).to_string();
        self.call("PUT", &secret(name), &body)
    }

    fn get(&self, name: &str) -> Reply {
        resolve(&self.handle, &[name])
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Fails with the whole reply.
    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    #[track_caller]
    fn value(&self, name: &str) -> String {
        self.json()["secrets"][name]["value"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn problem(&self) -> String {
        self.json()["type"].as_str().unwrap().trim_start_matches("urn:inject:problem:").to_owned()
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {body}", self.status, self.headers)
    }
}

fn secret(name: &str) -> String {
    format!("/api/v1/orgs/default/secrets/{name}")
}

fn resolve(store: &Handle, names: &[&str]) -> Reply {
    let body = serde_json::json!({ "names": names }).to_string();
    call(store, "POST", "/api/v1/orgs/default/resolve", &[], body.as_bytes())
}

/// How many records the chain has, or the first that is wrong.
fn verify(store: &Store) -> Result<i64, Broken> {
    let found = store.call("POST", "/api/v1/orgs/default/audit/verify", "{}").is(200).json();
    let Some(broken) = found.get("broken") else { return Ok(found["records"].as_i64().unwrap()) };
    let sequence = broken["sequence"].as_i64().unwrap();
    Err(match broken["what"].as_str().unwrap() {
        "absent" => Broken::Absent { sequence },
        "altered" => Broken::Altered { sequence },
        other => panic!("{other}"),
    })
}

/// One request on a connection of its own.
fn call(store: &Handle, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let io = TokioIo::new(store.connect());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "store");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    })
}
