//! What is done for as long as it stays: watch, render again, tell. One step after the other, in a
//! thread of its own; nothing ends it but the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::client::{Error, WatchLine, Watched};
use crate::launch::problem::Problem;
use crate::log::Level;
use crate::name::SecretName;
use crate::sidecar::state::{Asked, Condition, Proxied, State};
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
    /// What ended a watch before its time.
    woken: Option<Woken>,
}

/// What ends a wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Woken {
    Asked(Asked),
    /// A template changed.
    Template,
    Time,
}

impl Staying {
    pub fn new(sidecar: Sidecar) -> Self {
        let templates = &sidecar.rendering.set.additions.templates;
        let templates = Templates::new(templates.iter().map(|one| one.path.clone()).collect());
        let (line, versions) = (WatchLine::default(), BTreeMap::new());
        Self { sidecar, line, templates, versions, due: true, trouble: None, woken: None }
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
        let is_idle = self.versions.is_empty() && !self.due;
        let woken = match (self.woken.take(), self.trouble) {
            (Some(woken), _) => woken,
            (None, _) if is_idle => self.pause(runtime, LONG),
            (None, Some((trouble, tries))) => {
                let pause = trouble.pause_max(tries);
                self.pause(runtime, pause / 2 + jitter(pause / 2))
            }
            (None, None) => Woken::Time,
        };
        match woken {
            Woken::Asked(asked) => self.answer(asked, runtime),
            Woken::Template => self.render_again(),
            Woken::Time if self.due => self.render_again(),
            Woken::Time if self.versions.is_empty() => {}
            // After trouble it only looks, so that its end is soon known.
            Woken::Time if self.trouble.is_some() => self.watch(runtime, 0),
            Woken::Time => self.watch(runtime, WATCH_SECONDS),
        }
    }

    fn answer(&mut self, asked: Asked, runtime: &Runtime) {
        if asked.renew {
            // Who sends a hangup wants to know; all else asks again by itself.
            self.renew(if asked.render { Level::Warn } else { Level::Debug });
        }
        if asked.render || self.due {
            self.render_again();
        } else if !self.versions.is_empty() {
            // What the proxy doubts is seen for itself.
            self.watch(runtime, 0);
        } else {
            match asked.proxied {
                Some(Proxied::Refused) => self.trouble(Trouble::Refused, |line| {
                    line(&"the store refuses what the proxy hands on");
                }),
                Some(Proxied::Away) => self.trouble(Trouble::Away, |line| {
                    line(&"the store does not answer the proxy");
                }),
                Some(Proxied::Well) => self.recover(),
                None => {}
            }
        }
    }

    fn rest(&mut self, runtime: &Runtime) {
        let woken = self.pause(runtime, QUICK);
        self.woken = Some(woken).filter(|woken| *woken != Woken::Time);
    }

    fn pause(&self, runtime: &Runtime, time: Duration) -> Woken {
        let woken = woken(&self.sidecar.state, &self.templates);
        runtime.block_on(async { timeout(time, woken).await.unwrap_or(Woken::Time) })
    }

    fn render_again(&mut self) {
        self.due = true;
        let mut rendered = self.render();
        let of = |rendered: &Result<(), Vec<Problem>>| match rendered {
            Ok(()) => None,
            Err(problems) => Some(Trouble::of_problems(problems)),
        };
        if self.is_first_refusal(of(&rendered)) {
            self.renew(Level::Debug);
            rendered = self.render();
        }
        if let Err(problems) = rendered {
            let trouble = Trouble::of_problems(&problems);
            self.trouble(trouble, |line| problems.iter().for_each(|problem| line(problem)));
        }
    }

    /// The token's file may have another token already, so that nothing is wrong.
    fn is_first_refusal(&self, trouble: Option<Trouble>) -> bool {
        let before = self.trouble.map(|(trouble, _)| trouble);
        trouble == Some(Trouble::Refused) && before != trouble
    }

    /// Reads the settings again: a token's file, or the authorities', may be another one by now.
    fn renew(&mut self, level: Level) {
        self.line = WatchLine::default();
        let Sidecar { state, log, source, .. } = &mut self.sidecar;
        let renewed = if source.is_open() { source.renew() } else { Ok(()) };
        for problem in renewed.err().iter().flatten() {
            log.event(level, "settings_not_read", |line| {
                line.text("error", problem);
            });
        }
        state.were_renewed();
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

    /// Waits for another version, or looks once.
    fn watch(&mut self, runtime: &Runtime, wait: u64) {
        let request = WatchRequest { versions: self.versions.clone(), wait };
        let start = Instant::now();
        let mut watched = self.ask(&request);
        let of = |error: &Error| Trouble::of_error(error);
        if self.is_first_refusal(watched.as_ref().and_then(|one| one.as_ref().err()).map(of)) {
            self.renew(Level::Debug);
            watched = self.ask(&request);
        }
        match watched {
            None => self.render_again(),
            Some(Ok(Watched::Stopped(woken))) => self.woken = Some(woken),
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

    /// Nothing without a client.
    fn ask(&mut self, request: &WatchRequest) -> Option<Result<Watched<Woken>, Error>> {
        let stop = woken(&self.sidecar.state, &self.templates);
        let client = self.sidecar.source.client().ok()?;
        Some(client.watch(&mut self.line, request, stop))
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
        if let Woken::Asked(Asked { renew: true, render, .. }) = self.pause(runtime, jitter(SPREAD))
        {
            self.renew(if render { Level::Warn } else { Level::Debug });
        }
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
        let Sidecar { state, log, .. } = &self.sidecar;
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
        if matches!(trouble, Trouble::Refused | Trouble::Away) && tries > 0 {
            self.renew(Level::Debug);
        }
    }
}

/// Until somebody asks, or a template is another one than it was.
async fn woken(state: &Arc<State>, templates: &Templates) -> Woken {
    loop {
        if let Ok(asked) = timeout(LOOK_PAUSE, state.asked()).await {
            return Woken::Asked(asked);
        }
        if templates.changed() {
            return Woken::Template;
        }
    }
}
