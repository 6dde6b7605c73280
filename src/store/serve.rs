//! The store as a service: listens, lets in, answers, ends. What a request means is HTTP's matter;
//! this is everything around it, and all of its control flow.

mod admission;
mod connection;
mod context;
mod error;
mod limits;
mod listener;
mod memory;
mod metrics;
mod pace;
mod probes;

use std::io;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};

use crate::listen::ListenAddress;
use crate::log::{Level, Log, Throttle};
use crate::notify::Notifier;
use crate::store::tls::{self, ServerIdentity, TlsError};
use crate::store::{Store, http};
use crate::sys::serving::{Signals, Told, raise_descriptor_limit, watch_signals};

use admission::{Admission, Places};
use context::RequestIds;
use limits::{DRAIN_TIME_MAX, LINES_PER_SECOND_MAX, WORKERS_MAX};
use listener::Listener;
use metrics::Metrics;
use probes::{Readiness, Shown};

pub use admission::Source;
pub use context::{BodyFault, Context};
pub use error::{BindError, ServeError};
pub use limits::{HEAD_BYTES_MAX, HEADERS_MAX};

/// How long nobody is accepted after the system had no room for one more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

static CONNECTION_REFUSED: Throttle = Throttle::new("connection_refused", LINES_PER_SECOND_MAX);
static ACCEPT_FAILED: Throttle = Throttle::new("accept_failed", LINES_PER_SECOND_MAX);

/// How a server is run.
pub struct Config {
    pub listen: Vec<ListenAddress>,
    /// The mode of unix sockets.
    pub listen_mode: u32,
    /// What is spoken over TCP.
    pub acceptor: Acceptor,
    pub log: Log,
    pub notifier: Notifier,
    /// How often the supervisor wants to hear from it.
    pub watchdog: Option<Duration>,
}

/// What is spoken over TCP.
#[derive(Clone)]
pub enum Acceptor {
    Plain,
    Tls {
        acceptor: tls::Acceptor,
        /// Whether the key is the store's own, which stays: then its address pins it.
        is_own: bool,
    },
}

/// A route as log and metrics call it; `path` is a template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RouteName {
    pub method: &'static str,
    pub path: &'static str,
}

/// What the store says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Audit records that were written since it was opened.
    pub audit_records: u64,
    /// Operations that wait for the writer.
    pub queue_depth: u64,
}

/// What all connections share.
struct Server {
    store: Store,
    log: Log,
    metrics: Metrics,
    admission: Admission,
    ids: RequestIds,
    readiness: Readiness,
    shown: Shown,
    drain: watch::Receiver<bool>,
}

#[cfg(test)]
mod tests;

/// Serves until SIGTERM or SIGINT; `announce` is told each address, once all are listened on.
pub fn serve(
    store: Store,
    config: Config,
    mut announce: impl FnMut(&str),
) -> Result<(), ServeError> {
    let system = |doing| move |error| ServeError::System { doing, error };
    let Config { listen, listen_mode, acceptor, log, notifier, watchdog } = config;
    let notifier = Arc::new(notifier);
    let (drain, drains) = watch::channel(false);
    let places = places(&log);
    let server = Arc::new(Server::new(store, log.clone(), places, drains));
    let runtime = runtime().map_err(system("start its threads"))?;
    let listeners = {
        let _inside = runtime.enter();
        bind(&listen, listen_mode, &acceptor)?
    };
    let shown: Vec<String> = listeners
        .iter()
        .map(Listener::shown)
        .collect::<Result<_, _>>()
        .map_err(system("tell its own addresses"))?;
    let signals = watch_signals().map_err(system("wait for signals"))?;
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| runtime.spawn(accept(Arc::clone(&server), listener)))
        .collect();
    runtime.spawn(memory::give_back(Arc::clone(&server)));
    if let Some(every) = watchdog {
        runtime.spawn(stay_alive(Arc::clone(&notifier), every));
    }
    for address in &shown {
        announce(address);
        log.info("listening", |line| {
            line.text("address", address);
        });
    }
    let status = format!("serving on {}", shown.join(" "));
    if let Acceptor::Tls { acceptor, .. } = &acceptor {
        tell_of_identity(&acceptor.identity(), &log);
    }
    tell_supervisor(&log, notifier.ready(&status));
    wait_for_end(signals, &acceptor, &notifier, &log, &status)
        .map_err(system("wait for signals"))?;
    tell_supervisor(&log, notifier.stopping("finishing the requests under way"));
    end(runtime, server, drain, accepting);
    Ok(())
}

/// As many connections as there may be descriptors for; fewer than it could have are told.
fn places(log: &Log) -> Places {
    let descriptors = raise_descriptor_limit();
    let places = Places::of(descriptors);
    if places.are_few() {
        log.warn("few_descriptors", |line| {
            line.number("descriptors", descriptors);
            line.number("connections", places.any as u64);
            line.number("watching", places.watching as u64);
        });
    }
    places
}

impl Server {
    fn new(store: Store, log: Log, places: Places, drain: watch::Receiver<bool>) -> Self {
        let routes = http::route_names().collect();
        Self {
            store,
            log,
            metrics: Metrics::new(routes),
            admission: Admission::new(places),
            ids: RequestIds::new(),
            readiness: Readiness::default(),
            shown: Shown::default(),
            drain,
        }
    }

