//! `/healthz`, `/readyz` and `/metrics`, which are open to anyone.

use std::fs::OpenOptions;
use std::io::Write;

use super::Server;
use super::server::world;

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
const ORG: &str = "/api/v1/orgs/default";

#[test]
fn metrics_count_what_was_asked() {
    let world = world();
    let server = Server::start(&world, &LISTEN);
    let mut connection = server.connect(0);
    for _ in 0..3 {
        assert_eq!(connection.get("/healthz").status, 200);
    }
    connection.get(&format!("{ORG}/secrets/NO_SUCH_KEY"));
    connection.get("/no/such/path");
    let reply = connection.get("/metrics");
    let kind = reply.header("content-type").map(str::to_owned);
    assert_eq!(kind.as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    let path = "/api/v1/orgs/{org}/secrets/{name}";
    for line in [
        "inject_connections 1",
        "inject_connections_total 1",
        "inject_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"2xx\"} 3",
        &format!("inject_http_requests_total{{method=\"GET\",route=\"{path}\",status=\"4xx\"}} 1"),
        "inject_http_requests_total{method=\"other\",route=\"other\",status=\"4xx\"} 1",
        "inject_http_request_duration_seconds_count{method=\"GET\",route=\"/healthz\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn metrics_name_nobody() {
    let world = world();
    let server = Server::start(&world, &LISTEN);
    let mut connection = server.connect(0);
    connection.get(&format!("{ORG}/secrets/DB_PASSWORD_PROD"));
    let body = br#"{"names":["DB_PASSWORD_PROD"],"workload":"billing"}"#;
    connection.request("POST", &format!("{ORG}/resolve"), "", body);
    connection.request("STRANGE", "/strange", "", b"");
    for path in ["/metrics", "/healthz", "/readyz"] {
        let text = connection.get(path).text();
        for name in ["DB_PASSWORD_PROD", "billing", "default", "STRANGE", "strange", "root"] {
            assert!(!text.contains(name), "`{name}` is in {path}:\n{text}");
        }
    }
}

#[test]
fn probes_are_read_and_nothing_else() {
    let world = world();
    let server = Server::start(&world, &LISTEN);
    for path in ["/healthz", "/readyz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE"] {
            let reply = server.connect(0).request(method, path, "", b"");
            assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{path}");
        }
        let mut connection = server.connect(0);
        connection.send(format!("HEAD {path} HTTP/1.0\r\n\r\n"));
        let mut head = connection.try_head().expect("an answer");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        head = head.to_ascii_lowercase();
        assert!(head.contains("content-length: ") && head.ends_with("\r\n\r\n"), "{head}");
    }
}

#[test]
fn it_is_not_ready_while_the_store_does_not_answer() {
    let world = world();
    let server = Server::start(&world, &LISTEN);
    assert_eq!(server.connect(0).get("/readyz").status, 200);
    // Another process has written, so that nothing counts that was read before; then the disk
    // gives back something else.
    world.set("ANOTHER_KEY", "x");
    for name in ["data/store.db", "data/store.db-wal"] {
        let mut file = OpenOptions::new().write(true).open(world.path(name)).expect(name);
        let length = file.metadata().expect(name).len();
        let odd = vec![0xff; usize::try_from(length).expect("a small file")];
        file.write_all(&odd).expect(name);
    }
    let answered = || {
        let reply = server.connect(0).get("/readyz");
        (reply.status != 200).then(|| (reply.status, reply.header("retry-after").is_some()))
    };
    let seen = crate::harness::eventually(answered);
    assert_eq!(seen, Some((503, true)), "{}", server.logged());
    assert_eq!(server.connect(0).get("/healthz").status, 200, "it is alive all the same");
    assert!(server.logs("not_ready").contains(" warn "));
}
