//! The attacks, each by another way. They know a server's addresses and a good token, and go
//! on until they are told to stop.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::{LARGE_VALUES, RESOLVE, UNREAD};
use crate::serve::crowd::idle;
use crate::serve::server::head;

/// What all of an attack's threads know.
pub struct Target<'a> {
    pub address: SocketAddr,
    pub socket: &'a Path,
    /// A good token's header; an attacker may well have one.
    pub token: &'a str,
    /// Connections or requests so far.
    pub count: &'a AtomicUsize,
    pub stop: &'a AtomicBool,
}

impl Target<'_> {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Connections from one address of loopback, which block when nobody reads.
    fn connect(&self, last: u8, count: usize) -> Vec<TcpStream> {
        let streams = idle(self.address, [127, 0, 0, last], count);
        for stream in &streams {
            stream.set_nonblocking(false).expect("a socket");
            stream.set_write_timeout(Some(Duration::from_millis(50))).expect("a socket");
            stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
        }
        self.count.fetch_add(count, Ordering::Relaxed);
        streams
    }

    /// One byte to each, once a second, for as long as it goes on.
    fn drip(&self, mut streams: Vec<TcpStream>) {
        let (_keep, never): (Sender<()>, Receiver<()>) = channel();
        while self.goes_on() {
            streams.retain_mut(|stream| stream.write_all(b"x").is_ok());
            for _ in 0..20 {
                if self.goes_on() {
                    let waited = never.recv_timeout(Duration::from_millis(50));
                    assert_eq!(waited, Err(RecvTimeoutError::Timeout));
                }
            }
        }
    }
}

/// From five addresses, 2000 each.
pub fn idle_sockets(target: &Target<'_>) {
    let held: Vec<_> = (2..=6).map(|last| target.connect(last, 2000)).collect();
    while target.goes_on() {
        thread::park_timeout(Duration::from_millis(10));
    }
    drop(held);
}

pub fn slow_heads(target: &Target<'_>) {
    let mut streams = target.connect(7, 500);
    for stream in &mut streams {
        let _ = stream.write_all(b"POST / HTTP/1.1\r\nhost: store\r\nx-slow: ");
    }
    target.drip(streams);
}

pub fn slow_bodies(target: &Target<'_>) {
    let mut streams = target.connect(8, 500);
    for stream in &mut streams {
        let _ = stream.write_all(head("POST", RESOLVE, target.token, 60_000).as_bytes());
    }
    target.drip(streams);
}

/// Announced, or in pieces without an end; with a good token and with none.
pub fn long_bodies(target: &Target<'_>) {
    const LENGTH: usize = 100_000_000;
    let pieces = format!(
        "POST {RESOLVE} HTTP/1.1\r\nhost: s\r\n{}transfer-encoding: chunked\r\n\r\n",
        target.token
    );
    let heads =
        [head("POST", RESOLVE, target.token, LENGTH), head("POST", RESOLVE, "", LENGTH), pieces];
    let piece = [format!("{:x}\r\n", 1 << 16).as_bytes(), &[b' '; 1 << 16], b"\r\n"].concat();
    while target.goes_on() {
        for head in &heads {
            let mut stream = target.connect(9, 1).pop().expect("one was asked for");
            let mut sent = 0;
            let _ = stream.write_all(head.as_bytes());
            while target.goes_on() && sent < LENGTH && stream.write_all(&piece).is_ok() {
                sent += piece.len();
            }
            assert!(sent < 16 << 20, "{sent} bytes were taken");
        }
    }
}

/// Much is asked for, and nothing of it read. A unix socket keeps little of it on the way.
pub fn unread_answers(target: &Target<'_>) {
    let names: Vec<_> = (0..LARGE_VALUES).map(|number| format!("\"LARGE_{number}\"")).collect();
    let body = format!("{{\"names\":[{}]}}", names.join(","));
    let asked = head("POST", RESOLVE, target.token, body.len()) + &body;
    let mut streams = Vec::new();
    for _ in 0..UNREAD {
        let mut stream = UnixStream::connect(target.socket).expect("it listens");
        stream.write_all(asked.as_bytes()).expect("it reads");
        streams.push(stream);
    }
    for stream in &mut streams {
        // It has been answered, or refused, when the first byte is there.
        stream.read_exact(&mut [0]).expect("it answers");
        target.count.fetch_add(1, Ordering::Relaxed);
    }
    while target.goes_on() {
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// Tokens of the right form that nobody has, and others that are none.
pub fn failed_authentications(target: &Target<'_>) {
    let unknown =
        "authorization: Bearer inj_m_zNvXItvvUhInDaG4noYKpY8yM27JDo4l0wjqOEm2HrIV4BLRIh\r\n";
    let asked = [unknown, "authorization: Bearer x\r\n", ""];
    let asked = asked.map(|token| head("POST", RESOLVE, token, 0));
    let mut stream = target.connect(11, 1).pop().expect("one was asked for");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let mut answer = [0; 4096];
    while target.goes_on() {
        for asked in &asked {
            stream.write_all(asked.as_bytes()).expect("it goes on");
            let length = stream.read(&mut answer).expect("it answers");
            assert!(answer[..length].starts_with(b"HTTP/1.1 401"), "each is refused");
            target.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Many at a time on one connection, all of which are answered.
pub fn pipelined_metrics(target: &Target<'_>) {
    const AT_ONCE: usize = 64;
    let asked = "GET /metrics HTTP/1.1\r\nhost: s\r\n\r\n".repeat(AT_ONCE);
    let mut stream = target.connect(13, 1).pop().expect("one was asked for");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    stream.set_write_timeout(Some(Duration::from_secs(60))).expect("a socket");
    const BEGIN: &[u8] = b"HTTP/1.1 200 OK";
    let (mut room, mut text) = (vec![0; 1 << 16], Vec::new());
    while target.goes_on() {
        stream.write_all(asked.as_bytes()).expect("it goes on");
        let mut answered = 0;
        while answered < AT_ONCE {
            let length = stream.read(&mut room).expect("it answers");
            assert!(length > 0, "it goes on");
            text.extend_from_slice(&room[..length]);
            let begun = memchr::memmem::find_iter(&text, BEGIN).count();
            answered += begun;
            target.count.fetch_add(begun, Ordering::Relaxed);
            // What may be the beginning of another is kept.
            text.drain(..text.len().saturating_sub(BEGIN.len() - 1));
        }
    }
}

/// The beginning of a client's greeting, as any TLS client sends it.
pub const GREETING: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// Greetings that go on by a byte a second.
pub fn half_handshakes(target: &Target<'_>) {
    let mut streams = target.connect(12, 900);
    for stream in &mut streams {
        let _ = stream.write_all(GREETING);
    }
    target.drip(streams);
}
