//! Who connects and says nothing, or watches for minutes, keeps nobody else out.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::Side;
use super::side::Scene;
use crate::harness::{Run, eventually};
use crate::serve::server::Connection;

/// More than three times as many as there is room for.
const CROWD: usize = 200;
/// Far under the time that a silent connection is given.
const SOON: Duration = Duration::from_secs(5);
const WATCH: &str = "/api/v1/orgs/acme/watch";
const JSON: &str = "content-type: application/json\r\n";

fn proxy(scene: &Scene) -> String {
    format!("unix:{}", scene.world().text("proxy.sock"))
}

fn launch(scene: &Scene) -> Run<'_> {
    let run = scene.world().launch(["--export", "DB_KEY", "--timeout=4s"]);
    run.env("INJECT_STORE", proxy(scene)).env("INJECT_ORG", "acme")
}

fn start(scene: &Scene) -> Side {
    let side = scene.start(&["--proxy", &proxy(scene), "--listen=127.0.0.1:0"]);
    side.logs(" listening address=", 1);
    side
}

#[test]
fn silent_connections_keep_no_probe_out() {
    let scene = Scene::new();
    let side = start(&scene);
    let line = side.logs(" listening address=http://", 1);
    let address = line.split("address=http://").nth(1).expect("just looked for");
    let silent = || TcpStream::connect(address).expect("it listens");
    let crowd: Vec<_> = (0..CROWD).map(|_| silent()).collect();
    let start = Instant::now();
    assert_eq!(side.get("/healthz").0, 200);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    side.logs("connection_closed", 1);
    drop(crowd);
    side.end().code(0);
}

#[test]
fn silent_connections_keep_no_launcher_out() {
    let scene = Scene::new();
    let side = start(&scene);
    let path = scene.world().path("proxy.sock");
    let half = format!("POST {WATCH} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{");
    let silent = |number: usize| {
        let mut stream = UnixStream::connect(&path).expect("it listens");
        // Some have said who they are, and then nothing more.
        let said = if number.is_multiple_of(2) { &half[..] } else { "" };
        stream.write_all(said.as_bytes()).expect("it is there");
        stream
    };
    let crowd: Vec<_> = (0..CROWD).map(silent).collect();
    assert_eq!(launch(&scene).run().seen().text("DB_KEY"), "key-1");
    drop(crowd);
    side.end().code(0);
}

#[test]
fn watches_keep_no_launcher_out() {
    let scene = Scene::new();
    let side = start(&scene);
    let body = r#"{"versions":{"DB_KEY":1},"wait":300}"#;
    let path = scene.world().path("proxy.sock");
    let watch = |_| {
        let mut stream = UnixStream::connect(&path).expect("it listens");
        let head = format!("POST {WATCH} HTTP/1.1\r\nhost: x\r\n{JSON}");
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).expect("it is there");
        stream
    };
    let crowd: Vec<_> = (0..64).map(watch).collect();
    assert_eq!(launch(&scene).run().seen().text("DB_KEY"), "key-1");
    // Of one process 16 are held, and no more.
    let turned_away = || (side.metric("inject_sidecar_turned_away_total") == 48).then_some(());
    eventually(turned_away).expect("the others are turned away");
    let mut asking = Connection::to(&proxy(&scene)).expect("it listens");
    let reply = asking.request("POST", WATCH, JSON, body.as_bytes());
    assert_eq!(reply.status, 429);
    assert!(reply.headers.iter().any(|(name, _)| name == "retry-after"), "{:?}", reply.headers);
    // Another process has its own share: a sidecar behind the proxy follows a change.
    let behind = scene.world().inject(["sidecar", "--render=key.txt:out/key"]);
    let behind = behind.env("INJECT_STORE", proxy(&scene)).env("INJECT_ORG", "acme");
    let behind = Side::of(scene.world(), behind, "behind");
    scene.becomes("out/key", "key key-1\n");
    scene.set("DB_KEY", "key-2");
    scene.becomes("out/key", "key key-2\n");
    drop(crowd);
    behind.end().code(0);
    side.end().code(0);
}
