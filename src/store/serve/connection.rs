//! One connection, from its first byte to its end. Until that byte it costs a task and no buffer;
//! whoever takes too long is closed, and a server that ends lets the request under way finish.

use std::convert::Infallible;
use std::io::{self, ErrorKind::WouldBlock};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep_until, timeout};

use crate::store::http::{self, Answer, Fault, Probe};
use crate::store::room::Room;
use crate::store::serve::admission::{Peer, Slot};
use crate::store::serve::context::Context;
use crate::store::serve::limits::{
    ANSWER_BYTES_UNCOUNTED, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX, IDLE_TIME_MAX,
};
use crate::store::serve::pace::{Pace, Paced, Phase};
use crate::store::serve::probes;
use crate::store::serve::{Acceptor, Server};
use crate::sys::serving::is_readable;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A connection as it is accepted.
pub enum Accepted {
    Tcp(TcpStream, Acceptor),
    Unix(UnixStream),
}

/// What HTTP is spoken on. All kinds of it share one code: it is much.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How a connection ended.
#[derive(Debug, Eq, PartialEq)]
pub enum Ending {
    /// By the client, by an answer that closes it, or by the server's own end.
    Over,
    TooSlow(Phase),
}

/// Serves a connection to its end; the slot is its place among all connections.
pub async fn serve(server: Arc<Server>, accepted: Accepted, peer: Peer, slot: Slot) {
    let slot = Arc::new(slot);
    let ending = match accepted {
        Accepted::Unix(stream) => match begin(&server, Phase::Head, has_input(&stream)).await {
            Ok(()) => converse(&server, Box::new(stream), peer, &slot).await,
            Err(ending) => ending,
        },
        Accepted::Tcp(stream, acceptor) => match begin(&server, Phase::Head, begins(&stream)).await
        {
            Ok(()) => match acceptor {
                Acceptor::Plain => converse(&server, Box::new(stream), peer, &slot).await,
                Acceptor::Tls { acceptor, .. } => {
                    let place = server.admission.handshake(peer);
                    let shaken = acceptor.accept(stream, place);
                    match begin(&server, Phase::Handshake, shaken).await {
                        Ok(stream) => converse(&server, stream, peer, &slot).await,
                        // Who does not speak TLS, or not with this key, is told by TLS itself.
                        Err(ending) => {
                            server.metrics.handshakes_failed.add(1);
                            ending
                        }
                    }
                }
            },
            Err(ending) => ending,
        },
    };
    if let Ending::TooSlow(phase) = ending {
        server.metrics.too_slow(phase);
    }
    drop(slot);
}

/// Waits for what comes before the first request: nothing is set up for who says nothing. A server
/// that ends does not wait for it.
async fn begin<T>(
    server: &Server,
    phase: Phase,
    begins: impl Future<Output = io::Result<T>>,
) -> Result<T, Ending> {
    let time_max = phase.limit().unwrap_or(HEAD_TIME_MAX);
    let mut begins = pin!(timeout(time_max, begins));
    let mut draining = pin!(server.draining());
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ready) = begins.as_mut().poll(cx) {
            return Poll::Ready(match ready {
                Ok(Ok(begun)) => Ok(begun),
                Ok(Err(_)) => Err(Ending::Over),
                Err(_) => Err(Ending::TooSlow(phase)),
            });
        }
        draining.as_mut().poll(cx).map(|()| Err(Ending::Over))
    })
    .await
}

/// A socket that was just accepted counts as readable until it was found not to be: it is looked.
async fn begins(stream: &TcpStream) -> io::Result<()> {
    match stream.peek(&mut [0]).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

async fn has_input(stream: &UnixStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let look = || if is_readable(stream)? { Ok(()) } else { Err(WouldBlock.into()) };
        match stream.try_io(Interest::READABLE, look) {
            Err(error) if error.kind() == WouldBlock => {}
            looked => return looked,
        }
    }
}

