//! Requests that nobody sends in good faith: each has an answer that is described, none of them a
//! failure of the store, and the store goes on.

use serde_json::{Value, json};

use crate::store::http::Peer;
use crate::store::tests::matrix::{documented, operations};
use crate::store::tests::served::{Caller, Proof, Served};

/// `acme`, and its owner, who may resolve everything.
fn acme() -> (Served, Caller) {
    let served = Served::new();
    let alice = served.org("acme", "alice@acme.com");
    let path = "/api/v1/orgs/acme/members/alice@acme.com";
    served.ask(&alice, "PATCH", path, r#"{"names":["*"]}"#).is(200);
    served.set("acme", "DB_PASSWORD", "x");
    (served, alice)
}

/// What a parser could trip over, in the place of a body.
fn bodies() -> Vec<Vec<u8>> {
    let deep = |open: &str, close: &str, depth: usize| [open.repeat(depth), close.repeat(depth)];
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "\u{feff}{}",
        "{",
        "}",
        "[]",
        "[[\"DB_PASSWORD\"],null,true]",
        "[\"x\",null,false]",
        "null",
        "true",
        "\"\"",
        "0",
        "-0",
        "1e999999999",
        "{}{}",
        "{}\0",
        "{\"\":1}",
        "{'value':'x'}",
        "{\"value\":\"\\ud800\"}",
        "{\"value\":\"\\u0000\"}x",
        "{\"value\":\"x\",\"value\":\"y\"}",
        "{\"names\":[\"DB_PASSWORD\"],\"names\":[\"OTHER\"]}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"role\":\"owner\",\"role\":\"reader\"}",
        "{\"workload\":\"a\",\"workload\":\"b\"}",
        "{\"token\":\"a\",\"token\":\"b\"}",
        "{\"checkpoint\":{},\"checkpoint\":{}}",
        "{\"names\":1e400}",
        "{\"names\":[99999999999999999999999999999999]}",
        "{\"versions\":{\"DB_PASSWORD\":18446744073709551616}}",
        "{\"versions\":{\"DB_PASSWORD\":-1},\"wait\":1e10}",
        "{\"checkpoint\":{\"organization\":\"acme\",\"sequence\":9223372036854775808,\
         \"at\":\"2026-01-31T12:00:00Z\",\"code\":\"\"}}",
        "{\"workload\":\"b\",\"expires_at\":\"99999-01-01T00:00:00Z\"}",
        "{\"workload\":\"b\",\"expires_at\":1e300}",
        "{\"workload\":\"b\",\"network\":\"99.99.99.999/99\"}",
    ]
    .into_iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    for (open, close) in
        [("[", "]"), ("{\"a\":", "}"), ("{\"value\":", "}"), ("[{\"names\":", "}]")]
    {
        bodies.push(deep(open, close, 127).concat().into_bytes());
        bodies.push(deep(open, close, 100_000).concat().into_bytes());
        bodies.push(open.repeat(3000).into_bytes());
    }
    bodies.push(b"{\"value\":\"\xff\"}".to_vec());
    bodies.push(b"{\"\xc3\x28\":1}".to_vec());
    bodies.push(b"\xff\xfe{\0}\0".to_vec());
    bodies.push(vec![b' '; 700_000]);
    bodies
}

#[test]
fn bodies_that_are_none() {
    let (served, alice) = acme();
    let description = served.description();
    for (method, path, operation) in operations(&description) {
        if operation.get("requestBody").is_none() {
            continue;
        }
        let path = path.replace("{org}", "acme").replace("{name}", "DB_PASSWORD");
        let path = path.replace("{email}", "alice@acme.com");
        for body in bodies() {
            let target = (method.as_str(), path.as_str());
            let reply = served.ask_with(&served.handle, &alice, target, &[], &body);
            let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let said = format!("{method} {path} {start}: {reply:?}");
            assert!((400..500).contains(&reply.status.as_u16()), "{said}");
            documented(&description, &operation, &reply)
                .unwrap_or_else(|fault| panic!("{fault} {said}"));
        }
    }
    assert_eq!(served.resolve(&alice, "acme", &["DB_PASSWORD"]).is(200).value("DB_PASSWORD"), "x");
    served.verify("acme");
}

/// A request as it stands on the wire, with the owner's token; the answer's status, 0 without one.
struct Wire {
    served: Served,
    token: String,
}

impl Wire {
    fn new() -> Self {
        let (served, alice) = acme();
        let Proof::Bearer(token) = alice.proof else { panic!("an owner has a token") };
        Self { served, token }
    }

