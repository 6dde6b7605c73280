//! The store's own key and certificate in its data directory, made once: whole, or not at all,
//! whoever else does the same at once. Addresses pin the key, so one that is there is never
//! replaced; a certificate that is gone is made again for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::SignatureScheme;
use rustls::pki_types::ServerName;
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

use crate::store::lock::DirectoryLock;
use crate::store::master_key::{remove, write_new};
use crate::store::storage::deadline::Deadline;
use crate::store::storage::sqlite::{beside, sync_directory};
use crate::sys;

use super::certificate::{SERIAL_BYTES, SelfSigned};
use super::error::{OwnKeyFault, TlsError};
use super::files::{self, Owner};

pub const CERTIFICATE_NAME: &str = "tls.crt";
pub const KEY_NAME: &str = "tls.key";
/// What is behind a name while its file is written.
const STAGED: &str = ".inject-new";
/// How long another process that makes a store is waited for.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// A line of PEM (RFC 7468, section 2).
const LINE_BYTES: usize = 64;

/// The paths of both in a data directory, in which they are made if they are not there.
pub fn find_or_make(directory: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (directory.join(CERTIFICATE_NAME), directory.join(KEY_NAME));
    remove_left(directory, [&certificate, &key]);
    if !(is_there(&certificate)? && is_there(&key)?) {
        let deadline = Deadline::after(LOCK_WAIT_MAX);
        let _lock = DirectoryLock::take(directory, deadline).map_err(TlsError::Lock)?;
        match (is_there(&certificate)?, is_there(&key)?) {
            (true, true) => {}
            (true, false) => return Err(OwnKeyFault::Gone { certificate, key }.into()),
            (false, there) => {
                if !there {
                    place(&key, "make the key", fresh_key()?.as_bytes())?;
                }
                let made = certificate_for(&*files::read_key(&key, Owner::Judged)?, &key)?;
                place(&certificate, "make the certificate", made.as_bytes())?;
            }
        }
    }
    Ok((certificate, key))
}

/// A crash between a file's two names left it both: a key that is taken away would stay there under
/// the other. What cannot be removed is nothing that a start depends on.
fn remove_left(directory: &Path, paths: [&Path; 2]) {
    let staged = paths.map(|path| beside(path, STAGED));
    if staged.iter().any(|path| path.symlink_metadata().is_ok()) {
        // Another process may be between the two names just now.
        if let Ok(_lock) = DirectoryLock::take(directory, Deadline::after(LOCK_WAIT_MAX)) {
            staged.iter().for_each(|path| drop(remove(path)));
        }
    }
}

fn is_there(path: &Path) -> Result<bool, TlsError> {
    path.try_exists().map_err(|error| TlsError::io("look for", path, error))
}

/// Writes under another name, then links: the file is there whole or not at all, with mode 0600
/// whatever the umask, and one that somebody has put there meanwhile stays.
fn place(path: &Path, doing: &'static str, bytes: &[u8]) -> Result<(), TlsError> {
    let staged = beside(path, STAGED);
    let placed = || {
        // What a crash left behind may be a second name of what stands there.
        remove(&staged)?;
        let linked = write_new(&staged, bytes).and_then(|()| fs::hard_link(&staged, path));
        let removed = remove(&staged);
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => removed?,
        }
        sync_directory(path)
    };
    placed().map_err(|error| TlsError::io(doing, path, error))
}

/// A key on P-256, as PKCS#8 in PEM.
fn fresh_key() -> Result<Zeroizing<String>, TlsError> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    // ring offers no way to wipe this one; it is there at a store's first start alone.
    let der = made.map_err(|_| TlsError::NoRandom)?;
    Ok(pem("PRIVATE KEY", der.as_ref()))
}

fn certificate_for(key: &dyn SigningKey, path: &Path) -> Result<Zeroizing<String>, TlsError> {
    let unfit = || TlsError::KeyUnfit { path: path.to_owned() };
    let public_key_info = key.public_key().ok_or_else(unfit)?;
    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    let signer = key.choose_scheme(&[scheme]).ok_or_else(unfit)?;
    let serial = sys::random::<SERIAL_BYTES>().map_err(|_| TlsError::NoRandom)?;
    let host = host_name();
    let certificate =
        SelfSigned { public_key_info: &public_key_info, host: host.as_deref(), serial };
    let der = certificate.der(|text| signer.sign(text)).map_err(|_| unfit())?;
    Ok(pem("CERTIFICATE", &der))
}

/// The name that the machine has for itself, if a certificate can hold it.
fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?.to_ascii_lowercase();
    let name = name.trim_end_matches('.').to_owned();
    matches!(ServerName::try_from(name.as_str()), Ok(ServerName::DnsName(_))).then_some(name)
}

/// RFC 7468. It never grows, so that no copy is left behind.
fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let coded = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(2 * coded.len() + 128));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in coded.as_bytes().chunks(LINE_BYTES) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
