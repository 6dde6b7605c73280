//! A server's first start, which makes the store's own key and certificate: there are both or
//! neither, and who was told of a key finds it again.

use nix::sys::signal::Signal;

use super::embedded::left_clean;
use super::tracer::Tracer;
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, World};
use crate::serve::server::Server;
use crate::serve_faults::Organization;

struct Start {
    organization: Organization,
    /// The pin that the last one told.
    pin: Option<String>,
}

impl Start {
    fn start(&self, tracer: Option<&Tracer>) -> (Option<String>, Ended) {
        let words = ["store", "serve", "--listen", "127.0.0.1:0"];
        let run = self.world().inject(words).streams("server");
        let run = match tracer {
            Some(tracer) => tracer.around(run),
            None => run,
        };
        match Server::try_of(self.world(), run, 1) {
            Ok(server) => {
                let pin = server.addresses[0].split_once('#').expect("it has a pin").1.to_owned();
                server.signal(Signal::SIGTERM);
                (Some(pin), server.end())
            }
            Err(ended) => (None, ended),
        }
    }
}

impl Operation for Start {
    fn world(&self) -> &World {
        &self.organization.world
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(self.world(), "kept", "data");
        let (pin, ended) = self.start(Some(tracer));
        self.pin = pin;
        ended
    }

    fn judge(&mut self, _: &Ended, at: &At) {
        let (pin, ended) = self.start(None);
        assert_eq!(ended.exit(), 0, "{at}\n{}", ended.whole());
        assert!(self.pin.is_none() || self.pin == pin, "{at}: {:?}, then {pin:?}", self.pin);
        left_clean(self.world(), "data", at);
        self.organization.verify();
    }
}

#[test]
fn a_first_start() {
    let organization = Organization::new();
    put_back(&organization.world, "data", "kept");
    at_each("first start", &mut Start { organization, pin: None });
}
