//! Each operation that changes a file, with something going wrong in each call that does: the
//! process is killed before it or in its middle, half of it is written, the disk fails or is full,
//! once or from there on. The calls are those of a run without a fault, so that a new one is not
//! forgotten. Afterwards the real binary is asked: what was acknowledged is there, nothing is half
//! there, what is gone is in no file, and the next run cleans up.
//!
//! A few calls of each are tried, others each time. With `INJECT_TEST_LONG=FILE` it is all of them,
//! and what was counted is added to FILE.

mod beside;
mod copies;
mod embedded;
mod outputs;
mod served;
mod sides;
mod starts;
mod tracer;

use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::process::Command;

use crate::harness::{Ended, World};
use crate::serve_faults::{Chance, report, times};

use tracer::{Call, Fault, Tracer};

/// How often a fault of one kind is tried in one operation, where there is no time for all.
const FEW: usize = 2;

/// Something that is done again and again, each time from the same start.
pub trait Operation {
    fn world(&self) -> &World;

    /// Does it once more, with this tracer around it.
    fn again(&mut self, tracer: &Tracer, at: &At) -> Ended;

    /// Fails where what is there now may not be.
    fn judge(&mut self, ended: &Ended, at: &At);

    /// How often it is tried at most where there is time; many calls of a crowd are the same.
    fn most(&self) -> usize {
        usize::MAX
    }
}

/// What went wrong, and where.
pub struct At<'a> {
    name: &'a str,
    fault: Fault,
    call: Option<Call>,
}

impl At<'_> {
    /// What does not fail for good: then it has an end to be waited for.
    fn passes(&self) -> bool {
        !matches!(self.fault, Fault::Ever(_))
    }

    /// Whether it is a removal that fails: then something is left, and nobody comes for it again.
    fn keeps_files(&self) -> bool {
        let is_error = matches!(self.fault, Fault::Once(_) | Fault::Ever(_));
        is_error && self.call.as_ref().is_some_and(Call::removes)
    }
}

/// Where something fails on the way, it is said what went wrong before.
impl Drop for At<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Where even that cannot be written, nothing is left to be said.
            let _ = writeln!(std::io::stderr(), "{self}");
        }
    }
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.call {
            Some(call) => write!(f, "{}: {} at {call}", self.name, self.fault),
            None => write!(f, "{}: no fault", self.name),
        }
    }
}

/// Does it with each fault in each call, or in some, and judges each time.
pub fn at_each(name: &str, operation: &mut impl Operation) {
    let calls = attempt(operation, &At { name, fault: Fault::Nothing, call: None }).calls;
    assert!(!calls.is_empty(), "{name}: nothing is written");
    let (mut chance, mut kills) = (Chance::new(), 0);
    let mut counted = format!("{name}: {} calls", calls.len());
    for fault in Fault::ALL {
        let calls: Vec<&Call> = calls.iter().filter(|call| fault.concerns(call)).collect();
        let most = times(FEW, operation.most());
        let mut met = 0;
        for call in some(&calls, most, &mut chance) {
            let at = At { name, fault, call: Some(call.clone()) };
            met += usize::from(attempt(operation, &at).was_met);
        }
        kills += if fault.is_kill() { met } else { 0 };
        counted += &format!(", {met} {fault}");
    }
    assert!(kills > 0, "{counted}");
    report(&format!("{counted}; {kills} kills, 0 lost, 0 half"));
}

fn attempt(operation: &mut impl Operation, at: &At) -> tracer::Traced {
    let number = at.call.as_ref().map_or(0, |call| call.number);
    let tracer = Tracer::new(operation.world(), at.fault, number);
    let ended = operation.again(&tracer, at);
    let traced = tracer.traced();
    let expected: &[i32] = match at.fault {
        Fault::Kill | Fault::Torn if traced.was_met => &[-9],
        Fault::Once(_) | Fault::Ever(_) => &[0, 74],
        _ => &[0],
    };
    assert!(expected.contains(&ended.exit()), "{at}\n{}", ended.whole());
    assert!(!ended.err().contains("panicked"), "{at}\n{}", ended.whole());
    operation.judge(&ended, at);
    traced
}

/// So many of them at most, from all over, the first of them by chance.
fn some<'c>(calls: &[&'c Call], most: usize, chance: &mut Chance) -> Vec<&'c Call> {
    let stride = calls.len().div_ceil(most).max(1);
    let first = chance.below(stride as u64) as usize;
    calls.iter().copied().skip(first).step_by(stride).collect()
}

/// A folder as it was, links, modes and all; where there was none, none.
fn put_back(world: &World, kept: &str, folder: &str) {
    let (from, to) = (world.path(kept), world.path(folder));
    if to.exists() {
        std::fs::remove_dir_all(&to).expect("it is ours");
    }
    if from.exists() {
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.expect("cp(1) of coreutils is there").success());
    }
}
