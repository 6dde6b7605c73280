//! A store that stays open while its master key becomes another.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::secret::Secret;
use crate::store::operations::{self, OldKey, Site};
use crate::store::tests::{Handle, Reply, Store, call, resolve, secret};
use crate::store::{MasterKeySource, OpenMode};

const NEW: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const WAIT_MAX: Duration = Duration::from_secs(20);

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn opened(store: &Store, source: &MasterKeySource) -> Handle {
    let directory = store.directory.path();
    Handle::open(directory, source, OpenMode::Existing, "alice", WAIT_MAX).unwrap().store
}

fn rekey(store: &Store, source: &MasterKeySource) -> OldKey {
    let directory = store.directory.path();
    let site = Site { directory, master_key: source, operator: "alice", wait_max: WAIT_MAX };
    operations::rekey(site).unwrap().old
}

fn set(handle: &Handle, name: &str, value: &str) -> Reply {
    let body = serde_json::json!({ "value": value }).to_string();
    call(handle, "PUT", &secret(name), &[], body.as_bytes())
}

/// How many keys everything is under.
fn keys_in_use(store: &Store) -> i64 {
    let sql = "SELECT count(*) FROM (SELECT key_id FROM keyring UNION SELECT key_id FROM secret)";
    store.by_hand().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn an_open_store_reads_and_writes_on() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    store.set("OTHER_ONE", "two").is(201);
    let path = store.directory.path().join("master.key");
    let command = MasterKeySource::Command(format!("cat '{}'", path.display()));
    let credential = MasterKeySource::Credential(path.clone());
    let file = MasterKeySource::File(path);
    for source in [command, credential, MasterKeySource::File(key(&store))] {
        let [reads, writes, lists] = [(); 3].map(|()| opened(&store, &source));
        assert!(matches!(rekey(&store, &file), OldKey::Gone { .. }));
        assert_eq!(resolve(&reads, &["DB_PASSWORD"]).is(200).value("DB_PASSWORD"), "one");
        assert!(set(&writes, "OTHER_ONE", "two").is(200).json()["version"].as_i64() > Some(1));
        let list = call(&lists, "GET", "/api/v1/orgs/default/secrets", &[], b"").is(200).json();
        assert!(list["secrets"].as_array().unwrap().iter().all(|row| row["version"].is_number()));
        assert_eq!(keys_in_use(&store), 1, "what it wrote is under the new key");
    }
}

fn key(store: &Store) -> PathBuf {
    store.directory.path().join("master.key")
}

/// Nothing is sealed under a key that is on its way out, however close it comes.
#[test]
fn writers_beside_it_never_use_the_old_key() {
    let store = Store::new();
    for number in 0..200 {
        store.set(&format!("SECRET_OF_{number}"), "value").is(201);
    }
    let source = MasterKeySource::File(key(&store));
    let handle = opened(&store, &source);
    let stop = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                set(&handle, "DB_PASSWORD", &number.to_string());
                let name = format!("SECRET_OF_{}", number % 200);
                assert_eq!(resolve(&handle, &[&name]).is(200).value(&name), "value");
                // Meanwhile the others have a chance: SQLite's writers do not queue.
                let list = call(&handle, "GET", "/api/v1/orgs/default/secrets", &[], b"");
                list.is(200);
            }
            number
        });
        for _ in 0..2 {
            rekey(&store, &source);
            assert_eq!(keys_in_use(&store), 1);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let last = resolve(&opened(&store, &source), &["DB_PASSWORD"]).is(200).value("DB_PASSWORD");
    assert_eq!(last, written.to_string());
}

/// A key that was in the environment cannot be read again. What is sealed anew is not damaged then,
/// and nobody is told to delete it.
#[test]
fn a_process_that_cannot_have_the_new_key_says_so() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let old = fs::read_to_string(key(&store)).unwrap();
    let handle = opened(&store, &MasterKeySource::Value(Secret::new(old.clone().into_bytes())));
    let path = store.directory.path().join("both");
    write(&path, &format!("{NEW}\n{old}"));
    rekey(&store, &MasterKeySource::Credential(path));
    let list = "/api/v1/orgs/default/secrets";
    let replies = [
        resolve(&handle, &["DB_PASSWORD"]),
        set(&handle, "DB_PASSWORD", "two"),
        set(&handle, "OTHER_ONE", "two"),
        call(&handle, "GET", &secret("DB_PASSWORD"), &[], b""),
        call(&handle, "GET", list, &[], b""),
        call(&handle, "DELETE", &secret("DB_PASSWORD"), &[], b""),
    ];
    for reply in replies {
        let reply = reply.is(503).json();
        assert!(reply["detail"].as_str().unwrap().contains("start it again"), "{reply}");
    }
    write(&key(&store), NEW);
    let handle = opened(&store, &MasterKeySource::File(key(&store)));
    assert_eq!(resolve(&handle, &["DB_PASSWORD"]).is(200).value("DB_PASSWORD"), "one");
}
