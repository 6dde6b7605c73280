//! One connection over a pipe within the process, on a clock that the test moves: how long a client
//! may take for what, and what it is told.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::admission::{Peer, Places};
use super::connection::{Ending, converse};
use super::limits::{
    ANSWER_TIME_MAX, BODIES_BYTES_MAX, BODY_BYTES_UNCOUNTED, BODY_TIME_MAX, HEAD_TIME_MAX,
    IDLE_TIME_MAX, LINGER_TIME_MAX, REQUESTS_MAX,
};
use super::pace::Phase;
use super::{Server, http};
use crate::log::{Format, Level, Log};
use crate::store::{MasterKeySource, OpenMode, Store};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: store\r\n\r\n";
const RESOLVE: &str =
    "POST /api/v1/orgs/default/resolve HTTP/1.1\r\nhost: store\r\ncontent-length: 21\r\n\r\n";

const NO_SUCH: &[u8] = br#"{"names":["NO_SUCH"]}"#;

/// A server without listeners.
struct World {
    _directory: TempDir,
    server: Arc<Server>,
    drain: watch::Sender<bool>,
}

/// A connection's client.
struct Client {
    stream: DuplexStream,
    ending: tokio::task::JoinHandle<Ending>,
}

impl World {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let key = MasterKeySource::File(directory.path().join("master.key"));
        let (mode, wait) = (OpenMode::CreateIfMissing, Duration::from_secs(1));
        let store = Store::open(directory.path(), &key, mode, "alice", wait).unwrap().store;
        let (log, _end) = Log::start(Level::Error, Format::Text, crate::sys::stderr()).unwrap();
        let (drain, drains) = watch::channel(false);
        let server = Arc::new(Server::new(store, log, Places::of(u64::MAX), drains));
        Self { _directory: directory, server, drain }
    }

    /// The pipe takes so many bytes that nobody has read.
    fn connect(&self, bytes: usize) -> Client {
        let (stream, far) = duplex(bytes);
        let server = Arc::clone(&self.server);
        let slot = Arc::new(server.admission.connection(Peer::Own).unwrap());
        let ending =
            tokio::spawn(async move { converse(&server, Box::new(far), Peer::Own, &slot).await });
        Client { stream, ending }
    }
}

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// One answer's head and body, of which the length is told.
    async fn answer(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            text.push(self.stream.read_u8().await.unwrap());
            let shown = String::from_utf8_lossy(&text);
            let Some((head, body)) = shown.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.unwrap().parse::<usize>().unwrap() == body.len() {
                return shown.into_owned();
            }
        }
    }

    async fn ended(self) -> Ending {
        self.ending.await.unwrap()
    }
}

/// Time stands still until everything waits, and then moves to what is waited for.
fn on_a_clock<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test(World::new()));
}

#[track_caller]
fn is_about(elapsed: Duration, expected: Duration) {
    let within = expected..expected + Duration::from_millis(10);
    assert!(within.contains(&elapsed), "{elapsed:?}, expected {expected:?}");
}

#[test]
fn a_head_has_its_time_from_the_first_byte_on() {
    on_a_clock(|world| async move {
        for beginning in [&b""[..], b"GET /healthz HTTP/1.1\r\nhost: st"] {
            let begun = Instant::now();
            let mut client = world.connect(1024);
            client.send(beginning).await;
            assert_eq!(client.ended().await, Ending::TooSlow(Phase::Head));
            is_about(begun.elapsed(), HEAD_TIME_MAX);
        }
    });
}

#[test]
fn a_byte_now_and_then_gives_no_more_time() {
    on_a_clock(|world| async move {
        let begun = Instant::now();
        let mut client = world.connect(1024);
        for byte in b"GET /healthz HTTP/1.1\r\n" {
            if client.stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(HEAD_TIME_MAX / 10).await;
        }
        assert_eq!(client.ended().await, Ending::TooSlow(Phase::Head));
        is_about(begun.elapsed(), HEAD_TIME_MAX + HEAD_TIME_MAX / 10);
    });
}

#[test]
fn between_two_requests_there_is_more_time() {
    on_a_clock(|world| async move {
        let mut client = world.connect(1024);
        for _ in 0..3 {
            client.send(HEALTH).await;
            assert!(client.answer().await.starts_with("HTTP/1.1 200"));
            sleep(IDLE_TIME_MAX - Duration::from_secs(1)).await;
        }
        client.send(HEALTH).await;
        client.answer().await;
        let begun = Instant::now();
        assert_eq!(client.ended().await, Ending::TooSlow(Phase::Idle));
        is_about(begun.elapsed(), IDLE_TIME_MAX);
    });
}

#[test]
fn a_second_head_has_no_more_time_than_the_first() {
    on_a_clock(|world| async move {
        let mut client = world.connect(1024);
        client.send(HEALTH).await;
        client.answer().await;
        sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        client.send(b"GET /he").await;
        assert_eq!(client.ended().await, Ending::TooSlow(Phase::Head));
        is_about(begun.elapsed(), HEAD_TIME_MAX);
    });
}

#[test]
fn a_body_that_does_not_come_is_answered() {
    on_a_clock(|world| async move {
        let begun = Instant::now();
        let mut client = world.connect(1024);
        client.send(RESOLVE.as_bytes()).await;
        let answer = client.answer().await;
        is_about(begun.elapsed(), BODY_TIME_MAX);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert_eq!(client.ended().await, Ending::TooSlow(Phase::Linger));
    });
}

