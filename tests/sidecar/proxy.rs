//! `--proxy`: launchers without a token, and what the socket lets through and what not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::side::{Scene, Side};
use crate::harness::{Ended, Run, needs_root};
use crate::scripted_store::{Answer, ScriptedStore, held};
use crate::serve::server::Connection;

const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

fn address(scene: &Scene) -> String {
    format!("unix:{}", scene.world().text("proxy.sock"))
}

fn start(scene: &Scene, options: &[&str]) -> Side {
    let address = address(scene);
    let side =
        scene.start(&[&["--render=user.txt:out/user", "--proxy", &address], options].concat());
    side.logs("proxy_listening", 1);
    side
}

/// A launch that has no token, through the proxy.
fn launch<'s>(scene: &'s Scene, org: &str) -> Run<'s> {
    let run = scene.world().launch(["--export", "DB_KEY", "--timeout=2s"]);
    run.env("INJECT_STORE", address(scene)).env("INJECT_ORG", org)
}

/// Lets everybody into the world's folder: only the socket's own mode counts then.
fn open(scene: &Scene) {
    needs_root();
    fs::set_permissions(scene.world().path(""), fs::Permissions::from_mode(0o755)).expect("ours");
}

#[test]
fn a_launcher_needs_no_token() {
    let scene = Scene::new();
    let side = start(&scene, &["--listen=127.0.0.1:0"]);
    assert_eq!(launch(&scene, "acme").run().seen().text("DB_KEY"), "key-1");
    let check = ["check", "--export", "DB_KEY", "--export", "DB_USER"];
    let check = scene.world().inject(check).env("INJECT_STORE", address(&scene));
    let table = check.env("INJECT_ORG", "acme").run().code(0).out();
    assert!(table.contains("DB_KEY") && !table.contains("key-1"), "{table}");
    assert_eq!(side.metric("inject_sidecar_proxied_total"), 2);
    side.end().code(0);
    assert!(!scene.world().path("proxy.sock").exists());
}

