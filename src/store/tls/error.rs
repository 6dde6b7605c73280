//! What keeps the store from speaking TLS, with the way out of each. No key is in here.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::store::error::OpenError;

/// Why there is no identity to speak TLS with. Nothing was changed.
#[derive(Debug)]
pub enum TlsError {
    /// A file that was named is not there.
    Missing {
        path: PathBuf,
    },
    /// A directory, a pipe or the like.
    NoFile {
        path: PathBuf,
    },
    /// Larger than any certificate or key.
    TooLarge {
        path: PathBuf,
        bytes_max: u64,
    },
    NoCertificate {
        path: PathBuf,
    },
    /// The first of the certificates cannot be read as one.
    CertificateForm {
        path: PathBuf,
    },
    NoKey {
        path: PathBuf,
    },
    /// It asks for a passphrase, and nobody is there to type one.
    KeyEncrypted {
        path: PathBuf,
    },
    /// It is of a kind, or of a size, that no TLS is spoken with.
    KeyUnfit {
        path: PathBuf,
    },
    KeyOfAnother {
        certificate: PathBuf,
        key: PathBuf,
    },
    OwnKey(OwnKeyFault),
    /// No key could be made: the system gave no random bytes.
    NoRandom,
    Lock(OpenError),
    /// `doing` reads as in "cannot `doing` `path`".
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
}

/// What is wrong with the key that the store has made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OwnKeyFault {
    /// Others can read it.
    Mode {
        path: PathBuf,
        mode: u32,
    },
    Owner {
        path: PathBuf,
        owner: u32,
        user: u32,
    },
    /// Its certificate is there, and it is not.
    Gone {
        certificate: PathBuf,
        key: PathBuf,
    },
}

/// What is odd about a certificate, though it can be shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsWarning {
    Expired { path: PathBuf, since: Timestamp },
    NotYetValid { path: PathBuf, until: Timestamp },
}

impl TlsError {
    pub(super) fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), error }
    }
}

impl From<OwnKeyFault> for TlsError {
    fn from(fault: OwnKeyFault) -> Self {
        Self::OwnKey(fault)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(
                f,
                "`{}` is missing; name the files with `--tls-cert` and `--tls-key`, or neither for \
                 a certificate of the store's own",
                path.display()
            ),
            Self::NoFile { path } => write!(f, "`{}` is no regular file", path.display()),
            Self::TooLarge { path, bytes_max } => write!(
                f,
                "`{}` is larger than {bytes_max} bytes: that is neither a certificate nor a key",
                path.display()
            ),
            Self::NoCertificate { path } => write!(
                f,
                "there is no certificate in `{}`; it wants PEM, with `-----BEGIN CERTIFICATE-----`",
                path.display()
            ),
            Self::CertificateForm { path } => write!(
                f,
                "a certificate in `{}` is cut off or garbled; export it anew",
                path.display()
            ),
            Self::NoKey { path } => write!(
                f,
                "there is no private key in `{}`; it wants PEM, with `-----BEGIN PRIVATE KEY-----`",
                path.display()
            ),
            Self::KeyEncrypted { path } => write!(
                f,
                "the key in `{}` is encrypted; write it without its passphrase, as by `openssl \
                 pkey -in FILE -out NEW`",
                path.display()
            ),
            Self::KeyUnfit { path } => write!(
                f,
                "no TLS is spoken with the key in `{}`; use ECDSA on P-256 or P-384, Ed25519, or \
                 RSA of 2048 bits or more",
                path.display()
            ),
            Self::KeyOfAnother { certificate, key } => write!(
                f,
                "the key in `{}` is not that of the first certificate in `{}`; the store's own \
                 comes first, then who vouches for it",
                key.display(),
                certificate.display()
            ),
            Self::NoRandom => f.write_str("the system gave no random bytes for a key"),
            Self::Lock(error) => error.fmt(f),
            Self::Io { doing, path, error } => {
                write!(f, "cannot {doing} `{}`: {error}", path.display())
            }
            Self::OwnKey(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for OwnKeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode { path, mode } => write!(
                f,
                "others may read the key `{0}` (mode {mode:04o}); `chmod 600 {0}`, and if they \
                 may have read it, remove it with its certificate: new ones are made",
                path.display()
            ),
            Self::Owner { path, owner, user } => write!(
                f,
                "the key `{0}` belongs to user {owner}, and the store runs as {user}; \
                 `chown {user} {0}`",
                path.display()
            ),
            Self::Gone { certificate, key } => write!(
                f,
                "the key `{}` is missing; put it back, or remove `{}` too: new ones are made, and \
                 every address with a pin has to be written anew",
                key.display(),
                certificate.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {}

impl fmt::Display for TlsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { path, since } => write!(
                f,
                "the certificate in `{}` has expired ({since}): who does not pin its key refuses \
                 it; renew it",
                path.display()
            ),
            Self::NotYetValid { path, until } => write!(
                f,
                "the certificate in `{}` is not valid before {until}: who does not pin its key \
                 refuses it; check this machine's clock",
                path.display()
            ),
        }
    }
}
