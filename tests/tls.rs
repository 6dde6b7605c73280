//! A launch over TLS: who is believed to be the store, and who is not. The servers are real ones,
//! made with the library that the launcher has, and with OpenSSL where that one is too modern.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use rustls::version::{TLS12, TLS13};

use crate::authority::{Authority, Identity, Says};
use crate::harness::{Ended, Run, World};
use crate::scripted_store::{Answer, ScriptedStore, secrets};

const ANY: [&str; 2] = ["localhost", "127.0.0.1"];

fn good() -> Vec<Answer> {
    vec![secrets([("A_KEY", "value-of-a")])]
}

fn server(identity: &Identity) -> ScriptedStore {
    ScriptedStore::tls(identity.server(&[&TLS13, &TLS12]), good())
}

/// A launch that refers to `A_KEY`, against this address.
fn at<'w>(world: &'w World, store: &str) -> Run<'w> {
    let run = world.launch(["--timeout", "60"]).env("A", "$A_KEY").env("INJECT_STORE", store);
    run.env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token")
}

#[track_caller]
fn gets_the_value(ended: &Ended) {
    assert_eq!(ended.seen().var("A"), Some(&b"value-of-a"[..]), "{}", ended.whole());
}

/// Fails as a store that cannot be reached does, and says this.
#[track_caller]
fn is_not_believed(ended: &Ended, says: &str) {
    ended.code(69);
    assert!(ended.err().contains(says), "no `{says}`\n{}", ended.whole());
}

#[test]
fn a_pin_is_all_that_it_asks_for() {
    let world = World::new();
    let authority = Authority::new();
    // Whatever the certificate says of itself: chain, name and dates are not what is pinned.
    for identity in [
        Identity::self_signed(&ANY, Says::Valid),
        Identity::self_signed(&["elsewhere.example"], Says::Expired),
        Identity::self_signed(&[], Says::Authority),
        authority.issue(&["elsewhere.example"], Says::NotYet),
    ] {
        for version in [&TLS13, &TLS12] {
            let store = ScriptedStore::tls(identity.server(&[version]), good());
            let ended = at(&world, &format!("{}#{}", store.url, identity.pin())).run();
            gets_the_value(&ended);
            let request = store.only_request();
            assert_eq!(request.header("authorization"), Some("Bearer inj_w_token"));
            assert_eq!(Some(request.header("host").expect("one")), store.url.get(8..));
        }
    }
}

