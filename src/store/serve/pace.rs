//! How long a client may take: what a connection waits for at the moment, since when, and until
//! when. The stream and the answering say what happens; no timer is touched while all goes well.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::store::serve::limits::{
    ANSWER_TIME_MAX, HANDSHAKE_TIME_MAX, HEAD_TIME_MAX, IDLE_TIME_MAX, LINGER_BYTES_MAX,
    LINGER_TIME_MAX,
};

/// What is read of a body that nobody wants at a time.
const LINGER_STEP_BYTES: usize = 16 * 1024;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Phase {
    /// A request's line and headers.
    Head = 0,
    /// The client, to read an answer.
    Answer = 1,
    /// The next request's first byte.
    Idle = 2,
    /// A TLS handshake.
    Handshake = 3,
    /// The end of a body that nobody wants.
    Linger = 4,
    /// The store: that is not the client's time.
    Work = 5,
}

/// One connection's phase and when it began. All of a connection happens in one task; it is shared
/// only as far as its parts are.
pub struct Pace {
    begun: Instant,
    phase: AtomicU8,
    /// Microseconds after the beginning.
    since: AtomicU64,
    /// Whether a body may still be coming when the connection ends.
    lingers: AtomicBool,
}

/// A stream that says when bytes come and when they are gone.
pub struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    /// Bytes that may still be read for nothing; none before the end.
    unwanted: Option<usize>,
}

impl Phase {
    /// Those in which the client can be too slow.
    pub const LIMITED: [Self; 5] =
        [Self::Head, Self::Answer, Self::Idle, Self::Handshake, Self::Linger];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Answer => "answer",
            Self::Idle => "idle",
            Self::Handshake => "handshake",
            Self::Linger => "linger",
            Self::Work => "work",
        }
    }

    /// How long the client may take.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::Head => Some(HEAD_TIME_MAX),
            Self::Answer => Some(ANSWER_TIME_MAX),
            Self::Idle => Some(IDLE_TIME_MAX),
            Self::Handshake => Some(HANDSHAKE_TIME_MAX),
            Self::Linger => Some(LINGER_TIME_MAX),
            Self::Work => None,
        }
    }
}

impl Pace {
    /// Begins with a head that is waited for.
    pub fn new() -> Self {
        let phase = AtomicU8::new(Phase::Head as u8);
        let (since, lingers) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { begun: Instant::now(), phase, since, lingers }
    }

    /// A request has come: from here on it is the store's time.
    pub fn works(&self) -> Instant {
        self.enter(Phase::Work)
    }

    /// There is an answer to be sent.
    pub fn answers(&self) -> Instant {
        self.enter(Phase::Answer)
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Answer,
            2 => Phase::Idle,
            3 => Phase::Handshake,
            4 => Phase::Linger,
            _ => Phase::Work,
        }
    }

    /// Until when the client has time, if it is the client's time.
    pub fn deadline(&self) -> Option<Instant> {
        let since = Duration::from_micros(self.since.load(Ordering::Relaxed));
        self.phase().limit().map(|limit| self.begun + since + limit)
    }

    /// The answer comes before the request's end: whoever is told to go away should hear it.
    pub fn lingers(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    fn heard(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    fn flushed(&self) {
        if self.phase() == Phase::Answer {
            self.enter(Phase::Idle);
        }
    }

    fn enter(&self, phase: Phase) -> Instant {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.begun).as_micros();
        self.since.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
        now
    }
}

impl<S> Paced<S> {
    pub fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace, unwanted: None }
    }
}

impl<S: AsyncRead + Unpin> Paced<S> {
    /// Reads for nothing, until the client's end or until it was enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>, mut left: usize) -> Poll<()> {
        let mut room = [MaybeUninit::uninit(); LINGER_STEP_BYTES];
        while left > 0 {
            let mut buffer = ReadBuf::uninit(&mut room);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            let length = buffer.filled().len();
            left = if read.is_err() || length == 0 { 0 } else { left.saturating_sub(length) };
            self.unwanted = Some(left);
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.heard();
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// It is flushed when everything was written: hyper does so behind each answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = flushed {
            self.pace.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let left = match self.unwanted {
            Some(left) => left,
            None => {
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                if !self.pace.lingers.load(Ordering::Relaxed) {
                    return Poll::Ready(Ok(()));
                }
                self.pace.enter(Phase::Linger);
                self.unwanted = Some(LINGER_BYTES_MAX);
                LINGER_BYTES_MAX
            }
        };
        self.poll_linger(cx, left).map(Ok)
    }
}