    /// The line, these headers and the token, and what follows.
    fn send(&self, line: &str, headers: &str, body: &[u8], breaks_off: bool) -> (u16, String) {
        let token = &self.token;
        let head = format!(
            "{line}\r\nhost: store\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             {headers}\r\n"
        );
        self.raw(&[head.as_bytes(), body].concat(), breaks_off)
    }

    fn raw(&self, bytes: &[u8], breaks_off: bool) -> (u16, String) {
        let peer = Peer::Stranger { address: "192.0.2.7".parse().ok() };
        let got = self.served.send_raw(peer, bytes, breaks_off);
        let text = String::from_utf8(got).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or(0), text)
    }

    #[track_caller]
    fn answers(&self, line: &str, headers: &str, body: &[u8], allowed: &[u16]) {
        let (status, text) = self.send(line, headers, body, false);
        assert!(allowed.contains(&status), "{line} {headers:?}: {text}");
    }

    fn version(&self) -> Value {
        let path = "/api/v1/orgs/acme/secrets/DB_PASSWORD";
        self.served.operator("GET", path, &Value::Null).is(200).json()["version"].clone()
    }
}

const PUT: &str = "PUT /api/v1/orgs/acme/secrets/DB_PASSWORD HTTP/1.1";
const LIST: &str = "GET /api/v1/orgs/acme/secrets HTTP/1.1";

#[test]
fn lengths_that_are_none() {
    let wire = Wire::new();
    let body = br#"{"value":"y"}"#;
    wire.answers(PUT, "", b"", &[400]);
    wire.answers(PUT, "content-length: 13\r\n", body, &[200]);
    wire.answers(
        PUT,
        "transfer-encoding: chunked\r\n",
        b"d\r\n{\"value\":\"z\"}\r\n0\r\n\r\n",
        &[200],
    );
    let two = b"6\r\n{\"valu\r\n7;x=y\r\ne\":\"z\"}\r\n0\r\nx: y\r\n\r\n";
    wire.answers(PUT, "transfer-encoding: chunked\r\n", two, &[200]);
    assert_eq!(wire.version(), 4);
    // Less than is there: the rest would be the next request, and is none.
    wire.answers(PUT, "content-length: 5\r\n", body, &[400]);
    let bad = [
        "content-length: -1\r\n",
        "content-length: +13\r\n",
        "content-length: 0x0d\r\n",
        "content-length: 13, 13\r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length: 13\r\ncontent-length: 14\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding : chunked\r\n",
    ];
    for headers in bad {
        wire.answers(PUT, headers, body, &[400, 413]);
    }
    let smuggled = b"0\r\n\r\nDELETE /api/v1/orgs/acme/secrets/DB_PASSWORD HTTP/1.1\r\n\r\n";
    let (status, text) =
        wire.send(PUT, "content-length: 63\r\ntransfer-encoding: chunked\r\n", smuggled, false);
    assert!([0, 400].contains(&status), "{text}");
    assert_eq!(text.matches("HTTP/1.1").count(), usize::from(status > 0), "{text}");
    for chunks in ["zz\r\n", "-1\r\n", "fffffffffffffffff\r\n", "5\r\nabc"] {
        let chunked = "transfer-encoding: chunked\r\n";
        let (status, text) = wire.send(PUT, chunked, chunks.as_bytes(), true);
        assert!([0, 400].contains(&status), "{chunks}: {text}");
    }
    let (status, text) = wire.send(PUT, "content-length: 500\r\n", body, true);
    assert!([0, 400].contains(&status), "{text}");
    assert_eq!(wire.version(), 4, "what did not arrive whole changed nothing");
}

