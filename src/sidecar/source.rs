//! Where values come from: a client that is opened when the first one is wanted, and opened anew
//! when the store refuses, for a token's file may have another token by then.

use crate::client::Client;
use crate::launch::problem::Problem;

/// Makes a client from the settings as they are now.
pub type Open = Box<dyn FnMut() -> Result<Client, Vec<Problem>> + Send>;

pub struct Source {
    open: Open,
    client: Option<Client>,
    /// Hears of each new client, such as for the proxy.
    opened: Box<dyn Fn(&Client) + Send>,
}

impl Source {
    pub fn new(open: Open, opened: Box<dyn Fn(&Client) + Send>) -> Self {
        Self { open, client: None, opened }
    }

    pub fn client(&mut self) -> Result<&Client, Vec<Problem>> {
        if self.client.is_none() {
            self.renew()?;
        }
        Ok(self.client.as_ref().expect("it was just opened"))
    }

    /// Whether there is one that could be an old one by now.
    pub fn is_open(&self) -> bool {
        self.client.is_some()
    }

    /// Opens it anew; where that fails, the former one stays.
    pub fn renew(&mut self) -> Result<(), Vec<Problem>> {
        let client = (self.open)()?;
        (self.opened)(&client);
        self.client = Some(client);
        Ok(())
    }
}
