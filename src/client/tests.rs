//! The client against real sockets that answer by a script.

mod script;
mod several;

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::spawn;
use std::time::{Duration, Instant};

use script::{Act, Pipe, at_port, ok, play, problem, read_request, refusing, say, tcp};

use super::*;

const METADATA: &str = r#"{"name":"A","version":3}"#;
const PACE: Pace = Pace {
    attempt_max: Duration::from_secs(20),
    backoff_first: Duration::from_millis(1),
    backoff_max: Duration::from_millis(1),
    last_try: Duration::from_millis(1),
};

fn client(endpoints: Vec<Endpoint>) -> Client {
    let org = OrgName::parse("acme").expect("a slug");
    let token = Some(Token::parse(b"inj_w_canary").expect("a token"));
    let options = Options { org: Some(org), token, timeout: Duration::from_secs(30) };
    let mut client = Client::new(Connector::Endpoints(endpoints), options);
    client.pace = PACE;
    client
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

fn request(names: &[&str]) -> wire::ResolveRequest {
    let names = names.iter().map(|text| name(text)).collect();
    wire::ResolveRequest { names, workload: None, values: true }
}

fn resolve(acts: Vec<Act>) -> (Result<wire::ResolveAnswer, Error>, Vec<String>) {
    let (endpoint, script) = tcp(acts);
    let result = client(vec![endpoint]).resolve(&request(&["A"]));
    (result, script.join().expect("the script was played"))
}

fn fault(answer: String) -> ProtocolFault {
    match resolve(vec![Act::Say(answer)]).0 {
        Err(Error::Protocol { fault, .. }) => fault,
        Err(other) => panic!("not the protocol: {other}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[test]
fn one_request_brings_all_values() {
    let body = r#"{"secrets":{"A":{"value":"x\n\u0000","version":3},
        "B":{"value_base64":"/w==","version":1},"NOT_ASKED":{"value":"y","version":1}}}"#;
    let (endpoint, script) = tcp(vec![ok(body)]);
    let shown = endpoint.as_str().to_owned();
    let client = client(vec![endpoint]);
    let answer = client.resolve(&request(&["A", "B"])).expect("an answer");
    let value = |name: &str| answer.secrets[name].value.as_ref().map(Secret::expose_secret);
    assert_eq!(value("A"), Some(&b"x\n\0"[..]));
    assert_eq!(value("B"), Some(&b"\xff"[..]));
    assert_eq!(answer.secrets.len(), 2);
    assert_eq!(client.store(), shown);

    let host = shown.trim_start_matches("http://");
    let version = env!("CARGO_PKG_VERSION");
    let requests = script.join().expect("the script was played");
    assert_eq!(
        requests,
        [format!(
            "POST /api/v1/orgs/acme/resolve HTTP/1.1\r\nhost: {host}\r\n\
             user-agent: inject/{version}\r\naccept: application/json\r\n\
             authorization: Bearer inj_w_canary\r\ncontent-type: application/json\r\n\
             content-length: 19\r\n\r\n{{\"names\":[\"A\",\"B\"]}}"
        )]
    );
}

#[test]
fn what_can_pass_is_tried_again() {
    let (result, requests) = resolve(vec![
        Act::Say(say(503, "retry-after: 0\r\n", "")),
        Act::Say(say(429, "", "<html>")),
        Act::Say(say(408, "", "")),
        Act::Say(say(425, "", "")),
        Act::Say(say(500, "", r#"{"type":"about:blank"}"#)),
        Act::Say("HTTP/1.1 502 X\r\ncontent-length: 99\r\n\r\ncut".to_owned()),
        Act::Close,
        Act::Say("HTTP/1.1 200 X\r\ncontent-le".to_owned()),
        Act::Say("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{\"secrets\"".to_owned()),
        Act::Say("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"sec".to_owned()),
        ok(r#"{"secrets":{"A":{"value":"x","version":3}}}"#),
    ]);
    assert!(result.is_ok(), "{}", result.err().expect("an error"));
    assert_eq!(requests.len(), 11);
    assert!(requests.iter().all(|request| *request == requests[0]));
}

#[test]
fn what_cannot_change_ends_it_at_once() {
    use wire::problem_type::{DAMAGED, NO_ORGANIZATION, STORAGE_FULL};
    for (act, exit) in [
        (Act::Say(say(401, "", "")), 77),
        (Act::Say(say(403, "", "")), 77),
        (problem(404, NO_ORGANIZATION), 77),
        (problem(404, "about:blank"), 69),
        (Act::Say(say(422, "", "")), 65),
        (Act::Say(say(302, "location: http://127.0.0.1:1/\r\n", "")), 69),
        (problem(500, DAMAGED), 74),
        (problem(507, STORAGE_FULL), 74),
    ] {
        let (result, requests) = resolve(vec![act]);
        let error = result.err().expect("an error");
        assert_eq!((error.exit_code(), requests.len()), (exit, 1), "{error}");
    }
}

#[test]
fn an_answer_that_is_none_is_not_taken() {
    assert_eq!(fault("SSH-2.0-OpenSSH_9.6\r\n".to_owned()), ProtocolFault::NotPlainHttp);
    assert_eq!(fault(say(200, "", "{}")), ProtocolFault::Json { line: 1, column: 2 });
    let left_out = r#"{"secrets":{"B":{"value":"x","version":3}}}"#;
    assert_eq!(fault(say(200, "", left_out)), ProtocolFault::NameLeftOut(name("A")));
    let no_value = r#"{"secrets":{"A":{"version":3}}}"#;
    assert_eq!(fault(say(200, "", no_value)), ProtocolFault::NoValue(name("A")));
    let other = r#"{"unresolved":[{"name":"B","reason":"missing","nearest":null}]}"#;
    assert_eq!(fault(say(404, "", other)), ProtocolFault::OtherName);
    let echo = "content-type: text/inj_w_canary\r\n";
    assert_eq!(fault(say(200, echo, "")), ProtocolFault::NotJson { content_type: None });
    let quoting = r#"{"secrets":{"A":{"value":["canary"],"version":3}}}"#;
    let quoting = fault(say(200, "", quoting));
    assert!(!format!("{quoting} {quoting:?}").contains("canary"));
}

#[test]
fn an_answer_has_a_size_limit() {
    let bytes_max = FRAME_BYTES_MAX + NAME_BYTES_MAX + VALUE_BYTES_MAX;
    let announced = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n", bytes_max + 1);
    assert_eq!(fault(announced), ProtocolFault::TooLarge { bytes_max });
    let chunk = format!("{:x}\r\n{}\r\n", bytes_max + 1, "x".repeat(bytes_max + 1));
    let chunked = format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    // The client hangs up in the middle of it: the store cannot write it all.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = at_port(listener.local_addr().expect("bound").port());
    let script = spawn(move || {
        let mut pipe: Box<dyn Pipe> = Box::new(listener.accept().expect("a client").0);
        read_request(&mut pipe);
        let _ = pipe.write_all(chunked.as_bytes());
    });
    let result = client(vec![endpoint]).resolve(&request(&["A"]));
    let Err(Error::Protocol { fault, .. }) = result else { panic!("it was taken") };
    assert_eq!(fault, ProtocolFault::TooLarge { bytes_max });
    script.join().expect("the script was played");
}

#[test]
fn an_attempt_that_hangs_is_given_up_for_the_next() {
    let (endpoint, script) = tcp(vec![Act::Hang, ok(METADATA)]);
    let mut client = client(vec![endpoint]);
    client.pace.attempt_max = Duration::from_secs(1);
    assert_eq!(client.metadata(&name("A")).expect("the second try").version, Some(3));
    assert_eq!(script.join().expect("the script was played").len(), 2);
}

#[test]
fn the_deadline_ends_it_and_says_why() {
    let (endpoint, script) = tcp(vec![Act::Hang]);
    let shown = endpoint.as_str().to_owned();
    let mut client = client(vec![endpoint]);
    client.timeout = Duration::from_millis(200);
    let error = client.metadata(&name("A")).expect_err("it hangs");
    let text = error.to_string();
    let expected = format!("the store `{shown}` cannot be reached: no answer within 0.2 s (1 try");
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(error.exit_code(), 69);
    script.join().expect("the script was played");
}

#[test]
fn a_retry_after_past_the_deadline_ends_it_at_once() {
    let (endpoint, script) = tcp(vec![Act::Say(say(503, "retry-after: 3600\r\n", ""))]);
    let start = Instant::now();
    let error = client(vec![endpoint]).metadata(&name("A")).expect_err("it is down");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(matches!(error, Error::Unreachable { tries: 1, retry_after: Some(_), .. }));
    let text = error.to_string();
    assert!(text.contains("it answers with status 503 (1 try in "), "{text}");
    assert!(text.contains("it asks to be tried again in 3"), "{text}");
    script.join().expect("the script was played");
}

#[test]
fn the_next_endpoint_is_tried_at_once() {
    let (first, first_script) = tcp(vec![Act::Say(say(503, "retry-after: 20\r\n", ""))]);
    let (second, second_script) = tcp(vec![ok(METADATA)]);
    let start = Instant::now();
    let client = client(vec![first, second]);
    assert_eq!(client.metadata(&name("A")).expect("the second").version, Some(3));
    assert!(start.elapsed() < Duration::from_secs(15));
    assert!(client.store().contains(", http://127.0.0.1:"));
    first_script.join().expect("the script was played");
    second_script.join().expect("the script was played");
}

#[test]
fn a_store_may_come_up_while_the_client_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.sock");
    let missing = Endpoint::parse(&format!("unix:{}", path.display()), false).expect("a path");
    let (refusing, _held) = refusing();
    // Socket and port are not there when they are asked first; what is asked last brings one up.
    let (sender, receiver) = std::sync::mpsc::channel();
    let up = Act::Do(Box::new(move || {
        let listener = UnixListener::bind(&path).expect("a socket");
        let accept = move || Box::new(listener.accept().expect("a client").0) as Box<dyn Pipe>;
        sender.send(play(vec![ok(METADATA)], accept)).expect("the test waits");
    }));
    let (last, script) = tcp(vec![up]);
    let client = client(vec![missing, refusing, last]);
    assert_eq!(client.metadata(&name("A")).expect("the socket").version, Some(3));
    script.join().expect("the script was played");
    let requests = receiver.recv().expect("it came up").join().expect("the script was played");
    assert!(requests[0].contains("\r\nhost: localhost\r\n"), "{}", requests[0]);
}

#[test]
fn a_socket_that_may_not_be_opened_is_not_waited_for() {
    let failure = Failure::Connect(std::io::ErrorKind::PermissionDenied.into());
    assert_eq!(call::again(&failure), retry::Again::Never);
    let failure = Failure::Connect(std::io::ErrorKind::NotFound.into());
    assert_eq!(call::again(&failure), retry::Again::AfterBackoff);
}

#[test]
fn all_endpoints_are_named_when_none_answers() {
    let [(a, _held_a), (b, _held_b)] = [refusing(), refusing()];
    let (shown_a, shown_b) = (a.as_str().to_owned(), b.as_str().to_owned());
    let mut client = client(vec![a, b]);
    client.timeout = Duration::from_millis(50);
    let text = client.metadata(&name("A")).expect_err("nobody listens").to_string();
    let expected = format!(
        "no store can be reached: `{shown_a}`: connection refused; `{shown_b}`: connection \
         refused ("
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn a_put_says_whether_it_created() {
    let created = Act::Say(say(201, "", METADATA));
    let (endpoint, script) = tcp(vec![created, ok(METADATA)]);
    let client = client(vec![endpoint]);
    let value = Secret::new(b"say \"hi\"".to_vec());
    assert!(client.put(&name("A"), &value, Condition::Absent, false).expect("done").created);
    let empty = Secret::new(Vec::new());
    assert!(!client.put(&name("A"), &empty, Condition::Version(2), true).expect("done").created);
    let requests = script.join().expect("the script was played");
    assert!(requests[0].starts_with("PUT /api/v1/orgs/acme/secrets/A HTTP/1.1\r\n"));
    assert!(requests[0].contains("\r\nif-none-match: *\r\n"));
    assert!(requests[0].ends_with("\r\n\r\n{\"value\":\"say \\\"hi\\\"\"}"), "{}", requests[0]);
    assert!(requests[1].contains("\r\nif-match: \"2\"\r\n"));
    assert!(requests[1].ends_with("\r\n\r\n{\"value\":\"\",\"allow_empty\":true}"));
}

#[test]
fn a_change_whose_answer_was_lost() {
    use wire::problem_type::{NO_SECRET, PRECONDITION};
    let acts = vec![
        Act::Close,
        problem(404, NO_SECRET),
        problem(404, NO_SECRET),
        Act::Close,
        problem(412, PRECONDITION),
        Act::Say(say(503, "", "")),
        problem(412, PRECONDITION),
    ];
    let (endpoint, script) = tcp(acts);
    let client = client(vec![endpoint]);
    client.delete(&name("A"), Condition::Always).expect("it is gone, as was wanted");
    let error = client.delete(&name("A"), Condition::Always).expect_err("it was not there");
    assert_eq!(error.exit_code(), 78);
    let put = || {
        let value = Secret::new(b"x".to_vec());
        client.put(&name("A"), &value, Condition::Absent, false).expect_err("it is there")
    };
    assert!(matches!(put(), Error::PreconditionFailed { perhaps_ours: true }));
    assert!(matches!(put(), Error::PreconditionFailed { perhaps_ours: false }));
    script.join().expect("the script was played");
}

#[test]
fn an_answer_that_repeats_the_value_or_the_token_is_not_shown() {
    for echo in ["canary-value", "Bearer inj_w_canary"] {
        let body = format!(r#"{{"detail":"bad: {echo}"}}"#);
        let (endpoint, script) = tcp(vec![Act::Say(say(400, "", &body))]);
        let value = Secret::new(b"canary-value".to_vec());
        let client = client(vec![endpoint]);
        let error = client.put(&name("A"), &value, Condition::Always, false).expect_err("400");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        script.join().expect("the script was played");
    }
}

#[test]
fn a_list_is_asked_for_page_by_page() {
    let (endpoint, script) = tcp(vec![ok(r#"{"secrets":[{"name":"A"}],"next":"c"}"#)]);
    let query = ListQuery { search: Some("a".to_owned()), ..ListQuery::default() };
    let page = client(vec![endpoint]).list(&query).expect("a page");
    assert_eq!(page.next.as_deref(), Some("c"));
    let requests = script.join().expect("the script was played");
    assert!(requests[0].starts_with("GET /api/v1/orgs/acme/secrets?q=a HTTP/1.1\r\n"));
}

#[test]
fn a_store_in_this_process_ends_with_its_client() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let alive = Arc::new(());
    let held = alive.clone();
    let connect = move || {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let held = held.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            let read = theirs.read(&mut buffer).await.expect("the client writes");
            assert_ne!(read, 0);
            let answer = say(200, "", METADATA);
            theirs.write_all(answer.as_bytes()).await.expect("the client reads");
            // What a store keeps running, such as its checkpoints.
            std::future::pending::<()>().await;
            drop(held);
        });
        ours
    };
    let connector = Connector::InProcess { label: "/data".to_owned(), connect: Box::new(connect) };
    let org = OrgName::parse("default").expect("a slug");
    let options = Options { org: Some(org), token: None, timeout: TIMEOUT_DEFAULT };
    let client = Client::new(connector, options);
    for _ in 0..2 {
        assert_eq!(client.metadata(&name("A")).expect("an answer").version, Some(3));
    }
    assert_eq!(client.store(), "/data");
    assert_eq!(Arc::strong_count(&alive), 4);
    drop(client);
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// A store may walk a chain of millions of records.
#[test]
fn verifying_may_take_all_the_time_there_is() {
    let at_once = |endpoint| {
        let mut client = client(vec![endpoint]);
        client.pace.attempt_max = Duration::ZERO;
        client
    };
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut hasty = at_once(at_port(silent.local_addr().expect("bound").port()));
    hasty.timeout = Duration::from_millis(50);
    let error = hasty.metadata(&name("A")).expect_err("no attempt has any time");
    assert!(error.to_string().contains("no answer within 0.0 s"), "{error}");
    let (endpoint, script) = tcp(vec![ok(r#"{"records":7}"#)]);
    let answer = at_once(endpoint).verify(&wire::VerifyRequest::default()).expect("an answer");
    assert_eq!((answer.records, answer.broken), (7, None));
    assert_eq!(script.join().expect("the script was played").len(), 1);
}
