//! Identities, made and from real files, as OpenSSL makes and reads them.

mod connections;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Runs a command in the folder, which must succeed; gives what it prints.
fn run(folder: &TempDir, line: &str) -> String {
    let output = Command::new("sh")
        .args(["-euc", line])
        .current_dir(folder.path())
        .output()
        .expect("a shell is there");
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{line}\n{out}{err}(tests/run installs what is needed)");
    out.into_owned()
}

fn files(folder: &TempDir, certificate: &str, key: &str) -> Result<ServerIdentity, String> {
    let [certificate, key] = [certificate, key].map(|name| folder.path().join(name));
    ServerIdentity::files(&certificate, &key).map_err(|error| {
        let text = error.to_string();
        text.replace(folder.path().to_str().expect("temporary paths are UTF-8"), "[DIR]")
    })
}

/// The pin by the definition, as OpenSSL computes it.
fn pin_by_openssl(folder: &TempDir, certificate: &str) -> String {
    let hash = run(
        folder,
        &format!(
            "openssl x509 -in {certificate} -noout -pubkey | openssl pkey -pubin -outform der |
             openssl dgst -sha256 -binary | base64 | tr +/ -_ | tr -d ="
        ),
    );
    format!("sha256-{}", hash.trim())
}

#[test]
fn the_own_identity_is_made_once() {
    let folder = folder();
    let first = ServerIdentity::own(folder.path()).expect("an identity");
    assert_eq!(first.pin(), pin_by_openssl(&folder, CERTIFICATE_NAME));
    assert_eq!(first.not_after(), Some(Timestamp::MAX));
    assert_eq!(first.warning(Timestamp::now()), None);
    let look = || {
        let mut found: Vec<_> = fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let mode = fs::metadata(&path).expect("it is there").mode() & 0o7777;
                assert_eq!(mode, 0o600, "{}", path.display());
                (path.clone(), fs::read(path).expect("it can be read"))
            })
            .collect();
        found.sort();
        found
    };
    let before = look();
    assert_eq!(before.len(), 2, "{before:?}");
    assert_eq!(ServerIdentity::own(folder.path()).expect("the same").pin(), first.pin());
    assert_eq!(look(), before);
}

