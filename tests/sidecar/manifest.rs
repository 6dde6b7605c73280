//! A manifest's outputs in a folder that changes at once: names in it, or absolute paths below it.

use super::side::{Scene, Side};

const MANIFEST: &str = r#"
[[render]]
template = "key.txt"
output = "key"

[[render]]
template = "user.txt"
output = "FOLDER/user"
"#;

#[test]
fn its_outputs_are_names_in_the_folder() {
    let scene = Scene::new();
    let out = scene.world().path("work/out").display().to_string();
    scene.world().write("work/inject.toml", MANIFEST.replace("FOLDER", &out));
    let side = scene.start(&["--into=out"]);
    assert_eq!(scene.text("out/..data/key"), "key key-1\n");
    assert_eq!(scene.text("out/..data/user"), "user user-1\n");
    scene.set("DB_USER", "user-2");
    scene.becomes("out/user", "user user-2\n");
    side.end().code(0);
    // The same for a path on the command line.
    let key = format!("--render=key.txt:{}", scene.world().path("work/out/key").display());
    let folder = format!("--into={}", scene.world().path("work/out").display());
    std::fs::remove_file(scene.world().path("work/inject.toml")).expect("it is there");
    let side = Side::of(scene.world(), scene.describe(&[&key, &folder]), "second");
    side.logs("rendered", 1);
    assert_eq!(scene.text("out/..data/key"), "key key-1\n");
    side.end().code(0);
    let ended = scene.describe(&["--render=key.txt:/elsewhere/key", "--into=out"]).run();
    assert!(ended.code(64).err().contains("`/elsewhere/key` is not a name"), "{}", ended.whole());
}
