//! A deployment of everything: many launches at once against one server.

use std::fs;
use std::time::{Duration, Instant};

use super::Day;

const LAUNCHES: usize = 200;
/// From before the first start to the last end, so that no single launch took longer. They took
/// 1 s in a debug build on two cores; other tests run beside this one.
const TIME_MAX: Duration = Duration::from_secs(10);
/// What the server may have grown to; it had 19 MiB in a debug build.
const RESIDENT_KB_MAX: u64 = 40 * 1024;

/// The most that a process ever had in memory (proc_pid_status(5)).
fn peak_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    peak.expect("it has a number")
}

#[test]
fn two_hundred_launches_at_once() {
    let day = Day::new();
    for name in ["A_KEY", "B_KEY", "C_KEY"] {
        day.owner().set(name, name);
    }
    let tokens: Vec<_> = (0..4).map(|n| day.token(&format!("web-{n}"), &[])).collect();
    let start = |n: usize| {
        let options = ["--export", "A_KEY,B_KEY,C_KEY", "--timeout", "60"];
        day.with(&tokens[n % 4]).launch(&options).start()
    };
    let begin = Instant::now();
    let started: Vec<_> = (0..LAUNCHES).map(start).collect();
    let all: Vec<_> = started.into_iter().map(|launch| launch.end()).collect();
    let took = begin.elapsed();
    let peak = peak_kb(day.served.pid());
    assert!(took <= TIME_MAX, "the slowest ended after {took:?}");
    assert!(peak <= RESIDENT_KB_MAX, "the server grew to {peak} KiB");
    for ended in all {
        for name in ["A_KEY", "B_KEY", "C_KEY"] {
            assert_eq!(ended.seen().text(name), name);
        }
    }
    // Each has its record, and none is missing between them.
    let rows = day.owner().json(&["audit", "list", "--limit", "1000"]);
    let rows = rows["records"].as_array().expect("rows");
    let numbers: Vec<_> = rows.iter().rev().map(|row| row["sequence"].as_u64()).collect();
    let expected: Vec<_> = (1..=rows.len() as u64).map(Some).collect();
    assert_eq!(numbers, expected);
    let resolves = rows.iter().filter(|row| row["action"] == "resolve" && row["outcome"] == "ok");
    assert_eq!(resolves.count(), LAUNCHES);
    let verified = day.owner().does(0, &["audit", "verify"]);
    assert_eq!(verified.out(), format!("{} records, as written\n", rows.len()));
    let used = day.owner().json(&["workload", "list"]);
    assert_eq!(used["workloads"].as_array().map(Vec::len), Some(4));
}
