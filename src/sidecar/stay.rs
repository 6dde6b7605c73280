//! What is done for as long as it stays: watch, render again, tell. One step after the other, in a
//! thread of its own; nothing ends it but the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::client::{WatchLine, Watched};
use crate::launch::problem::Problem;
use crate::name::SecretName;
use crate::sidecar::state::{Condition, State};
use crate::sidecar::templates::Templates;
use crate::sidecar::trouble::Trouble;
use crate::sidecar::{Sidecar, jitter};
use crate::sys;
use crate::wire::{WatchAnswer, WatchRequest};

/// How long the store holds a watch: shorter than what many a proxy lets a connection rest.
const WATCH_SECONDS: u64 = 50;
/// Sidecars that hear of a change at once come to resolve over this time.
const SPREAD: Duration = Duration::from_millis(750);
/// How often templates are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// Where nothing is watched, only somebody who asks ends a wait.
const LONG: Duration = Duration::from_secs(3600);
/// An answer that comes sooner was not held.
const QUICK: Duration = Duration::from_secs(1);

pub struct Staying {
    sidecar: Sidecar,
    line: WatchLine,
    templates: Templates,
    versions: BTreeMap<SecretName, u64>,
    /// Whether something is to be rendered that was not yet.
    due: bool,
    trouble: Option<(Trouble, u32)>,
}

/// What ends a wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Woken {
    /// Somebody asks for a rendering, or a template changed.
    Asked,
    Time,
}

impl Staying {
    pub fn new(sidecar: Sidecar) -> Self {
        let templates = &sidecar.rendering.set.additions.templates;
        let templates = Templates::new(templates.iter().map(|one| one.path.clone()).collect());
        let (line, versions) = (WatchLine::default(), BTreeMap::new());
        Self { sidecar, line, templates, versions, due: true, trouble: None }
    }

