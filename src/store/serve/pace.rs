//! How long a client may take: what a connection waits for at the moment, since when, and until
//! when. The stream and the answering say what happens; no timer is touched while all goes well.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::store::serve::limits::{
    ANSWER_TIME_MAX, HANDSHAKE_TIME_MAX, HEAD_TIME_MAX, IDLE_TIME_MAX,
};

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
    /// The store: that is not the client's time.
    Work = 4,
}

/// One connection's phase and when it began. All of a connection happens in one task; it is shared
/// only as far as its parts are.
pub struct Pace {
    begun: Instant,
    phase: AtomicU8,
    /// Microseconds after the beginning.
    since: AtomicU64,
}

/// A stream that says when bytes come and when they are gone.
pub struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
}

impl Phase {
    /// Those in which the client can be too slow.
    pub const LIMITED: [Self; 4] = [Self::Head, Self::Answer, Self::Idle, Self::Handshake];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Answer => "answer",
            Self::Idle => "idle",
            Self::Handshake => "handshake",
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
            Self::Work => None,
        }
    }
}

impl Pace {
    /// Begins with a head that is waited for.
    pub fn new() -> Self {
        let phase = AtomicU8::new(Phase::Head as u8);
        Self { begun: Instant::now(), phase, since: AtomicU64::new(0) }
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
            _ => Phase::Work,
        }
    }

    /// Until when the client has time, if it is the client's time.
    pub fn deadline(&self) -> Option<Instant> {
        let since = Duration::from_micros(self.since.load(Ordering::Relaxed));
        self.phase().limit().map(|limit| self.begun + since + limit)
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
        Self { stream, pace }
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
