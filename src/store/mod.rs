//! The store: opened in the process that needs it, or served to many, over HTTP either way. It
//! knows nothing of launches; `run` joins the two.

mod audit;
mod canonical;
mod chain;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hashing;
mod http;
mod keyring;
mod lane;
mod lock;
mod master_key;
mod master_keys;
mod mirror;
mod open;
pub mod operations;
mod permission;
mod room;
mod seal;
pub mod serve;
mod service;
mod session;
mod shares;
mod storage;
pub mod tls;
mod token;
mod watches;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::Semaphore;

use crate::name::{OrgName, SecretName};
use crate::store::http::{Lately, Peer, SIGN_INS_MAX};
use crate::store::lane::Lane;
use crate::store::mirror::Mirrors;
use crate::store::serve::Figures;
use crate::store::service::{Decided, Desk, Keys, Refusal, Service};
use crate::store::session::Sessions;
use crate::store::storage::transaction::Transaction;
use crate::store::watches::Watches;

pub use crate::store::error::{OpenError, OpenErrorKind};
pub use crate::store::master_key::{FILE_NAME as MASTER_KEY_NAME, MasterKeySource};
pub use crate::store::open::{DATABASE_NAME, OpenMode, exists};
pub use crate::store::storage::{StorageError, StorageErrorKind};

/// Bytes under way in one direction of an in-process connection.
const CONNECTION_BYTES_MAX: usize = 64 * 1024;

/// An open store. A clone is another handle on it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// An open store, and whether it was made just now.
pub struct Opened {
    pub store: Store,
    pub made: bool,
}

/// What all connections share.
struct Shared {
    lane: Lane,
    keys: Arc<Keys>,
    sessions: Sessions,
    /// Places of those who sign in.
    sign_ins: Semaphore,
    lately: Lately,
    mirrors: Arc<Mirrors>,
    watches: Watches,
    /// The operating system's user, for whom in-process connections speak.
    operator: Arc<str>,
}

impl Store {
    /// Opens the store in `data_directory` for this process alone; `operator` is the name of the
    /// operating system's user, `wait_max` how long opening, and then each request, waits for other
    /// processes.
    pub fn open(
        data_directory: &Path,
        master_key: &MasterKeySource,
        mode: OpenMode,
        operator: &str,
        wait_max: Duration,
    ) -> Result<Opened, OpenError> {
        let actor = format!("os:{operator}");
        let found = open::find(data_directory, master_key, mode, &actor, wait_max)?;
        let keys = Arc::new(Keys { master: found.master, ring: found.keyring });
        let service = Service::new(found.database, Desk::forgetful(Arc::clone(&keys)));
        let lane = Lane::here(service);
        Ok(Opened { store: Self::with(lane, keys, operator), made: found.made })
    }

    /// The same for a server: one thread writes, and what many ask for at once it does in one
    /// transaction; others read beside it.
    pub fn open_to_serve(
        data_directory: &Path,
        master_key: &MasterKeySource,
        operator: &str,
        wait_max: Duration,
    ) -> Result<Self, OpenError> {
        let actor = format!("os:{operator}");
        let mode = OpenMode::Existing;
        let found = open::find(data_directory, master_key, mode, &actor, wait_max)?;
        let path = found.database.path().to_owned();
        let keys = Arc::new(Keys { master: found.master, ring: found.keyring });
        let desk = Desk::remembering(Arc::clone(&keys));
        let mut service = Service::new(found.database.for_many()?, desk);
        service.finish_left();
        let lane = Lane::thread(service, path, Arc::clone(&keys), wait_max)
            .map_err(|error| OpenError::io("start a thread for", data_directory, error))?;
        Ok(Self::with(lane, keys, operator))
    }

    /// One HTTP/1.1 connection of this process itself, served on the current tokio runtime until
    /// either side ends it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect(&self) -> DuplexStream {
        self.connect_as(self.own())
    }

    fn connect_as(&self, peer: Peer) -> DuplexStream {
        let (near, far) = tokio::io::duplex(CONNECTION_BYTES_MAX);
        tokio::spawn(http::serve(self.clone(), far, peer));
        near
    }

    /// Whoever asks from within this process.
    fn own(&self) -> Peer {
        Peer::Operator(Arc::clone(&self.shared.operator))
    }

    /// Whether the database answers a read.
    async fn answers(&self) -> Result<(), Refusal> {
        self.look_up(|_, tx| Ok(Ok(tx.data_version().map(drop)?))).await
    }

    /// What the store says of itself in the metrics.
    fn figures(&self) -> Figures {
        self.shared.lane.figures()
    }

    /// Answers every request that is held for a change, now and from now on: a server that ends
    /// waits for nobody.
    pub fn drain(&self) {
        self.shared.watches.drain();
    }

    /// How many requests are held for a change.
    pub fn held(&self) -> usize {
        self.shared.watches.count()
    }

    /// Wakes who waits for this name, if it changed.
    fn tell<T>(&self, (organization, name): (OrgName, SecretName), change: &Result<T, Refusal>) {
        if matches!(change, Ok(_) | Err(Refusal::Unpurged(_))) {
            self.shared.watches.tell(&organization, &name);
        }
    }

    /// Ends the watches of whoever may no longer hold one.
    fn tell_of_people(&self) {
        self.shared.watches.hurry();
    }

    fn with(lane: Lane, keys: Arc<Keys>, operator: &str) -> Self {
        let (sessions, lately) = (Sessions::default(), Lately::default());
        let (mirrors, watches) = (Arc::default(), Watches::default());
        let operator = operator.into();
        let sign_ins = Semaphore::new(SIGN_INS_MAX);
        let shared = Shared { lane, keys, sessions, sign_ins, lately, mirrors, watches, operator };
        Self { shared: Arc::new(shared) }
    }

    /// Does this in a transaction that others may share, and answers once it is durable.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Desk, &Transaction<'_>) -> Decided<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.shared.lane.write(work).await
    }

    /// The same for what takes no time: long reads are not waited for.
    async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &Transaction<'_>) -> Result<Result<T, Refusal>, StorageError>
        + Send
        + 'static,
    ) -> Result<T, Refusal> {
        self.shared.lane.look_up(work).await
    }

    /// Does this on one unchanging view of the database.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &Transaction<'_>) -> Result<Result<T, Refusal>, StorageError>
        + Send
        + 'static,
    ) -> Result<T, Refusal> {
        self.shared.lane.read(work).await
    }
}

#[cfg(test)]
mod tests;
