//! What the attempts of one call came to, and what that makes of its end. Pure.

use hyper::Method;

use super::call::{Call, Read};
use super::error::{Error, Failure};
use super::exchange::Answer;
use super::retry::may_have_reached;

/// What the attempts of one call came to so far.
pub struct Failed {
    pub tries: u32,
    /// The last failure of each endpoint.
    pub last: Vec<Option<Failure>>,
    /// Whether an attempt without an answer may have reached the store all the same.
    perhaps_done: bool,
    /// What the call ends with if no endpoint is left.
    pub kept: Option<Error>,
}

impl Failed {
    pub fn new(endpoints: usize) -> Self {
        let last = std::iter::repeat_with(|| None).take(endpoints).collect();
        Self { tries: 0, last, perhaps_done: false, kept: None }
    }

    pub fn add(&mut self, endpoint: usize, failure: Failure) {
        self.tries += 1;
        self.perhaps_done |= may_have_reached(&failure);
        self.last[endpoint] = Some(failure);
    }

    /// A refusal is worth more than an endpoint that is no store, unless that is the only one: of
    /// several, each is named with what it is.
    pub fn keep(&mut self, error: Error) {
        if self.last.len() == 1 || !matches!(error, Error::Protocol { .. } | Error::Tls { .. }) {
            self.kept = Some(error);
        }
    }

    /// What an end means after an attempt that may have been carried out; see the module's head.
    pub fn settle(&self, call: &Call<'_>, read: &Read<'_>, error: Error) -> Result<(), Error> {
        let perhaps_ours = self.perhaps_done;
        match error {
            Error::NoSecret(_) | Error::NotFound
                if perhaps_ours && call.method == Method::DELETE =>
            {
                let gone =
                    Answer { status: 204, headers: Default::default(), body: Default::default() };
                read(&gone).map_err(|_| error)
            }
            Error::PreconditionFailed { .. } => Err(Error::PreconditionFailed { perhaps_ours }),
            // Had it been done before, these would not be so.
            Error::Exists | Error::NotFound | Error::LastOwner | Error::Invalid { .. } => {
                Err(error)
            }
            error => Err(self.doubt(call, error)),
        }
    }

    /// The end of a call, which may have been carried out all the same where it changes something.
    pub fn doubt(&self, call: &Call<'_>, error: Error) -> Error {
        let changes = [Method::PUT, Method::PATCH, Method::DELETE].contains(&call.method);
        if changes && self.perhaps_done { Error::PerhapsDone(error.into()) } else { error }
    }
}
