//! A deployment of everything: many launches at once against one server.

use super::Day;

const LAUNCHES: usize = 200;

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
    let started: Vec<_> = (0..LAUNCHES).map(start).collect();
    for launch in started {
        let ended = launch.end();
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
