//! Pages of lists and searches among many secrets, through the served store's own HTTP face within
//! one process, and what the store takes of the memory. The store it fills once, under `target/`.
//!
//!     list [SECRETS [ROUNDS]]

mod many;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Request;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use inject::store::Store;

use many::{Outcome, SECRETS, SECRETS_PATH, Sender, connect, filled, open, send};

const ROUNDS: usize = 300;
const WATCHES: usize = 10_000;
const STARTING_MAX: usize = 500;
const WATCH_PATH: &str = "/api/v1/orgs/default/watch";

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

async fn get(sender: &mut Sender, path: &str) -> Outcome<Bytes> {
    send(sender, Request::get(path), String::new()).await
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
