//! What is done to a store as a whole: init, backup, restore, rekey, verify, and where the master
//! key comes from. Its files are judged by bytes, and damaged as somebody with an editor would.

mod backup;
mod flips;
mod init;
mod keys;
mod rekey;
mod restore;
mod verify;

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::harness::{Ended, Run, World, contains, files};

/// Without a terminal, also where the tests are run at one.
const AWAY: [&str; 2] = ["--session", "own"];

/// `inject store ARG…`.
fn store<'w>(world: &'w World, args: &[&str]) -> Run<'w> {
    world.inject(["store"].iter().chain(args))
}

/// A world with these secrets, each with its name in lower case as its value.
fn with_secrets(names: &[&str]) -> World {
    let world = World::new();
    for name in names {
        world.set(name, name.to_lowercase());
    }
    world
}

/// The database of a data directory, as an editor for SQLite has it.
fn by_hand(world: &World, folder: &str) -> Connection {
    Connection::open(world.path(folder).join("store.db")).expect("it is a database")
}

/// Launches with the secret from the store in this folder: its value, or how it failed.
fn value(world: &World, folder: &str, name: &str) -> Result<String, Ended> {
    let ended = world.launch(["--export", name]).env("INJECT_DATA", world.text(folder)).run();
    if ended.exit() == 0 { Ok(ended.seen().text(name).to_owned()) } else { Err(ended) }
}

#[track_caller]
fn has_values(world: &World, folder: &str, names: &[&str]) {
    let ended =
        world.launch(["--export", &names.join(",")]).env("INJECT_DATA", world.text(folder)).run();
    let seen = ended.seen();
    for name in names {
        assert_eq!(seen.text(name), name.to_lowercase());
    }
}

/// Salts and sealed values of all secrets and of the keys, in pieces of which any one tells.
fn sealed_pieces(world: &World, folder: &str) -> Vec<Vec<u8>> {
    let connection = by_hand(world, folder);
    let sql = "SELECT salt, sealed FROM secret JOIN salt USING (slot)
               UNION ALL SELECT salt, sealed FROM keyring";
    let mut statement = connection.prepare(sql).expect("columns that are there");
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?])).expect("rows");
    let parts: Vec<[Vec<u8>; 2]> = rows.map(|row| row.expect("two blobs")).collect();
    let pieces = parts.iter().flatten().flat_map(|part| part.chunks_exact(16));
    pieces.map(<[u8]>::to_vec).collect()
}

/// Salts of all secrets, without which what is sealed is noise, and all of the keys, in pieces.
fn salt_pieces(world: &World, folder: &str) -> Vec<Vec<u8>> {
    let connection = by_hand(world, folder);
    let sql = "SELECT salt FROM salt UNION ALL SELECT salt FROM keyring
               UNION ALL SELECT sealed FROM keyring";
    let mut statement = connection.prepare(sql).expect("columns that are there");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    let parts: Vec<Vec<u8>> = rows.map(|row| row.expect("a blob")).collect();
    parts.iter().flat_map(|part| part.chunks_exact(16)).map(<[u8]>::to_vec).collect()
}

/// The first file below a folder that holds one of these.
fn found(folder: &Path, pieces: &[Vec<u8>]) -> Option<String> {
    let holds = |bytes: &[u8]| pieces.iter().any(|piece| contains(bytes, piece));
    let mut found = files(folder).into_iter().filter(|(_, bytes)| holds(bytes));
    found.next().map(|(path, _)| path.display().to_string())
}

/// What a folder holds, by name.
fn names(folder: &Path) -> Vec<String> {
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<_> = files(folder).iter().map(|(path, _)| name(path)).collect();
    names.sort();
    names
}

/// A data directory with the master key alone, where something can be restored.
fn only_key(world: &World, folder: &str) {
    let key = fs::read(world.path("data/master.key")).expect("it is there");
    write_key(world, &format!("{folder}/master.key"), key);
}

/// A file that its owner alone can read.
fn write_key(world: &World, path: &str, text: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.write(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

/// A copy of a data directory that nobody has open.
fn copy(world: &World, from: &str, to: &str) {
    for (path, bytes) in files(&world.path(from)) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        write_key(world, &format!("{to}/{name}"), bytes);
    }
}
