//! Serves the web page: what `build.rs` packed into the binary, and nothing else. It reads no store
//! and knows no session; all that the page shows comes over the API.

use bytes::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue,
    VARY,
};
use hyper::{Method, StatusCode};

use crate::store::http::problem::Fault;
use crate::store::http::{Answer, Head, answer};

/// One file of the page, as it is and compressed.
struct File {
    /// Holds a hash of what is in it, so that it may be kept for ever. The page's own is empty.
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

// `INDEX: File` and `ASSETS: [File; 3]`.
include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What the page may do: run its own script, wear its own style, ask its own store. Nothing inline,
/// nothing from elsewhere, no frame around it, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What each file of the page says beside its content.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), \
         payment=(), usb=()",
    ),
];

const KEPT_FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The views of one organization, each with an address of its own.
const VIEWS: [&str; 4] = ["secrets", "members", "workloads", "audit"];

/// The answer to a request that fits no route of the API.
pub fn page(head: &Head) -> Result<Answer, Fault> {
    let path = head.uri.path();
    let asset = ASSETS.iter().find(|file| file.path == path);
    let (status, file) = match asset {
        Some(file) => (StatusCode::OK, file),
        None if is_view(path) => (StatusCode::OK, &INDEX),
        // Somebody who looks for a page is shown one, which says that nothing is here.
        None if is_by_hand(head) => (StatusCode::NOT_FOUND, &INDEX),
        None => return Err(Fault::NoPath),
    };
    if head.method != Method::GET && head.method != Method::HEAD {
        return Err(Fault::Method { allowed: "GET, HEAD".to_owned() });
    }
    let mut answer = sent(status, file, takes_gzip(&head.headers));
    if asset.is_some() {
        answer.headers_mut().insert(CACHE_CONTROL, KEPT_FOR_EVER);
    }
    Ok(answer)
}

fn sent(status: StatusCode, file: &File, is_small: bool) -> Answer {
    let bytes = if is_small { file.gzip } else { file.bytes };
    let mut answer = answer::typed(status, file.kind, Bytes::from_static(bytes));
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_small {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// Whether the page has a view at this address.
fn is_view(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let view = [parts.next(), parts.next(), parts.next(), parts.next()];
    match view {
        [Some(""), None, ..] | [Some("orgs"), None, ..] => true,
        [Some("orgs"), Some(org), None, _] => !org.is_empty(),
        [Some("orgs"), Some(org), Some(view), None] => !org.is_empty() && VIEWS.contains(&view),
        _ => false,
    }
}

/// Whether a person looks for a page, and not a program for an answer.
fn is_by_hand(head: &Head) -> bool {
    let path = head.uri.path();
    let accept = head.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_elsewhere = !path.starts_with("/api/") && !path.starts_with("/assets/");
    let reads = head.method == Method::GET || head.method == Method::HEAD;
    is_elsewhere && reads && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Whether gzip is among what the browser takes (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map(|weight| weight.parse::<f32>());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|q| q.is_ok_and(|q| q > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views() {
        for view in ["/", "/orgs", "/orgs/acme", "/orgs/acme/secrets", "/orgs/acme/audit"] {
            assert!(is_view(view), "{view}");
        }
        for other in [
            "",
            "//",
            "/orgs/",
            "/orgs//secrets",
            "/orgs/acme/",
            "/orgs/acme/other",
            "/orgs/acme/secrets/",
            "/orgs/acme/secrets/DB",
            "/other",
            "/api/v1/orgs",
        ] {
            assert!(!is_view(other), "{other}");
        }
    }

    #[test]
    fn encodings() {
        let takes = |line| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(line));
            takes_gzip(&headers)
        };
        for line in ["gzip", "br, GZIP;q=0.5", "deflate, gzip ; q=1"] {
            assert!(takes(line), "{line}");
        }
        for line in ["", "br", "gzip;q=0", "gzip; q=0.0", "gzip;q=x", "xgzip"] {
            assert!(!takes(line), "{line}");
        }
    }
}
