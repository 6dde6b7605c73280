//! First use, races, and everything that is wrong with a directory or a key.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

use crate::secret::Secret;
use crate::store::tests::{Handle, Store, call, open, resolve, secret, verify};
use crate::store::{MasterKeySource, OpenError, OpenErrorKind, OpenMode, StorageErrorKind, exists};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn refusal(directory: &Path, mode: OpenMode) -> OpenError {
    open(directory, mode).err().unwrap_or_else(|| panic!("it opened"))
}

/// Longer than any other process of these tests writes.
const WAIT_MAX: Duration = Duration::from_secs(5);

#[test]
fn made_once_and_only_when_asked() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("a/b");
    assert!(!exists(&directory).unwrap());
    let error = refusal(&directory, OpenMode::Existing);
    assert_eq!(error.kind(), OpenErrorKind::NoStore);
    assert!(!directory.exists(), "a launch makes nothing");
    assert!(open(&directory, OpenMode::CreateIfMissing).unwrap().made);
    assert!(exists(&directory).unwrap());
    assert!(!open(&directory, OpenMode::CreateIfMissing).unwrap().made);
    assert!(!open(&directory, OpenMode::Existing).unwrap().made);
}

#[test]
fn owner_only() {
    // The umask is the whole process's, and other tests run beside this one: 000 only widens what
    // they make, and this test puts back what was.
    let was = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data");
    let store = open(&directory, OpenMode::CreateIfMissing).unwrap().store;
    call(&store, "PUT", &secret("DB_PASSWORD"), &[], br#"{"value":"x"}"#).is(201);
    nix::sys::stat::umask(was);
    assert_eq!(mode(&directory), 0o700);
    let mut files: Vec<String> = Vec::new();
    for file in fs::read_dir(&directory).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    files.sort();
    assert_eq!(files, ["master.key", "store.db", "store.db-shm", "store.db-wal"]);
}

#[test]
fn many_at_once_on_first_use() {
    for _ in 0..10 {
        let parent = TempDir::new().unwrap();
        let directory = parent.path().join("data");
        let start = Barrier::new(8);
        let made: Vec<bool> = thread::scope(|scope| {
            let open_one = |number: usize| {
                start.wait();
                let opened = Handle::open(
                    &directory,
                    &MasterKeySource::File(directory.join("master.key")),
                    OpenMode::CreateIfMissing,
                    "alice",
                    WAIT_MAX,
                )
                .unwrap();
                let name = secret(&format!("SECRET_OF_{number}"));
                call(&opened.store, "PUT", &name, &[], br#"{"value":"x"}"#).is(201);
                opened.made
            };
            let threads: Vec<_> =
                (0..8).map(|number| scope.spawn(move || open_one(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|made| **made).count(), 1);
    }
}

#[test]
fn two_connections_race_for_names() {
    let store = Store::new();
    let wait_max = Duration::from_secs(60);
    let key = || MasterKeySource::File(store.directory.path().join("master.key"));
    let racer = |value: &str| -> usize {
        let path = store.directory.path();
        let opened = Handle::open(path, &key(), OpenMode::Existing, "alice", wait_max);
        let handle = opened.unwrap().store;
        let body = format!(r#"{{"value":"{value}"}}"#);
        let create = |number: &usize| {
            let name = secret(&format!("SECRET_OF_{number}"));
            let none = [("if-none-match", "*")];
            let reply = call(&handle, "PUT", &name, &none, body.as_bytes());
            assert!(matches!(reply.status.as_u16(), 201 | 412), "{reply:?}");
            reply.status == 201
        };
        (0..100).filter(create).count()
    };
    let won: usize = thread::scope(|scope| {
        let racers: Vec<_> = ["a", "b"].map(|value| scope.spawn(move || racer(value))).into();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(won, 100);
    assert_eq!(verify(&store), Ok(200));
}

#[test]
fn a_crash_between_key_and_database() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data");
    open(&directory, OpenMode::CreateIfMissing).unwrap();
    let key = fs::read(directory.join("master.key")).unwrap();
    for file in ["store.db", "store.db-wal", "store.db-shm"] {
        let _absent = fs::remove_file(directory.join(file));
    }
    // What was being built, and an empty database, are no store.
    fs::write(directory.join("store.db.new"), "half").unwrap();
    fs::write(directory.join("store.db"), "").unwrap();
    assert_eq!(refusal(&directory, OpenMode::Existing).kind(), OpenErrorKind::NoStore);
    assert!(open(&directory, OpenMode::CreateIfMissing).unwrap().made);
    assert_eq!(fs::read(directory.join("master.key")).unwrap(), key, "the key stays");
    assert!(!directory.join("store.db.new").exists());
}

#[test]
fn a_journal_without_its_database() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    fs::remove_file(store.database()).unwrap();
    let error = refusal(store.directory.path(), OpenMode::CreateIfMissing);
    assert!(matches!(error, OpenError::JournalAlone { .. }), "{error}");
    assert!(!store.database().exists());
}

#[test]
fn what_is_wrong_with_a_key() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let directory = store.directory.path();
    let key = directory.join("master.key");
    let good = fs::read(&key).unwrap();
    let before = fs::read(store.database()).unwrap();

    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = refusal(directory, OpenMode::CreateIfMissing);
    assert!(error.to_string().contains("(mode 0640); run `chmod 600 "), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let short = STANDARD.encode([1; 31]);
    let long = STANDARD.encode([1; 33]);
    for unfit in ["", "\n", "no base64", short.as_str(), long.as_str(), &"A".repeat(9000)] {
        fs::write(&key, unfit).unwrap();
        let error = refusal(directory, OpenMode::CreateIfMissing);
        assert!(error.to_string().ends_with("is not 32 bytes in base64; put the right one there"));
    }
    fs::write(&key, STANDARD.encode([1; 32])).unwrap();
    let error = refusal(directory, OpenMode::CreateIfMissing);
    assert!(error.to_string().contains("is not the one of `"), "{error}");

    fs::remove_file(&key).unwrap();
    let error = refusal(directory, OpenMode::CreateIfMissing);
    assert!(matches!(error, OpenError::KeyMissing { .. }), "{error}");
    assert_eq!(error.kind(), OpenErrorKind::Key);
    assert!(!key.exists(), "a store that is there gets no fresh key");

    assert_eq!(fs::read(store.database()).unwrap(), before);
    fs::write(&key, good).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(resolve(&store.reopened(), &["DB_PASSWORD"]).value("DB_PASSWORD"), "one");
}

#[test]
fn a_key_that_is_no_file() {
    let store = Store::new();
    let key = store.directory.path().join("master.key");
    fs::remove_file(&key).unwrap();
    let refused = |mode| {
        let error = refusal(store.directory.path(), mode);
        assert!(error.to_string().contains("is no regular file"), "{error}");
    };
    // Reading a pipe that nobody writes to would have no end.
    nix::unistd::mkfifo(&key, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(OpenMode::Existing);
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    refused(OpenMode::Existing);
    fs::remove_file(store.database()).unwrap();
    refused(OpenMode::CreateIfMissing);
}

#[test]
fn a_locked_directory_is_waited_for_and_then_told() {
    let parent = TempDir::new().unwrap();
    let file = fs::File::open(parent.path()).unwrap();
    let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).unwrap();
    let error = refusal(parent.path(), OpenMode::CreateIfMissing);
    assert!(error.to_string().contains("was locked by another process for too long"), "{error}");
    drop(lock);
    assert!(open(parent.path(), OpenMode::CreateIfMissing).unwrap().made);
}

/// A crash leaves the key half written, or whole under a second name.
#[test]
fn nothing_is_left_of_a_key_that_was_being_made() {
    for whole in [false, true] {
        let data = TempDir::new().unwrap();
        let elsewhere = TempDir::new().unwrap();
        for directory in [data.path(), elsewhere.path()] {
            let _none = fs::remove_file(data.path().join("store.db"));
            let key = directory.join("key");
            let staged = directory.join("key.inject-new");
            fs::write(&staged, if whole { STANDARD.encode([7; 32]) } else { "ha".into() }).unwrap();
            fs::set_permissions(&staged, fs::Permissions::from_mode(0o600)).unwrap();
            if whole {
                fs::hard_link(&staged, &key).unwrap();
            }
            let source = MasterKeySource::File(key.clone());
            let wait_max = Duration::from_millis(20);
            let opened =
                Handle::open(data.path(), &source, OpenMode::CreateIfMissing, "alice", wait_max);
            assert!(opened.unwrap().made);
            assert!(!staged.exists());
            assert_eq!(fs::metadata(&key).unwrap().nlink(), 1);
            for end in ["-wal", "-shm"] {
                let _none = fs::remove_file(data.path().join(format!("store.db{end}")));
            }
        }
    }
}

#[test]
fn a_key_from_elsewhere() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("data");
    let text = STANDARD.encode([7; 32]);
    let value = || MasterKeySource::Value(Secret::new(text.clone().into_bytes()));
    let open = |source, mode| Handle::open(&directory, &source, mode, "alice", WAIT_MAX);
    open(value(), OpenMode::CreateIfMissing).unwrap();
    assert!(!directory.join("master.key").exists());
    let command = MasterKeySource::Command(format!("echo {text}"));
    open(command, OpenMode::Existing).unwrap();
    let credential = parent.path().join("credential");
    fs::write(&credential, &text).unwrap();
    fs::set_permissions(&credential, fs::Permissions::from_mode(0o440)).unwrap();
    open(MasterKeySource::Credential(credential), OpenMode::Existing).unwrap();
    let failing = MasterKeySource::Command(format!("echo {text}; exit 3"));
    let error = open(failing, OpenMode::Existing).err().unwrap().to_string();
    assert!(error.contains("exit status: 3"), "{error}");
    assert!(!error.contains(&text), "{error}");
}

#[test]
fn what_is_no_database() {
    let store = Store::new();
    let directory = store.directory.path();
    let kind = || match refusal(directory, OpenMode::CreateIfMissing) {
        OpenError::Storage(error) => error.kind,
        other => panic!("{other}"),
    };
    fs::write(store.database(), "not a database at all, but long enough").unwrap();
    assert_eq!(kind(), StorageErrorKind::Damaged);
    fs::remove_file(store.database()).unwrap();
    let other = store.by_hand();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    assert_eq!(kind(), StorageErrorKind::Damaged, "another program's");
    other.execute_batch("PRAGMA application_id = 0x696e6a31; PRAGMA user_version = 99").unwrap();
    assert_eq!(kind(), StorageErrorKind::Newer);
}

#[test]
fn locked_for_too_long() {
    let store = Store::new();
    store.set("DB_PASSWORD", "one").is(201);
    let other = store.by_hand();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let busy = store.get("DB_PASSWORD").is(503);
    assert_eq!(busy.headers["retry-after"], "1");
    other.execute_batch("COMMIT").unwrap();
    store.get("DB_PASSWORD").is(200);
}
