//! Whom a launcher believes to be the store: a certificate of one's own, its renewal, and where
//! plain http may be spoken.

use nix::sys::signal::Signal;

use super::served::init;
use super::{Day, Served};
use crate::authority::{Authority, Identity, Says};
use crate::harness::World;

/// Puts a certificate and its key where the server reads them.
pub fn install(world: &World, identity: &Identity) {
    let one = |der: &[u8]| {
        let coded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        format!("-----BEGIN CERTIFICATE-----\n{coded}\n-----END CERTIFICATE-----\n")
    };
    let chain: String = identity.chain.iter().map(|der| one(der)).collect();
    world.write("tls.crt", chain);
    world.write("tls.key", identity.key.serialize_pem());
}

/// A day whose server shows this certificate.
pub fn with_certificate(identity: &Identity) -> Day {
    let world = World::new();
    let owner = init(&world);
    install(&world, identity);
    let words = ["store", "serve", "--listen", "127.0.0.1:0", "--tls-cert", "../tls.crt"];
    let run = world.inject(words.iter().chain(&["--tls-key", "../tls.key"]));
    let served = Served::of(&world, "server", run, 1);
    Day { world, served, owner }
}

#[test]
fn an_own_certificate_and_its_renewal() {
    let authority = Authority::new();
    let names = ["127.0.0.1", "store.acme.com"];
    let day = with_certificate(&authority.below().issue_chain(&names));
    // Whoever has a certificate of an authority is known by that, and prints no pin.
    assert!(!day.served.url().contains('#'), "{}", day.served.url());
    day.world.write("authority.pem", authority.pem());
    let file = day.world.text("authority.pem");
    let known = |words: &[&str]| day.owner().inject(words).env("INJECT_CA_FILE", &file);
    // The file has the one above alone; the one between comes along in the chain.
    known(&["secret", "set", "A_KEY"]).stdin("a").run().code(0);
    let unknown = day.owner().inject(&["secret", "list", "--timeout", "1"]).run();
    assert!(unknown.code(69).err().contains("no authority"), "{}", unknown.whole());
    // A renewed one is shown from the hangup on, to who connects from then on.
    let renewed = authority.issue(&names, Says::Valid);
    install(&day.world, &renewed);
    day.served.signal(Signal::SIGHUP);
    day.served.logs(" reloaded", 1);
    known(&["secret", "list"]).run().code(0);
    let pinned = format!("{}#{}", day.served.bare(), renewed.pin());
    day.owner().at(&pinned).does(0, &["secret", "list"]);
    // One that is no good changes nothing.
    day.world.write("tls.key", "no key\n");
    day.served.signal(Signal::SIGHUP);
    let told = day.served.logs(" not_reloaded", 1);
    assert!(told.contains("tls.key"), "{told}");
    day.owner().at(&pinned).does(0, &["secret", "list"]);
}

#[test]
fn a_certificate_that_has_ended_or_is_for_another() {
    let authority = Authority::new();
    for (names, says, told) in [
        (["127.0.0.1"], Says::Expired, "its certificate has expired"),
        (["store.acme.com"], Says::Valid, "its certificate is for `store.acme.com`"),
    ] {
        let day = with_certificate(&authority.issue(&names, says));
        day.world.write("authority.pem", authority.pem());
        let run = day.owner().inject(&["secret", "list", "--timeout", "1"]);
        let ended = run.env("INJECT_CA_FILE", day.world.text("authority.pem")).run();
        assert!(ended.code(69).err().contains(told), "{}", ended.whole());
    }
}

/// The store's own key outlives the server.
#[test]
fn the_pin_is_the_same_after_a_restart() {
    let day = Day::new();
    let pin = |served: &Served| served.url().split('#').nth(1).expect("a pin").to_owned();
    let first = pin(&day.served);
    let Day { world, served, .. } = day;
    served.end().code(0);
    assert_eq!(pin(&Served::start(&world)), first);
}

#[test]
fn plain_http_stays_on_the_machine() {
    let day = Day::new();
    day.owner().set("A_KEY", "a");
    let words = ["store", "serve", "--plaintext", "--listen", "0.0.0.0:0"];
    let run = || day.world.inject(words);
    let refused = run().run();
    assert!(refused.code(64).err().contains("INJECT_ALLOW_PLAINTEXT=1"), "{}", refused.whole());
    let plain = Served::of(&day.world, "plain", run().env("INJECT_ALLOW_PLAINTEXT", "1"), 1);
    let port = plain.url().rsplit(':').next().expect("rsplit gives one");
    let [near, far] = ["127.0.0.1", "0.0.0.0"].map(|host| format!("http://{host}:{port}"));
    day.owner().at(&near).does(0, &["secret", "list"]);
    let list = || day.owner().at(&far).inject(&["secret", "list"]);
    let refused = list().run();
    assert!(refused.code(64).err().contains("INJECT_ALLOW_PLAINTEXT=1"), "{}", refused.whole());
    list().env("INJECT_ALLOW_PLAINTEXT", "1").run().code(0);
    // Nobody speaks the one where the other is spoken.
    let crossed = day.served.bare().replace("https", "http");
    let ended = day.owner().at(&crossed).does(69, &["secret", "list", "--timeout", "1"]);
    assert!(ended.err().contains("https://"), "{}", ended.whole());
    let ended = near.replace("http", "https");
    day.owner().at(&ended).does(69, &["secret", "list", "--timeout", "1"]);
}
