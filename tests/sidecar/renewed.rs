//! A token that another one takes the place of, in its file, while the sidecar runs: with files to
//! render, and with nothing but a proxy.

use std::fs;

use nix::sys::signal::Signal;

use super::Side;
use super::side::Scene;
use crate::harness::Run;

/// The part of a token that names it: what stands behind `inj_w_`.
const ID: std::ops::Range<usize> = 6..18;

/// A scene whose sidecar reads its token from a file.
struct Renewed {
    scene: Scene,
}

impl Renewed {
    fn new() -> Self {
        let renewed = Self { scene: Scene::new() };
        renewed.put(&renewed.scene.token);
        renewed
    }

    /// Puts a token in the file's place.
    fn put(&self, token: &str) {
        let path = |name: &str| self.scene.world().path("work").join(name);
        fs::write(path("token.next"), token).expect("the world is writable");
        fs::rename(path("token.next"), path("token")).expect("it is replaced");
    }

    fn token(&self, options: &[&str]) -> String {
        self.scene.day.token("web", options)
    }

    fn revoke(&self, token: &str) {
        self.scene.day.owner().does(0, &["token", "revoke", &token[ID]]);
    }

    fn start(&self, options: &[&str]) -> Side {
        let world = self.scene.world();
        let words = [&["sidecar", "--token-file=token", "--listen=127.0.0.1:0"], options].concat();
        let run = world.inject(words).env("INJECT_STORE", self.scene.day.served.url());
        let side = Side::of(world, run.env("INJECT_ORG", "acme"), "side");
        side.logs("rendered", 1);
        side
    }

    fn with_a_proxy_alone(&self) -> Side {
        self.start(&["--proxy", &self.proxy()])
    }

    fn proxy(&self) -> String {
        format!("unix:{}", self.scene.world().text("proxy.sock"))
    }

    /// A launch through the proxy, which gets `DB_KEY`.
    fn launch(&self) -> Run<'_> {
        let run = self.scene.world().launch(["--export", "DB_KEY", "--timeout=2s"]);
        run.env("INJECT_STORE", self.proxy()).env("INJECT_ORG", "acme")
    }

    #[track_caller]
    fn launches(&self) {
        assert_eq!(self.launch().run().seen().text("DB_KEY"), "key-1");
    }
}

#[test]
fn a_proxy_alone_takes_the_token_that_is_there_now() {
    let renewed = Renewed::new();
    let side = renewed.with_a_proxy_alone();
    renewed.launches();
    let second = renewed.token(&[]);
    renewed.put(&second);
    renewed.revoke(&renewed.scene.token);
    // All of them come while the first one's refusal is looked into.
    let crowd: Vec<_> = (0..5).map(|_| renewed.launch().start()).collect();
    for launch in crowd {
        assert_eq!(launch.end().seen().text("DB_KEY"), "key-1");
    }
    side.is_ready(true);
    assert_eq!(side.count("refused"), 0, "{}", side.logged());

    renewed.revoke(&second);
    renewed.launch().run().code(77);
    side.logs("refused error=", 1);
    side.is_ready(false);
    renewed.put(&renewed.token(&[]));
    // Within a second of the last time it is not read again.
    let launched = || (renewed.launch().run().exit() == 0).then_some(());
    crate::harness::eventually(launched).expect("the third token is taken");
    side.logs("recovered", 1);
    side.is_ready(true);
    let ended = side.end();
    assert!(!ended.code(0).err().contains("inj_w_"), "a token is logged: {}", ended.whole());
}

#[test]
fn a_proxy_alone_says_that_the_store_is_away() {
    let renewed = Renewed::new();
    let side = renewed.with_a_proxy_alone();
    assert_eq!(side.metric("inject_sidecar_store_reachable"), 1);
    renewed.scene.day.served.signal(Signal::SIGTERM);
    let gone = || (renewed.launch().run().exit() == 69).then_some(());
    crate::harness::eventually(gone).expect("it ends");
    side.logs("store_away", 1);
    assert_eq!(side.metric("inject_sidecar_store_reachable"), 0);
    side.is_ready(true);
    side.end().code(0);
}

#[test]
fn a_hangup_has_the_token_read_again() {
    let renewed = Renewed::new();
    let side = renewed.with_a_proxy_alone();
    renewed.launches();
    // Both are good: nothing but the signal tells that there is another one.
    renewed.put(&renewed.token(&["--names", "DB_USER"]));
    side.signal(Signal::SIGHUP);
    side.logs("rendered", 2);
    let refused = renewed.launch().run();
    assert!(refused.code(77).err().contains("`DB_KEY` is forbidden"), "{}", refused.whole());
    // That a name is forbidden is its launcher's matter.
    side.is_ready(true);
    side.end().code(0);
}

#[test]
fn a_token_that_was_replaced_before_it_is_refused_is_no_trouble() {
    let renewed = Renewed::new();
    let side = renewed.start(&["--render=key.txt:out/key"]);
    renewed.put(&renewed.token(&[]));
    renewed.revoke(&renewed.scene.token);
    // What is held is judged anew at each change.
    renewed.scene.set("DB_KEY", "key-2");
    renewed.scene.becomes("out/key", "key key-2\n");
    assert_eq!(side.count("refused"), 0, "{}", side.logged());
    side.is_ready(true);
    assert_eq!(side.metric("inject_sidecar_renderings_total{outcome=\"failed\"}"), 0);
    side.end().code(0);
}

#[test]
fn a_hangup_tells_what_cannot_be_read_again() {
    let renewed = Renewed::new();
    let side = renewed.start(&["--render=key.txt:out/key"]);
    fs::remove_file(renewed.scene.world().path("work/token")).expect("it is there");
    side.signal(Signal::SIGHUP);
    let line = side.logs("warn settings_not_read", 1);
    assert!(line.contains("cannot read `token`"), "{line}");
    side.is_ready(true);
    side.end().code(0);
}
