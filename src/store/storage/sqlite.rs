//! The store's rows in SQLite: one connection, one file, its write-ahead log beside it. Each public
//! function is one transaction or one step of one. It opens no value and knows no permission.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use crate::store::keyring::KeyringRow;
use crate::store::storage::begun::{BEGIN_TO_READ, BEGIN_TO_WRITE, Begun};
use crate::store::storage::deadline::{Deadline, WAIT_MAX};
use crate::store::storage::failure::{io, wrap};
use crate::store::storage::file::{identity, log_bytes, real_path};
use crate::store::storage::reseal::keyring_rows;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{OrgRow, StorageError, StorageErrorKind, Unpurged};

pub use crate::store::storage::file::{Identity, beside, sync_directory};

/// "inj1", so that `file` and SQLite tell whose database it is.
const APPLICATION_ID: i32 = 0x696e_6a31;
/// The schema written by this version.
const SCHEMA_VERSION: i32 = 2;
/// Pages in the write-ahead log before the next write copies them into the database and begins the
/// log anew. A launch leaves the log behind, and the next one reads all of it: 2 µs a page.
/// Copying costs two or three times a commit's wait for the disk.
const LOG_PAGES_MAX: i64 = 32;
/// Copying them keeps everybody waiting, some milliseconds for a thousand pages.
const LOG_PAGES_OF_SERVER_MAX: i64 = 500;

/// How long one try at emptying the log waits for readers.
const PURGE_TURN_MAX: Duration = Duration::from_millis(5);

/// An open database.
pub struct Sqlite {
    connection: Connection,
    /// As it was given, for messages.
    path: PathBuf,
    /// Where the file is, beside its log.
    file: PathBuf,
    /// How long each operation waits for other processes, with all its steps together.
    wait_max: Duration,
    /// When the wait of the operation under way is over.
    deadline: Deadline,
    /// Whether nothing was in the log: then its name may not be on the disk yet.
    log_is_new: bool,
    /// Pages in the log before a write copies them.
    log_pages_max: i64,
    /// The file that must still be in its place, where that is asked before each use.
    place: Option<Identity>,
}

/// What a new database holds.
pub struct Seed {
    pub keyring: Vec<KeyringRow>,
    pub organization: OrgRow,
}

