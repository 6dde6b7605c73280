//! Several addresses of one store, as two servers of the same data have them: who is asked when one
//! of them does not answer, or is not to be believed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;

use super::{Day, Served};
use crate::authority::{Identity, Says};

/// An address that nobody listens at.
fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("https://{}", listener.local_addr().expect("it is bound"))
}

#[test]
fn the_next_one_is_asked() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let web = day.token("web", &[]);
    let good = day.served.url();
    let pin = Identity::self_signed(&["localhost"], Says::Valid).pin();
    let wrong = format!("{}#{pin}", day.served.bare());
    let unknown = day.served.bare();
    for first in [&dead(), &wrong, unknown, "unix:/nobody/listens.sock"] {
        let both = format!("{first},{good}");
        assert_eq!(day.with(&web).at(&both).value("A_KEY"), Ok("a".to_owned()), "{both}");
    }
    // Where none is any good, each is told with why, and a wrong pin is not repeated.
    let all = format!("{wrong},{unknown}");
    let run = day.with(&web).at(&all).launch(&["--export", "A_KEY", "--timeout", "2"]).run();
    let own = good.split('#').nth(1).expect("a pin");
    let told = run.code(69).err();
    for part in [
        &*format!("its key is not the one that is pinned, but `{own}`"),
        "no authority that is trusted here vouches for its certificate",
        &format!("put `#{own}` behind the address if the store prints the same"),
    ] {
        assert!(told.contains(part), "no `{part}`\n{}", run.whole());
    }
    assert!(!told.contains(&pin), "{told}");
}

/// A server that was told to end finishes what is under way, and sends all others on.
#[test]
fn one_that_is_being_replaced() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let web = day.token("web", &[]);
    let words = ["store", "serve", "--plaintext", "--listen", "127.0.0.1:0"];
    let old = Served::of(&day.world, "old", day.world.inject(words), 1);
    let address = old.url().strip_prefix("http://").expect("plain http").to_owned();
    // One request is under way, and so the server stays for a while.
    let mut busy = TcpStream::connect(&address).expect("it listens");
    let body = r#"{"names":["A_KEY"]}"#;
    let head = format!(
        "POST /api/v1/orgs/acme/resolve HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {web}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).expect("it reads");
    let mut probe = TcpStream::connect(&address).expect("it listens");
    probe.write_all(b"GET /readyz HTTP/1.1\r\nhost: s\r\n\r\n").expect("it reads");
    let mut answer = [0; 12];
    probe.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 200");
    old.signal(Signal::SIGTERM);
    old.logs(" ending ", 1);
    let both = format!("{},{}", old.url(), day.served.url());
    assert_eq!(day.with(&web).at(&both).value("A_KEY"), Ok("a".to_owned()));
    // What was under way is answered.
    busy.write_all(body.as_bytes()).expect("it still reads");
    let mut rest = String::new();
    busy.read_to_string(&mut rest).expect("it answers");
    assert!(rest.starts_with("HTTP/1.1 200") && rest.contains("\"A_KEY\""), "{rest}");
}

#[test]
fn a_socket_of_the_same_store() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let web = day.token("web", &[]);
    let socket = format!("unix:{}", day.world.text("s.sock"));
    let words = ["store", "serve", "--listen", &socket, "--listen", "127.0.0.1:0"];
    let both = Served::of(&day.world, "both", day.world.inject(words), 2);
    assert_eq!(both.addresses[0], socket);
    assert_eq!(day.with(&web).at(&socket).value("A_KEY"), Ok("a".to_owned()));
    // Over a socket a request may go without a token: who answers says that one is wanted.
    let run = day.world.launch(["--export", "A_KEY"]).env("INJECT_STORE", &socket);
    let ended = run.env("INJECT_ORG", "acme").run();
    ended.code(77);
    assert!(ended.err().contains("the store wants a token"), "{}", ended.whole());
    // Both servers show the same key: it is the store's.
    let pin = |url: &str| url.split('#').nth(1).expect("a pin").to_owned();
    assert_eq!(pin(&both.addresses[1]), pin(day.served.url()));
    both.end().code(0);
    assert!(!day.world.path("s.sock").exists());
}
