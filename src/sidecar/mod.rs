//! The sidecar: renders a set of config files, stays, renders again what a change of secrets or
//! templates changes, and tells the application. It knows the store by the client alone; all that
//! it does with values, the launcher's stages do.

mod application;
mod folder;
mod outputs;
mod probes;
mod processes;
mod proxy;
mod rendering;
mod seats;
mod serve;
mod source;
mod state;
mod stay;
mod telling;
mod templates;
mod trouble;
mod watches;

use std::io::{self, pipe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::launch::problem::Problem;
use crate::log::{Log, LogEnd};
use crate::notify::Notifier;
use crate::sys::serving::{Signals, Told};
use crate::sys::{self};

pub use application::{Application, CommandLine};
pub use folder::Folder;
pub use proxy::{Proxy, Way};
pub use rendering::{Done, Place, Rendering};
pub use serve::{BindError, Server};
pub use source::{Open, Source};
pub use state::State;

use stay::Staying;

/// How long the end waits for an application that is just being told of what was put in place.
const TELLING_TIME_MAX: Duration = Duration::from_secs(5);

/// What a sidecar works with.
pub struct Sidecar {
    pub rendering: Rendering,
    pub source: Source,
    pub application: Application,
    pub state: Arc<State>,
    pub notifier: Arc<Notifier>,
    pub log: Log,
}

impl Sidecar {
    /// Renders once. The application is told as it would be later.
    pub fn once(mut self) -> Result<(), Vec<Problem>> {
        let done = self.rendering.render(&mut self.source, &self.state)?;
        self.tell(&done);
        Ok(())
    }

    /// Says what was done, to the log and to the application where it is news to it.
    fn tell(&mut self, done: &Done) {
        done.log(&self.log);
        if done.is_news() {
            self.application.tell(&self.log, &self.state);
            self.rendering.told();
            self.state.telling.end();
        }
    }

    /// Tells the supervisor, if there is one.
    fn notify(&self, told: io::Result<()>) {
        notify(&self.log, told);
    }

    /// Renders and stays, until a signal ends it. Comes back with problems only if the first
    /// rendering failed: then nothing is there to stay for.
    pub fn stay(
        self,
        mut signals: Signals,
        server: Option<Server>,
        end: LogEnd,
    ) -> Result<(), Vec<Problem>> {
        let (state, log) = (Arc::clone(&self.state), self.log.clone());
        let notifier = Arc::clone(&self.notifier);
        // The sockets' files go when this ends, whatever ends it but a second signal.
        let _files = server.map(|server| server.start(&state, &log)).transpose().map_err(failed)?;
        let (over, worker_end) = pipe().map_err(failed)?;
        let worker = thread::Builder::new().name("render".to_owned()).spawn(move || {
            let problems = Staying::new(self).run();
            drop(worker_end);
            problems
        });
        let worker = worker.map_err(failed)?;
        loop {
            match signals.wait_unless(&over).map_err(failed)? {
                Some(Told::Reload) => state.ask(),
                Some(Told::End) => break,
                None => {
                    end.flush();
                    let failed = || vec![internal("its own thread ended")];
                    return Err(worker.join().unwrap_or_else(|_| failed()));
                }
            }
        }
        log.info("ending", |_| {});
        notify(&log, notifier.stopping("ending"));
        // What is being put in place is put whole; and nothing more is begun before the end.
        std::mem::forget(state.placing());
        if !state.telling.ends_within(TELLING_TIME_MAX) {
            log.warn("not_told", |_| {});
        }
        end.flush();
        Ok(())
    }
}

fn notify(log: &Log, told: io::Result<()>) {
    if let Err(error) = told {
        log.warn("supervisor_not_told", |line| {
            line.text("error", error);
        });
    }
}

/// What the system does not give: a thread, a pipe.
fn failed(error: io::Error) -> Vec<Problem> {
    vec![internal(&error.to_string())]
}

fn internal(what: &str) -> Problem {
    let what = format!("the sidecar cannot run: {what}");
    Problem::Command { exit: crate::launch::problem::exit::INPUT_OUTPUT, what }
}

/// Uniform over a time, for those who would else all come at once.
fn jitter(max: std::time::Duration) -> std::time::Duration {
    let random = sys::random().map_or(u64::MAX, u64::from_ne_bytes);
    let nanos = (max.as_nanos() * u128::from(random)) >> 64;
    std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