    /// Comes back with what the first rendering failed for, and never else but for a runtime that
    /// the system does not give.
    pub fn run(mut self) -> Vec<Problem> {
        let runtime = match Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return super::failed(error),
        };
        if let Err(problems) = self.render() {
            return problems;
        }
        self.sidecar.notify(self.sidecar.notifier.ready("rendered, and watching"));
        loop {
            self.step(&runtime);
        }
    }

    fn step(&mut self, runtime: &Runtime) {
        let woken = match self.trouble {
            Some((trouble, tries)) => {
                let pause = trouble.pause_max(tries);
                self.pause(runtime, pause / 2 + jitter(pause / 2))
            }
            None if self.versions.is_empty() && !self.due => self.pause(runtime, LONG),
            None => Woken::Time,
        };
        if woken == Woken::Asked || self.due {
            self.render_again();
        } else if self.versions.is_empty() {
            self.recover();
        } else {
            self.watch(runtime);
        }
    }

    fn rest(&mut self, runtime: &Runtime) {
        if self.pause(runtime, QUICK) == Woken::Asked {
            self.render_again();
        }
    }

    fn pause(&self, runtime: &Runtime, time: Duration) -> Woken {
        let woken = woken(&self.sidecar.state, &self.templates);
        runtime.block_on(async { timeout(time, woken).await.unwrap_or(Woken::Time) })
    }

    fn render_again(&mut self) {
        self.due = true;
        if let Err(problems) = self.render() {
            let trouble = Trouble::of_problems(&problems);
            self.trouble(trouble, |line| problems.iter().for_each(|problem| line(problem)));
        }
    }

    fn render(&mut self) -> Result<(), Vec<Problem>> {
        self.templates.remember();
        let Sidecar { rendering, source, state, .. } = &mut self.sidecar;
        let done = rendering.render(source, state)?;
        self.sidecar.tell(&done);
        (self.versions, self.due) = (done.versions, false);
        self.recover();
        sys::rest();
        Ok(())
    }

    /// Waits for another version. After trouble it only looks, so that its end is soon known.
    fn watch(&mut self, runtime: &Runtime) {
        let wait = if self.trouble.is_some() { 0 } else { WATCH_SECONDS };
        let request = WatchRequest { versions: self.versions.clone(), wait };
        let start = Instant::now();
        let stop = woken(&self.sidecar.state, &self.templates);
        let client = self.sidecar.source.client();
        let watched = client.ok().map(|client| client.watch(&mut self.line, &request, stop));
        match watched {
            None => self.render_again(),
            Some(Ok(Watched::Stopped(_))) => self.render_again(),
            Some(Ok(Watched::Answer(answer))) => {
                self.heard(&answer, runtime);
                // Who answers at once, and with nothing new, is not asked again at once.
                let is_quick = wait > 0 && start.elapsed() < QUICK;
                if is_quick && self.versions == request.versions && self.trouble.is_none() {
                    self.rest(runtime);
                }
            }
            Some(Err(error)) => self.trouble(Trouble::of_error(&error), |line| line(&error)),
        }
    }

    fn heard(&mut self, answer: &WatchAnswer, runtime: &Runtime) {
        let is_gone = |name: &&SecretName| !matches!(answer.versions.get(*name), Some(Some(_)));
        let gone: Vec<SecretName> = self.versions.keys().filter(is_gone).cloned().collect();
        if !gone.is_empty() {
            let told = gone.iter().map(|name| format!("`{name}` is missing"));
            return self.trouble(Trouble::Missing, |line| told.for_each(|one| line(&one)));
        }
        let same = |(name, known): (&SecretName, &u64)| answer.versions[name] == Some(*known);
        if self.versions.iter().all(same) {
            return self.recover();
        }
        // Whoever asks meanwhile is answered by the same rendering.
        self.pause(runtime, jitter(SPREAD));
        self.render_again();
    }

    /// Everything is as it should be.
    fn recover(&mut self) {
        let Sidecar { state, log, .. } = &self.sidecar;
        state.set(Condition::Whole);
        state.is_away.store(false, Ordering::Relaxed);
        if let Some((trouble, _)) = self.trouble.take() {
            log.info(if trouble == Trouble::Away { "store_back" } else { "recovered" }, |_| {});
        }
    }

    /// Each kind is told when it begins; how it goes on is for those who want to see everything.
    fn trouble(
        &mut self,
        trouble: Trouble,
        tell: impl FnOnce(&mut dyn FnMut(&dyn std::fmt::Display)),
    ) {
        let tries = match self.trouble {
            Some((before, tries)) if before == trouble => tries.saturating_add(1),
            _ => 0,
        };
        self.trouble = Some((trouble, tries));
        let Sidecar { state, log, source, .. } = &mut self.sidecar;
        state.is_away.store(trouble == Trouble::Away, Ordering::Relaxed);
        trouble.condition().into_iter().for_each(|condition| state.set(condition));
        tell(&mut |what| match (tries, trouble) {
            (1.., _) => log.debug("still", |line| {
                line.text("error", what);
            }),
            (0, Trouble::Away) => log.warn(trouble.event(), |line| {
                line.text("error", what);
            }),
            (0, _) => log.error(trouble.event(), |line| {
                line.text("error", what);
            }),
        });
        // The token's file, or the authorities', may be another one by now.
        if matches!(trouble, Trouble::Refused | Trouble::Away) && tries > 0 {
            self.line = WatchLine::default();
            if let Err(problems) = source.renew() {
                for problem in &problems {
                    log.debug("settings_not_read", |line| {
                        line.text("error", problem);
                    });
                }
            }
        }
    }
}

/// Until somebody asks, or a template is another one than it was.
async fn woken(state: &Arc<State>, templates: &Templates) -> Woken {
    loop {
        if timeout(LOOK_PAUSE, state.asked()).await.is_ok() || templates.changed() {
            return Woken::Asked;
        }
    }
}