#[test]
fn who_is_told_to_go_away_can_hear_it() {
    on_a_clock(|world| async move {
        let mut client = world.connect(4096);
        let head = "POST /api/v1/orgs/default/resolve HTTP/1.1\r\nhost: store\r\n";
        client.send(format!("{head}content-length: 10000000\r\n\r\n").as_bytes()).await;
        // More than the pipe takes: it is read, and thrown away.
        client.send(&[b' '; 500_000]).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 413"));
        let begun = Instant::now();
        assert_eq!(client.ended().await, Ending::TooSlow(Phase::Linger));
        is_about(begun.elapsed(), LINGER_TIME_MAX);
        let mut endless = world.connect(4096);
        endless.send(format!("{head}content-length: 10000000\r\n\r\n").as_bytes()).await;
        let sent = endless.stream.write_all(&[b' '; 10_000_000]).await;
        assert!(sent.is_err(), "there is an end to that");
        assert_eq!(endless.ended().await, Ending::Over);
    });
}

#[test]
fn an_answer_that_nobody_reads_ends_the_connection() {
    on_a_clock(|world| async move {
        let begun = Instant::now();
        let mut client = world.connect(64);
        client.send(HEALTH).await;
        assert_eq!(client.ended().await, Ending::TooSlow(Phase::Answer));
        is_about(begun.elapsed(), ANSWER_TIME_MAX);
    });
}

#[test]
fn the_end_closes_what_is_idle_and_finishes_what_is_not() {
    on_a_clock(|world| async move {
        let (mut idle, mut busy, fresh) =
            (world.connect(1024), world.connect(1024), world.connect(1024));
        idle.send(HEALTH).await;
        idle.answer().await;
        busy.send(RESOLVE.as_bytes()).await;
        sleep(Duration::from_millis(1)).await;
        world.drain.send_replace(true);
        assert_eq!(idle.ended().await, Ending::Over);
        assert_eq!(fresh.ended().await, Ending::Over);
        busy.send(NO_SUCH).await;
        let answer = busy.answer().await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(busy.ended().await, Ending::Over);
    });
}

#[test]
fn too_many_requests_are_told_to_come_back_and_probes_are_answered() {
    on_a_clock(|world| async move {
        let permits: Vec<_> =
            (0..REQUESTS_MAX).map(|_| world.server.admission.request().unwrap()).collect();
        let mut client = world.connect(4096);
        client.send(RESOLVE.as_bytes()).await;
        client.send(NO_SUCH).await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
        assert!(answer.contains("urn:inject:request:"), "{answer}");
        let mut probe = world.connect(4096);
        probe.send(HEALTH).await;
        assert!(probe.answer().await.starts_with("HTTP/1.1 200"));
        drop(permits);
        let mut again = world.connect(4096);
        again.send(RESOLVE.as_bytes()).await;
        again.send(NO_SUCH).await;
        assert!(again.answer().await.starts_with("HTTP/1.1 404"));
    });
}

#[test]
fn a_body_that_comes_slowly_takes_no_request_s_place() {
    on_a_clock(|world| async move {
        let mut slow = world.connect(4096);
        slow.send(RESOLVE.as_bytes()).await;
        slow.send(&NO_SUCH[..20]).await;
        sleep(Duration::from_millis(1)).await;
        let permits: Vec<_> =
            (0..REQUESTS_MAX).map(|_| world.server.admission.request().unwrap()).collect();
        // Whoever comes to its end when there is no place is told so.
        slow.send(&NO_SUCH[20..]).await;
        let answer = slow.answer().await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
        drop(permits);
        slow.send(RESOLVE.as_bytes()).await;
        slow.send(NO_SUCH).await;
        assert!(slow.answer().await.starts_with("HTTP/1.1 404"), "the connection goes on");
    });
}

#[test]
fn bodies_take_no_more_than_their_share_and_give_it_back() {
    on_a_clock(|world| async move {
        let most = world.server.admission.body(Peer::Own, BODIES_BYTES_MAX - 20).unwrap();
        let long = format!("{}{{\"names\":[\"NO_SUCH\"]}}", " ".repeat(BODY_BYTES_UNCOUNTED));
        let head = RESOLVE.replace("21", &long.len().to_string());
        let mut client = world.connect(4096);
        client.send(head.as_bytes()).await;
        client.send(long.as_bytes()).await;
        let answer = client.answer().await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        // A short one is none of those that are counted.
        let mut client = world.connect(4096);
        client.send(RESOLVE.as_bytes()).await;
        client.send(NO_SUCH).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 404"));
        drop(most);
        let mut client = world.connect(4096);
        client.send(head.as_bytes()).await;
        client.send(long.as_bytes()).await;
        assert!(client.answer().await.starts_with("HTTP/1.1 404"));
        sleep(Duration::from_millis(1)).await;
        assert_eq!(world.server.admission.body_bytes(), 0);
        assert_eq!(world.server.admission.requests_under_way(), 0);
    });
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    on_a_clock(|world| async move {
        let mut client = world.connect(1 << 20);
        let begun = vec![b' '; BODY_BYTES_UNCOUNTED + 1];
        client.send(RESOLVE.replace("21", "100000").as_bytes()).await;
        client.send(&begun).await;
        sleep(Duration::from_millis(1)).await;
        // What waits for its client is not under way.
        assert_eq!(world.server.admission.requests_under_way(), 0);
        assert_eq!(world.server.admission.body_bytes(), begun.len());
        let Client { stream, ending } = client;
        drop(stream);
        assert_eq!(ending.await.unwrap(), Ending::Over);
        assert_eq!(world.server.admission.requests_under_way(), 0);
        assert_eq!(world.server.admission.body_bytes(), 0);
    });
}

#[test]
fn each_route_has_one_name() {
    let world = World::new();
    for (index, route) in http::route_names().enumerate() {
        assert_eq!(world.server.metrics.name(Some(index)), route);
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let index = http::Probe::of(path).unwrap().index();
        assert_eq!(world.server.metrics.name(Some(index)).path, path);
    }
}
