//! `inject login`: reads a token, and asks the store what it is for. Keeping it is not done here.

use std::io::Read;

use crate::client::{Client, TOKEN_BYTES_MAX, Token};
use crate::name::OrgName;
use crate::wire::Organization;

use super::{Console, Error, org};

/// Room for blanks and line ends around a token.
const INPUT_BYTES_MAX: usize = TOKEN_BYTES_MAX + 1024;

/// Asks for the token of a store without showing it, or reads it.
pub fn read_token(store: &str, console: &mut Console<'_>) -> Result<Token, Error> {
    let typed = if console.input_is_terminal {
        (console.terminal)()?.ask_hidden(&format!("Token for {store}: "), INPUT_BYTES_MAX)?
    } else {
        // It never grows, so that no copy is left behind.
        let mut bytes = Vec::with_capacity(INPUT_BYTES_MAX + 1);
        let limit = bytes.capacity() as u64;
        let read = (&mut *console.input).take(limit).read_to_end(&mut bytes);
        let bytes = crate::secret::Secret::new(bytes);
        read.map_err(Error::Input)?;
        bytes
    };
    Token::parse(typed.expose_secret()).map_err(Error::NoSuchToken)
}

/// The organization that the client's token is for: the wanted one, or the only one.
pub fn organization(client: &Client, wanted: Option<&OrgName>) -> Result<Organization, Error> {
    let mut orgs = org::fetch(client)?;
    let found = match wanted {
        Some(wanted) => orgs.iter().position(|org| org.name == *wanted),
        None => (orgs.len() == 1).then_some(0),
    };
    match found {
        Some(index) => Ok(orgs.swap_remove(index)),
        None => {
            let reaches = orgs.into_iter().map(|org| org.name).collect();
            Err(Error::TokenIsFor { wanted: wanted.cloned(), reaches })
        }
    }
}
