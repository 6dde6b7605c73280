//! Keeps signals waiting for the few steps that must not be left half done. It has no unsafe code,
//! and decides nothing.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};

/// Signals, kept waiting until this is dropped: one that waited does then what it does.
#[derive(Debug)]
pub struct HeldSignals(SigSet);

/// What a process does to itself: waiting would only hide where it happened.
const OWN_FAULTS: [Signal; 7] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
];

/// Keeps every signal waiting that can be, for the few steps that must not be left half done.
pub fn hold_signals() -> HeldSignals {
    let mut held = SigSet::all();
    for fault in OWN_FAULTS {
        held.remove(fault);
    }
    let mut before = SigSet::empty();
    // Blocking a signal that can be blocked has no way to fail.
    let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before));
    HeldSignals(before)
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}
