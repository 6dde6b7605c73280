//! The sockets of a sidecar and their connections: probes, and the proxy. One thread answers all of
//! them; each connection has one request, and a limited time.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use crate::listen::ListenAddress;
use crate::listen::socket::{SocketFile, bind_tcp, bind_unix};
use crate::log::Log;
use crate::sidecar::probes;
use crate::sidecar::proxy::{Peer, Proxy};
use crate::sidecar::seats::{Seat, Seats};
use crate::sidecar::state::State;

/// Connections at once, at each socket, but for the proxy's watches.
const CONNECTIONS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// All of a connection: a probe's is short, the proxy's may be a watch's.
const PROBE_TIME_MAX: Duration = Duration::from_secs(20);
const PROXY_TIME_MAX: Duration = Duration::from_secs(400);
/// After the system had no room for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A socket for probes is for whoever can reach it: kubelet is another user.
const PROBES_MODE: u32 = 0o666;

/// Sockets that are bound, and not answered at yet.
pub struct Server {
    runtime: Runtime,
    probes: Option<Listener>,
    proxy: Option<(UnixListener, Proxy)>,
    files: Vec<SocketFile>,
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    pub address: ListenAddress,
    pub error: io::Error,
}

/// What http is spoken on.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

type Answered = Pin<Box<dyn Future<Output = Response<Full<Bytes>>>>>;

/// What answers the requests of one socket, each with who is at its other end.
type Answers = Rc<dyn Fn(Request<Incoming>, Option<Peer>, Rc<Seat>) -> Answered>;

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Server {
    pub fn new() -> io::Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().max_io_events_per_tick(64).build()?;
        Ok(Self { runtime, probes: None, proxy: None, files: Vec::new() })
    }

    pub fn listen(&mut self, address: &ListenAddress, log: &Log) -> Result<(), BindError> {
        let _inside = self.runtime.enter();
        let failed = |error| BindError { address: address.clone(), error };
        let (listener, shown) = match address {
            ListenAddress::Tcp(address) => {
                let listener = bind_tcp(*address).map_err(failed)?;
                let shown = format!("http://{}", listener.local_addr().map_err(failed)?);
                (Listener::Tcp(listener), shown)
            }
            ListenAddress::Unix(path) => {
                let (listener, file) = bind_unix(path, PROBES_MODE).map_err(failed)?;
                let shown = format!("unix:{}", file.path().display());
                self.files.push(file);
                (Listener::Unix(listener), shown)
            }
        };
        log.info("listening", |line| {
            line.text("address", shown);
        });
        self.probes = Some(listener);
        Ok(())
    }

    pub fn proxy(
        &mut self,
        path: &Path,
        mode: u32,
        proxy: Proxy,
        log: &Log,
    ) -> Result<(), BindError> {
        let _inside = self.runtime.enter();
        let failed = |error| BindError { address: ListenAddress::Unix(path.to_owned()), error };
        let (listener, file) = bind_unix(path, mode).map_err(failed)?;
        log.info("proxy_listening", |line| {
            line.text("address", format_args!("unix:{}", file.path().display()));
        });
        self.files.push(file);
        self.proxy = Some((listener, proxy));
        Ok(())
    }

    /// Answers from now on, in a thread that ends with the process. What comes back removes the
    /// sockets' files when it is dropped.
    pub fn start(self, state: &Arc<State>, log: &Log) -> io::Result<Vec<SocketFile>> {
        let Self { runtime, probes, proxy, files } = self;
        let (state, log) = (Arc::clone(state), log.clone());
        thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let all = LocalSet::new();
            if let Some(listener) = probes {
                all.spawn_local(serve_probes(listener, state, log.clone()));
            }
            if let Some((listener, proxy)) = proxy {
                all.spawn_local(serve_proxy(listener, Rc::new(proxy), log));
            }
            runtime.block_on(all);
        })?;
        Ok(files)
    }
}

async fn serve_probes(listener: Listener, state: Arc<State>, log: Log) {
    let seats = Seats::new(CONNECTIONS_MAX, log.clone());
    let answer: Answers = Rc::new(move |request, _, _| {
        let answer = probes::answer(&request, &state);
        Box::pin(async move { answer })
    });
    loop {
        let accepted: io::Result<Box<dyn Stream>> = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| boxed(stream)),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| boxed(stream)),
        };
        match accepted {
            Ok(stream) => {
                let (answer, seat) = (Rc::clone(&answer), seats.take().await);
                drop(spawn_local(converse(stream, answer, None, PROBE_TIME_MAX, seat)));
                // It is heard before so many others are accepted that it is sent away.
                yield_now().await;
            }
            Err(error) => {
                log.warn("accept_failed", |line| {
                    line.text("error", error);
                });
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_proxy(listener: UnixListener, proxy: Rc<Proxy>, log: Log) {
    let seats = Seats::new(CONNECTIONS_MAX, log);
    let answer: Answers = Rc::new(move |request, peer, seat| {
        let proxy = Rc::clone(&proxy);
        Box::pin(async move { proxy.answer(request, peer, &seat).await })
    });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let peer = stream.peer_cred().map(|cred| Peer { uid: cred.uid(), pid: cred.pid() });
        let (stream, answer, seat) = (boxed(stream), Rc::clone(&answer), seats.take().await);
        drop(spawn_local(converse(stream, answer, peer.ok(), PROXY_TIME_MAX, seat)));
        yield_now().await;
    }
}

/// One request and its answer; whoever takes too long, or is sent away, is closed. All kinds of
/// connections share this code: it is much.
async fn converse(
    stream: Box<dyn Stream>,
    answers: Answers,
    peer: Option<Peer>,
    time_max: Duration,
    seat: Seat,
) {
    let seat = Rc::new(seat);
    let service = service_fn(|request| {
        let answered = answers(request, peer, Rc::clone(&seat));
        async { Ok::<_, Infallible>(answered.await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    builder.keep_alive(false).max_buf_size(HEAD_BYTES_MAX);
    let conversation = builder.serve_connection(TokioIo::new(stream), service);
    // How it ended, its client knows.
    let mut conversation = pin!(timeout(time_max, conversation));
    let mut sent_away = pin!(seat.sent_away());
    poll_fn(|context| match conversation.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => sent_away.as_mut().poll(context),
    })
    .await;
}

fn boxed(stream: impl Stream + 'static) -> Box<dyn Stream> {
    Box::new(stream)
}
