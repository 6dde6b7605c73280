//! Which token is sent where, and the file that keeps them.

use std::os::unix::fs::PermissionsExt;

use super::file::read;
use super::*;

fn org(text: &str) -> OrgName {
    OrgName::parse(text).expect("a slug")
}

fn address(text: &str) -> Address {
    match text.split_once('#') {
        Some((text, pin)) => Address { text: text.to_owned(), pin: Some(pin.to_owned()) },
        None => Address { text: text.to_owned(), pin: None },
    }
}

fn entry(at: &str, of: &str, token: &str) -> Entry {
    Entry { address: address(at), org: org(of), token: Secret::new(token.as_bytes().to_vec()) }
}

/// What is found, as a text.
fn found(entries: Vec<Entry>, at: &[&str], of: Option<&str>) -> String {
    let addresses: Vec<_> = at.iter().map(|text| address(text)).collect();
    match choose(entries, &addresses, of.map(org).as_ref()) {
        Found::Nothing => "nothing".to_owned(),
        Found::Several(orgs) => format!("{orgs:?}"),
        Found::Withheld(why) => why,
        Found::Login(Login { org, token, addresses }) => {
            let pins: Vec<_> = addresses.into_iter().map(|address| address.pin).collect();
            format!("{org} {} {pins:?}", String::from_utf8_lossy(token.expose_secret()))
        }
    }
}

fn kept() -> Vec<Entry> {
    vec![
        entry("https://a:1#sha256-x", "acme", "t1"),
        entry("https://a:1#sha256-x", "beta", "t2"),
        entry("https://b:1", "acme", "t1"),
        entry("unix:/run/a.sock", "acme", "t3"),
    ]
}

#[test]
fn a_token_is_for_one_organization_of_one_store() {
    assert_eq!(found(kept(), &["https://a:1"], Some("beta")), "beta t2 [Some(\"sha256-x\")]");
    assert_eq!(found(kept(), &["https://b:1"], None), "acme t1 [None]");
    assert_eq!(found(kept(), &["unix:/run/a.sock"], None), "acme t3 [None]");
    for (at, of) in [("https://a:1", Some("none")), ("https://a:2", None), ("http://a:1", None)] {
        assert_eq!(found(kept(), &[at], of), "nothing", "{at}");
    }
    assert_eq!(found(kept(), &["https://a:1"], None), "[OrgName(\"acme\"), OrgName(\"beta\")]");
}

#[test]
fn a_pin_is_a_part_of_what_is_trusted() {
    let same = found(kept(), &["https://a:1#sha256-x"], Some("acme"));
    assert_eq!(same, "acme t1 [Some(\"sha256-x\")]");
    for (at, address) in
        [("https://a:1#sha256-y", "https://a:1"), ("https://b:1#sha256-x", "https://b:1")]
    {
        let other = found(kept(), &[at], Some("acme"));
        let expected = format!("you are logged in to `{address}` with another pin");
        assert!(other.starts_with(&expected), "{other}");
        assert!(other.ends_with(&format!("`inject login {at}`")), "{other}");
    }
}

#[test]
fn a_token_is_kept_for_each_address_that_it_is_sent_to() {
    let both = ["https://a:1", "https://b:1"];
    assert_eq!(found(kept(), &both, None), "acme t1 [Some(\"sha256-x\"), None]");
    assert_eq!(found(kept(), &both, Some("beta")), "nothing");
    assert_eq!(found(kept(), &["https://a:1", "https://evil:1"], Some("acme")), "nothing");
    let several = found(kept(), &["https://b:1", "unix:/run/a.sock"], None);
    assert!(several.contains("with several tokens"), "{several}");
    assert!(
        several.ends_with("`inject login https://b:1,unix:/run/a.sock --org acme`"),
        "{several}"
    );
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config/inject/credentials.toml");
    let odd = "unix:/run/a \"b\" \\c\u{7f}\u{fc}.sock";
    save(&path, vec![entry(odd, "acme", "a\"b\\c#")]).expect("it is kept");
    save(&path, vec![entry("https://a:1#sha256-x", "acme", "t1")]).expect("it is kept");
    save(&path, vec![entry("https://a:1#sha256-y", "acme", "t2")]).expect("it is kept");
    let texts: Vec<_> = read(&path)
        .expect("it can be read")
        .into_iter()
        .map(|entry| (entry.address.shown(), entry.token.expose_secret().to_vec()))
        .collect();
    let expected = [(odd, &b"a\"b\\c#"[..]), ("https://a:1#sha256-y", b"t2")]
        .map(|(at, token)| (at.to_owned(), token.to_vec()));
    assert_eq!(texts, expected);
    let mut addresses = ["https://a:1", "https://a:1#sha256-z", "https://b:1"].map(address);
    complete(&path, &mut addresses).expect("it can be read");
    let pins = addresses.map(|address| address.pin.unwrap_or_default());
    assert_eq!(pins, ["sha256-y", "sha256-z", ""]);
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o7777;
    assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
}

#[test]
fn a_new_pin_is_its_address_s() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials.toml");
    let keep = |new: Vec<Entry>| save(&path, new).expect("it is kept");
    let known = || {
        let mut addresses = [address("https://a:1")];
        complete(&path, &mut addresses).expect("it can be read");
        addresses[0].pin.clone().unwrap_or_default()
    };
    assert_eq!(keep(vec![entry("https://b:1#sha256-x", "beta", "t3")]), []);
    assert_eq!(keep(vec![entry("https://a:1#sha256-x", "beta", "t2")]), []);
    let told = keep(vec![entry("https://a:1#sha256-y", "acme", "t1")]);
    assert_eq!(told, [Repinned { address: "https://a:1".to_owned(), orgs: vec![org("beta")] }]);
    let entries = || read(&path).expect("it can be read");
    for of in ["acme", "beta"] {
        let found = found(entries(), &["https://a:1"], Some(of));
        assert!(found.ends_with(" [Some(\"sha256-y\")]"), "{found}");
    }
    assert_eq!(found(entries(), &["https://b:1"], None), "beta t3 [Some(\"sha256-x\")]");
    assert_eq!(known(), "sha256-y");
    // A file of before may have several: the last that was logged in with counts.
    let text = std::fs::read_to_string(&path).expect("a text");
    let stale = text.replacen("sha256-y", "sha256-old", 1);
    assert!(stale.contains("sha256-y") && stale != text, "{stale}");
    std::fs::write(&path, stale).expect("it is ours");
    assert_eq!(known(), "sha256-y");
}

#[test]
fn faults_repeat_nothing_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials.toml");
    let whole =
        "[[login]]\nstore = \"https://a:1\"\norganization = \"acme\"\ntoken = \"hunter2\"\n";
    for (text, line) in [
        (whole.replace("\"hunter2\"", "hunter2"), 4),
        (whole.replace("\"hunter2\"", "[\"hunter2\"]"), 4),
        (whole.replace("\"acme\"", "\"hunter2 \""), 3),
        (whole.replace("token", "tokens"), 1),
        (whole.replace("[[login]]", "login = \"hunter2\"\n[x]"), 1),
        (format!("{whole}\u{0}"), 5),
    ] {
        std::fs::write(&path, &text).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("its mode");
        let error = read(&path).err().expect(&text);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        assert!(error.to_string().contains(&format!("at line {line} ")), "{error} in {text}");
    }
}
