//! Bits flipped anywhere in the database: no value, date or author is ever wrong in silence, and
//! what `verify` calls whole is.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::harness::World;
use crate::operations::{by_hand, store, with_secrets, write_key};

/// As many as a few seconds allow; `INJECT_TEST_FLIPS` for more.
const FLIPS: usize = 150;
const NAMES: [&str; 12] = [
    "A_KEY", "B_KEY", "C_KEY", "D_KEY", "E_KEY", "F_KEY", "G_KEY", "H_KEY", "I_KEY", "J_KEY",
    "K_KEY", "L_KEY",
];

/// A place in the file, out of a seed that a failure names.
struct Flips(u64);

impl Flips {
    fn next(&mut self, below: usize) -> (usize, u8) {
        // Xorshift64 (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let place = usize::try_from(self.0 >> 3).expect("64 bits") % below;
        (place, 1 << (self.0 & 7))
    }
}

#[test]
fn random_bits_of_the_database() {
    let world = with_secrets(&NAMES);
    world.set("A_KEY", "a_key");
    world.set("B_KEY", "b".repeat(5000));
    world.inject(["secret", "rm", "C_KEY", "--yes"]).run().code(0);
    let connection = by_hand(&world, "data");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("nobody uses it");
    drop(connection);
    let whole = fs::read(world.path("data/store.db")).expect("it is there");
    let key = fs::read(world.path("data/master.key")).expect("it is there");
    write_key(&world, "flipped/master.key", key);
    let listed = list(&world, "data").expect("it is whole");
    let flips = std::env::var("INJECT_TEST_FLIPS").ok().and_then(|text| text.parse().ok());
    let seed = std::env::var("INJECT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(0x9e37_79b9_7f4a_7c15);
    let mut random = Flips(seed);
    let mut damaged = 0;
    for number in 0..flips.unwrap_or(FLIPS) {
        let (place, bit) = random.next(whole.len());
        let mut bytes = whole.clone();
        bytes[place] ^= bit;
        for journal in ["-wal", "-shm"] {
            // There is none where nothing was written.
            let _ = fs::remove_file(world.path(&format!("flipped/store.db{journal}")));
        }
        write_key(&world, "flipped/store.db", bytes);
        let context = format!("INJECT_TEST_SEED={seed}, flip {number}: byte {place}, bit {bit:#x}");
        damaged += usize::from(!judge(&world, &listed, &context));
    }
    assert!(damaged > 10, "only {damaged} were seen: are they in the file at all?");
}

/// Whether `verify` found it whole. Fails if anything is wrong in silence.
fn judge(world: &World, listed: &BTreeMap<String, Value>, context: &str) -> bool {
    let verified = store(world, &["verify", "--data", "../flipped"]).run();
    assert!([0, 74].contains(&verified.exit()), "{context}\n{}", verified.whole());
    assert!(!verified.err().contains("internal error"), "{context}\n{}", verified.whole());
    let is_whole = verified.exit() == 0;
    match list(world, "flipped") {
        Some(found) => {
            for (name, row) in &found {
                let is_right = listed.get(name) == Some(row) || row["damaged"] == true;
                assert!(is_right, "{context}: {name} is listed as {row}");
            }
            let complete = listed.keys().all(|name| found.contains_key(name));
            let undamaged = found.values().all(|row| row["damaged"] != true);
            assert!(complete, "{context}: a name is missing in {found:?}");
            assert!(!is_whole || undamaged, "{context}: verify misses {found:?}");
        }
        None => assert!(!is_whole, "{context}: verify calls it whole, and it cannot be listed"),
    }
    let names: Vec<&str> = listed.keys().map(String::as_str).collect();
    let launched = world.launch(["--export", &names.join(",")]);
    let launched = launched.env("INJECT_DATA", world.text("flipped")).run();
    if launched.exit() == 0 {
        let seen = launched.seen();
        for name in names {
            let value = if name == "B_KEY" { "b".repeat(5000) } else { name.to_lowercase() };
            assert_eq!(seen.text(name), value, "{context}");
        }
    } else {
        // Not 78: nothing is missing.
        assert_eq!(launched.exit(), 74, "{context}\n{}", launched.whole());
        assert!(!is_whole, "{context}: verify calls it whole\n{}", launched.whole());
    }
    is_whole
}

/// Every row of a list; none where there is an error.
fn list(world: &World, folder: &str) -> Option<BTreeMap<String, Value>> {
    let run = world.inject(["secret", "list", "--json"]);
    let ended = run.env("INJECT_DATA", world.text(folder)).run();
    if ended.exit() != 0 {
        return None;
    }
    let list: Value = serde_json::from_slice(&ended.stdout).expect("it is JSON");
    let rows = list["secrets"].as_array().expect("a list").iter();
    Some(rows.map(|row| (row["name"].as_str().expect("a name").to_owned(), row.clone())).collect())
}
