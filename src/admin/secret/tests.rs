//! The commands against a store that answers by a script, in this process.

use std::fs::File;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use nix::pty::openpty;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::admin::{PromptError, Terminal};
use crate::client::{Connector, Options, TIMEOUT_DEFAULT};
use crate::name::OrgName;

use super::*;
use crate::admin::Look;
use std::io::Write;

type Requests = Arc<Mutex<Vec<String>>>;

/// A client whose store gives these answers, one a connection, and what it was asked.
fn scripted(answers: &[(u16, &str)]) -> (Client, Requests) {
    let requests = Requests::default();
    let seen = requests.clone();
    let answers: Vec<(u16, String)> = answers.iter().map(|(s, b)| (*s, b.to_string())).collect();
    let answers = Mutex::new(answers.into_iter());
    let connect = move || {
        let (ours, mut theirs) = tokio::io::duplex(256 * 1024);
        let (status, body) = answers.lock().expect("unpoisoned").next().expect("one more answer");
        let seen = seen.clone();
        tokio::spawn(async move {
            let mut request = vec![0; 256 * 1024];
            let n = theirs.read(&mut request).await.expect("the client writes");
            let request = String::from_utf8_lossy(&request[..n]).into_owned();
            seen.lock().expect("unpoisoned").push(request);
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
            theirs.write_all((head + &body).as_bytes()).await.expect("the client reads");
        });
        ours
    };
    let connector = Connector::InProcess { label: "/data".to_owned(), connect: Box::new(connect) };
    let org = OrgName::parse("default").expect("a slug");
    let options = Options { org: Some(org), token: None, timeout: TIMEOUT_DEFAULT };
    (Client::new(connector, options), requests)
}

/// What a command left behind: its result, stdout and stderr.
struct Done {
    result: Result<(), Error>,
    output: String,
    errors: String,
}