/// Speaks HTTP/1.1 on a stream, to its end.
pub fn converse<'a>(
    server: &'a Arc<Server>,
    stream: Box<dyn Stream>,
    peer: Peer,
    slot: &'a Arc<Slot>,
) -> Pin<Box<dyn Future<Output = Ending> + Send + 'a>> {
    // Boxed: a connection that is silent yet has no room for it.
    Box::pin(speak(server, stream, peer, slot))
}

async fn speak(
    server: &Arc<Server>,
    stream: Box<dyn Stream>,
    peer: Peer,
    slot: &Arc<Slot>,
) -> Ending {
    let pace = Arc::new(Pace::new());
    let stream = Paced::new(stream, Arc::clone(&pace));
    let line = http::Line::new(match peer {
        Peer::Own => server.store.own(),
        Peer::Address(_) | Peer::Unix => http::Peer::Stranger { address: peer.address() },
    });
    let service = service_fn(|request| answer(server, &pace, (peer, slot), &line, request));
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut draining = pin!(server.draining());
    let mut is_draining = false;
    // It rings early where the deadline has moved since, and is then set again.
    let mut timer = pin!(sleep_until(Instant::now() + HEAD_TIME_MAX));
    std::future::poll_fn(|cx| {
        loop {
            // A client that ends the connection early has its own error; the server has none.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ending::Over);
            }
            if !is_draining && draining.as_mut().poll(cx).is_ready() {
                is_draining = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            let deadline = pace.deadline();
            if let Some(sooner) = deadline.filter(|at| *at < timer.deadline()) {
                timer.as_mut().reset(sooner);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            match deadline {
                Some(passed) if passed <= now => {
                    return Poll::Ready(Ending::TooSlow(pace.phase()));
                }
                Some(later) => timer.as_mut().reset(later),
                None => timer.as_mut().reset(now + IDLE_TIME_MAX),
            }
        }
    })
    .await
}

/// An answer's bytes, counted until the last of them is on its way.
struct Held {
    bytes: Bytes,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A long answer takes room until it is read, or there is none for it and it is not sent. Where it
/// took more while it was made, the rest of that is given back.
async fn held(context: &mut Context, answer: Answer) -> Answer {
    let length = answer.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|length| *length > ANSWER_BYTES_UNCOUNTED) else {
        return answer;
    };
    let room = context.room();
    if room.settle(length).is_err() {
        return Fault::Crowded.answer(context);
    }
    let (head, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let bytes = Bytes::from_owner(Held { bytes: body.to_bytes(), _room: room });
    Response::from_parts(head, Full::new(bytes))
}

/// One request, from its headers to its answer.
async fn answer(
    server: &Arc<Server>,
    pace: &Pace,
    (peer, slot): (Peer, &Arc<Slot>),
    line: &http::Line,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let begun = pace.works();
    let permit = server.admission.request();
    let is_crowded = permit.is_none();
    let mut context = Context::served(Arc::clone(server), peer, Arc::clone(slot), permit);
    let id = context.id;
    let has_body = !request.body().is_end_stream();
    let probe = Probe::of(request.uri().path());
    let mut answer: Response<_> = if let Some(probe) = probe {
        context.routed(probe.index());
        match probes::takes(request.method()) {
            true => probes::answer(probe, server).await,
            false => Fault::Method { allowed: "GET, HEAD".to_owned() }.answer(&context),
        }
    } else if is_crowded {
        server.metrics.requests_refused.add(1);
        Fault::Crowded.answer(&context)
    } else {
        http::answer(&server.store, line, &mut context, request).await
    };
    if has_body && !context.has_read {
        pace.lingers();
    }
    answer = held(&mut context, answer).await;
    // A place among those that watch is for who may.
    if answer.status() == StatusCode::UNAUTHORIZED && slot.is_watching() {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let named = HeaderValue::from_bytes(&id.digits()).expect("hex digits are a header's value");
    answer.headers_mut().insert(&REQUEST_ID, named);
    context.finish(answer.status(), pace.answers() - begun);
    Ok(answer)
}
