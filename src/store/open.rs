//! Finds the store in a data directory, and makes it on first use: whole, or not at all, whoever
//! else does the same at once. It serves nothing.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::error::OpenError;
use crate::store::keyring::{Keyring, RingError};
use crate::store::lock::DirectoryLock;
use crate::store::master_key::MasterKeySource;
use crate::store::master_keys::MasterKeys;
use crate::store::seal;
use crate::store::storage::OrgRow;
use crate::store::storage::deadline::Deadline;
use crate::store::storage::sqlite::{Seed, Sqlite, beside, sync_directory};

/// The database's file in the data directory.
pub const DATABASE_NAME: &str = "store.db";
/// The organization that the embedded store is made with.
const FIRST_ORGANIZATION: &str = "default";

/// What to do where there is no store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenMode {
    Existing,
    CreateIfMissing,
}

/// A store's parts, found and checked against each other.
pub struct Found {
    pub database: Sqlite,
    pub master: MasterKeys,
    pub keyring: Keyring,
    /// Whether it was made just now.
    pub made: bool,
}

/// Whether there is a store in this directory, made whole. It only looks; a directory that may not
/// be looked into is an error, and not one without a store.
pub fn exists(data_directory: &Path) -> io::Result<bool> {
    match fs::metadata(data_directory.join(DATABASE_NAME)) {
        Ok(found) => Ok(found.len() > 0),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(error),
        },
    }
}

/// Opens the store in `data_directory`, or makes it. `actor` is who a new organization is made by.
pub fn find(
    data_directory: &Path,
    source: &MasterKeySource,
    mode: OpenMode,
    actor: &str,
    wait_max: Duration,
) -> Result<Found, OpenError> {
    let deadline = Deadline::after(wait_max);
    let look = |directory: &Path| {
        exists(directory).map_err(|error| OpenError::io("look into", directory, error))
    };
    let made = match (look(data_directory)?, mode) {
        (true, _) => false,
        (false, OpenMode::CreateIfMissing) => make(data_directory, source, actor, deadline)?,
        (false, OpenMode::Existing) => {
            return Err(OpenError::NoStore { directory: data_directory.to_owned() });
        }
    };
    let path = data_directory.join(DATABASE_NAME);
    let master = MasterKeys::read(source)?;
    let database = Sqlite::open(&path, deadline, wait_max)?;
    let keyring = open_ring(&master, source, &database)?;
    Ok(Found { database, master, keyring, made })
}

/// Makes key and database under a lock on the directory; false if another process was faster.
fn make(
    directory: &Path,
    source: &MasterKeySource,
    actor: &str,
    deadline: Deadline,
) -> Result<bool, OpenError> {
    let lock = lock_new(directory, deadline)?;
    if exists(directory).map_err(|error| OpenError::io("look into", directory, error))? {
        return Ok(false);
    }
    let first = First { organization: FIRST_ORGANIZATION, actor };
    build(directory, source, &first, &lock, deadline).map(|()| true)
}

/// Makes the directory if it is not there, and locks it.
pub fn lock_new(directory: &Path, deadline: Deadline) -> Result<DirectoryLock, OpenError> {
    make_directory(directory).map_err(|error| OpenError::io("make", directory, error))?;
    DirectoryLock::take(directory, deadline)
}

/// What a new store begins with.
pub struct First<'a> {
    pub organization: &'a str,
    /// By whom it is made.
    pub actor: &'a str,
}

/// Makes key and database in a locked directory that has no database. It is built beside its place
/// and renamed, so what stands there is always whole.
pub fn build(
    directory: &Path,
    source: &MasterKeySource,
    first: &First<'_>,
    lock: &DirectoryLock,
    deadline: Deadline,
) -> Result<(), OpenError> {
    let (staged, _) = build_staged(directory, source, first, lock, deadline)?;
    place(&staged, directory)
}

/// The same up to its last step: there may be more to write before it is put in place.
pub fn build_staged(
    directory: &Path,
    source: &MasterKeySource,
    first: &First<'_>,
    lock: &DirectoryLock,
    deadline: Deadline,
) -> Result<(PathBuf, MasterKeys), OpenError> {
    refuse_lone_journal(directory)?;
    let master = MasterKeys::new(source.read_or_make(lock, deadline)?, source);
    let staged = stage(directory)?;
    Sqlite::create(&staged, &seed(&master, first)?)?;
    Ok((staged, master))
}

/// Puts a database that is whole, and on the disk, where the store's is to be.
pub fn place(staged: &Path, directory: &Path) -> Result<(), OpenError> {
    let database = directory.join(DATABASE_NAME);
    let place = || {
        fs::rename(staged, &database)?;
        sync_directory(&database)
    };
    place().map_err(|error| OpenError::io("make", &database, error))
}

/// Makes the directory with mode 0700, whatever the umask; one that is there is left as it is.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(0o700)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A journal whose database is gone would be read into the new one.
pub fn refuse_lone_journal(directory: &Path) -> Result<(), OpenError> {
    let journal = beside(&directory.join(DATABASE_NAME), "-wal");
    match fs::metadata(&journal) {
        Ok(found) if found.len() > 0 => Err(OpenError::JournalAlone { journal }),
        _ => Ok(()),
    }
}

/// An empty file for the database that is to be put in place later.
pub fn stage(directory: &Path) -> Result<PathBuf, OpenError> {
    let staged = beside(&directory.join(DATABASE_NAME), ".new");
    let make = || {
        unstage(&staged)?;
        empty(&staged)
    };
    make().map_err(|error| OpenError::io("make", &staged, error))?;
    Ok(staged)
}

/// Removes a database that was not put in place, and what SQLite may have made beside it.
pub fn unstage(staged: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(staged, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// An empty file of mode 0600, whatever the umask; SQLite gives its journal the same mode.
pub fn empty(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

/// The rows of a new store: its keys and its first organization.
fn seed(master: &MasterKeys, first: &First<'_>) -> Result<Seed, OpenError> {
    let now = jiff::Timestamp::now().as_millisecond();
    let no_random = |error| OpenError::io("read", "/dev/urandom", error);
    let keyring = Keyring::make(&master.first(), now).map_err(no_random)?;
    let ring = Keyring::open(master, &keyring).expect("what was sealed just now opens");
    let mut organization = OrgRow {
        name: first.organization.to_owned(),
        created_at: now,
        created_by: first.actor.to_owned(),
        code: Vec::new(),
    };
    organization.code = seal::row_code(&ring.row, &organization.bound()).to_vec();
    Ok(Seed { keyring, organization })
}

/// Opens the keys of a database, or says whose they are.
pub fn open_ring(
    master: &MasterKeys,
    source: &MasterKeySource,
    database: &Sqlite,
) -> Result<Keyring, OpenError> {
    let path = database.path();
    Keyring::open(master, &database.keyring()?).map_err(|error| match error {
        RingError::Damaged => OpenError::RingDamaged { database: path.to_owned() },
        RingError::WrongKey { sealed_under } => OpenError::KeyOfAnother {
            source: source.shown(),
            database: path.to_owned(),
            sealed_under: seal::shown_id(&sealed_under),
            given: seal::shown_id(master.first().id()),
        },
    })
}