#[test]
fn another_key_is_told_with_its_pin() {
    let world = World::new();
    let [ours, theirs] = [(); 2].map(|()| Identity::self_signed(&ANY, Says::Valid));
    let store = server(&theirs);
    let ended = at(&world, &format!("{}#{}", store.url, ours.pin())).run();
    assert!(ended.err().contains(&theirs.pin()), "{}", ended.whole());
    assert!(!ended.err().contains(&ours.pin()), "{}", ended.whole());
    insta::assert_snapshot!(ended.report().replace(&theirs.pin(), "[PIN]"), @"
    exit 69
    --- stderr
    inject: `probe` was not started
      `https://127.0.0.1:[PORT]`: its key is not the one that is pinned, but `[PIN]`; if the store prints that one at its start, write it into the address, or log in with it once more, else somebody is in between
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    ended.code(69);
    assert_eq!(store.requests().len(), 0, "it was told something");
}

#[test]
fn the_pinned_certificate_without_its_key_is_not_enough() {
    let world = World::new();
    for version in [&TLS13, &TLS12] {
        let stolen = Identity::self_signed(&ANY, Says::Valid);
        let pin = stolen.pin();
        let thief = stolen.without_its_key();
        let store = ScriptedStore::tls(thief.server(&[version]), good());
        let ended = at(&world, &format!("{}#{pin}", store.url)).run();
        is_not_believed(&ended, "it shows a certificate that it has no key for");
        assert_eq!(store.requests().len(), 0, "it was told something");
    }
}

#[test]
fn authorities_of_one_s_own() {
    let world = World::new();
    let (authority, other) = (Authority::new(), Authority::new());
    let file = |name: &str, text: String| {
        world.write(name, text);
        world.text(name)
    };
    let own = file("own.pem", authority.pem());
    let both = file("both.pem", format!("# two\n{}\n{}", other.pem(), authority.pem()));
    let direct = server(&authority.issue(&ANY, Says::Valid));
    let through = server(&authority.below().issue_chain(&ANY));
    let by_name = through.url.replace("127.0.0.1", "LocalHost.");
    for (url, file) in [(&direct.url, &own), (&through.url, &both), (&by_name, &own)] {
        gets_the_value(&at(&world, url).env("INJECT_CA_FILE", file).run());
    }
    let option = world.launch(["--ca-file", &own]).env("A", "$A_KEY").env("INJECT_ORG", "acme");
    let option = option.env("INJECT_STORE", &direct.url).env("INJECT_TOKEN", "inj_w_token");
    gets_the_value(&option.run());
    // They are in place of the bundled ones, which in turn know none of these.
    let unknown = "no authority that is trusted here vouches for its certificate";
    let foreign = file("other.pem", other.pem());
    is_not_believed(&at(&world, &direct.url).env("INJECT_CA_FILE", &foreign).run(), unknown);
    is_not_believed(&at(&world, &direct.url).run(), unknown);
}

#[test]
fn what_an_authority_does_not_vouch_for() {
    let world = World::new();
    let authority = Authority::new();
    world.write("own.pem", authority.pem());
    let told = |identity: Identity| {
        let store = server(&identity);
        let ended = at(&world, &store.url).env("INJECT_CA_FILE", world.text("own.pem")).run();
        assert_eq!(store.requests().len(), 0, "it was told something");
        ended.code(69);
        let line = ended.err().lines().nth(1).expect("a problem").replace(&identity.pin(), "[PIN]");
        line.trim().to_owned()
    };
    let many: Vec<String> = (0..20).map(|n| format!("host-{n}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let told = [
        told(authority.issue(&ANY, Says::Expired)),
        told(authority.issue(&ANY, Says::NotYet)),
        told(authority.issue(&["store.example", "10.0.0.1"], Says::Valid)),
        told(authority.issue(&many, Says::Valid)),
        told(authority.issue(&[], Says::Valid)),
        told(authority.issue(&ANY, Says::Authority)),
        told(authority.issue(&ANY, Says::Valid).without_its_key()),
        told(Identity::self_signed(&ANY, Says::Valid)),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    `https://127.0.0.1:[PORT]`: its certificate has expired ([TIME]); renew it, or set the clock of this machine
    `https://127.0.0.1:[PORT]`: its certificate is not valid yet (2999-01-01T00:00:00Z); set the clock of this machine, or the store's
    `https://127.0.0.1:[PORT]`: its certificate is for `store.example`, `10.0.0.1`, and not for the host in the address; ask it by one of its names
    `https://127.0.0.1:[PORT]`: its certificate is for `host-0.example`, `host-1.example`, `host-2.example`, `host-3.example`, `host-4.example`, `host-5.example`, `host-6.example`, `host-7.example` and 12 more, and not for the host in the address; ask it by one of its names
    `https://127.0.0.1:[PORT]`: its certificate has no name in it; pin its key, or renew it with one
    `https://127.0.0.1:[PORT]`: its certificate is an authority's, which no server may show; give the store a certificate of its own, or put `#[PIN]` behind the address if the store prints the same
    `https://127.0.0.1:[PORT]`: it shows a certificate that it has no key for: somebody is in between, or its certificate and key do not belong together
    `https://127.0.0.1:[PORT]`: no authority that is trusted here vouches for its certificate; name the authority's file with `--ca-file`, or put `#[PIN]` behind the address if the store prints the same
    ");
}

#[test]
fn an_address_whose_certificate_nobody_knows() {
    let world = World::new();
    let identity = Identity::self_signed(&ANY, Says::Valid);
    let store = server(&identity);
    let ended = at(&world, &store.url).run();
    insta::assert_snapshot!(ended.report().replace(&identity.pin(), "[PIN]"), @"
    exit 69
    --- stderr
    inject: `probe` was not started
      `https://127.0.0.1:[PORT]`: no authority that is trusted here vouches for its certificate; name the authority's file with `--ca-file`, or put `#[PIN]` behind the address if the store prints the same
      store: https://127.0.0.1:[PORT], organization `acme`
    ");
    // What it says is the way out, once compared.
    gets_the_value(&at(&world, &format!("{}#{}", store.url, identity.pin())).run());
}

#[test]
fn the_next_endpoint_is_asked_at_once() {
    let world = World::new();
    let [a, b] = [(); 2].map(|()| Identity::self_signed(&ANY, Says::Valid));
    let [first, second] = [server(&a), server(&b)];
    // Each address has its own pin; the first one's is wrong.
    let list = format!("{}#{},{}#{}", first.url, b.pin(), second.url, b.pin());
    gets_the_value(&at(&world, &list).run());
    assert_eq!((first.requests().len(), second.requests().len()), (0, 1));
    // A server whose key is being replaced is named twice, with the old pin and with the new.
    let list = format!("{0}#{1},{0}#{2}", second.url, a.pin(), b.pin());
    gets_the_value(&at(&world, &list).run());
    // Where none is believed, each is told.
    let ended = at(&world, &format!("{},{}#{}", first.url, second.url, a.pin())).run();
    is_not_believed(&ended, "no authority that is trusted here");
    is_not_believed(&ended, "its key is not the one that is pinned");
}

#[test]
fn one_that_does_not_go_on_leaves_time_for_the_next() {
    let world = World::new();
    let identity = Identity::self_signed(&ANY, Says::Valid);
    let store = server(&identity);
    // It takes connections, and says nothing on them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("https://{}", silent.local_addr().expect("bound"));
    let list = format!("{silent},{}#{}", store.url, identity.pin());
    let run = world.launch(["--timeout", "2"]).env("A", "$A_KEY").env("INJECT_ORG", "acme");
    gets_the_value(&run.env("INJECT_STORE", list).env("INJECT_TOKEN", "inj_w_token").run());
    let run = world.launch(["--timeout", "300ms"]).env("A", "$A_KEY").env("INJECT_ORG", "acme");
    let ended = run.env("INJECT_STORE", silent).env("INJECT_TOKEN", "inj_w_token").run();
    is_not_believed(&ended, "the TLS handshake was not answered within");
}

/// A server that answers the first bytes of each connection with these.
fn answering(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap_or(0);
            // A client that has left does not read it.
            let _ = stream.write_all(&bytes[..bytes.len() * usize::from(read != 0)]);
        }
    });
    port
}

#[test]
fn what_is_no_tls_and_what_is_nothing_else() {
    let world = World::new();
    let no_tls = "what answers there does not speak TLS; check the port, or write `http://`";
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.6\r\n"] {
        let url = format!("https://127.0.0.1:{}", answering(answer));
        is_not_believed(&at(&world, &url).run(), no_tls);
    }
    let run = world.launch(["--timeout", "300ms"]).env("A", "$A_KEY").env("INJECT_ORG", "acme");
    let url = format!("https://127.0.0.1:{}", answering(b""));
    let ended = run.env("INJECT_STORE", url).env("INJECT_TOKEN", "inj_w_token").run();
    is_not_believed(&ended, "the connection ended within the TLS handshake");
    // The reverse: what speaks TLS answers plain http with an alert, or with a page that says so.
    let identity = Identity::self_signed(&ANY, Says::Valid);
    let plain = server(&identity).url.replace("https", "http");
    let page = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    for url in [plain, format!("http://127.0.0.1:{}", answering(page))] {
        is_not_believed(&at(&world, &url).run(), "if it speaks TLS, write `https://`");
    }
}