#[test]
fn it_adds_no_power_to_its_own_token() {
    let scene = Scene::new();
    let narrow = Scene { token: scene.day.token("narrow", &["--names", "DB_USER"]), ..scene };
    let side = start(&narrow, &[]);
    assert_snapshot!(launch(&narrow, "acme").run().report(), @"
    exit 77
    --- stderr
    inject: `probe` was not started
      `DB_KEY` is forbidden
        in variable `DB_KEY`
        ask an owner to add `DB_KEY` to the names that this token may resolve
      store: unix:[DIR]/proxy.sock, organization `acme`
    ");
    assert_snapshot!(launch(&narrow, "other").run().report(), @"
    exit 77
    --- stderr
    inject: `probe` was not started
      there is no organization `other`, or the token is not for it; check `--org` and the token
        `--org`, `INJECT_ORG` or the manifest names it
      store: unix:[DIR]/proxy.sock, organization `other`
    ");
    let list = narrow.world().inject(["secret", "list", "--org", "acme"]);
    assert_snapshot!(list.env("INJECT_STORE", address(&narrow)).run().report(), @"
    exit 77
    --- stderr
    inject: the store refuses this (status 403): this is a sidecar's proxy, which only resolves; ask the store itself
      store: unix:[DIR]/proxy.sock, organization `acme`
    ");
    let ask = |method: &str, path: &str, body: &str| {
        let mut connection = Connection::to(&address(&narrow)).expect("it listens");
        connection
            .request(method, path, "content-type: application/json\r\n", body.as_bytes())
            .status
    };
    assert_eq!(ask("PUT", "/api/v1/orgs/acme/secrets/DB_USER", r#"{"value":"x"}"#), 403);
    assert_eq!(ask("GET", "/api/v1/orgs/acme/secrets", ""), 403);
    assert_eq!(ask("GET", "/metrics", ""), 403);
    assert_eq!(ask("GET", "/api/v1/orgs/acme/resolve", ""), 405);
    assert_eq!(ask("POST", "/api/v1/orgs/acme/resolve", "{"), 400);
    assert_eq!(ask("POST", "/api/v1/orgs/acme/resolve", r#"{"names":["DB_USER"],"more":1}"#), 400);
    assert_eq!(ask("POST", "/api/v1/orgs/acme/../other/resolve", r#"{"names":["DB_USER"]}"#), 404);
    assert_eq!(
        ask("POST", "/api/v1/orgs/acme/watch", r#"{"versions":{"DB_USER":0},"wait":5}"#),
        200
    );
    assert_eq!(ask("POST", "/api/v1/orgs/acme/resolve", r#"{"names":["DB_USER"]}"#), 200);
    side.end().code(0);
}

/// A launch as another user.
fn as_nobody(scene: &Scene) -> Ended {
    launch(scene, "acme").within(NOBODY).run()
}

#[test]
fn other_users_are_let_in_by_the_mode_alone() {
    let scene = Scene::new();
    open(&scene);
    let side = start(&scene, &[]);
    let socket = scene.world().path("proxy.sock");
    let mode = || fs::metadata(&socket).expect("it listens").permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    as_nobody(&scene).code(69);
    // Where somebody opened the file itself, the kernel still says who connects.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("ours");
    let refused = as_nobody(&scene);
    assert!(
        refused.code(77).err().contains("this proxy is for its own user"),
        "{}",
        refused.whole()
    );
    assert!(side.logs("turned_away", 1).contains("uid=65534"));
    side.end().code(0);
    let side = start(&scene, &["--proxy-mode=0666"]);
    assert_eq!(mode(), 0o666);
    assert_eq!(as_nobody(&scene).seen().text("DB_KEY"), "key-1");
    assert!(side.logs("proxied", 1).contains("uid=65534"));
    side.end().code(0);
}

#[test]
fn a_socket_that_is_left_is_replaced_and_one_that_is_answered_is_not() {
    let scene = Scene::new();
    let side = start(&scene, &[]);
    let address = address(&scene);
    let second = scene.describe(&["--proxy", &address]).run();
    assert!(second.code(74).err().contains("cannot listen on"), "{}", second.whole());
    assert_eq!(launch(&scene, "acme").run().seen().text("DB_KEY"), "key-1");
    side.signal(nix::sys::signal::Signal::SIGKILL);
    side.wait();
    assert!(scene.world().path("proxy.sock").exists());
    let side = start(&scene, &[]);
    assert_eq!(launch(&scene, "acme").run().seen().text("DB_KEY"), "key-1");
    side.end().code(0);
}

#[test]
fn what_the_store_does_not_answer_can_pass() {
    let scene = Scene::new();
    let side = start(&scene, &[]);
    scene.day.served.signal(nix::sys::signal::Signal::SIGTERM);
    side.logs("store_away", 1);
    let ended = launch(&scene, "acme").run();
    let said = ended.code(69).err();
    assert!(said.contains("the store does not answer the sidecar: connection refused"), "{said}");
    side.end().code(0);
}

/// A launcher waits 5 s for one answer, and a proxy is all the store that it knows.
#[test]
fn a_store_that_hangs_leaves_time_for_the_next_one() {
    let scene = Scene::new();
    let silent = ScriptedStore::tcp([Answer::Hang]);
    let both = format!("{},{}", silent.url, scene.day.served.url());
    let run = scene.describe(&["--proxy", &address(&scene)]).env("INJECT_STORE", both);
    let side = Side::of(scene.world(), run, "side");
    side.logs("rendered", 1);
    let run = scene.world().launch(["--export", "DB_KEY", "--timeout=5s"]);
    let run = run.env("INJECT_STORE", address(&scene)).env("INJECT_ORG", "acme");
    assert_eq!(run.run().seen().text("DB_KEY"), "key-1");
    // From then on it is not waited for any more.
    assert_eq!(launch(&scene, "acme").run().seen().text("DB_KEY"), "key-1");
    assert_eq!(silent.requests().len(), 1);
    side.end().code(0);
}

/// A sidecar that only resolves for others, at these stores.
fn between(scene: &Scene, stores: [&ScriptedStore; 2]) -> Side {
    let urls = stores.map(|store| store.url.as_str()).join(",");
    let run = scene.describe(&["--proxy", &address(scene)]).env("INJECT_STORE", urls);
    let side = Side::of(scene.world(), run, "side");
    side.logs("rendered", 1);
    side
}

/// A launch that waits longer than one attempt of its own takes.
fn patient<'s>(scene: &'s Scene) -> Run<'s> {
    let run = scene.world().launch(["--export", "DB_KEY", "--timeout=15s"]);
    run.env("INJECT_STORE", address(scene)).env("INJECT_ORG", "acme").streams("launch")
}

/// To be late is not to be gone: the others may be worse.
#[test]
fn a_slow_store_is_waited_for_though_the_next_one_ends_the_connection() {
    let scene = Scene::new();
    let (release, late) = held("DB_KEY", "key-1");
    let (slow, broken) = (ScriptedStore::tcp([late]), ScriptedStore::tcp([Answer::Raw(vec![])]));
    let side = between(&scene, [&slow, &broken]);
    let launch = patient(&scene).start();
    broken.arrival();
    drop(release);
    assert_eq!(launch.end().seen().text("DB_KEY"), "key-1");
    assert_eq!((slow.requests().len(), broken.requests().len()), (1, 1));
    side.end().code(0);
}

#[test]
fn of_two_slow_stores_the_first_answer_counts_and_its_store_is_first() {
    let scene = Scene::new();
    let (release, late) = held("DB_KEY", "key-1");
    let (_never, later) = held("DB_KEY", "key-2");
    let (slow, slower) = (ScriptedStore::tcp([late]), ScriptedStore::tcp([later]));
    let side = between(&scene, [&slow, &slower]);
    let launch = patient(&scene).start();
    slower.arrival();
    drop(release);
    assert_eq!(launch.end().seen().text("DB_KEY"), "key-1");
    assert_eq!(patient(&scene).run().seen().text("DB_KEY"), "key-1");
    assert_eq!((slow.requests().len(), slower.requests().len()), (2, 1));
    side.end().code(0);
}

/// The launcher's first attempt is over before the second store answers, and its next one does not
/// spend its time on the first store again.
#[test]
fn beside_a_store_that_hangs_a_slow_one_has_a_whole_attempt() {
    let scene = Scene::new();
    let (release, late) = held("DB_KEY", "key-1");
    let (silent, slow) = (ScriptedStore::tcp([Answer::Hang]), ScriptedStore::tcp([late]));
    let side = between(&scene, [&silent, &slow]);
    let launch = patient(&scene).start();
    slow.arrival();
    slow.arrival();
    drop(release);
    assert_eq!(launch.end().seen().text("DB_KEY"), "key-1");
    assert_eq!((silent.requests().len(), slow.requests().len()), (1, 2));
    side.end().code(0);
}