#[test]
fn several_at_once_make_one() {
    let folder = folder();
    let pins: Vec<String> = std::thread::scope(|scope| {
        let own = || ServerIdentity::own(folder.path()).expect("an identity").pin();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(own)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(pins.iter().all(|pin| *pin == pins[0]), "{pins:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2);
}

#[test]
fn what_was_pinned_is_never_replaced() {
    let folder = folder();
    let own = || ServerIdentity::own(folder.path());
    let [certificate, key] = [CERTIFICATE_NAME, KEY_NAME].map(|name| folder.path().join(name));
    let pin = own().expect("an identity").pin();
    // The certificate is made again for the key that is there, also after a crash in between.
    fs::write(folder.path().join("tls.crt.inject-new"), "half").expect("the folder is writable");
    fs::remove_file(&certificate).expect("it is there");
    assert_eq!(own().expect("a new certificate").pin(), pin);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2);
    // A key that others may have read, and one that is gone, are for a person to judge.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let error = own().expect_err("others may read it");
    assert!(matches!(error, TlsError::OwnKey(OwnKeyFault::Mode { mode: 0o640, .. })), "{error}");
    fs::remove_file(&key).expect("it is there");
    let error = own().expect_err("the key is gone");
    assert!(matches!(error, TlsError::OwnKey(OwnKeyFault::Gone { .. })), "{error}");
    fs::remove_file(&certificate).expect("it is there");
    assert_ne!(own().expect("a new identity").pin(), pin);
    // A certificate of another key is not shown.
    let other = self::folder();
    ServerIdentity::own(other.path()).expect("an identity");
    fs::copy(other.path().join(CERTIFICATE_NAME), &certificate).expect("it can be copied");
    let error = own().expect_err("they do not belong together");
    assert!(matches!(error, TlsError::KeyOfAnother { .. }), "{error}");
}

#[test]
fn others_read_the_own_certificate_as_it_is_meant() {
    let folder = folder();
    ServerIdentity::own(folder.path()).expect("an identity");
    let text = run(&folder, "openssl x509 -in tls.crt -noout -text -nameopt RFC2253");
    let host = run(&folder, "cat /proc/sys/kernel/hostname").trim().to_lowercase();
    let host = if host == "localhost" { String::new() } else { format!(" DNS:{host},") };
    for part in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN=inject store",
        "Not Before: Jan  1 00:00:00 2020 GMT",
        "Not After : Dec 31 23:59:59 9999 GMT",
        "NIST CURVE: P-256",
        "CA:FALSE",
        "Digital Signature",
        "TLS Web Server Authentication",
        &format!("DNS:localhost,{host} IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"),
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    run(&folder, "openssl verify -x509_strict -purpose sslserver -CAfile tls.crt tls.crt");
    // Their parser is not ours, and neither is the clock's end.
    let code = "import ssl; print(ssl._ssl._test_decode_cert('tls.crt')['notAfter'])";
    assert_eq!(run(&folder, &format!("python3 -c \"{code}\"")).trim(), "Dec 31 23:59:59 9999 GMT");
}

#[test]
fn keys_in_all_their_forms() {
    let folder = folder();
    let make = "openssl req -x509 -days 2 -subj /CN=x -addext subjectAltName=DNS:localhost";
    run(&folder, "openssl ecparam -genkey -name prime256v1 -out sec1.key");
    run(&folder, "openssl genpkey -algorithm ed25519 -out ed25519.key");
    run(&folder, "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-384 -out pkcs8.key");
    run(&folder, "openssl genrsa -traditional -out pkcs1.key 2048");
    for name in ["sec1", "ed25519", "pkcs8", "pkcs1"] {
        run(&folder, &format!("{make} -key {name}.key -out {name}.crt"));
        let identity = files(&folder, &format!("{name}.crt"), &format!("{name}.key"));
        let pin = identity.expect(name).pin();
        assert_eq!(pin, pin_by_openssl(&folder, &format!("{name}.crt")));
    }
    // One file may hold both, and words between them.
    run(&folder, "(echo about; cat pkcs8.key sec1.crt pkcs8.crt) > mixed.pem");
    run(&folder, "(cat pkcs8.crt; echo; cat sec1.crt pkcs8.key) > both.pem");
    files(&folder, "both.pem", "both.pem").expect("the key is the first certificate's");
    let error = files(&folder, "mixed.pem", "mixed.pem").expect_err("it is the second's");
    assert!(error.contains("not that of the first certificate"), "{error}");
}

#[test]
fn files_that_are_no_identity() {
    let folder = folder();
    run(&folder, "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out a.key");
    run(&folder, "openssl req -x509 -days 2 -subj /CN=x -key a.key -out a.crt");
    run(&folder, "openssl pkey -in a.key -aes256 -passout pass:x -out pkcs8.key");
    run(&folder, "openssl ec -in a.key -aes256 -passout pass:x -out sec1.key");
    run(&folder, "openssl genrsa -out small.key 1024");
    run(&folder, "openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out b.key");
    run(&folder, "head -c 300 a.crt > cut.crt; echo '-----END CERTIFICATE-----' >> cut.crt");
    run(&folder, "echo > empty; head -c 300000 /dev/zero > large; mkfifo pipe");
    for (certificate, key, says) in [
        ("no.crt", "a.key", "`[DIR]/no.crt` is missing"),
        ("a.crt", "no.key", "`[DIR]/no.key` is missing"),
        ("empty", "a.key", "there is no certificate in `[DIR]/empty`"),
        ("a.key", "a.key", "there is no certificate in `[DIR]/a.key`"),
        ("cut.crt", "a.key", "a certificate in `[DIR]/cut.crt` is cut off or garbled"),
        ("a.crt", "a.crt", "there is no private key in `[DIR]/a.crt`"),
        ("a.crt", "b.key", "the key in `[DIR]/b.key` is not that of the first certificate in"),
        ("a.crt", "pkcs8.key", "the key in `[DIR]/pkcs8.key` is encrypted"),
        ("a.crt", "sec1.key", "the key in `[DIR]/sec1.key` is encrypted"),
        ("a.crt", "small.key", "no TLS is spoken with the key in `[DIR]/small.key`"),
        ("large", "a.key", "`[DIR]/large` is larger than 262144 bytes"),
        ("pipe", "a.key", "`[DIR]/pipe` is no regular file"),
        (".", "a.key", "`[DIR]/.` is no regular file"),
    ] {
        let error = files(&folder, certificate, key).expect_err(says);
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn a_certificate_out_of_its_time_is_shown_with_a_warning() {
    let folder = folder();
    run(
        &folder,
        "openssl req -x509 -newkey ed25519 -nodes -keyout a.key -out a.crt -days 30 -subj /CN=x",
    );
    let identity = files(&folder, "a.crt", "a.key").expect("an identity");
    let now = Timestamp::now();
    let days = |n: i64| now + jiff::SignedDuration::from_hours(24 * n);
    assert_eq!(identity.warning(now), None);
    assert!(matches!(identity.warning(days(31)), Some(TlsWarning::Expired { .. })));
    assert!(matches!(identity.warning(days(-1)), Some(TlsWarning::NotYetValid { .. })));
    let left = identity.not_after().expect("it has an end").duration_since(now);
    assert!((29 * 24..=30 * 24).contains(&left.as_hours()), "{left}");
}
