//! What a launcher without a token is told where the sidecar's own is no longer good.

use insta::assert_snapshot;

use super::side::Scene;

#[test]
fn it_is_the_sidecar_s_token_that_is_refused() {
    let scene = Scene::new();
    let address = format!("unix:{}", scene.world().text("proxy.sock"));
    let side = scene.start(&["--render=user.txt:out/user", "--proxy", &address]);
    side.logs("proxy_listening", 1);
    let list = scene.day.owner().json(&["token", "list"]);
    let tokens = list["tokens"].as_array().expect("a list");
    let web = tokens.iter().find(|token| token["workload"] == "web").expect("it was made");
    scene.day.owner().does(0, &["token", "revoke", web["id"].as_str().expect("an id")]);
    let run = scene.world().launch(["--export", "DB_KEY", "--timeout=2s"]);
    let ended = run.env("INJECT_STORE", &address).env("INJECT_ORG", "acme").run();
    assert_snapshot!(ended.report(), @"
    exit 77
    --- stderr
    inject: `probe` was not started
      the store does not accept the token of the sidecar that is asked
        its log says since when; give it a new token, in the file that it reads
      store: unix:[DIR]/proxy.sock, organization `acme`
    ");
    side.end().code(0);
}
