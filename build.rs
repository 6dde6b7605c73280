//! Leaves out of the released binary what nothing in it reads, so that there is less to load: the
//! tables for unwinding, for a panic aborts there; and two thirds of the table of relocations, in a
//! form that is shorter. It decides nothing about the code.

use std::env;
use std::path::Path;

fn main() {
    let script = Path::new("contrib").join("release.ld");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", script.display());
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // Tests and development unwind.
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    // The shorter form is read by glibc's start-up, and not by the musl that Rust brings.
    if !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    // Cargo links with the package's folder as its directory, wherever that is by then.
    println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