impl Sqlite {
    /// Makes a whole database at `path`, where none is, and closes it again. When it answers `Ok`,
    /// all of it is on the disk, and in that one file.
    pub fn create(path: &Path, seed: &Seed) -> Result<(), StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let create = || {
            let mut connection = Connection::open_with_flags(path, flags | NO_MUTEX)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            let transaction = connection.transaction()?;
            transaction.execute_batch(include_str!("schema.sql"))?;
            for row in &seed.keyring {
                insert_keyring(&transaction, row)?;
            }
            insert_organization(&transaction, &seed.organization)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
            Ok(connection)
        };
        close_whole(path, create().map_err(|error| wrap(path, &error))?)
    }

    /// Opens a database that is there. It writes nothing.
    ///
    /// Opening waits until `deadline`, each operation afterwards for `wait_max`.
    pub fn open(path: &Path, deadline: Deadline, wait_max: Duration) -> Result<Self, StorageError> {
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            // What can write the file could plant a trigger or a view: none is ever run.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            // Else a statement is compiled anew for each value that is bound to it.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            // A launch does not wait for a checkpoint that the next one can make.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.busy_timeout(deadline.left())?;
            Ok(connection)
        };
        let connection = open().map_err(|error| wrap(path, &error))?;
        // Before the first statement, which opens the log and makes it.
        let file = real_path(&connection, path)?;
        let log_is_new = log_bytes(&file) == 0;
        connection.execute_batch(SETTINGS).map_err(|error| wrap(path, &error))?;
        let wait_max = wait_max.min(WAIT_MAX);
        let (path, log_pages_max) = (path.to_owned(), LOG_PAGES_MAX);
        let place = None;
        let opened =
            Self { connection, file, path, wait_max, deadline, log_is_new, log_pages_max, place };
        opened.check_identity()?;
        Ok(opened)
    }

    /// For a process that writes again and again: it reads a log page by its place in memory, so
    /// the log may be long. Where it cannot write, it says so here: SQLite opens for reading what
    /// it could not open for writing, and stays with that.
    pub fn for_many(self) -> Result<Self, StorageError> {
        let begun = Begun::now(&self.connection, BEGIN_TO_WRITE);
        drop(begun.map_err(|error| wrap(&self.path, &error))?);
        let place = identity(&self.file).ok();
        Ok(Self { log_pages_max: LOG_PAGES_OF_SERVER_MAX, place, ..self })
    }

    /// A connection that reads beside this one: of the same file, or of none.
    pub fn beside_of(self, place: Option<Identity>) -> Self {
        Self { place, ..self }
    }

    /// The file that a server's own connection was opened on.
    pub fn place(&self) -> Option<Identity> {
        self.place
    }

    /// How long an operation waits for other processes.
    pub fn wait_max(&self) -> Duration {
        self.wait_max
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every key of the ring, sealed.
    pub fn keyring(&self) -> Result<Vec<KeyringRow>, StorageError> {
        keyring_rows(&self.connection).map_err(|error| wrap(&self.path, &error))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Closes it, in the journal mode that it was made in: all of it is in its one file then.
    pub(super) fn close_whole(mut self) -> Result<(), StorageError> {
        self.set_log_mode()?;
        close_whole(&self.path, self.connection)
    }

    /// Does `work` in one transaction that no other writer can come between. What it did is kept
    /// if it answers `Ok`, and durable when this returns.
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.check_place()?;
        self.begin_wait()?;
        self.prepare_log()?;
        self.transact(BEGIN_TO_WRITE, work)
    }

    /// Does `work` on one unchanging view of the database.
    pub fn read<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.check_place()?;
        self.begin_wait()?;
        self.transact(BEGIN_TO_READ, work)
    }

    /// Empties the write-ahead log into the database, waiting so long for those who use it, and
    /// forgets the marks that were waiting for that. False if somebody outlasted the wait.
    pub fn purge_within(&mut self, wait: Duration) -> Result<bool, StorageError> {
        let Some(marks) = self.purge_marked_within(wait)? else { return Ok(false) };
        let forgotten = self
            .wait_for_rest()
            .and_then(|()| self.transact(BEGIN_TO_WRITE, |tx| tx.forget_all_unpurged(&marks)));
        match forgotten {
            // The old values are gone, which is what counts; the next purge forgets the marks.
            Err(error) if error.kind == StorageErrorKind::Busy => Ok(true),
            done => done.map(|()| true),
        }
    }

    /// The same, but the marks are left to a write that comes anyway; none if somebody outlasted
    /// the wait. A mark too many asks for a purge too many, and for no more.
    pub fn purge_marked_within(
        &mut self,
        wait: Duration,
    ) -> Result<Option<Vec<Unpurged>>, StorageError> {
        self.deadline = Deadline::after(wait);
        // Another process may mark a change of its own meanwhile: that mark has to stay.
        let marks = self.transact(BEGIN_TO_READ, |tx| tx.unpurged_marks())?;
        // SQLite waits for readers and writers, but not for another's checkpoint. While it waits
        // for a reader it keeps all writers out: so it is done in short turns.
        while !self.empty_log()? {
            if !self.deadline.pause() {
                return Ok(None);
            }
        }
        Ok(Some(marks))
    }

    /// The same for what others left, where nobody has to be waited for. The next one tries again.
    pub fn purge_at_once(&mut self) {
        let _later = self.purge_within(Duration::ZERO);
    }

    /// Copies the log into the database and cuts it to nothing; false if somebody else uses it.
    fn empty_log(&self) -> Result<bool, StorageError> {
        self.wait_at_most(self.deadline.left().min(PURGE_TURN_MAX))?;
        let emptied = self.connection.query_row(TRUNCATE, [], |row| row.get::<_, i64>(0));
        match emptied.map_err(|error| wrap(&self.path, &error)) {
            Ok(kept) => Ok(kept == 0),
            Err(error) if error.kind == StorageErrorKind::Busy => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins the wait of an operation.
    fn begin_wait(&mut self) -> Result<(), StorageError> {
        self.deadline = Deadline::after(self.wait_max);
        self.wait_at_most(self.wait_max)
    }

    fn wait_for_rest(&self) -> Result<(), StorageError> {
        self.wait_at_most(self.deadline.left())
    }

    fn wait_at_most(&self, wait: Duration) -> Result<(), StorageError> {
        self.connection.busy_timeout(wait).map_err(|error| wrap(&self.path, &error))
    }

    /// Before a write: sees to it that there is a log, that its name outlasts a crash, and that it
    /// is short.
    fn prepare_log(&mut self) -> Result<(), StorageError> {
        let pages = self.log_pages().map_err(|error| wrap(&self.path, &error))?;
        if pages < 0 {
            self.set_log_mode()?;
        }
        if self.log_is_new {
            // SQLite is compiled to leave this out, for it would do it in each process anew. It
            // comes before the commit, so whoever finds something in the log need not do it.
            sync_directory(&self.file).map_err(|error| io(&self.path, &error))?;
            self.log_is_new = false;
        }
        if pages > self.log_pages_max {
            self.shorten_log();
        }
        Ok(())
    }

    /// Pages in the log, or -1 where the database is in another journal mode.
    fn log_pages(&self) -> rusqlite::Result<i64> {
        let mut look = self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
        look.query_row([], |row| row.get(1))
    }

    /// Sets the journal mode that the database was made in; another program has changed it.
    fn set_log_mode(&mut self) -> Result<(), StorageError> {
        let set = || {
            self.connection
                .query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))
        };
        let mode = set().map_err(|error| wrap(&self.path, &error))?;
        if mode != "wal" {
            let message = format!("its journal mode stays `{mode}`");
            return Err(StorageError::new(&self.path, StorageErrorKind::Io, message));
        }
        self.log_is_new = true;
        Ok(())
    }

    /// Copies a log that has become long into the database, so that the write that follows begins
    /// it anew. SQLite's own checkpoint comes after a commit, and a launch makes but one: the next
    /// would find the log as it was, and it would grow for ever. Nobody is waited for.
    fn shorten_log(&self) {
        // Nothing depends on it: what is wrong with the database shows in the write itself.
        let _later = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }

    fn transact<T>(
        &mut self,
        begin: &str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let (mut work, mut done) = (Some(work), None);
        self.transact_any(begin, &mut |transaction| {
            let work = work.take().expect("it is done once");
            done = Some(work(transaction)?);
            Ok(())
        })?;
        Ok(done.expect("what is committed was done"))
    }

    /// The same code for whatever is answered.
    fn transact_any(
        &mut self,
        begin: &str,
        work: &mut dyn FnMut(&Transaction<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let path = &self.path;
        let begun = Begun::now(&self.connection, begin).map_err(|error| wrap(path, &error))?;
        work(&Transaction::of(&self.connection, path))?;
        begun.commit().map_err(|error| wrap(path, &error))
    }

    /// A server runs for long: what is written to a file that was moved away meanwhile, as before a
    /// restore, would be lost.
    fn check_place(&self) -> Result<(), StorageError> {
        let Some(place) = self.place else { return Ok(()) };
        match identity(&self.file) {
            Ok(there) if there == place => Ok(()),
            _ => Err(StorageError::new(&self.path, StorageErrorKind::Replaced, "")),
        }
    }

    fn check_identity(&self) -> Result<(), StorageError> {
        let number = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get(0));
        let read = || -> rusqlite::Result<(i32, i32)> {
            Ok((number("application_id")?, number("user_version")?))
        };
        let (application, schema) = read().map_err(|error| wrap(&self.path, &error))?;
        let wrong = |kind, message| Err(StorageError::new(&self.path, kind, message));
        if application != APPLICATION_ID {
            return wrong(StorageErrorKind::Damaged, "it is another program's".to_owned());
        }
        if schema > SCHEMA_VERSION {
            let message = format!("schema {schema}, known are up to {SCHEMA_VERSION}");
            return wrong(StorageErrorKind::Newer, message);
        }
        if schema != SCHEMA_VERSION {
            return wrong(StorageErrorKind::Damaged, format!("there was never a schema {schema}"));
        }
        Ok(())
    }
}

