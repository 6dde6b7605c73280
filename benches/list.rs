//! Pages of lists and searches among many secrets, through the served store's own HTTP face within
//! one process, and what the store takes of the memory. The store it fills once, under `target/`.
//!
//!     list [SECRETS [ROUNDS]]

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use inject::store::{MASTER_KEY_NAME, MasterKeySource, OpenMode, Store};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
type Sender = SendRequest<Full<Bytes>>;

const SECRETS: usize = 100_000;
const ROUNDS: usize = 300;
const WAIT_MAX: Duration = Duration::from_secs(10);
const WATCHES: usize = 10_000;
const STARTING_MAX: usize = 500;
const WATCH_PATH: &str = "/api/v1/orgs/default/watch";
const FILLERS: usize = 64;
const SECRETS_PATH: &str = "/api/v1/orgs/default/secrets";

fn main() -> Outcome {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench");
    let secrets = args.next().map_or(Ok(SECRETS), |text| text.parse())?;
    let rounds = args.next().map_or(Ok(ROUNDS), |text| text.parse())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let directory = filled(&runtime, secrets)?;
    let begun = Instant::now();
    let store = open(&directory)?;
    let opened = begun.elapsed();
    runtime.block_on(async {
        let mut sender = connect(&store).await?;
        get(&mut sender, "/readyz").await?;
        row("start to ready", &[opened, begun.elapsed()])?;
        row("memory then", &[])?;
        let (begun, before) = (Instant::now(), processor_time()?);
        get(&mut sender, &format!("{SECRETS_PATH}?q=NO_SUCH_NAME")).await?;
        let processor = processor_time()? - before;
        row(&format!("first search (processor: {processor:.2?})"), &[begun.elapsed()])?;
        row("memory then", &[])?;
        for sort in ["name", "-name", "updated", "-updated"] {
            for part in ["", "E", "_PROD", "SERVICE_0420", "77777", "NO_SUCH_NAME"] {
                let mut times = Vec::new();
                let path = format!("{SECRETS_PATH}?sort={sort}&q={part}");
                let cursors = cursors(&mut sender, &path, 20).await?;
                let before = processor_time()?;
                for round in 0..rounds {
                    let cursor = &cursors[round % cursors.len()];
                    let begun = Instant::now();
                    get(&mut sender, &format!("{path}&cursor={cursor}")).await?;
                    times.push(begun.elapsed());
                }
                let each = (processor_time()? - before) / u32::try_from(rounds)?;
                row(&format!("sort={sort} q={part} (processor: {each:.2?})"), &times)?;
            }
        }
        row("memory then", &[])?;
        watches(&store, &mut sender).await
    })
}

/// Ten thousand requests that are held, and one change that answers all of them.
async fn watches(store: &Store, sender: &mut Sender) -> Outcome {
    let body = r#"{"value":"x"}"#.to_owned();
    let path = format!("{SECRETS_PATH}/WATCHED");
    let put = send(sender, Request::put(&path), body.clone()).await?;
    let version = serde_json::from_slice::<serde_json::Value>(&put)?["version"].clone();
    let names = serde_json::json!({"versions":{"WATCHED": version}, "wait": 300}).to_string();
    let mut lines = Vec::new();
    for _ in 0..WATCHES {
        lines.push(connect(store).await?);
    }
    row("memory with the connections", &[])?;
    let before = processor_time()?;
    let mut waiting = Vec::new();
    for mut line in lines {
        // A store sheds what comes faster than it can put on record.
        while waiting.len() >= store.held() + STARTING_MAX {
            tokio::task::yield_now().await;
        }
        let names = names.clone();
        waiting.push(tokio::spawn(async move {
            send(&mut line, Request::post(WATCH_PATH), names).await
        }));
    }
    while store.held() < WATCHES {
        tokio::task::yield_now().await;
    }
    row("memory with the watches", &[processor_time()? - before])?;
    let before = processor_time()?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    row("processor for ten seconds of waiting", &[processor_time()? - before])?;
    let (begun, before) = (Instant::now(), processor_time()?);
    send(sender, Request::put(&path), body).await?;
    let put = begun.elapsed();
    for one in waiting {
        one.await??;
    }
    row("a change, until it is answered and until all watches are", &[put, begun.elapsed()])?;
    row("processor for it", &[processor_time()? - before])
}

/// Of this whole process: a busy machine makes it no longer.
fn processor_time() -> Outcome<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.try_into()?))
}

/// Where pages of a list begin, from its first to a deep one.
async fn cursors(sender: &mut Sender, path: &str, most: usize) -> Outcome<Vec<String>> {
    let mut cursors = vec![String::new()];
    while cursors.len() < most {
        let cursor = cursors.last().expect("there is one");
        let page = get(sender, &format!("{path}&limit=1000&cursor={cursor}")).await?;
        let page: serde_json::Value = serde_json::from_slice(&page)?;
        match page["next"].as_str() {
            Some(next) => cursors.push(next.to_owned()),
            None => break,
        }
    }
    Ok(cursors)
}

fn filled(runtime: &tokio::runtime::Runtime, secrets: usize) -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/list-{secrets}"));
    if directory.join("whole").exists() {
        return Ok(directory);
    }
    let _none_before = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)?;
    Store::open(&directory, &key(&directory), OpenMode::CreateIfMissing, "alice", WAIT_MAX)?;
    let store = open(&directory)?;
    let begun = Instant::now();
    runtime.block_on(async {
        let fillers: Vec<_> =
            (0..FILLERS).map(|filler| tokio::spawn(fill(store.clone(), filler, secrets))).collect();
        for filler in fillers {
            filler.await??;
        }
        Outcome::Ok(())
    })?;
    writeln!(io::stdout(), "filled with {secrets} in {:?}", begun.elapsed())?;
    fs::write(directory.join("whole"), "")?;
    Ok(directory)
}

async fn fill(store: Store, filler: usize, secrets: usize) -> Outcome {
    let mut sender = connect(&store).await?;
    for number in (filler..secrets).step_by(FILLERS) {
        // So that the order of names is not that of time.
        let mixed = number * 7919 % secrets;
        let environment = ["DEV", "STAGING", "PROD"][mixed % 3];
        let path = format!("{SECRETS_PATH}/SERVICE_{mixed:06}_PASSWORD_{environment}");
        let body = format!(r#"{{"value":"value number {number} of the secrets"}}"#);
        send(&mut sender, Request::put(path), body).await?;
    }
    Ok(())
}

fn open(directory: &Path) -> Outcome<Store> {
    Ok(Store::open_to_serve(directory, &key(directory), "alice", WAIT_MAX)?)
}

fn key(directory: &Path) -> MasterKeySource {
    MasterKeySource::File(directory.join(MASTER_KEY_NAME))
}

async fn connect(store: &Store) -> Outcome<Sender> {
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(store.connect())).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn get(sender: &mut Sender, path: &str) -> Outcome<Bytes> {
    send(sender, Request::get(path), String::new()).await
}

async fn send(
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

/// Median, 99th percentile and worst, and the memory.
fn row(what: &str, times: &[Duration]) -> Outcome {
    let mut times = times.to_vec();
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last());
    let shown = |time: Option<&Duration>| time.map_or(String::new(), |time| format!("{time:.2?}"));
    let (median, high, worst) = (shown(at(0.5)), shown(at(0.99)), shown(times.last()));
    let status = fs::read_to_string("/proc/self/status")?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("").trim();
    writeln!(io::stdout(), "| {what} | {median} | {high} | {worst} | {memory} |")?;
    Ok(())
}
