//! Several endpoints, and several calls in one time.

use super::*;

const PAGE: &str = "content-type: text/html\r\n";

fn untyped(status: u16) -> Act {
    Act::Say(say(status, PAGE, "<html>"))
}

/// What comes of asking for `A` at an endpoint that does `acts`, then at one that has it.
fn then_good(acts: Vec<Act>) -> (Result<wire::Metadata, Error>, Endpoint) {
    let (first, first_script) = tcp(acts);
    let (good, good_script) = tcp(vec![ok(METADATA)]);
    let mut client = client(vec![first, good.clone()]);
    client.timeout = Duration::from_secs(10);
    let result = client.metadata(&name("A"));
    first_script.join().expect("the script was played");
    if result.is_ok() {
        good_script.join().expect("the script was played");
    }
    (result, good)
}

#[test]
fn the_next_one_is_tried_when_what_answers_is_no_store() {
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        say(200, PAGE, "<html>"),
        say(200, "content-type: application/json\r\n", "{}"),
        say(200, "content-type: application/json\r\n", r#"{"name":"B","version":1}"#),
        say(302, "location: /sign-in\r\n", ""),
        say(400, PAGE, "<html>"),
        say(401, PAGE, "<html>"),
        say(403, PAGE, "<html>"),
        say(404, PAGE, "<html>"),
        say(404, "content-type: application/json\r\n", r#"{"message":"no route"}"#),
    ] {
        let (result, _) = then_good(vec![Act::Say(answer.clone())]);
        assert_eq!(result.expect(&answer).version, Some(3));
    }
}

#[test]
fn what_a_store_refuses_is_refused_by_all() {
    use wire::problem_type::{NO_ORGANIZATION, NO_SECRET};
    let problems = [
        (problem(401, "about:blank"), 77),
        (problem(403, "about:blank"), 77),
        (problem(404, NO_ORGANIZATION), 77),
        (problem(404, NO_SECRET), 78),
    ];
    for (act, exit) in problems {
        let error = then_good(vec![act]).0.expect_err("it is refused");
        assert_eq!(error.exit_code(), exit, "{error}");
    }
}

#[test]
fn what_is_no_store_is_not_tried_again_and_is_told() {
    let (first, first_script) = tcp(vec![untyped(200)]);
    let (second, second_script) = tcp(vec![Act::Say("SSH-2.0-OpenSSH_9.6\r\n".to_owned())]);
    let names = (first.as_str().to_owned(), second.as_str().to_owned());
    let error = client(vec![first, second]).metadata(&name("A")).expect_err("no store");
    let expected = format!(
        "no store can be reached: `{}`: what answers there is no store (its answer is \
         `text/html`); check the address; `{}`: what answers there does not speak plain http; if \
         it speaks TLS, write `https://` (2 tries",
        names.0, names.1
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(error.exit_code(), 69);
    // Each script has one act: a second connection would have been refused.
    first_script.join().expect("the script was played");
    second_script.join().expect("the script was played");
}

#[test]
fn a_refusal_counts_more_than_what_is_no_store() {
    let (first, first_script) = tcp(vec![untyped(404)]);
    let (second, second_script) = tcp(vec![untyped(401)]);
    let error = client(vec![first, second]).metadata(&name("A")).expect_err("refused");
    assert!(matches!(error, Error::Refused { status: 401, token: TokenSent::Own, .. }), "{error}");
    first_script.join().expect("the script was played");
    second_script.join().expect("the script was played");
}

#[test]
fn what_is_no_store_has_deleted_nothing() {
    let (first, first_script) = tcp(vec![untyped(200)]);
    let (second, second_script) = tcp(vec![problem(404, wire::problem_type::NO_SECRET)]);
    let client = client(vec![first, second]);
    let error = client.delete(&name("A"), Condition::Always).expect_err("it was not there");
    assert_eq!(error.exit_code(), 78, "{error}");
    first_script.join().expect("the script was played");
    second_script.join().expect("the script was played");
}

#[test]
fn one_that_hangs_leaves_time_for_the_next() {
    let (first, first_script) = tcp(vec![Act::Hang]);
    let (second, second_script) = tcp(vec![ok(METADATA)]);
    let mut client = client(vec![first, second]);
    client.timeout = Duration::from_secs(2);
    assert_eq!(client.metadata(&name("A")).expect("the second").version, Some(3));
    first_script.join().expect("the script was played");
    second_script.join().expect("the script was played");
}

#[test]
fn only_who_was_tried_is_blamed() {
    let last = vec![("http://a:1".to_owned(), Failure::Dropped)];
    let (store, waited) = ("http://a:1, http://b:2".to_owned(), Duration::from_secs(1));
    let error = Error::Unreachable { store, tries: 1, waited, last, retry_after: None };
    let expected = "the store `http://a:1` cannot be reached: the connection ended before the \
                    answer did (1 try in 1.0 s)";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_store_that_wants_a_token_and_gets_none_is_told_apart() {
    let (endpoint, script) = tcp(vec![Act::Say(say(401, "", ""))]);
    let org = OrgName::parse("acme").expect("a slug");
    let options = Options { org: Some(org), token: None, timeout: TIMEOUT_DEFAULT };
    let client = Client::new(Connector::Endpoints(vec![endpoint]), options);
    let error = client.metadata(&name("A")).expect_err("401");
    assert!(matches!(error, Error::Refused { token: TokenSent::None, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the store wants a token, and none is set");
    script.join().expect("the script was played");
}

#[test]
fn a_second_call_may_share_the_time_of_the_first() {
    let body = r#"{"secrets":{"A":{"value":"x","version":3}}}"#;
    let (endpoint, script) = tcp(vec![ok(body), Act::Hang]);
    let mut client = client(vec![endpoint]);
    client.timeout = Duration::from_secs(3600);
    assert!(client.deadline() > Instant::now() + Duration::from_secs(3000));
    let deadline = Instant::now() + Duration::from_secs(1);
    assert!(client.resolve_within(&request(&["A"]), deadline).is_ok());
    for tries in [1, 0] {
        let error = client.resolve_within(&request(&["A"]), deadline).err().expect("it hangs");
        assert!(matches!(error, Error::Unreachable { tries: n, .. } if n == tries), "{error}");
    }
    assert!(Instant::now() < deadline + Duration::from_secs(15));
    script.join().expect("the script was played");
}

#[test]
fn who_answered_is_asked_first_from_then_on() {
    // Asked a second time, the first one would refuse.
    let (first, _first_script) = tcp(vec![Act::Hang, problem(403, "about:blank")]);
    let (second, second_script) = tcp(vec![ok(METADATA), ok(METADATA)]);
    let mut client = client(vec![first, second]);
    client.timeout = Duration::from_secs(2);
    for _ in 0..2 {
        assert_eq!(client.metadata(&name("A")).expect("the second").version, Some(3));
    }
    second_script.join().expect("the script was played");
}
