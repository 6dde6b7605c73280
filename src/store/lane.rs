//! How work comes to the database: on the spot, where this process is alone with it; through one
//! writing thread and a few readers, where many ask. It knows no operation.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::store::serve::Figures;
use crate::store::service::{Decided, Desk, Job, Keys, Refusal, Request, Service};
use crate::store::storage::deadline::Deadline;
use crate::store::storage::sqlite::{Identity, Sqlite};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{StorageError, StorageErrorKind};

/// Writes that may wait for their transaction; more are refused.
const WRITES_WAITING_MAX: usize = 4096;
/// Writes that share one transaction.
const BATCH_MAX: usize = 512;
/// Reads at a time, and how many may wait for their turn.
const READERS_MAX: usize = 4;
const QUICK_READERS_MAX: usize = 2;
const READS_WAITING_MAX: usize = 1024;

/// The way to the database.
pub enum Lane {
    /// One operation at a time, each on the thread that asks.
    Here(Box<Mutex<Service>>),
    Thread {
        writes: SyncSender<Box<dyn Job>>,
        readers: Arc<Readers>,
        /// For what takes no time.
        quick: Arc<Readers>,
        counted: Arc<Counted>,
    },
}

/// What the writing thread has before it and behind it.
#[derive(Default)]
pub struct Counted {
    waiting: AtomicU64,
    records: AtomicU64,
}

/// Connections that read, made as they are needed.
pub struct Readers {
    path: PathBuf,
    keys: Arc<Keys>,
    wait_max: Duration,
    /// The file that the writing thread has.
    place: Option<Identity>,
    idle: Mutex<Vec<Service>>,
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Lane {
    pub fn here(service: Service) -> Self {
        Self::Here(Box::new(Mutex::new(service)))
    }

    /// Starts the writing thread; it ends with the last handle on this.
    pub fn thread(
        service: Service,
        path: PathBuf,
        keys: Arc<Keys>,
        wait_max: Duration,
    ) -> io::Result<Self> {
        let place = service.place();
        let (writes, queue) = sync_channel(WRITES_WAITING_MAX);
        let counted = Arc::new(Counted::default());
        let (name, counts) = ("writer".to_owned(), Arc::clone(&counted));
        thread::Builder::new().name(name).spawn(move || write_all(service, &queue, &counts))?;
        let readers = |turns| {
            Arc::new(Readers {
                path: path.clone(),
                keys: Arc::clone(&keys),
                wait_max,
                place,
                idle: Mutex::default(),
                turns: Arc::new(Semaphore::new(turns)),
                waiting: Arc::new(Semaphore::new(READS_WAITING_MAX)),
            })
        };
        let (readers, quick) = (readers(READERS_MAX), readers(QUICK_READERS_MAX));
        Ok(Self::Thread { writes, readers, quick, counted })
    }

    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Desk, &Transaction<'_>) -> Decided<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (sender, receiver) = oneshot::channel();
        // Who has gone meanwhile is not told; what was done for him is done.
        let answer = move |outcome| drop(sender.send(outcome));
        let job: Box<dyn Job> = Box::new(Request::new(work, answer));
        match self {
            // A transaction that a panic ended was rolled back: behind the lock all is whole.
            Self::Here(service) => {
                service.lock().unwrap_or_else(PoisonError::into_inner).run_one(job);
            }
            Self::Thread { writes, counted, .. } => {
                counted.waiting.fetch_add(1, Ordering::Relaxed);
                if writes.try_send(job).is_err() {
                    counted.waiting.fetch_sub(1, Ordering::Relaxed);
                    return Err(Refusal::Overloaded);
                }
            }
        }
        receiver.await.unwrap_or(Err(Refusal::Overloaded))
    }

    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &Transaction<'_>) -> Result<Result<T, Refusal>, StorageError>
        + Send
        + 'static,
    ) -> Result<T, Refusal> {
        match self {
            Self::Here(service) => {
                service.lock().unwrap_or_else(PoisonError::into_inner).read(work)
            }
            Self::Thread { readers, .. } => Arc::clone(readers).read(work).await,
        }
    }

    /// The same for what takes no time.
    pub async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, &Transaction<'_>) -> Result<Result<T, Refusal>, StorageError>
        + Send
        + 'static,
    ) -> Result<T, Refusal> {
        match self {
            Self::Thread { quick, .. } => Arc::clone(quick).read(work).await,
            Self::Here(_) => self.read(work).await,
        }
    }

    pub fn figures(&self) -> Figures {
        match self {
            Self::Here(_) => Figures::default(),
            Self::Thread { counted, .. } => Figures {
                audit_records: counted.records.load(Ordering::Relaxed),
                queue_depth: counted.waiting.load(Ordering::Relaxed),
            },
        }
    }
}

