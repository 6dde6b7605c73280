//! How many watches the proxy holds: so many at once, and so many of one process, so that one
//! does not keep out all others. They are apart from connections, for a watch lasts minutes.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::sidecar::proxy::Peer;

const WATCHES_MAX: usize = 64;
const WATCHES_PER_PEER_MAX: usize = 16;

#[derive(Default)]
pub struct Watches(RefCell<HashMap<Option<Peer>, usize>>);

/// One that is held, as long as this is kept.
pub struct Watch<'w> {
    watches: &'w Watches,
    peer: Option<Peer>,
}

impl Watches {
    /// Nothing where there are too many.
    pub fn begin(&self, peer: Option<Peer>) -> Option<Watch<'_>> {
        let mut held = self.0.borrow_mut();
        let own = held.get(&peer).copied().unwrap_or(0);
        if own >= WATCHES_PER_PEER_MAX || held.values().sum::<usize>() >= WATCHES_MAX {
            return None;
        }
        held.insert(peer, own + 1);
        Some(Watch { watches: self, peer })
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut held = self.watches.0.borrow_mut();
        if let Some(own) = held.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_one_process_and_of_all() {
        let watches = Watches::default();
        let peer = |pid| Some(Peer { uid: 1, pid: Some(pid) });
        let of = |pid| (0..20).filter_map(|_| watches.begin(peer(pid))).collect::<Vec<_>>();
        let first = of(1);
        assert_eq!(first.len(), WATCHES_PER_PEER_MAX);
        let others: Vec<_> = (2..6).map(of).collect();
        assert_eq!(others.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 16, 0]);
        drop(first);
        assert_eq!(of(6).len(), WATCHES_PER_PEER_MAX);
    }
}
