//! How the page is served: its headers, its addresses, its weight. It opens no browser.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::harness::{World, files};
use crate::serve::server::{Connection, Reply, Server};

const NAVIGATES: &str = "accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const VIEWS: [&str; 8] = [
    "/",
    "/orgs",
    "/orgs/acme",
    "/orgs/acme/secrets",
    "/orgs/acme/secrets?q=DB&sort=-updated",
    "/orgs/acme/members",
    "/orgs/acme/workloads",
    "/orgs/acme/audit",
];

/// To a server of an empty store, as somebody who has no token.
fn visit(test: impl FnOnce(&mut Connection)) {
    let world = World::new();
    world.set("DB_PASSWORD_PROD", "c4n4ry-of-the-page");
    let server = Server::start(&world, &["--listen", "127.0.0.1:0"]);
    test(&mut server.connect(0));
}

fn get(connection: &mut Connection, path: &str, headers: &str) -> Reply {
    connection.request("GET", path, headers, b"")
}

/// The addresses in the page of what belongs to it.
fn assets(connection: &mut Connection) -> Vec<String> {
    let page = get(connection, "/", NAVIGATES).text();
    let parts = page.split('"').filter(|part| part.starts_with("/assets/"));
    let mut found: Vec<_> = parts.map(str::to_owned).collect();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 3, "script, style and icon: {found:?}");
    found
}

#[track_caller]
fn is_guarded(reply: &Reply) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("vary", "accept-encoding"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert!(reply.header("permissions-policy").is_some());
    assert!(reply.header("set-cookie").is_none());
}

#[test]
fn each_view_has_an_address() {
    visit(|connection| {
        let first = get(connection, "/", NAVIGATES).text();
        assert!(first.starts_with("<!doctype html>"), "{first}");
        for view in VIEWS {
            for headers in [NAVIGATES, ""] {
                let reply = get(connection, view, headers);
                assert_eq!(reply.status, 200, "{view}");
                assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                is_guarded(&reply);
                assert_eq!(reply.text(), first, "{view}");
            }
        }
    });
}

#[test]
fn what_belongs_to_it_is_kept_for_ever() {
    visit(|connection| {
        let kinds = ["text/javascript; charset=utf-8", "image/svg+xml", "text/css; charset=utf-8"];
        for (path, kind) in assets(connection).iter().zip(kinds) {
            let reply = get(connection, path, "");
            assert_eq!(reply.status, 200, "{path}");
            assert_eq!(reply.header("content-type"), Some(kind));
            let kept = "public, max-age=31536000, immutable";
            assert_eq!(reply.header("cache-control"), Some(kept));
            is_guarded(&reply);
            let (name, end) = path.rsplit_once('.').expect("a name has an end");
            let hash = name.rsplit_once('-').expect("a name has a hash").1;
            assert!(hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{path}");
            let other = format!("{}-{}.{end}", name.rsplit_once('-').expect("as above").0, "0");
            assert_eq!(get(connection, &other, NAVIGATES).status, 404, "of another build");
        }
    });
}

#[test]
fn it_travels_compressed_and_weighs_little() {
    visit(|connection| {
        let mut addresses = assets(connection);
        addresses.push("/".to_owned());
        let (mut plain_bytes, mut sent_bytes) = (0, 0);
        for path in &addresses {
            let plain = get(connection, path, "");
            assert_eq!(plain.header("content-encoding"), None);
            let small = get(connection, path, "accept-encoding: br, gzip, deflate\r\n");
            assert_eq!(small.header("content-encoding"), Some("gzip"), "{path}");
            is_guarded(&small);
            let mut whole = Vec::new();
            GzDecoder::new(&*small.body).read_to_end(&mut whole).expect("gzip");
            assert_eq!(whole, plain.body, "{path}");
            plain_bytes += plain.body.len();
            sent_bytes += small.body.len();
            let refused = get(connection, path, "accept-encoding: gzip;q=0\r\n");
            assert_eq!(refused.header("content-encoding"), None);
        }
        assert!(plain_bytes <= 60 * 1024, "{plain_bytes} bytes");
        assert!(sent_bytes <= 24 * 1024, "{sent_bytes} bytes on the wire");
    });
}

#[test]
fn what_is_not_there_is_said_to_each_in_its_own_way() {
    visit(|connection| {
        for path in ["/other", "/orgs/acme/other", "/orgs/acme/secrets/", "/favicon.ico"] {
            let page = get(connection, path, NAVIGATES);
            assert_eq!(page.status, 404, "{path}");
            assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
            is_guarded(&page);
            let problem = get(connection, path, "accept: */*\r\n");
            assert_eq!(problem.status, 404, "{path}");
            assert_eq!(problem.header("content-type"), Some("application/problem+json"));
        }
        for path in ["/api/v1/other", "/api/v1/orgs/acme", "/api", "/assets/app.js", "/assets/../x"]
        {
            let reply = get(connection, path, "accept: application/json\r\n");
            assert_eq!(reply.status, 404, "{path}");
            assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        }
        for path in ["/api/v1/other", "/assets/app.js"] {
            assert_ne!(
                get(connection, path, NAVIGATES).header("content-type"),
                Some("text/html; charset=utf-8"),
                "{path}"
            );
        }
    });
}

#[test]
fn it_is_only_read() {
    visit(|connection| {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let reply = connection.request(method, "/orgs/acme/secrets", NAVIGATES, b"");
            assert_eq!(reply.status, 405, "{method}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
        connection.send("HEAD / HTTP/1.1\r\nhost: store\r\nconnection: close\r\n\r\n");
        let head = connection.try_head().expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        connection.is_closed();
    });
}

/// What the policy would stop is not tried either.
#[test]
fn its_sources_make_no_markup_of_data() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/page");
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "setHTML",
        "DOMParser",
        "createContextualFragment",
        "srcdoc",
        "eval(",
        "Function(",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "javascript:",
        "style=",
        "http://",
        "https://",
    ];
    let mut seen = 0;
    for (path, bytes) in files(&root) {
        let text = String::from_utf8(bytes).expect("sources are UTF-8");
        let icon = path.extension().is_some_and(|end| end == "svg");
        for (number, line) in (1..).zip(text.lines()) {
            for word in forbidden.iter().filter(|_| !icon) {
                assert!(!line.contains(word), "{}:{number}: `{word}`", path.display());
            }
        }
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines, 400 at most", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "the page's sources are there");
}
