//! The C program that looks at itself, compiled on first use; its source is in tests/probe.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The probe, compiled when its source has changed. Several test processes may do this at once.
pub fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe");
        let parts = ["fault.c", "main.c", "pause.c", "repeat.c", "start.c", "view.c"]
            .map(|part| source.join(part));
        let mut hasher = DefaultHasher::new();
        for part in &parts {
            fs::read(part).expect("the probe's source is in tests/probe").hash(&mut hasher);
        }
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = tmp.join(format!("{:016x}", hasher.finish())).join("probe");
        if !path.exists() {
            compile(&parts, &path);
        }
        path
    })
}

fn compile(parts: &[PathBuf], path: &Path) {
    let parent = path.parent().expect("a path with a directory");
    fs::create_dir_all(parent).expect("the target directory is writable");
    let draft = TempDir::new_in(parent).expect("the target directory is writable");
    let output = Command::new("cc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o"])
        .arg(draft.path().join("probe"))
        .args(parts)
        .output()
        .expect("a C compiler is needed: tests/run installs one");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(draft.path().join("probe"), path).expect("both are in one directory");
}
