//! A token that is shown this once: alone on the output, so that a script can take it from there,
//! or as a part of its object. Words for people go beside it.

use std::io;

use serde::Serialize;
use serde_json::Value;

use crate::secret::Secret;

use super::{Console, Error};

/// Something that was made, and its token.
pub struct Issued<'a, T> {
    pub of: &'a T,
    /// The token's id, by which it is listed and revoked.
    pub id: &'a str,
    pub token: &'a Secret,
}

impl<T: Serialize> Issued<'_, T> {
    /// Shows the token. `made` says what was made, as a sentence.
    pub fn show(&self, made: &str, as_json: bool, console: &mut Console<'_>) -> Result<(), Error> {
        if !as_json {
            console.note(&format!("{made}; the token is shown this once:"));
        }
        let shown = match as_json {
            true => console.json(&self.object()),
            false => self.print(console).map_err(Error::Output),
        };
        shown.map_err(|error| match error {
            Error::Output(error) => {
                Error::TokenUnseen { made: made.to_owned(), id: self.id.to_owned(), error }
            }
            error => error,
        })
    }

    fn print(&self, console: &mut Console<'_>) -> io::Result<()> {
        console.output.write_all(self.token.expose_secret())?;
        console.output.write_all(b"\n")?;
        console.output.flush()
    }

    /// As the store answered.
    fn object(&self) -> Value {
        let mut value = serde_json::to_value(self.of).expect("names, lists and times are JSON");
        if let Value::Object(object) = &mut value {
            let token = String::from_utf8_lossy(self.token.expose_secret());
            object.insert("id".to_owned(), self.id.into());
            object.insert("token".to_owned(), token.into());
        }
        value
    }
}
