//! The tokens that `inject login` keeps, in `credentials.toml`: one for each organization of each
//! store, with the pin that the store was trusted by. It asks no store, and judges no token.

mod file;
#[cfg(test)]
mod tests;

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::client::{Endpoint, Token};
use crate::name::OrgName;
use crate::private_file::folder_of;
use crate::secret::Secret;

use super::value_of;

pub use file::{ReadError, SaveError, save};

/// Where in the user's folder of settings the file is.
const FILE: &str = "inject/credentials.toml";

/// An address of a store, as the file keeps it: without the pin, which is beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    pub text: String,
    pub pin: Option<String>,
}

/// One token that is kept.
pub struct Entry {
    pub address: Address,
    pub org: OrgName,
    pub token: Secret,
}

/// An address that has another pin now, also for these organizations, which were not logged in to.
#[derive(Debug, Eq, PartialEq)]
pub struct Repinned {
    pub address: String,
    pub orgs: Vec<OrgName>,
}

/// What is kept for a store.
pub enum Found {
    Nothing,
    Login(Login),
    /// No organization is set, and there are tokens for several.
    Several(Vec<OrgName>),
    /// There is a token, and why it is not sent.
    Withheld(String),
}

/// A token that is kept for all addresses that were asked about.
pub struct Login {
    pub org: OrgName,
    pub token: Token,
    /// Each address with what it was trusted by, in their order.
    pub addresses: Vec<Address>,
}

impl Address {
    /// Of each endpoint of a list, and the text that it was parsed from.
    pub fn of_list(text: &str, endpoints: &[Endpoint]) -> Vec<Self> {
        text.split(',').zip(endpoints).map(|(text, endpoint)| Self::new(text, endpoint)).collect()
    }

    /// Of an endpoint, and the text that it was parsed from.
    fn new(text: &str, endpoint: &Endpoint) -> Self {
        if let Some(path) = endpoint.unix_path() {
            return Self { text: format!("unix:{}", whole(path).display()), pin: None };
        }
        let shown = endpoint.as_str();
        let shown = shown.split_once('#').map_or(shown, |(address, _)| address);
        let pin = text.split_once('#').map(|(_, pin)| pin.trim().to_owned());
        Self { text: shown.to_owned(), pin }
    }

    /// As it is given to `inject login`.
    pub fn shown(&self) -> String {
        match &self.pin {
            Some(pin) => format!("{}#{pin}", self.text),
            None => self.text.clone(),
        }
    }
}

/// The file's path; none where there is no home.
pub fn path(environment: &[&CStr]) -> Option<PathBuf> {
    let folder = |name: &[u8]| {
        let path = PathBuf::from(OsStr::from_bytes(value_of(environment, name)?));
        // The XDG base directory specification: a relative path is to be ignored.
        path.is_absolute().then_some(path)
    };
    let settings = folder(b"XDG_CONFIG_HOME").or_else(|| Some(folder(b"HOME")?.join(".config")))?;
    Some(settings.join(FILE))
}

/// What the file keeps for the addresses in a text and their endpoints, all together: a token is
/// sent to each of them, so it has to be kept for each.
pub fn look_up(path: &Path, text: &str, endpoints: &[Endpoint], org: Option<&OrgName>) -> Found {
    match file::read(path) {
        // Most have no such file, and nothing more is to be found out for them.
        Ok(entries) if entries.is_empty() => Found::Nothing,
        Ok(entries) => choose(entries, &Address::of_list(text, endpoints), org),
        Err(error) => Found::Withheld(error.to_string()),
    }
}

/// Gives each address that has no pin the one that it was kept with last, for whichever
/// organization: a pin is about who the store is, and no token's matter.
pub fn complete(path: &Path, addresses: &mut [Address]) -> Result<(), ReadError> {
    let entries = file::read(path)?;
    for address in addresses.iter_mut().filter(|address| address.pin.is_none()) {
        let same = entries.iter().filter(|entry| entry.address.text == address.text);
        address.pin = same.rev().find_map(|entry| entry.address.pin.clone());
    }
    Ok(())
}

/// The path of a socket from the root: the working directory is another one the next time.
fn whole(path: &Path) -> PathBuf {
    let folder = folder_of(path).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

fn choose(mut entries: Vec<Entry>, addresses: &[Address], org: Option<&OrgName>) -> Found {
    let is_kept = |entries: &[Entry], address: &Address, org: &OrgName| {
        entries.iter().any(|entry| entry.address.text == address.text && entry.org == *org)
    };
    let Some(first) = addresses.first() else { return Found::Nothing };
    let kept = entries
        .iter()
        .filter(|entry| entry.address.text == first.text)
        .map(|entry| &entry.org)
        .filter(|kept| org.is_none_or(|org| org == *kept))
        .filter(|kept| addresses.iter().all(|address| is_kept(&entries, address, kept)));
    // Each once, in their order.
    let mut orgs: Vec<OrgName> = Vec::new();
    for org in kept {
        if let Err(place) = orgs.binary_search(org) {
            orgs.insert(place, org.clone());
        }
    }
    match orgs.len() {
        0 => return Found::Nothing,
        1 => {}
        _ => return Found::Several(orgs),
    }
    let org = orgs.remove(0);
    entries.retain(|entry| entry.org == org);
    login(&entries, addresses, org)
}

/// The entries are those of one organization, and there is one for each address.
fn login(entries: &[Entry], addresses: &[Address], org: OrgName) -> Found {
    let mut token: Option<&Secret> = None;
    let mut trusted = Vec::with_capacity(addresses.len());
    for address in addresses {
        let Some(entry) = entries.iter().find(|entry| entry.address.text == address.text) else {
            return Found::Nothing;
        };
        if address.pin.is_some() && address.pin != entry.address.pin {
            return Found::Withheld(other_pin(address));
        }
        let first = token.get_or_insert(&entry.token);
        if first.expose_secret() != entry.token.expose_secret() {
            return Found::Withheld(other_token(addresses, &org));
        }
        trusted.push(entry.address.clone());
    }
    match token.map(|token| Token::parse(token.expose_secret())) {
        None => Found::Nothing,
        Some(Ok(token)) => Found::Login(Login { org, token, addresses: trusted }),
        Some(Err(error)) => {
            Found::Withheld(format!("what `inject login` kept is not a token: {error}"))
        }
    }
}

fn other_pin(address: &Address) -> String {
    format!(
        "you are logged in to `{}` with another pin than the one that is set; if the store has a \
         new key on purpose, log in to it once more: `inject login {}`",
        address.text,
        address.shown()
    )
}

fn other_token(addresses: &[Address], org: &OrgName) -> String {
    let all: Vec<_> = addresses.iter().map(Address::shown).collect();
    format!(
        "you are logged in to these addresses with several tokens; log in to all of them with \
         one: `inject login {} --org {org}`",
        all.join(",")
    )
}
