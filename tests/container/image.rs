//! The image that the Dockerfile makes. Its builder is made of this machine's toolchain, and finds
//! there what was compiled already.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Podman;
use crate::harness::World;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The binary's own bound, which tests/run has too, and what podman counts besides.
const SIZE_BYTES_MAX: u64 = 6 * 1024 * 1024 + 64 * 1024;

/// An image `builder` with mount points for the toolchain, and the options that mount it.
fn builder(podman: &Podman) -> Vec<String> {
    let rust = toolchain();
    let context = podman.world.path("builder.image");
    let root = context.join("root");
    let home = |variable: &str, fallback: &str| {
        let home = std::env::var(variable).map(PathBuf::from);
        home.unwrap_or_else(|_| {
            PathBuf::from(std::env::var("HOME").expect("a home")).join(fallback)
        })
    };
    // At the places where they are here, for Cargo to find what it knows.
    let cargo = home("CARGO_HOME", ".cargo").display().to_string();
    let target = format!("{ROOT}/target");
    for folder in ["usr", "etc/alternatives", "tmp", "target", &rust[1..], &cargo[1..]] {
        fs::create_dir_all(root.join(folder)).expect("a fresh directory");
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("it is ours");
    for link in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{link}"), root.join(link)).expect("a fresh directory");
    }
    let file = format!(
        "FROM scratch\nCOPY / /\nENV PATH={rust}/bin:/usr/bin CARGO_HOME={cargo} \
         CARGO_NET_OFFLINE=true CARGO_TARGET_DIR=/target\n"
    );
    podman.image("builder", &file, &[]);
    let mounts = [
        "/usr:/usr:ro".to_owned(),
        "/etc/alternatives:/etc/alternatives:ro".to_owned(),
        format!("{rust}:{rust}:ro"),
        format!("{cargo}:{cargo}"),
        format!("{target}:/target"),
    ];
    mounts.into_iter().map(|mount| format!("--volume={mount}")).collect()
}

fn toolchain() -> String {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(ROOT).output();
    let output = output.expect("the compiler is here");
    String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end().to_owned()
}

#[test]
fn the_dockerfile_makes_an_image_that_needs_nothing_and_is_nobody_s() {
    let podman = Podman::new();
    let mounts = builder(&podman);
    let arguments = ["--build-arg=BASE=localhost/builder", "--build-arg=REVISION=0123abcd"];
    let mut words = vec!["build", "--quiet", "--network=none", "--tag=made"];
    words.extend(mounts.iter().map(String::as_str).chain(arguments));
    words.push(ROOT);
    podman.works(&words);

    let inspected: Value = serde_json::from_str(&podman.works(&["image", "inspect", "made"]))
        .expect("podman prints JSON");
    let config = &inspected[0]["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["inject", "--"]));
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].clone();
    assert_eq!(label("revision"), "0123abcd");
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(label("title"), "inject");

    let size = inspected[0]["Size"].as_u64().expect("a number");
    assert!(size <= SIZE_BYTES_MAX, "{size}: build.rs or its script was not there");

    let paths = paths(&podman, "made");
    assert_eq!(paths, ["bin/", "bin/inject", "var/", "var/lib/", "var/lib/inject/"]);
    keeps_a_store(&podman);
}

/// The paths of an image, less what podman puts into each container.
fn paths(podman: &Podman, image: &str) -> Vec<String> {
    let container = podman.works(&["create", image]);
    let archive = podman.world.path("image.tar");
    let out = archive.to_str().expect("temporary paths are UTF-8");
    podman.works(&["export", "--output", out, container.trim()]);
    let list = Command::new("tar").arg("-tf").arg(&archive).output().expect("tar is there");
    let list = String::from_utf8(list.stdout).expect("paths in UTF-8");
    let mounts = ["dev", "etc", "proc", "run", "sys"];
    let own = |path: &&str| !mounts.contains(&path.split('/').next().unwrap_or_default());
    list.lines().filter(own).map(str::to_owned).collect()
}

/// A fresh volume is its user's: a store is made in it, kept, and used by the next container.
fn keeps_a_store(podman: &Podman) {
    let hardened = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"];
    let inject = |words: &[&str]| {
        let run = ["run", "--rm", "--network=none", "--volume=data:/var/lib/inject"];
        let image = ["--env=INJECT_ORG=acme", "--entrypoint=inject", "made"];
        podman.works(&[&run[..], &hardened, &image, words].concat())
    };
    let token = inject(&["store", "init", "--org", "acme", "--owner", "alice@acme.com"]);
    assert!(token.starts_with("inj_m_"));
    assert!(inject(&["store", "verify"]).contains("as it was written"));
}

