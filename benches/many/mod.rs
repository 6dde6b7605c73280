//! A store of many secrets, which is filled once and kept, and how a program has one within itself.
//! It measures nothing.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

use inject::store::{MASTER_KEY_NAME, MasterKeySource, OpenMode, Store};

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
pub type Sender = SendRequest<Full<Bytes>>;

/// How many secrets the targets are for.
pub const SECRETS: usize = 100_000;
/// Where they lie, in the one organization that there is.
pub const SECRETS_PATH: &str = "/api/v1/orgs/default/secrets";

const WAIT_MAX: Duration = Duration::from_secs(10);
const FILLERS: usize = 64;

/// The data directory of a store with so many secrets.
pub fn filled(runtime: &Runtime, secrets: usize) -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/list-{secrets}"));
    if directory.join("whole").exists() {
        return Ok(directory);
    }
    let _none_before = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)?;
    Store::open(&directory, &key(&directory), OpenMode::CreateIfMissing, "alice", WAIT_MAX)?;
    let store = open(&directory)?;
    runtime.block_on(async {
        let fillers: Vec<_> =
            (0..FILLERS).map(|filler| tokio::spawn(fill(store.clone(), filler, secrets))).collect();
        for filler in fillers {
            filler.await??;
        }
        Outcome::Ok(())
    })?;
    fs::write(directory.join("whole"), "")?;
    Ok(directory)
}

async fn fill(store: Store, filler: usize, secrets: usize) -> Outcome {
    let mut sender = connect(&store).await?;
    for number in (filler..secrets).step_by(FILLERS) {
        let path = format!("{SECRETS_PATH}/{}", name(number, secrets));
        let body = format!(r#"{{"value":"value number {number} of the secrets"}}"#);
        send(&mut sender, Request::put(path), body).await?;
    }
    Ok(())
}

/// The name of one of so many secrets. The order of names is not that of time.
pub fn name(number: usize, secrets: usize) -> String {
    let mixed = number * 7919 % secrets;
    let environment = ["DEV", "STAGING", "PROD"][mixed % 3];
    format!("SERVICE_{mixed:06}_PASSWORD_{environment}")
}

pub fn open(directory: &Path) -> Outcome<Store> {
    Ok(Store::open_to_serve(directory, &key(directory), "alice", WAIT_MAX)?)
}

fn key(directory: &Path) -> MasterKeySource {
    MasterKeySource::File(directory.join(MASTER_KEY_NAME))
}

pub async fn connect(store: &Store) -> Outcome<Sender> {
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(store.connect())).await?;
    tokio::spawn(connection);
    Ok(sender)
}

pub async fn send(
    sender: &mut Sender,
    request: hyper::http::request::Builder,
    body: String,
) -> Outcome<Bytes> {
    let request = request.header("host", "store").body(Full::new(Bytes::from(body)))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(body)
}