impl Readers {
    async fn read<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&mut Desk, &Transaction<'_>) -> Result<Result<T, Refusal>, StorageError>
        + Send
        + 'static,
    ) -> Result<T, Refusal> {
        let (sender, receiver) = oneshot::channel();
        // Who has gone meanwhile is not told.
        let work = move |service: &mut Service| drop(sender.send(service.read(work)));
        self.run(Box::new(work)).await?;
        receiver.await.unwrap_or(Err(Refusal::Overloaded))
    }

    /// The same code for whatever is answered.
    async fn run(
        self: Arc<Self>,
        work: Box<dyn FnOnce(&mut Service) + Send>,
    ) -> Result<(), Refusal> {
        let waiting = Arc::clone(&self.waiting);
        let place = waiting.try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| Refusal::Overloaded)?;
        let readers = Arc::clone(&self);
        let done = tokio::task::spawn_blocking(move || {
            // The read goes on where its client leaves, and nobody else has its turn meanwhile.
            let _taken = (place, turn);
            let mut service = readers.take()?;
            work(&mut service);
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(service);
            Ok(())
        });
        done.await.unwrap_or_else(|_| {
            let message = "a read ended early";
            let error = StorageError::new(&self.path, StorageErrorKind::Io, message);
            Err(Refusal::Storage(error))
        })
    }

    fn take(&self) -> Result<Service, StorageError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(service) = idle {
            return Ok(service);
        }
        let deadline = Deadline::after(self.wait_max);
        let database = Sqlite::open(&self.path, deadline, self.wait_max)?.beside_of(self.place);
        Ok(Service::new(database, Desk::forgetful(Arc::clone(&self.keys))))
    }
}

/// Takes what waits, all of it at once, and does it in one transaction: while the disk is waited
/// for, the next ones gather.
fn write_all(mut service: Service, queue: &Receiver<Box<dyn Job>>, counted: &Counted) {
    loop {
        let next = match service.pause() {
            Some(pause) => queue.recv_timeout(pause),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let first = match next {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return service.rest(),
        };
        let mut jobs: Vec<_> = first.into_iter().collect();
        if !jobs.is_empty() {
            gather(queue, &mut jobs);
        }
        if jobs.is_empty() {
            service.tidy();
        } else {
            counted.waiting.fetch_sub(jobs.len() as u64, Ordering::Relaxed);
            service.run(jobs);
            counted.records.store(service.records_written(), Ordering::Relaxed);
        }
    }
}

/// Takes what waits. The processor is offered to whoever is about to bring more, again and again as
/// long as more comes: each transaction costs as much as many jobs do.
fn gather(queue: &Receiver<Box<dyn Job>>, jobs: &mut Vec<Box<dyn Job>>) {
    loop {
        let before = jobs.len();
        while jobs.len() < BATCH_MAX {
            match queue.try_recv() {
                Ok(job) => jobs.push(job),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if jobs.len() == before || jobs.len() >= BATCH_MAX {
            return;
        }
        thread::yield_now();
    }
}
