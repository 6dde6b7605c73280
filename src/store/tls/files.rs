//! A certificate chain and its key, read from PEM files. It writes nothing.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::OFlag;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use super::error::{OwnKeyFault, TlsError};

/// The largest file of certificates or of a key that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Whose matter a key's owner and mode are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// The store made the key: nobody else may read it.
    Judged,
    /// Somebody else put it there, such as an orchestrator that mounts it for a group to read.
    Foreign,
}

/// The chain: the store's own certificate first.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path, Owner::Foreign)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|_| TlsError::CertificateForm { path: path.to_owned() })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

/// The first key in PKCS#8, PKCS#1 or SEC1.
pub fn read_key(path: &Path, owner: Owner) -> Result<Arc<dyn SigningKey>, TlsError> {
    let text = read(path, owner)?;
    // The label of PKCS#8, and a header line of the older forms.
    if memchr::memmem::find(&text, b"ENCRYPTED").is_some() {
        return Err(TlsError::KeyEncrypted { path: path.to_owned() });
    }
    let mut key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        PemError::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        _ => TlsError::KeyUnfit { path: path.to_owned() },
    })?;
    let signing = any_supported_type(&key);
    key.zeroize();
    signing.map_err(|_| TlsError::KeyUnfit { path: path.to_owned() })
}

fn read(path: &Path, owner: Owner) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |error| TlsError::io("read", path, error);
    let (file, metadata) = open(path)?;
    if owner == Owner::Judged {
        judge(path, &metadata)?;
    }
    // It never grows, so that no copy is left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge { path: path.to_owned(), bytes_max: FILE_BYTES_MAX });
    }
    Ok(text)
}

/// Opens what must be a regular file: a pipe would be waited for, and nobody may ever write to it.
fn open(path: &Path) -> Result<(File, Metadata), TlsError> {
    let failed = |error| TlsError::io("read", path, error);
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TlsError::Missing { path: path.to_owned() },
        _ => failed(error),
    })?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(TlsError::NoFile { path: path.to_owned() });
    }
    Ok((file, metadata))
}

/// Refuses a key that others can read or could have written, as the master key's file is.
fn judge(path: &Path, metadata: &Metadata) -> Result<(), TlsError> {
    let owner = metadata.uid();
    let user = nix::unistd::geteuid().as_raw();
    if owner != user && owner != 0 {
        return Err(OwnKeyFault::Owner { path: path.to_owned(), owner, user }.into());
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(OwnKeyFault::Mode { path: path.to_owned(), mode }.into());
    }
    Ok(())
}