    fn is_draining(&self) -> bool {
        *self.drain.borrow()
    }

    /// Waits until the server is about to end.
    async fn draining(&self) {
        // The sender outlives all that wait here; were it gone, that would be the end too.
        let _ = self.drain.clone().wait_for(|drains| *drains).await;
    }
}

impl Acceptor {
    /// How a client names the store at this host and port.
    fn url(&self, host: &str) -> String {
        match self {
            Self::Plain => format!("http://{host}"),
            Self::Tls { acceptor, is_own: true } => {
                format!("https://{host}#{}", acceptor.identity().pin())
            }
            Self::Tls { is_own: false, .. } => format!("https://{host}"),
        }
    }

    /// Reads certificate and key again, where there are some.
    fn reload(&self, log: &Log) -> Result<(), TlsError> {
        let Self::Tls { acceptor, .. } = self else { return Ok(()) };
        acceptor.reload().map(|identity| tell_of_identity(&identity, log))
    }
}

/// Says what the operator should know of the certificate.
fn tell_of_identity(identity: &ServerIdentity, log: &Log) {
    if let Some(warning) = identity.warning(Timestamp::now()) {
        log.warn("certificate", |line| {
            line.text("problem", warning);
        });
    }
}

impl RouteName {
    /// What is none of the routes. Its path and its method are whatever a stranger sent.
    pub const OTHER: Self = Self { method: "other", path: "other" };
}

fn runtime() -> io::Result<Runtime> {
    let processors = available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.min(WORKERS_MAX))
        .thread_name("worker")
        .enable_all()
        .build()
}

/// All of them, or everything that is wrong.
fn bind(
    addresses: &[ListenAddress],
    mode: u32,
    acceptor: &Acceptor,
) -> Result<Vec<Listener>, ServeError> {
    let bound = addresses.iter().map(|address| Listener::bind(address, mode, acceptor));
    let (listeners, errors): (Vec<_>, Vec<_>) = bound.partition(Result::is_ok);
    if errors.is_empty() {
        return Ok(listeners.into_iter().filter_map(Result::ok).collect());
    }
    Err(ServeError::Bind(errors.into_iter().filter_map(Result::err).collect()))
}

/// Accepts until it is aborted. Who is over a limit is closed at once.
async fn accept(server: Arc<Server>, listener: Listener) {
    loop {
        let (accepted, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                server.metrics.accepts_failed.add(1);
                server.log.throttled(Level::Warn, &ACCEPT_FAILED, |line| {
                    line.text("error", &error);
                });
                if is_exhausted(&error) {
                    sleep(ACCEPT_PAUSE).await;
                }
                continue;
            }
        };
        match server.admission.connection(peer) {
            Ok(slot) => {
                server.metrics.connections.add(1);
                tokio::spawn(connection::serve(Arc::clone(&server), accepted, peer, slot));
            }
            Err(crowded) => {
                server.metrics.refused(crowded);
                server.log.throttled(Level::Warn, &CONNECTION_REFUSED, |line| {
                    line.text("client", peer).text("limit", crowded.as_str());
                });
            }
        }
    }
}

/// Whether the system has no room for one more; else it is that one connection's error.
fn is_exhausted(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}

/// Says twice as often as is wanted that the workers are not stuck.
async fn stay_alive(notifier: Arc<Notifier>, every: Duration) {
    let mut ticks = interval((every / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        // A supervisor that does not hear this ends the server, which then says so.
        let _ = notifier.alive();
    }
}

/// Serves while this waits, and returns at the signal that ends it.
fn wait_for_end(
    mut signals: Signals,
    acceptor: &Acceptor,
    notifier: &Notifier,
    log: &Log,
    status: &str,
) -> io::Result<()> {
    while signals.wait()? == Told::Reload {
        tell_supervisor(log, notifier.reloading());
        match acceptor.reload(log) {
            Ok(()) => log.info("reloaded", |_| {}),
            Err(error) => log.error("not_reloaded", |line| {
                line.text("error", error);
            }),
        }
        tell_supervisor(log, notifier.ready(status));
    }
    Ok(())
}

fn tell_supervisor(log: &Log, told: io::Result<()>) {
    if let Err(error) = told {
        log.warn("supervisor_not_told", |line| {
            line.text("error", error);
        });
    }
}

/// Nobody new; idle connections close, requests under way finish, for as long as they may take.
fn end(
    runtime: Runtime,
    server: Arc<Server>,
    drain: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
) {
    let open = server.admission.connections() as u64;
    server.log.info("ending", |line| {
        line.number("connections", open);
    });
    runtime.block_on(async {
        for task in accepting {
            task.abort();
            // Its listener is gone with it, and the socket's file.
            let _ = task.await;
        }
        drain.send_replace(true);
        server.store.drain();
        if timeout(DRAIN_TIME_MAX, server.admission.empty()).await.is_err() {
            let left = server.admission.connections() as u64;
            server.log.warn("requests_cut_off", |line| {
                line.number("connections", left);
            });
        }
    });
    runtime.shutdown_background();
    server.log.info("ended", |_| {});
}
