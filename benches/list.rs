//! Pages of lists and searches among many secrets, and requests that are held, through the served
//! store's own HTTP face within one process. What a process of its own takes, `load` measures.
//!
//!     list [SECRETS [ROUNDS]]

mod many;
mod table;

use std::env;
use std::fs;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Request;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use inject::store::Store;

use many::{Outcome, SECRETS, SECRETS_PATH, Sender, connect, filled, open, send};
use table::Target;

const ROUNDS: usize = 300;
const PAGE_P99_MS_MAX: f64 = 5.0;
const SORTS: [&str; 4] = ["name", "-name", "updated", "-updated"];
/// Of all names, of nearly all, of many, of some, of few, of none.
const PARTS: [&str; 6] = ["", "E", "_PROD", "SERVICE_0420", "77777", "NO_SUCH_NAME"];
/// Where pages begin, a thousand rows apart.
const CURSORS_MAX: usize = 20;
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
    let store = open(&directory)?;
    runtime.block_on(async {
        let mut sender = connect(&store).await?;
        let (begun, before) = (Instant::now(), processor_time()?);
        get(&mut sender, &format!("{SECRETS_PATH}?q=NO_SUCH_NAME")).await?;
        let processor = processor_time()? - before;
        row("list: first search", &[begun.elapsed()], None)?;
        row("processor: list: first search", &[processor], None)?;
        for part in PARTS {
            searches(&mut sender, part, rounds).await?;
        }
        watches(&store, &mut sender).await
    })
}

/// Pages of a list, in every order, from cursors at its beginning and deep in it.
async fn searches(sender: &mut Sender, part: &str, rounds: usize) -> Outcome {
    let mut times = Vec::new();
    let mut processor = Duration::ZERO;
    for sort in SORTS {
        let path = format!("{SECRETS_PATH}?sort={sort}&q={part}");
        let cursors = cursors(sender, &path, CURSORS_MAX).await?;
        let before = processor_time()?;
        for round in 0..rounds {
            let cursor = &cursors[round % cursors.len()];
            let begun = Instant::now();
            get(sender, &format!("{path}&cursor={cursor}")).await?;
            times.push(begun.elapsed());
        }
        processor += processor_time()? - before;
    }
    let each = processor / u32::try_from(times.len())?;
    let what = format!("list: page of 100, q={part}");
    row(&what, &times, Some(('≤', PAGE_P99_MS_MAX)))?;
    row(&format!("processor: {what}"), &[each], None)
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
    memory("list: both sides of 10,000 connections")?;
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
    let processor = processor_time()? - before;
    row("list: processor for 10,000 watches to begin", &[processor], None)?;
    memory("list: both sides of 10,000 watches")?;
    let before = processor_time()?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    row("list: processor for ten seconds of them", &[processor_time()? - before], None)?;
    let (begun, before) = (Instant::now(), processor_time()?);
    send(sender, Request::put(&path), body).await?;
    let put = begun.elapsed();
    for one in waiting {
        one.await??;
    }
    row("list: a change, until it is answered", &[put], None)?;
    row("list: until all of the watches are", &[begun.elapsed()], None)?;
    row("list: processor for both", &[processor_time()? - before], None)
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

/// Median and 99th percentile, which is what the target is for, in milliseconds.
fn row(what: &str, times: &[Duration], target: Target) -> Outcome {
    let mut times = times.to_vec();
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
    let (median, p99) = (at(0.5).ok_or("no times")?, at(0.99).ok_or("no times")?);
    let high = if times.len() > 1 { format!("p99 {p99:.2?}") } else { String::new() };
    let cells = [what, &format!("{median:.2?}"), &high, ""];
    table::row(cells, (p99.as_secs_f64() * 1e3, " ms"), target)?;
    Ok(())
}

/// Of this whole process: both sides of each connection.
fn memory(what: &str) -> Outcome {
    let status = fs::read_to_string("/proc/self/status")?;
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = memory.ok_or("no `VmRSS`")?.trim_end_matches("kB").trim().parse()?;
    table::row([what, &format!("{:.1} MiB", kib / 1024.0), "", ""], (0.0, ""), None)?;
    Ok(())
}