#[test]
fn lines_and_headers_that_are_none() {
    let wire = Wire::new();
    let path = "/api/v1/orgs/acme/secrets";
    for (line, allowed) in [
        (format!("GET http://evil.example{path} HTTP/1.1"), &[200][..]),
        (format!("GET https://user:pass@evil.example{path}?limit=1 HTTP/1.1"), &[200]),
        (format!("GET {path}#fragment HTTP/1.1"), &[200, 400]),
        ("OPTIONS * HTTP/1.1".to_owned(), &[404]),
        ("GET * HTTP/1.1".to_owned(), &[404]),
        ("CONNECT store:443 HTTP/1.1".to_owned(), &[404, 400]),
        (format!("CONNECT {path} HTTP/1.1"), &[400, 404, 405]),
        (format!("get {path} HTTP/1.1"), &[405]),
        (format!("GETT {path} HTTP/1.1"), &[405]),
        (format!("M-SEARCH {path} HTTP/1.1"), &[405]),
        (format!("HEAD {path} HTTP/1.1"), &[405]),
        (format!("OPTIONS {path} HTTP/1.1"), &[405]),
        (format!("TRACE {path} HTTP/1.1"), &[405]),
        (format!("G\u{e4}T {path} HTTP/1.1"), &[400]),
        (format!("GET  {path} HTTP/1.1"), &[400]),
        (format!("GET {path} HTTP/2.0"), &[400, 505]),
        (format!("GET {path} HTTP/1.0"), &[200]),
        (format!("GET {path}\0 HTTP/1.1"), &[400]),
        (format!("GET {path}?q=\u{fc} HTTP/1.1"), &[200, 400]),
        (format!("GET {path}?q=%ff HTTP/1.1"), &[400]),
        (format!("GET {path}?limit=1&limit=1 HTTP/1.1"), &[400]),
        (format!("GET {path}?q=a&%71=b HTTP/1.1"), &[400]),
        (format!("GET {path}?{} HTTP/1.1", "&".repeat(9000)), &[200]),
        (format!("GET {path}?q={} HTTP/1.1", "x".repeat(9000)), &[200]),
        (format!("GET {path}?q={} HTTP/1.1", "x".repeat(20_000)), &[431, 414]),
        (format!("GET /{} HTTP/1.1", "a/".repeat(4000)), &[404]),
        ("PRI * HTTP/2.0".to_owned(), &[400, 505]),
        ("\u{16}\u{3}\u{1}".to_owned(), &[400]),
    ] {
        wire.answers(&line, "", b"", allowed);
    }
    let many = "a: b\r\n".repeat(200);
    let long = format!("x: {}\r\n", "y".repeat(17_000));
    for (headers, allowed) in [
        (many.as_str(), &[431][..]),
        (long.as_str(), &[431]),
        ("x: a\r\n folded\r\n", &[200, 400]),
        ("x: \0\r\n", &[400]),
        ("x y: z\r\n", &[400]),
        (": z\r\n", &[400]),
        ("x\r\n", &[400]),
        ("x: \u{fc}\r\n", &[200]),
        ("host: other\r\n", &[200, 400]),
        ("expect: 100-continue\r\n", &[200]),
        ("upgrade: h2c\r\nhttp2-settings: x\r\n", &[200]),
        ("content-length: 3\r\n", &[200]),
        ("range: bytes=0-0\r\nif-none-match: \"x\"\r\n", &[200]),
        ("x-http-method-override: DELETE\r\n", &[200]),
        ("accept-encoding: gzip\r\naccept: text/html\r\n", &[200]),
    ] {
        wire.answers(LIST, headers, b"abc", allowed);
    }
    let (status, text) = wire.raw(b"GET /healthz\r\n\r\n", false);
    assert!([0, 400].contains(&status), "{text}");
}

#[test]
fn conditions_that_are_none() {
    let wire = Wire::new();
    for headers in [
        "if-match: \"1\"\r\nif-match: \"1\"\r\n",
        "if-match: \"1\"\r\nif-none-match: *\r\n",
        "if-none-match: \"1\"\r\n",
        "if-match: 1\r\n",
        "if-match: W/\"1\"\r\n",
        "if-match: \u{fc}\r\n",
        "if-match: \r\n",
    ] {
        wire.answers(PUT, &format!("{headers}content-length: 13\r\n"), br#"{"value":"y"}"#, &[400]);
        let delete = PUT.replace("PUT", "DELETE");
        wire.answers(&delete, headers, b"", &[400]);
    }
    assert_eq!(wire.version(), 1);
}

/// One connection, several requests: each is judged for itself.
#[test]
fn requests_behind_each_other() {
    let wire = Wire::new();
    let good = format!("{LIST}\r\nhost: s\r\nauthorization: Bearer {}\r\n\r\n", wire.token);
    let nobody = format!("{LIST}\r\nhost: s\r\n\r\n");
    let last = format!("{LIST}\r\nhost: s\r\nconnection: close\r\n\r\n");
    let (_, text) = wire.raw([good.as_str(), &nobody, &good, &last].concat().as_bytes(), false);
    let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "401", "200", "401"]);
}

#[test]
fn many_names_and_the_same_again() {
    let (served, alice) = acme();
    served.resolve(&alice, "acme", &vec!["DB_PASSWORD"; 4096]).is(200);
    served.resolve(&alice, "acme", &vec!["DB_PASSWORD"; 4097]).is(422);
    let names: Vec<String> = (0..4096).map(|number| format!("not a name {number}")).collect();
    let refused = served.operator("POST", "/api/v1/orgs/acme/resolve", &json!({ "names": names }));
    let refused = refused.is(422);
    assert!(refused.body.len() < 64 * 1024, "{} bytes say that they are none", refused.body.len());
}