/// Copies the log into the database and waits until all of it is on the disk.
fn close_whole(path: &Path, connection: Connection) -> Result<(), StorageError> {
    let close = || {
        // Closing would copy the log too, and hide that it failed.
        let kept: i64 = connection.query_row(TRUNCATE, [], |row| row.get(0))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(kept == 0)
    };
    let emptied = close().map_err(|error| wrap(path, &error))?;
    if !emptied || log_bytes(path) > 0 {
        let message = "its journal was not copied into it";
        return Err(StorageError::new(path, StorageErrorKind::Io, message));
    }
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| io(path, &error))
}

/// Copies the log into the database and empties it; the first column is 1 if somebody kept it.
const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// One thread at a time has the connection: the service stands behind a lock.
const NO_MUTEX: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

/// What each connection sets anew. WAL itself is written in the file.
const SETTINGS: &str = "PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON;";

fn insert_keyring(connection: &Connection, row: &KeyringRow) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO keyring (purpose, format, created_at, key_id, salt, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![row.purpose, row.format, row.created_at, row.key_id, row.salt, row.sealed],
    )?;
    Ok(())
}

fn insert_organization(connection: &Connection, row: &OrgRow) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO organization (name, created_at, created_by, code) VALUES (?1, ?2, ?3, ?4)",
        params![row.name, row.created_at, row.created_by, row.code],
    )?;
    Ok(())
}