fn run(input: &[u8], command: impl FnOnce(&mut Console<'_>) -> Result<(), Error>) -> Done {
    let no_terminal = || Err(PromptError::Terminal(io::ErrorKind::NotFound.into()));
    run_at(input, &no_terminal, command)
}

fn run_at(
    mut input: &[u8],
    terminal: &dyn Fn() -> Result<Terminal, PromptError>,
    command: impl FnOnce(&mut Console<'_>) -> Result<(), Error>,
) -> Done {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let look = Look {
        columns: None,
        bold: false,
        zone: TimeZone::fixed(jiff::tz::offset(1)),
        now: "2026-03-31T00:00:00Z".parse().expect("a time"),
    };
    let mut console = Console {
        input: &mut input,
        input_is_terminal: false,
        output: &mut output,
        errors: &mut errors,
        terminal,
        look,
    };
    let result = command(&mut console);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Done { result, output: text(output), errors: text(errors) }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

fn set(text: &str) -> Set {
    Set { name: name(text), allow_empty: false, condition: Condition::Always }
}

/// Reads the value, and sets it.
fn give(set: Set, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
    set.read(console)?.run(client, console)
}

fn list() -> List {
    List { search: None, stale: None, sort: None, json: false }
}

fn remove(yes: bool) -> Remove {
    Remove { name: name("A"), yes, condition: Condition::Always }
}

const FULL: &str = r#"{"name":"A","version":4,
    "created_at":"2026-01-01T12:00:00Z","created_by":"alice@acme.com",
    "updated_at":"2026-03-01T23:30:05Z","updated_by":"bob\u001b[2J@acme.com"}"#;

#[test]
fn a_value_comes_from_stdin_less_one_newline() {
    for (input, body) in [
        (&b"hunter2\n"[..], r#"{"value":"hunter2"}"#),
        (b"hunter2", r#"{"value":"hunter2"}"#),
        (b"a\nb\n\n", r#"{"value":"a\nb\n"}"#),
        (b"\xff", r#"{"value_base64":"/w=="}"#),
    ] {
        let (client, requests) = scripted(&[(200, r#"{"name":"DB_URL_PROD","version":4}"#)]);
        let done = run(input, |console| give(set("DB_URL_PROD"), &client, console));
        done.result.expect("it is set");
        assert_eq!(done.output, "updated DB_URL_PROD (version 4)\n");
        assert_eq!(done.errors, "");
        assert!(requests.lock().expect("unpoisoned")[0].ends_with(body), "{body}");
    }
}

#[test]
fn hints_go_to_stderr() {
    let (client, requests) = scripted(&[(201, r#"{"name":"KEY1","version":1}"#)]);
    let done = run(b"x\r\n", |console| give(set("KEY1"), &client, console));
    assert_eq!(done.output, "created KEY1 (version 1)\n");
    let lines: Vec<&str> = done.errors.lines().collect();
    assert!(lines[0].starts_with("hint: `KEY1` says little"), "{lines:?}");
    assert!(lines[1].starts_with("hint: the value ends in a carriage return"), "{lines:?}");
    assert!(requests.lock().expect("unpoisoned")[0].ends_with(r#"{"value":"x\r"}"#));
}

#[test]
fn values_have_their_limits() {
    let (client, requests) = scripted(&[(200, FULL)]);
    let code = |input: &[u8]| {
        run(input, |console| give(set("A"), &client, console))
            .result
            .expect_err("refused")
            .exit_code()
    };
    assert_eq!(code(b""), 64);
    assert_eq!(code(b"\n"), 64);
    let largest = vec![b'x'; VALUE_BYTES_MAX];
    assert_eq!(code(&[&largest[..], b"x"].concat()), 65);
    assert_eq!(code(&[&largest[..], b"x\n"].concat()), 65);
    assert_eq!(code(&[&largest[..], b"\n\n"].concat()), 65);
    assert!(requests.lock().expect("unpoisoned").is_empty());
    let done = run(&[&largest[..], b"\n"].concat(), |console| give(set("A"), &client, console));
    done.result.expect("the largest is set");
}

#[test]
fn an_empty_value_is_set_when_it_is_meant() {
    let (client, requests) = scripted(&[(200, FULL)]);
    let set = Set { allow_empty: true, ..set("A") };
    run(b"", |console| give(set, &client, console)).result.expect("it is set");
    let requests = requests.lock().expect("unpoisoned");
    assert!(requests[0].ends_with(r#"{"value":"","allow_empty":true}"#));
}

#[test]
fn what_exists_is_not_created_again() {
    let (client, _) = scripted(&[(412, "")]);
    let set = Set { condition: Condition::Absent, ..set("A") };
    let error = run(b"x", |console| give(set, &client, console)).result.expect_err("it exists");
    assert_eq!(error.to_string(), "there is a secret `A` already; it is unchanged");
}

#[test]
fn a_list_shows_all_pages() {
    let first = format!(r#"{{"secrets":[{FULL}],"next":"c"}}"#);
    let second = r#"{"secrets":[{"name":"B","damaged":true}],"next":null}"#;
    let (client, requests) = scripted(&[(200, &first), (200, second)]);
    let done = run(b"", |console| list().run(&client, console));
    assert_eq!(
        done.output,
        "NAME  VERSION  LAST UPDATED                               CREATED BY\n\
         A     4        2026-03-02 00:30 by bob\\u{1b}[2J@acme.com  alice@acme.com\n\
         B     -        damaged                                    -\n"
    );
    assert!(matches!(done.result, Err(Error::Damaged { rows: 1, .. })));
    let requests = requests.lock().expect("unpoisoned");
    assert!(requests[0].starts_with("GET /api/v1/orgs/default/secrets?limit=1000 "));
    assert!(requests[1].starts_with("GET /api/v1/orgs/default/secrets?cursor=c&limit=1000 "));
}

#[test]
fn an_empty_list_says_what_to_do() {
    let (client, _) = scripted(&[(200, r#"{"secrets":[],"next":null}"#); 3]);
    let done = run(b"", |console| list().run(&client, console));
    assert_eq!(done.output, "");
    assert_eq!(done.errors, "there is no secret yet; `inject secret set NAME` makes one\n");
    let search = List { search: Some("x".to_owned()), ..list() };
    let done = run(b"", |console| search.run(&client, console));
    assert_eq!(done.errors, "no secret is like that; `inject secret list` shows all\n");
    let json = List { json: true, ..list() };
    let done = run(b"", |console| json.run(&client, console));
    assert_eq!(done.output, "{\n  \"secrets\": [],\n  \"next\": null\n}\n");
}

#[test]
fn stale_is_what_was_not_updated_for_so_long() {
    let row = |name: &str, at: &str| format!(r#"{{"name":"{name}","updated_at":"{at}"}}"#);
    let rows = [row("OLD", "2025-12-01T00:00:00Z"), row("NEW", "2026-03-30T00:00:00Z")];
    let page = format!(r#"{{"secrets":[{}],"next":null}}"#, rows.join(","));
    let (client, requests) = scripted(&[(200, &page)]);
    let span = time::parse_span("90d").expect("a span");
    let stale = List { stale: Some(span), ..list() };
    let done = run(b"", |console| stale.run(&client, console));
    done.result.expect("it is listed");
    assert!(done.output.contains("OLD") && !done.output.contains("NEW"), "{}", done.output);
    assert!(requests.lock().expect("unpoisoned")[0].contains("sort=updated"));
}

#[test]
fn one_secret_is_shown_with_its_reference() {
    let (client, _) = scripted(&[(200, FULL); 2]);
    let show = |json| Show { name: name("A"), json };
    let done = run(b"", |console| show(false).run(&client, console));
    assert_eq!(
        done.output,
        "name          A\n\
         version       4\n\
         last updated  2026-03-02 00:30:05 +01:00 by bob\\u{1b}[2J@acme.com\n\
         created       2026-01-01 13:00:00 +01:00 by alice@acme.com\n\
         reference     $A or ${A}\n"
    );
    let done = run(b"", |console| show(true).run(&client, console));
    assert!(done.output.contains("\"updated_at\": \"2026-03-01T23:30:05Z\""), "{}", done.output);
    assert!(!done.output.contains('\x1b'));
}

#[test]
fn nothing_is_deleted_without_a_yes() {
    let (client, requests) = scripted(&[]);
    let done = run(b"A\n", |console| remove(false).run(&client, console));
    let error = done.result.expect_err("nobody was asked");
    assert_eq!(error.exit_code(), 64);
    assert!(error.to_string().ends_with("say `--yes`"), "{error}");
    assert!(requests.lock().expect("unpoisoned").is_empty());
}

#[test]
fn a_yes_needs_no_terminal() {
    let (client, requests) = scripted(&[(200, FULL), (204, "")]);
    let done = run(b"", |console| remove(true).run(&client, console));
    done.result.expect("it is deleted");
    assert_eq!(done.output, "deleted A\n");
    assert_eq!(done.errors, "a launch that references it fails from now on\n");
    let requests = requests.lock().expect("unpoisoned");
    assert!(requests[1].starts_with("DELETE /api/v1/"));
    assert!(!requests[1].contains("if-match"), "{}", requests[1]);
}

#[test]
fn the_name_is_typed_to_delete_it() {
    let pty = openpty(None, None).expect("a terminal");
    let mut master = File::from(pty.master);
    let slave = pty.slave;
    let terminal = || Ok(Terminal::over(slave.try_clone().expect("a descriptor").into()));
    let (client, requests) = scripted(&[(200, FULL), (200, FULL), (204, "")]);
    // What is typed before the question waits in the terminal.
    master.write_all(b"B\nA\n").expect("keys");
    let done = run_at(b"", &terminal, |console| remove(false).run(&client, console));
    let error = done.result.expect_err("it is another name");
    assert_eq!(error.to_string(), "what was typed is not `A`; nothing is deleted");
    assert_eq!(requests.lock().expect("unpoisoned").len(), 1);
    let done = run_at(b"", &terminal, |console| remove(false).run(&client, console));
    done.result.expect("it is deleted");
    let requests = requests.lock().expect("unpoisoned");
    assert!(requests[2].contains("\r\nif-match: \"4\"\r\n"), "{}", requests[2]);
}

/// A store that answered a delete with 503 has deleted it already, and has yet to wipe it.
#[test]
fn a_delete_that_did_not_finish_can_be_tried_again() {
    let pty = openpty(None, None).expect("a terminal");
    let mut master = File::from(pty.master);
    let slave = pty.slave;
    let terminal = || Ok(Terminal::over(slave.try_clone().expect("a descriptor").into()));
    let gone = r#"{"type":"urn:inject:problem:no-secret","status":404}"#;
    let (client, requests) = scripted(&[(404, gone), (204, "")]);
    master.write_all(b"A\n").expect("keys");
    let done = run_at(b"", &terminal, |console| remove(false).run(&client, console));
    done.result.expect("its deletion is finished");
    assert_eq!(done.output, "deleted A\n");
    assert!(requests.lock().expect("unpoisoned")[1].starts_with("DELETE /api/v1/"));
}

#[test]
fn what_is_damaged_is_deleted_and_set_again() {
    let text = |rows| Error::Damaged { rows, way_out: DAMAGED_WAY_OUT }.to_string();
    assert!(text(1).starts_with("1 of these is damaged: "), "{}", text(1));
    assert!(text(2).starts_with("2 of these are damaged: "), "{}", text(2));
    assert!(text(2).ends_with("; delete what is damaged and set it again"), "{}", text(2));
}

/// A pipe whose reader has left.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs it where nobody reads what it prints.
fn unread(command: impl FnOnce(&mut Console<'_>) -> Result<(), Error>) -> Result<(), Error> {
    let run = run(b"x", |console| {
        command(&mut Console {
            input: &mut *console.input,
            input_is_terminal: false,
            output: &mut Broken,
            errors: &mut Broken,
            terminal: console.terminal,
            look: console.look.clone(),
        })
    });
    run.result
}

#[test]
fn a_pipe_whose_reader_has_left_is_an_error() {
    let (client, _) = scripted(&[(200, FULL)]);
    let show = Show { name: name("A"), json: false };
    let error = unread(|console| show.run(&client, console)).expect_err("nobody reads");
    assert!(matches!(error, Error::Output(_)), "{error}");
    assert_eq!(error.exit_code(), 74);
}

#[test]
fn what_was_changed_is_told_where_nobody_reads() {
    let (client, _) = scripted(&[(200, FULL), (200, FULL), (204, "")]);
    let error = unread(|console| give(set("A"), &client, console)).expect_err("nobody reads");
    assert!(error.to_string().ends_with("; but `A` is updated (version 4)"), "{error}");
    assert_eq!(error.exit_code(), 74);
    let error = unread(|console| remove(true).run(&client, console)).expect_err("nobody reads");
    assert!(error.to_string().ends_with("; but `A` is deleted"), "{error}");
}
