//! A store that serves many, on a runtime with several threads: connections that stay, of the
//! operator and of who shows a token.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;

use crate::store::http::{Peer, serve};
use crate::store::tests::{Handle, OpenMode, Reply, key_of, open};

/// No test waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A served store in a directory of its own.
pub struct Served {
    pub directory: TempDir,
    pub handle: Handle,
    pub runtime: Runtime,
}

/// A connection that stays, and what each of its requests shows.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    token: Option<String>,
}

impl Served {
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        open(directory.path(), OpenMode::CreateIfMissing).unwrap();
        let handle = opened(&directory);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self { directory, handle, runtime }
    }

    /// Another handle on the same files, as another process has it.
    pub fn beside(&self) -> Handle {
        open(self.directory.path(), OpenMode::Existing).unwrap().store
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, work).await.expect("it ends in time")
        })
    }

    /// Until so many requests are held.
    pub async fn until_held(&self, requests: usize) {
        while self.handle.shared.watches.count() != requests {
            tokio::task::yield_now().await;
        }
    }
}

fn opened(directory: &TempDir) -> Handle {
    let key = key_of(directory.path());
    Handle::open_to_serve(directory.path(), &key, "alice", Duration::from_secs(5)).unwrap()
}

impl Line {
    /// The operator's.
    pub async fn own(store: &Handle) -> Self {
        Self::on(store.connect(), None).await
    }

    /// Of somebody on the network.
    pub async fn with_token(store: &Handle, token: &str) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(serve(store.clone(), far, Peer::Stranger { address: None }));
        Self::on(near, Some(token.to_owned())).await
    }

    async fn on(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        token: Option<String>,
    ) -> Self {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, token }
    }

    pub async fn call(&mut self, method: &str, path: &str, body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "store");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        self.sender.ready().await.unwrap();
        let (head, body) = self.sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: head.status, headers: head.headers, body }
    }

    pub async fn set(&mut self, name: &str, value: &str) -> Reply {
        let body = serde_json::json!({ "value": value }).to_string();
        self.call("PUT", &super::secret(name), &body).await
    }

    pub async fn delete(&mut self, name: &str) -> Reply {
        self.call("DELETE", &super::secret(name), "").await
    }

    /// A watch of these versions, a JSON object, for so many seconds.
    pub async fn watch(&mut self, versions: &Value, wait: u64) -> Reply {
        let body = serde_json::json!({ "versions": versions, "wait": wait }).to_string();
        self.call("POST", "/api/v1/orgs/default/watch", &body).await
    }

    /// A new workload's token, and its id.
    pub async fn token(&mut self, names: &[&str]) -> (String, String) {
        let body = serde_json::json!({ "workload": "billing", "names": names }).to_string();
        let made = self.call("POST", "/api/v1/orgs/default/tokens", &body).await;
        assert!(made.status.is_success(), "{made:?}");
        let made = made.json();
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        (text("token"), text("id"))
    }
}

/// All of these at once, and what came of each.
pub async fn all<T: Send + 'static>(
    works: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = works.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for one in running {
        done.push(one.await.unwrap());
    }
    done
}
