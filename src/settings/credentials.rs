//! Which store is asked, how it is known, and with which token: the rules of whom a token may be
//! sent to.

use std::ffi::{CStr, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::{Asks, MasterKey, Origin, Resolver, Store, value_of};
use crate::cli::Common;
use crate::client::{Authorities, Endpoint, EndpointError, TOKEN_BYTES_MAX, Token};
use crate::launch::problem::os_text;
use crate::secret::Secret;
use crate::sys;

/// The largest token file that is read, in bytes: blanks and line ends may stand around a token.
const TOKEN_FILE_BYTES_MAX: usize = TOKEN_BYTES_MAX + 1024;
/// The largest file of authorities that is read, in bytes; a whole system's has a quarter of it.
const CA_FILE_BYTES_MAX: usize = 1 << 20;

const OUTSIDE: &str = "a manifest that was only found cannot name a file outside its own folder; \
                       trust it with `--config`";
const FOR_ANOTHER: &str = "a manifest that was only found cannot say who vouches for a store \
                           that it does not name; trust it with `--config`";

/// A store that is set, or the embedded one.
pub(super) struct Named {
    pub store: Store,
    /// The addresses as they were written, where there are some.
    pub text: String,
    /// Whether a manifest that was merely found has named it.
    pub by_stranger: bool,
}

impl Resolver {
    pub(super) fn store(&mut self, common: &Common, environment: &[&CStr], asks: Asks) -> Named {
        let Some((text, origin)) = self.text("--store", "store", common.store.as_ref()) else {
            let store = Store::Embedded {
                data: self.data(environment),
                master_key: self.master_key(
                    common.master_key_file.as_ref(),
                    common.master_key_command.as_ref(),
                    environment,
                ),
            };
            return Named { store, text: String::new(), by_stranger: false };
        };
        let by_stranger = matches!(&origin, Origin::Manifest { .. })
            && self.manifest.as_ref().is_some_and(|manifest| !manifest.trusted);
        let mut endpoints = self.endpoints(&text).unwrap_or_else(|errors| {
            for error in errors {
                self.fault(&origin, &error.to_string());
            }
            Vec::new()
        });
        if !matches!(asks, Asks::Nothing) && endpoints.iter().any(Endpoint::trusts_public) {
            let authorities = self.authorities(common, by_stranger);
            for endpoint in &mut endpoints {
                authorities.iter().for_each(|authorities| endpoint.trust(authorities));
            }
        }
        Named { store: Store::Endpoints(endpoints), text, by_stranger }
    }

    pub(super) fn endpoints(&self, text: &str) -> Result<Vec<Endpoint>, Vec<EndpointError>> {
        let plaintext = self.variables.get("allow-plaintext") == Some("1");
        Endpoint::parse_list(text, plaintext)
    }

    /// Who vouches for the store, where others than the public authorities do. A stranger's say in
    /// it would be one in whom a token is sent to.
    fn authorities(&mut self, common: &Common, store_by_stranger: bool) -> Option<Authorities> {
        let (path, origin) = self.ca_file(common)?;
        if let (Origin::Manifest { .. }, Some(manifest)) = (&origin, &self.manifest)
            && !manifest.trusted
        {
            let outside = !manifest.holds(&path);
            if outside || !store_by_stranger {
                self.fault(&origin, if outside { OUTSIDE } else { FOR_ANOTHER });
                return None;
            }
        }
        let parsed = match self.read_bounded(&path, CA_FILE_BYTES_MAX) {
            Ok(pem) => Authorities::parse(pem.expose_secret()).map_err(|error| error.to_string()),
            Err(error) => Err(os_text(&error)),
        };
        let unfit = |fault| format!("cannot use `{}`: {fault}", path.display());
        parsed.map_err(|fault| self.fault(&origin, &unfit(fault))).ok()
    }

    /// Whether the user says who vouches for the store; a manifest that was only found is not the
    /// user's.
    pub(super) fn has_own_authorities(&self, common: &Common) -> bool {
        self.ca_file(common).is_some_and(|(_, origin)| match origin {
            Origin::Manifest { .. } => self.manifest.as_ref().is_some_and(|found| found.trusted),
            _ => true,
        })
    }

    fn ca_file(&self, common: &Common) -> Option<(PathBuf, Origin)> {
        if let Some(path) = &common.ca_file {
            return Some((path.clone(), Origin::Option("--ca-file")));
        }
        if let Some(path) = self.variables.get("ca-file") {
            return Some((PathBuf::from(path), Origin::Variable("INJECT_CA_FILE")));
        }
        let manifest = self.manifest.as_ref()?;
        let path = manifest.folder().join(manifest.text("ca-file")?);
        Some((path, Origin::Manifest { path: manifest.path.clone(), key: "ca-file" }))
    }

    pub(super) fn data(&mut self, environment: &[&CStr]) -> Option<PathBuf> {
        if let Some(data) = self.variables.get("data") {
            return Some(PathBuf::from(data));
        }
        let path = |name: &[u8]| {
            let value = value_of(environment, name)?;
            let path = PathBuf::from(OsStr::from_bytes(value));
            // The XDG base directory specification: a relative path is to be ignored.
            path.is_absolute().then_some(path)
        };
        let share = path(b"XDG_DATA_HOME").or_else(|| Some(path(b"HOME")?.join(".local/share")))?;
        Some(share.join("inject"))
    }

    /// The manifest has no say in this: it may be a stranger's.
    pub(super) fn master_key(
        &self,
        option_file: Option<&PathBuf>,
        option_command: Option<&OsString>,
        environment: &[&CStr],
    ) -> MasterKey {
        let file = |path: &str| MasterKey::File(PathBuf::from(path));
        let command = |command: &str| MasterKey::Command(command.to_owned());
        let value = |value: &str| MasterKey::Value(Secret::new(value.as_bytes().to_vec()));
        let option = |command: &OsString| MasterKey::Command(command.to_string_lossy().into());
        None.or_else(|| option_file.cloned().map(MasterKey::File))
            .or_else(|| option_command.map(option))
            .or_else(|| self.variables.get("master-key-file").map(file))
            .or_else(|| self.variables.get("master-key-command").map(command))
            .or_else(|| self.variables.get("master-key").map(value))
            .or_else(|| credential(environment))
            .unwrap_or(MasterKey::Default)
    }

    /// The token for the store, and why one that is set is withheld.
    pub(super) fn token(
        &mut self,
        common: &Common,
        named_by_stranger: bool,
    ) -> (Option<Token>, Option<String>) {
        if let Some(path) = &common.token_file {
            return (self.token_file(path, &Origin::Option("--token-file")), None);
        }
        let token = self.variables.get("token").map(str::to_owned);
        let path = self.variables.get("token-file").map(PathBuf::from);
        let from_environment = match (token, path) {
            (Some(token), _) => Some(("INJECT_TOKEN", Ok(token))),
            (None, Some(path)) => Some(("INJECT_TOKEN_FILE", Err(path))),
            (None, None) => None,
        };
        let mut withheld = None;
        match from_environment {
            Some((variable, _)) if named_by_stranger => withheld = Some(self.withheld(variable)),
            Some((variable, Ok(token))) => {
                let origin = Origin::Variable(variable);
                let token = Secret::new(token.into_bytes());
                return (self.checked_token(token.expose_secret(), &origin), None);
            }
            Some((variable, Err(path))) => {
                return (self.token_file(&path, &Origin::Variable(variable)), None);
            }
            None => {}
        }
        (self.manifest_token(), withheld)
    }

    fn withheld(&self, variable: &str) -> String {
        let path = self.manifest.as_ref().map(|manifest| manifest.path.display().to_string());
        let path = path.unwrap_or_default();
        format!(
            "`{variable}` is not sent to a store that the manifest `{path}` names, as it was only \
             found; log in to it once with `inject login`, name the store with `--store`, or trust \
             the manifest with `--config {path}`"
        )
    }

    fn manifest_token(&mut self) -> Option<Token> {
        let manifest = self.manifest.as_ref()?;
        let path = manifest.folder().join(manifest.text("token-file")?);
        let origin = Origin::Manifest { path: manifest.path.clone(), key: "token-file" };
        if !manifest.trusted && !manifest.holds(&path) {
            self.fault(&origin, OUTSIDE);
            return None;
        }
        self.token_file(&path, &origin)
    }

    pub(super) fn token_file(&mut self, path: &Path, origin: &Origin) -> Option<Token> {
        match self.read_bounded(path, TOKEN_FILE_BYTES_MAX) {
            Ok(bytes) => self.checked_token(bytes.expose_secret(), origin),
            Err(error) => {
                let fault = format!("cannot read `{}`: {}", path.display(), os_text(&error));
                self.fault(origin, &fault);
                None
            }
        }
    }

    fn read_bounded(&mut self, path: &Path, bytes_max: usize) -> io::Result<Secret> {
        let kind = fs::metadata(path)?.file_type();
        if kind.is_fifo() {
            // Perhaps nobody writes to it: a wait, which a signal must be able to end.
            self.inherited.get_or_insert_with(sys::end_at_signals);
        } else if !kind.is_file() {
            return Err(io::Error::other("neither a regular file nor a pipe"));
        }
        let limit = bytes_max + 1;
        // It never grows, so that no copy is left behind.
        let mut bytes = Vec::with_capacity(limit);
        let done = File::open(path)?.take(limit as u64).read_to_end(&mut bytes);
        let bytes = Secret::new(bytes);
        match done? {
            length if length > bytes_max => Err(io::ErrorKind::FileTooLarge.into()),
            _ => Ok(bytes),
        }
    }

    fn checked_token(&mut self, bytes: &[u8], origin: &Origin) -> Option<Token> {
        Token::parse(bytes).map_err(|error| self.fault(origin, &error.to_string())).ok()
    }
}

/// The master key among the credentials that systemd gave to this service, if it is there.
fn credential(environment: &[&CStr]) -> Option<MasterKey> {
    let folder = value_of(environment, b"CREDENTIALS_DIRECTORY")?;
    let path = Path::new(OsStr::from_bytes(folder)).join("inject-master-key");
    path.exists().then_some(MasterKey::Credential(path))
}
