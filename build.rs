//! Packs the web page and the public authorities for the binary, and leaves out of a released one
//! what nothing in it reads: the tables for unwinding, for a panic aborts there; and two thirds of
//! the table of relocations, in a form that is shorter. What a launch calls stands together in it.
//! It decides nothing about the code.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

#[path = "src/store/page/shorten.rs"]
mod shorten;

use shorten::{Kind, shortened};

/// The page's sources.
const PAGE: &str = "src/store/page";
/// The pieces of its one script, in order.
const SCRIPT: [&str; 11] = [
    "script/element.js",
    "script/api.js",
    "script/dialog.js",
    "script/table.js",
    "script/name.js",
    "script/secret_dialogs.js",
    "script/secrets.js",
    "script/members.js",
    "script/workloads.js",
    "script/audit.js",
    "script/app.js",
];
/// The most that the page may weigh, uncompressed.
const PAGE_BYTES_MAX: usize = 60 * 1024;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={PAGE}");
    pack_page()?;
    pack_authorities()?;
    link();
    Ok(())
}

/// Writes `page.rs`: each file with its bytes, as they are and compressed, under a name that holds
/// a hash of them.
fn pack_page() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let read = |name: &str| fs::read_to_string(Path::new(PAGE).join(name));
    let pieces = SCRIPT.map(read).into_iter().collect::<io::Result<Vec<_>>>()?;
    let assets = [
        ("app", "js", "text/javascript; charset=utf-8", shortened(&pieces.concat(), Kind::Script)),
        ("style", "css", "text/css; charset=utf-8", shortened(&read("style.css")?, Kind::Style)),
        ("icon", "svg", "image/svg+xml", read("icon.svg")?),
    ];
    let mut index = read("index.html")?.replace(">\n<", "><");
    let mut packed = String::new();
    let mut weight = 0;
    for (name, end, kind, text) in &assets {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let path = format!("/assets/{name}-{:016x}.{end}", hasher.finish());
        index = index.replace(&format!("/assets/{name}.{end}"), &path);
        packed += &file(&out, (&format!("{name}.{end}"), &path), kind, text)?;
        packed.push(',');
        weight += text.len();
    }
    weight += index.len();
    assert!(weight <= PAGE_BYTES_MAX, "the page has {weight} bytes, {PAGE_BYTES_MAX} at most");
    let index = file(&out, ("index.html", ""), "text/html; charset=utf-8", &index)?;
    let mut source = String::new();
    write!(source, "static INDEX: File = {index};").map_err(io::Error::other)?;
    write!(source, "static ASSETS: [File; {}] = [{packed}];", assets.len())
        .map_err(io::Error::other)?;
    fs::write(out.join("page.rs"), source)
}

/// One file's entry, whose bytes are written beside it.
fn file(out: &Path, (name, path): (&str, &str), kind: &str, text: &str) -> io::Result<String> {
    let (plain, small) = (out.join(name), out.join(format!("{name}.gz")));
    fs::write(&plain, text)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    fs::write(&small, encoder.finish()?)?;
    Ok(format!(
        "File {{ path: {path:?}, kind: {kind:?}, bytes: include_bytes!({plain:?}), \
         gzip: include_bytes!({small:?}) }}"
    ))
}

/// Writes `authorities`: whom Mozilla trusts, as bytes alone. As Rust's values they are pointers,
/// which every start of the program would adjust, a launch included that never asks for them. Each
/// field is two bytes for its length, and then itself.
fn pack_authorities() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut packed = Vec::new();
    for root in webpki_roots::TLS_SERVER_ROOTS {
        let constraints = root.name_constraints.as_deref().unwrap_or_default();
        for field in [&root.subject, &root.subject_public_key_info, constraints] {
            let length = u16::try_from(field.len()).map_err(io::Error::other)?;
            packed.extend_from_slice(&length.to_be_bytes());
            packed.extend_from_slice(field);
        }
    }
    fs::write(out.join("authorities"), packed)
}

/// How a released binary is linked; tests and development unwind.
fn link() {
    let scripts = ["release.ld", "order.ld"].map(|name| Path::new("contrib").join(name));
    for script in &scripts {
        println!("cargo:rerun-if-changed={}", script.display());
    }
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    // The shorter form is read by glibc's start-up, and not by the musl that Rust brings.
    if !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    // Cargo links with the package's folder as its directory, wherever that is by then.
    println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    for script in &scripts {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
