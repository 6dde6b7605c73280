//! Places that several take from at once, so that one who is greedy leaves some to the others: the
//! share of each shrinks with what is free (dynamic thresholds; Choudhury and Hahne, 1998). Nobody
//! waits here, and it does not know what the places are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places that there are, and who has how many of them.
pub struct Shares<K> {
    places: usize,
    parts: usize,
    free_per_one: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    all: usize,
    by_one: HashMap<K, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Full {
    /// All are taken.
    All,
    /// Whoever asks has a share of them.
    One,
}

/// Some of the places, until it is dropped.
pub struct Share<K: Clone + Eq + Hash> {
    of: Arc<Shares<K>>,
    one: K,
    places: usize,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Each may have one part in `free_per_one` of those that are free then.
    pub fn new(places: usize, free_per_one: usize) -> Arc<Self> {
        Self::of_parts(places, 1, free_per_one)
    }

    /// Each may have so many times as many as are free then.
    pub fn generous(places: usize, times: usize) -> Arc<Self> {
        Self::of_parts(places, times, 1)
    }

    fn of_parts(places: usize, parts: usize, free_per_one: usize) -> Arc<Self> {
        let taken = Mutex::new(Taken { all: 0, by_one: HashMap::new() });
        Arc::new(Self { places, parts, free_per_one, taken })
    }

    pub fn take(self: &Arc<Self>, one: K, places: usize) -> Result<Share<K>, Full> {
        self.add(&one, places)?;
        Ok(Share { of: Arc::clone(self), one, places })
    }

    /// As many as one that is alone always gets.
    pub fn alone(&self) -> usize {
        self.places * self.parts / (self.free_per_one + self.parts)
    }

    /// How many are taken, by all together.
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    /// Whoever has nothing yet is let in where there is room at all.
    fn add(&self, one: &K, more: usize) -> Result<(), Full> {
        let mut taken = self.lock();
        let free = self.places.saturating_sub(taken.all);
        if more > free {
            return Err(Full::All);
        }
        let had = taken.by_one.get(one).copied().unwrap_or(0);
        if had > 0 && (had + more).saturating_sub(1) * self.free_per_one >= free * self.parts {
            return Err(Full::One);
        }
        taken.all += more;
        match taken.by_one.get_mut(one) {
            Some(had) => *had += more,
            None => drop(taken.by_one.insert(one.clone(), more)),
        }
        Ok(())
    }

    /// Counting cannot panic half way.
    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Share<K> {
    /// Takes more of them, or keeps what it has.
    pub fn grow(&mut self, more: usize) -> Result<(), Full> {
        self.of.add(&self.one, more)?;
        self.places += more;
        Ok(())
    }

    /// Gives back all that it has over so many.
    pub fn shrink(&mut self, places: usize) {
        let over = self.places.saturating_sub(places);
        self.places -= over;
        let mut taken = self.of.lock();
        taken.all -= over;
        if let Entry::Occupied(mut had) = taken.by_one.entry(self.one.clone()) {
            *had.get_mut() -= over;
            if *had.get() == 0 {
                had.remove();
            }
        }
    }

    pub fn places(&self) -> usize {
        self.places
    }
}

impl<K: Clone + Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greedy_one_leaves_some_and_the_next_one_too() {
        let shares = Shares::new(100, 1);
        let mut greedy = shares.take("a", 1).expect("there is room");
        while greedy.grow(1).is_ok() {}
        assert_eq!(shares.taken(), 50);
        assert_eq!(greedy.grow(1), Err(Full::One));
        let mut next = shares.take("b", 10).expect("there is room");
        while next.grow(1).is_ok() {}
        assert_eq!(shares.taken(), 75);
        assert_eq!(shares.take("c", 26).err(), Some(Full::All));
        let third = shares.take("c", 25).expect("who has nothing is let in");
        assert_eq!(shares.take("d", 1).err(), Some(Full::All));
        drop((greedy, next, third));
        assert_eq!(shares.taken(), 0);
        assert!(shares.lock().by_one.is_empty(), "nothing is remembered");
    }

    #[test]
    fn a_generous_share_leaves_some_too() {
        let shares = Shares::generous(100, 3);
        let mut greedy = shares.take('a', 1).expect("there is room");
        while greedy.grow(1).is_ok() {}
        assert_eq!((greedy.places(), shares.alone()), (75, 75));
        let mut next = shares.take('b', 1).expect("who has nothing is let in");
        while next.grow(1).is_ok() {}
        assert_eq!(next.places(), 19);
        assert!(shares.take('c', 1).is_ok());
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let shares = Shares::new(10, 3);
        let mut one = shares.take('a', 2).expect("there is room");
        assert_eq!(one.grow(9), Err(Full::All));
        assert_eq!(one.grow(5), Err(Full::One));
        assert_eq!(shares.taken(), 2);
        drop(one);
        assert_eq!(shares.taken(), 0);
    }

    #[test]
    fn what_is_given_back_is_another_s() {
        let shares = Shares::new(10, 1);
        let (mut one, other) = (shares.take('a', 1), shares.take('a', 2));
        let one = one.as_mut().expect("there is room");
        assert_eq!(one.grow(2), Ok(()));
        assert_eq!(shares.alone(), 5);
        one.shrink(7);
        assert_eq!(shares.taken(), 5, "it has less than that");
        one.shrink(1);
        assert_eq!((one.places(), shares.taken()), (1, 3));
        one.shrink(0);
        drop(other);
        assert!(shares.lock().by_one.is_empty());
        assert_eq!(one.grow(5), Ok(()));
        assert_eq!(shares.taken(), 5);
    }
}
