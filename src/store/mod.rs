//! The store: opened in the process, served over HTTP on in-process connections. It knows nothing
//! of launches; `run` joins the two.

mod audit;
mod canonical;
mod error;
mod http;
mod keyring;
mod lock;
mod master_key;
mod open;
mod permission;
mod seal;
mod service;
mod storage;
pub mod tls;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::DuplexStream;

use crate::name::OrgName;
use crate::store::permission::Principal;
use crate::store::service::Service;

pub use crate::store::audit::Broken;
pub use crate::store::error::{OpenError, OpenErrorKind};
pub use crate::store::master_key::{FILE_NAME as MASTER_KEY_NAME, MasterKeySource};
pub use crate::store::open::{DATABASE_NAME, OpenMode, exists};
pub use crate::store::storage::{StorageError, StorageErrorKind};

/// Bytes under way in one direction of an in-process connection.
const CONNECTION_BYTES_MAX: usize = 64 * 1024;

/// An open store, served to whoever connects in this process. A clone is another handle on it.
#[derive(Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
}

/// An open store, and whether it was made just now.
pub struct Opened {
    pub store: Embedded,
    pub made: bool,
}

/// What all connections share. SQLite's calls block: one connection to it, behind one lock.
struct Shared {
    service: Mutex<Service>,
    /// Who all in-process connections speak for.
    operator: Principal,
}

impl Embedded {
    /// Opens the store in `data_directory`; `operator` is the name of the operating system's user,
    /// `wait_max` how long opening, and then each request, waits for other processes.
    pub fn open(
        data_directory: &Path,
        master_key: &MasterKeySource,
        mode: OpenMode,
        operator: &str,
        wait_max: Duration,
    ) -> Result<Opened, OpenError> {
        let operator = Principal::Operator { name: operator.to_owned() };
        let found = open::find(data_directory, master_key, mode, &operator.actor(), wait_max)?;
        let service = Service::new(found.database, found.master, found.keyring);
        let shared = Arc::new(Shared { service: Mutex::new(service), operator });
        Ok(Opened { store: Self { shared }, made: found.made })
    }

    /// Walks an organization's audit chain: how many records it has, or the first that is wrong.
    pub fn verify_audit(
        &self,
        organization: &OrgName,
    ) -> Result<Result<i64, Broken>, StorageError> {
        self.service().verify_chain(organization)
    }

    /// One HTTP/1.1 connection, served on the current tokio runtime until either side ends it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(CONNECTION_BYTES_MAX);
        tokio::spawn(http::serve(self.clone(), far));
        near
    }

    /// One operation at a time. A transaction that a panic ended was rolled back, so the service
    /// is whole behind a poisoned lock.
    fn service(&self) -> MutexGuard<'_, Service> {
        self.shared.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