/// What the build does for each architecture and builder, with a toolchain that only notes it.
#[test]
fn each_architecture_is_compiled_as_the_builder_can() {
    const AMD: &str = "x86_64-unknown-linux-gnu";
    const ALPINE: &str = "aarch64-unknown-linux-musl";
    let cases: [(&str, &str, &str, &[&str], &str); 7] = [
        ("", AMD, AMD, &[], "cargo x86_64-unknown-linux-gnu cc="),
        ("amd64", AMD, AMD, &[], "cargo x86_64-unknown-linux-gnu cc="),
        (
            "amd64",
            AMD,
            "x86_64-unknown-linux-gnu x86_64-unknown-linux-musl",
            &["x86_64-linux-musl-gcc"],
            "cargo x86_64-unknown-linux-musl cc=x86_64-linux-musl-gcc",
        ),
        // The library without a compiler for the C parts is no musl.
        (
            "amd64",
            AMD,
            "x86_64-unknown-linux-gnu x86_64-unknown-linux-musl",
            &[],
            "cargo x86_64-unknown-linux-gnu cc=",
        ),
        ("arm64", ALPINE, ALPINE, &[], "cargo aarch64-unknown-linux-musl cc="),
        (
            "arm64",
            AMD,
            AMD,
            &["aarch64-linux-gnu-gcc"],
            "rustup aarch64-unknown-linux-gnu\n\
             cargo aarch64-unknown-linux-gnu cc=aarch64-linux-gnu-gcc",
        ),
        (
            "arm64",
            AMD,
            AMD,
            &[],
            "apt-get update -qq\n\
             apt-get install -y -qq --no-install-recommends gcc-aarch64-linux-gnu \
             libc6-dev-arm64-cross\n\
             rustup aarch64-unknown-linux-gnu\n\
             cargo aarch64-unknown-linux-gnu cc=aarch64-linux-gnu-gcc",
        ),
    ];
    for (architecture, host, libraries, compilers, expected) in cases {
        let noted = noted(architecture, host, libraries, compilers);
        assert_eq!(noted, expected, "{architecture} on {host} with {libraries} {compilers:?}");
    }
}

/// Runs the build with stand-ins for the toolchain, and gives what they were asked for.
fn noted(architecture: &str, host: &str, libraries: &str, compilers: &[&str]) -> String {
    let world = World::new();
    let at = |path: &str| world.text(path);
    for library in libraries.split(' ') {
        fs::create_dir_all(world.path(&format!("lib/{library}"))).expect("a fresh directory");
    }
    let rustc = format!(
        "#!/bin/sh\n[ \"$1\" = -vV ] && echo 'host: {host}' || echo \"{}/$4\"\n",
        at("lib")
    );
    // It takes the place of the binary that Cargo would have left.
    let cargo = "#!/bin/sh\n[ \"$1\" = build ] || exit 0\n\
        name=$(echo $6 | tr - _)\neval cc=\\${CC_$name:-}\n\
        echo \"cargo $6 cc=$cc\" >> \"$NOTES\"\n\
        mkdir -p \"$CARGO_TARGET_DIR/$6/release\"\n: > \"$CARGO_TARGET_DIR/$6/release/inject\"\n";
    let rustup = "#!/bin/sh\necho \"rustup $3\" >> \"$NOTES\"\n";
    let apt = "#!/bin/sh\necho \"apt-get $*\" >> \"$NOTES\"\n";
    for (name, body) in [("rustc", rustc.as_str()), ("cargo", cargo), ("rustup", rustup)] {
        world.script(&format!("bin/{name}"), body, "0755");
    }
    world.script("bin/apt-get", apt, "0755");
    for compiler in compilers {
        world.script(&format!("bin/{compiler}"), "#!/bin/sh\n", "0755");
    }
    // Compilers of this machine's own are out of sight.
    for tool in ["sh", "sed", "tr", "dirname", "mkdir", "cp", "uname"] {
        symlink(Path::new("/usr/bin").join(tool), world.path(&format!("bin/{tool}")))
            .expect("a fresh name");
    }
    let script = format!("{ROOT}/contrib/docker/build");
    let run = world.command(script, [architecture, &at("out")]).env("PATH", at("bin"));
    run.env("NOTES", at("notes")).env("CARGO_TARGET_DIR", at("target")).run().code(0);
    assert!(world.path("out/bin/inject").is_file());
    fs::read_to_string(world.path("notes")).expect("it was noted").trim_end().to_owned()
}

#[test]
fn another_architecture_is_refused() {
    let world = World::new();
    let ended =
        world.command(format!("{ROOT}/contrib/docker/build"), ["riscv64", "/nowhere"]).run();
    ended.code(64);
    assert_eq!(ended.err(), "`riscv64`: images are built for amd64 and arm64\n");
}
