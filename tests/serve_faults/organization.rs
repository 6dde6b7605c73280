//! A store with one organization and its people, served and looked at from outside: the database by
//! SQLite itself, the trail by `inject store verify`.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::harness::{Ended, Run, World};
use crate::serve::server::{Server, serve};

/// The organization `acme` in a world of its own.
pub struct Organization {
    pub world: World,
}

/// On loopback, on a free port.
pub const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

impl Organization {
    pub fn new() -> Self {
        let world = World::new();
        let init = ["store", "init", "--org", "acme", "--owner", "alice@acme.com"];
        world.inject(init).run().code(0);
        Self { world }
    }

    /// An `inject` command of the operator, on the machine itself.
    pub fn local(&self, words: &str) -> Run<'_> {
        self.world.inject(words.split(' ')).env("INJECT_ORG", "acme")
    }

    /// The token of a new member, who may change and resolve everything.
    pub fn member(&self, name: &str) -> String {
        let added = self.local(&format!("member add {name}@acme.com --role owner --names *")).run();
        added.code(0).out().trim().to_owned()
    }

    pub fn serve(&self) -> Server {
        Server::start(&self.world, &LISTEN)
    }

    /// The server, begun by this program, which becomes it.
    pub fn serve_within(&self, wrapper: &[&str]) -> Result<Server, Ended> {
        Server::try_of(&self.world, serve(&self.world, &LISTEN).within(wrapper), 1)
    }

    /// Every row and every chain.
    #[track_caller]
    pub fn verify(&self) -> Ended {
        let ended = self.world.inject(["store", "verify"]).run();
        ended.code(0);
        ended
    }

    /// The database, without this looker's leaving any trace in it.
    pub fn database(&self) -> Connection {
        self.database_in("data")
    }

    fn database_in(&self, folder: &str) -> Connection {
        let path = self.world.path(folder).join("store.db");
        let connection = Connection::open(path).expect("a database");
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(keep, true).expect("a setting of SQLite");
        connection
    }

    /// The records of one actor behind a sequence: what was done to what, and its outcome.
    pub fn records(&self, actor: &str, after: i64) -> Vec<String> {
        self.records_in("data", actor, after)
    }

    /// The same of a store in another folder.
    pub fn records_in(&self, folder: &str, actor: &str, after: i64) -> Vec<String> {
        let sql = "SELECT action || ' ' || secrets || ' ' || outcome FROM audit
                   WHERE organization = 'acme' AND actor = ?1 AND sequence > ?2 ORDER BY sequence";
        let database = self.database_in(folder);
        let mut statement = database.prepare(sql).expect("columns that are there");
        let rows = statement.query_map((actor, after), |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a text")).collect()
    }

    /// The sequence of the last record.
    pub fn last(&self) -> i64 {
        let sql = "SELECT max(sequence) FROM audit WHERE organization = 'acme'";
        self.database().query_row(sql, [], |row| row.get(0)).expect("a number")
    }

    /// The salt of each version that is there, without which its value cannot be opened.
    pub fn salts(database: &Connection) -> BTreeMap<(String, u64), Vec<u8>> {
        let sql = "SELECT name, version, salt FROM secret JOIN salt USING (slot)";
        let mut statement = database.prepare_cached(sql).expect("columns that are there");
        let row = |row: &rusqlite::Row<'_>| {
            let version: i64 = row.get(1)?;
            Ok(((row.get(0)?, version.cast_unsigned()), row.get(2)?))
        };
        // While another process recovers the log there is nothing to be seen.
        let rows = statement.query_map([], row).into_iter().flatten();
        rows.filter_map(Result::ok).collect()
    }
}

/// A file of the owner's alone.
pub fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("it is ours");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
}
