//! A transaction from its beginning to its commit. It does not know what is done in it.

use rusqlite::Connection;

/// How a transaction begins. These are compiled once: it is done for each.
pub const BEGIN_TO_WRITE: &str = "BEGIN IMMEDIATE";
pub const BEGIN_TO_READ: &str = "BEGIN DEFERRED";

/// A transaction under way: what is dropped before its commit is undone.
pub struct Begun<'a>(&'a Connection);

impl<'a> Begun<'a> {
    pub fn now(connection: &'a Connection, begin: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(begin)?.execute([])?;
        Ok(Self(connection))
    }

    pub fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Where it fails, SQLite has rolled back by itself.
            let _undone = self.0.execute_batch("ROLLBACK");
        }
    }
}
