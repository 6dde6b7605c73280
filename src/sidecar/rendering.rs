//! One rendering: the set → what of it is new → its places. What is there already stays untouched.

use std::collections::BTreeMap;

use crate::launch::document::{Target, folder_of};
use crate::launch::place;
use crate::launch::problem::Problem;
use crate::launch::render::Rendered;
use crate::launch::set::{RenderedSet, Set};
use crate::log::Log;
use crate::name::SecretName;
use crate::sidecar::folder::Folder;
use crate::sidecar::outputs::{is_there, stands};
use crate::sidecar::source::Source;
use crate::sidecar::state::{Condition, State, count};
use crate::staging;

/// Where outputs go.
pub enum Place {
    /// Each to its own path, renamed one by one.
    Paths,
    /// All into one folder, where they change at once.
    Folder(Folder),
}

pub struct Rendering {
    pub set: Set,
    pub place: Place,
}

/// What was put in place.
#[derive(Debug, Default)]
pub struct Placed {
    pub outputs: usize,
    pub changed: usize,
    /// Whether one of those that changed was there before.
    pub replaced: bool,
    /// What could not be cleaned up.
    pub left: Vec<Problem>,
}

/// A rendering that succeeded.
pub struct Done {
    pub placed: Placed,
    pub versions: BTreeMap<SecretName, u64>,
}

impl Rendering {
    pub fn render(&self, source: &mut Source, state: &State) -> Result<Done, Vec<Problem>> {
        let done = self.attempt(source, state);
        match &done {
            Ok(done) => {
                state.set(Condition::Whole);
                state.just_rendered();
                count(if done.placed.changed > 0 { &state.rendered } else { &state.unchanged });
            }
            Err(_) => count(&state.failed),
        }
        done
    }

    fn attempt(&self, source: &mut Source, state: &State) -> Result<Done, Vec<Problem>> {
        let RenderedSet { rendered, versions } = self.set.render(|| source.client())?;
        let inputs = self.set.inputs();
        let _placing = state.placing();
        let placed = match &self.place {
            Place::Folder(folder) => folder.place(rendered, &inputs)?,
            Place::Paths => {
                let (news, placed) = news(rendered);
                if placed.changed > 0 {
                    place::stage(news, &inputs)?.put()?;
                }
                placed
            }
        };
        // Said before the lock goes: an end that waits for it waits for this, too.
        if placed.replaced {
            state.telling.begin();
        }
        Ok(Done { placed, versions })
    }

    /// The application has been told of what was placed.
    pub fn told(&self) {
        if let Place::Folder(folder) = &self.place {
            folder.told();
        }
    }
}

/// The outputs that are not in their places yet.
fn news(mut rendered: Rendered) -> (Rendered, Placed) {
    let mut placed = Placed { outputs: rendered.files.len(), ..Placed::default() };
    rendered.files.retain(|file| {
        let Some(output) = file.target.as_ref().and_then(Target::output) else { return false };
        let is_new = !stands(&output.path, output, &file.contents);
        placed.replaced |= is_new && is_there(&output.path);
        if !is_new {
            // Of the others it goes when they are staged.
            staging::remove_left(folder_of(&output.path), output.path.file_name().into_iter());
        }
        is_new
    });
    placed.changed = rendered.files.len();
    (rendered, placed)
}

impl Done {
    /// Whether somebody may have read what is no longer so.
    pub fn is_news(&self) -> bool {
        self.placed.replaced
    }

    pub fn log(&self, log: &Log) {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let Placed { outputs, changed, left, .. } = &self.placed;
        log.info("rendered", |line| {
            line.number("outputs", number(*outputs)).number("changed", number(*changed));
        });
        for problem in left {
            log.warn("not_removed", |line| {
                line.text("error", problem);
            });
        }
    }
}