/// OpenSSL's server with these options, until it is dropped.
struct OpenSsl {
    child: std::process::Child,
    port: u16,
}

impl OpenSsl {
    fn start(world: &World, options: &[&str]) -> Self {
        let identity = Identity::self_signed(&ANY, Says::Valid);
        let certificate = rcgen_pem(&identity);
        let key = world.write("openssl.key", identity.key.serialize_pem());
        let certificate = world.write("openssl.crt", certificate);
        let child = std::process::Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
            .arg(certificate)
            .arg("-key")
            .arg(key)
            .args(options)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("Debian's openssl is installed: tests/run does it");
        let mut server = Self { child, port: 0 };
        let mut said = Vec::new();
        let stdout = server.child.stdout.as_mut().expect("it is piped");
        while server.port == 0 {
            let mut byte = [0];
            assert_ne!(stdout.read(&mut byte).expect("it speaks"), 0, "{said:?}");
            said.push(byte[0]);
            let text = String::from_utf8_lossy(&said);
            if let Some(line) = text.lines().find(|line| line.starts_with("ACCEPT"))
                && text.ends_with('\n')
            {
                let port = line.rsplit(':').next().expect("rsplit gives one");
                server.port = port.trim().parse().expect("a port");
            }
        }
        server
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rcgen_pem(identity: &Identity) -> String {
    let coded = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        identity.chain[0].as_ref(),
    );
    format!("-----BEGIN CERTIFICATE-----\n{coded}\n-----END CERTIFICATE-----\n")
}

#[test]
fn what_is_too_old() {
    let world = World::new();
    let server = OpenSsl::start(&world, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    let ended = at(&world, &format!("https://127.0.0.1:{}", server.port)).run();
    is_not_believed(&ended, "it speaks neither TLS 1.3 nor 1.2");
}

#[test]
fn bad_settings_of_it_are_told_together() {
    let world = World::new();
    world.write("notes.pem", "no certificate is in here\n");
    world.write("cut.pem", Authority::new().pem().replace("-----END", "----END"));
    world.write("bent.pem", "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n");
    let told = |file: &str| {
        let run = at(&world, "https://store.example").env("INJECT_CA_FILE", file).run();
        run.code(64);
        run.err().lines().nth(1).expect("a problem").trim().to_owned()
    };
    let told = [
        told(&world.text("notes.pem")),
        told(&world.text("cut.pem")),
        told(&world.text("bent.pem")),
        told("nowhere.pem"),
        told("/dev/zero"),
    ];
    insta::assert_snapshot!(told.join("
"), @"
    `INJECT_CA_FILE`: cannot use `[DIR]/notes.pem`: there is no certificate in it; it wants PEM, with `-----BEGIN CERTIFICATE-----`
    `INJECT_CA_FILE`: cannot use `[DIR]/cut.pem`: certificate 1 in it is cut off or garbled; export it anew
    `INJECT_CA_FILE`: cannot use `[DIR]/bent.pem`: certificate 1 in it is cut off or garbled; export it anew
    `INJECT_CA_FILE`: cannot use `nowhere.pem`: No such file or directory
    `INJECT_CA_FILE`: cannot use `/dev/zero`: neither a regular file nor a pipe
    ");
    let stores = "https://store.example#sha256-short,https://a@b,https://1.2.3";
    insta::assert_snapshot!(at(&world, stores).run().report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started: 3 problems
      `INJECT_STORE`: what stands behind the `#` of an address is no pin; copy it as the store prints it: `#sha256-` and 43 characters
      `INJECT_STORE`: the address of a store holds a user name or password; a token belongs in `INJECT_TOKEN` or `INJECT_TOKEN_FILE`
      `INJECT_STORE`: the host in the address of a store is neither a name nor an address; an IPv6 address stands in `[` and `]`
    ");
}

#[test]
fn authorities_are_read_only_where_they_count() {
    let world = World::new();
    let identity = Identity::self_signed(&ANY, Says::Valid);
    let (pinned, plain) = (server(&identity), ScriptedStore::tcp(good()));
    for url in [format!("{}#{}", pinned.url, identity.pin()), plain.url.clone()] {
        gets_the_value(&at(&world, &url).env("INJECT_CA_FILE", "nowhere.pem").run());
    }
}

/// A manifest that was merely found says who vouches for its own store at most, and names a file
/// in its own folder.
#[test]
fn a_stranger_s_authorities() {
    let world = World::new();
    let authority = Authority::new();
    let store = server(&authority.issue(&ANY, Says::Valid));
    world.write("outside.pem", authority.pem());
    world.write("work/inside.pem", authority.pem());
    let manifest = |text: &str| world.write("work/inject.toml", text);
    let launch = || at(&world, &store.url);
    manifest("ca-file = \"inside.pem\"\n");
    let for_another = launch().run();
    let named = format!("store = \"{}\"\nca-file = ", store.url);
    manifest(&format!("{named}\"../outside.pem\"\n"));
    let outside = launch().unset("INJECT_STORE").run();
    insta::assert_snapshot!(for_another.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started
      `ca-file` in `inject.toml`: a manifest that was only found cannot say who vouches for a store that it does not name; trust it with `--config`
    ");
    insta::assert_snapshot!(outside.report(), @"
    exit 64
    --- stderr
    inject: `probe` was not started
      `ca-file` in `inject.toml`: a manifest that was only found cannot name a file outside its own folder; trust it with `--config`
    ");
    assert_eq!(store.requests().len(), 0, "it was asked");
    // Its own store, with a token of its own: there is nothing that it could take.
    world.write("work/token", "inj_w_of_the_manifest\n");
    manifest(&format!("{named}\"inside.pem\"\ntoken-file = \"token\"\n"));
    gets_the_value(&launch().unset("INJECT_STORE").unset("INJECT_TOKEN").run());
    // What the user says counts more, and a manifest that the user names is trusted.
    manifest("ca-file = \"nowhere.pem\"\n");
    gets_the_value(&launch().env("INJECT_CA_FILE", world.text("outside.pem")).run());
    world.write("inject.toml", "ca-file = \"work/../outside.pem\"\n");
    gets_the_value(&launch().env("INJECT_CONFIG", world.text("inject.toml")).run());
}

#[test]
fn the_application_inherits_nothing_of_it() {
    let world = World::new();
    let identity = Identity::self_signed(&ANY, Says::Valid);
    let store = server(&identity);
    let open = |run: Run<'_>| {
        let ended = run.env("INJECT_ORG", "acme").env("INJECT_TOKEN", "inj_w_token").run();
        ended.code(0);
        ended.out()
    };
    let list = || world.inject(["--", "ls", "/proc/self/fd"]);
    let with = list().env("A", "$A_KEY");
    let with = with.env("INJECT_STORE", format!("{}#{}", store.url, identity.pin()));
    assert_eq!(open(with), open(list()));
}
