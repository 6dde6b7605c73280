//! The files that settings come from: any `inject.toml`, of which no key is passed over in silence,
//! and any `credentials.toml`, of which nothing is repeated; and what is saved is found again.
//!
//! The input's first byte says which; the rest is the file, or what is to be saved.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use inject::client::Endpoint;
use inject::manifest::Manifest;
use inject::name::OrgName;
use inject::secret::Secret;
use inject::settings::saved::{self, Address, Entry, Found};

/// What a token in a file looks like that no fault may show.
const HIDDEN: &str = "hunter2-hunter2";
const STORE: &str = "https://store.example:7410";
const ENTRIES_MAX: usize = 8;

pub fn check(input: &[u8]) {
    let Some((which, rest)) = input.split_first() else { return };
    match which {
        b'm' => manifest(rest),
        b'c' => credentials(rest),
        b'k' => kept(rest),
        _ => {}
    }
}

/// A file of this process in a folder of its own.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("inject-fuzz-manifest-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("there is room");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    path
}

fn manifest(bytes: &[u8]) {
    let path = file("inject.toml", bytes);
    let (manifest, faults) = Manifest::load(Some(&path));
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(said.iter().all(|said| !said.is_empty()));
    let text = std::str::from_utf8(bytes).ok();
    let table = text.and_then(|text| text.parse::<toml::Table>().ok());
    let Some(table) = table else {
        assert!(manifest.is_none() && faults.len() == 1, "{said:?}");
        if let Some(text) = text {
            stands_in(&said[0], &path, text);
        }
        return;
    };
    let manifest = manifest.expect("it is TOML");
    for (key, value) in &table {
        let is_told = said.iter().any(|said| said.contains(key.as_str()));
        assert!(is_told || is_known(&manifest, key, value), "`{key}` is passed over");
    }
}

/// Whether a fault's line and column are places of the text.
fn stands_in(said: &str, path: &Path, text: &str) {
    let behind = said.strip_prefix(&format!("{}:", path.display()));
    let mut numbers = behind.expect("it begins with the path").splitn(3, ':');
    let mut number = || numbers.next().and_then(|number| number.parse::<usize>().ok());
    let (Some(line), Some(column)) = (number(), number()) else { panic!("{said}") };
    let there = text.split('\n').nth(line - 1).map(|line| line.chars().count());
    assert!(there.is_some_and(|length| (1..=length + 1).contains(&column)), "{said}");
}

/// Whether all that a key says is known.
fn is_known(manifest: &Manifest, key: &str, value: &toml::Value) -> bool {
    use toml::Value::{Array, Integer, String, Table};
    let texts: Vec<&str> = manifest.list(key).collect();
    match value {
        String(text) => texts == [text],
        Integer(number) => texts == [number.to_string()],
        Array(items) if items.iter().all(|item| item.is_table()) => {
            manifest.tables(key).count() == items.len()
        }
        Array(items) => texts.iter().copied().map(Some).eq(items.iter().map(|item| item.as_str())),
        Table(table) => {
            let pairs = manifest.pairs(key).iter();
            pairs
                .map(|(name, text)| (name.as_str(), Some(text.as_str())))
                .eq(table.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        }
        _ => false,
    }
}

fn credentials(bytes: &[u8]) {
    let path = file("credentials.toml", bytes);
    let endpoints = Endpoint::parse_list(STORE, false).ok().expect("an address");
    let org = OrgName::parse("acme").expect("a slug");
    for org in [None, Some(&org)] {
        if let Found::Withheld(why) = saved::look_up(&path, STORE, &endpoints, org) {
            assert!(!why.contains(HIDDEN), "{why}");
        }
    }
    let mut addresses = Address::of_list(STORE, &endpoints);
    if let Err(fault) = saved::complete(&path, &mut addresses) {
        assert!(!format!("{fault} {fault:?}").contains(HIDDEN), "{fault}");
    }
}

/// Addresses, organizations and tokens in turn, with a byte 0xFF between any two.
fn kept(bytes: &[u8]) {
    let path = file("kept.toml", b"");
    let parts: Vec<_> = bytes.split(|b| *b == 0xff).map(String::from_utf8_lossy).collect();
    for entry in parts.chunks_exact(3).take(ENTRIES_MAX) {
        let [address, org, token] = entry else { unreachable!("they are three") };
        let (Ok(endpoint), Ok(org)) = (Endpoint::parse(address, false), OrgName::parse(org)) else {
            continue;
        };
        let endpoints = [endpoint];
        let is_token = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        // A comma is between two addresses.
        if !is_token || address.contains(',') {
            continue;
        }
        let first = Address::of_list(address, &endpoints).pop().expect("there is one");
        let secret = Secret::new(token.as_bytes().to_vec());
        let new = vec![Entry { address: first, org: org.clone(), token: secret }];
        saved::save(&path, new).unwrap_or_else(|error| panic!("{error}: {address}"));
        match saved::look_up(&path, address, &endpoints, Some(&org)) {
            Found::Login(login) => {
                assert_eq!(login.org, org);
                assert_eq!(login.token.expose_secret(), token.as_bytes(), "{address}");
            }
            Found::Nothing => panic!("nothing is kept for `{address}`"),
            Found::Several(orgs) => panic!("{orgs:?} for `{address}` and {org}"),
            Found::Withheld(why) => panic!("{why}: `{address}`"),
        }
    }
}
