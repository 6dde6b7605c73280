//! What is an address of a store, and what is wrong with what is none.

use super::*;

fn shown(text: &str) -> String {
    Endpoint::parse(text, false).expect(text).as_str().to_owned()
}

#[test]
fn what_is_an_endpoint() {
    assert_eq!(shown("http://127.0.0.1:7410"), "http://127.0.0.1:7410");
    assert_eq!(shown(" HTTP://127.9.9.9:7410/ "), "http://127.9.9.9:7410");
    assert_eq!(shown("http://localhost"), "http://localhost:80");
    assert_eq!(shown("http://a.LocalHost.:1"), "http://localhost:1");
    assert_eq!(shown("http://[::1]:7410"), "http://[::1]:7410");
    assert_eq!(shown("http://[::ffff:127.0.0.1]:1"), "http://[::ffff:127.0.0.1]:1");
    assert_eq!(shown("unix:/run/inject.sock"), "unix:/run/inject.sock");
    assert_eq!(shown("unix:run/inject.sock"), "unix:run/inject.sock");
}

#[test]
fn what_is_not() {
    fn error(text: &str) -> EndpointError {
        Endpoint::parse(text, false).expect_err(text)
    }
    assert_eq!(error(""), EndpointError::Empty);
    for text in ["localhost:7410", "ftp://localhost", "127.0.0.1", "/run/inject.sock"] {
        assert_eq!(error(text), EndpointError::Scheme, "{text}");
    }
    for text in ["http://", "http://::1", "http://[::1", "http://a b", "http://.", "http://ü"] {
        assert!(matches!(error(text), EndpointError::Host | EndpointError::Port), "{text}");
    }
    for text in ["http://[fe80::1%25eth0]:1", "http://[127.0.0.1]"] {
        assert_eq!(error(text), EndpointError::Host, "{text}");
    }
    for port in ["", "0", "65536", "+1", "-1", "1x", "1:2"] {
        assert_eq!(error(&format!("http://localhost:{port}")), EndpointError::Port, "{port}");
    }
    assert_eq!(error("http://localhost/x"), EndpointError::Path);
    assert_eq!(error("http://localhost//"), EndpointError::Path);
    assert_eq!(error("http://localhost?x"), EndpointError::Query);
    assert_eq!(error("http://localhost#sha256-x"), EndpointError::Fragment);
    for text in ["unix:", "unix:a\nb", &format!("unix:{}", "a".repeat(108))] {
        assert_eq!(error(text), EndpointError::UnixPath, "{text}");
    }
    for pin in ["", "sha256-", "sha256-abc", "sha256-x/y", "md5-abc"] {
        assert_eq!(error(&format!("https://store#{pin}")), EndpointError::Pin, "{pin}");
    }
    for text in ["https://", "https://-a", "https://1.2.3", "https://a..b"] {
        assert_eq!(error(text), EndpointError::Host, "{text}");
    }
}

#[test]
fn tls_with_and_without_a_pin() {
    const PIN: &str = "sha256-ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
    for (text, expected, authority) in [
        ("https://store.acme.com", "https://store.acme.com:443", "store.acme.com"),
        ("HTTPS://Store.Acme.com.:7410/", "https://store.acme.com.:7410", "store.acme.com.:7410"),
        ("https://10.0.0.1", "https://10.0.0.1:443", "10.0.0.1"),
        ("https://[::1]:7410", "https://[::1]:7410", "[::1]:7410"),
        ("https://localhost", "https://localhost:443", "localhost"),
    ] {
        let plain = Endpoint::parse(text, false).expect(text);
        let pinned = Endpoint::parse(&format!("{text}#{PIN}"), false).expect(text);
        assert_eq!((plain.as_str(), plain.authority()), (expected, authority));
        assert_eq!((pinned.as_str(), pinned.authority()), (expected, authority));
        assert!(plain.trusts_public() && !pinned.trusts_public());
        assert!(plain != pinned && !plain.is_plain_tcp());
    }
    let two = format!("https://a#{PIN}, https://b");
    let list = Endpoint::parse_list(&two, false).expect("both");
    assert!(!list[0].trusts_public() && list[1].trusts_public());
}

#[test]
fn plain_http_stays_on_the_machine() {
    for host in ["10.0.0.1", "0.0.0.0", "127.1", "localhost.evil.com", "[::]", "store"] {
        let text = format!("http://{host}:7410");
        let error = Endpoint::parse(&text, false).expect_err(host);
        assert_eq!(error, EndpointError::Plaintext { host: host.to_owned() });
        assert_eq!(Endpoint::parse(&text, true).expect(host).as_str(), text);
    }
}

#[test]
fn credentials_are_not_repeated() {
    for text in ["http://alice:hunter2@127.0.0.1", "http://127.0.0.1/@hunter2?@"] {
        let error = Endpoint::parse(text, true).expect_err(text);
        assert_eq!(error, EndpointError::Credentials);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn a_list_says_all_that_is_wrong() {
    let list = Endpoint::parse_list("http://127.0.0.1:1,unix:/a", false).expect("both");
    assert_eq!(list.len(), 2);
    let errors = Endpoint::parse_list("x,unix:/a,http://10.0.0.1,", false).expect_err("three");
    assert_eq!(errors.len(), 3);
    let many = vec!["unix:/a"; ENDPOINTS_MAX + 1].join(",");
    assert_eq!(Endpoint::parse_list(&many, false), Err(vec![EndpointError::TooMany]));
}

#[test]
fn the_host_header_leaves_the_usual_port_out() {
    let authority = |text| Endpoint::parse(text, false).expect(text).authority().to_owned();
    assert_eq!(authority("http://[::1]"), "[::1]");
    assert_eq!(authority("http://127.0.0.1:7410"), "127.0.0.1:7410");
    assert_eq!(authority("unix:/run/inject.sock"), "localhost");
}
