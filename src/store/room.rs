//! The memory that answers take, from the rows that they are made of to their last byte on the way
//! to a client that may be slow to read. What there is no room for is not made. Nobody waits here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room that all answers have together.
pub struct Rooms {
    free: Arc<Semaphore>,
    bytes_max: usize,
    bytes_uncounted: usize,
    refused: AtomicU64,
}

/// One answer's, until it is dropped.
#[derive(Default)]
pub struct Room {
    /// None where there is no end to it: within this process.
    of: Option<Arc<Rooms>>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Rooms {
    /// Answers up to `bytes_uncounted` take none.
    pub fn new(bytes_max: usize, bytes_uncounted: usize) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(bytes_max));
        Arc::new(Self { free, bytes_max, bytes_uncounted, refused: AtomicU64::new(0) })
    }

    pub fn room(self: &Arc<Self>) -> Arc<Room> {
        Arc::new(Room { of: Some(Arc::clone(self)), taken: Mutex::default() })
    }

    /// Bytes that are taken, by all together.
    pub fn taken(&self) -> usize {
        self.bytes_max - self.free.available_permits()
    }

    /// How often there was none.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The longest answer takes all that there is.
    fn counted(&self, bytes: usize) -> usize {
        if bytes <= self.bytes_uncounted { 0 } else { bytes.min(self.bytes_max) }
    }
}

impl Room {
    /// Takes so many bytes more, or keeps what it has and says that there is no room.
    pub fn grow(&self, more: usize) -> bool {
        let mut taken = self.lock();
        let bytes = taken.bytes.saturating_add(more);
        self.set(&mut taken, bytes)
    }

    /// The same for so many in all; it gives back what it has over that.
    pub fn settle(&self, bytes: usize) -> bool {
        self.set(&mut self.lock(), bytes)
    }

    fn set(&self, taken: &mut Taken, bytes: usize) -> bool {
        let Some(of) = &self.of else { return true };
        let had = taken.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = of.counted(bytes);
        if wanted > had {
            let more = u32::try_from(wanted - had).unwrap_or(u32::MAX);
            let Ok(more) = Arc::clone(&of.free).try_acquire_many_owned(more) else {
                of.refused.fetch_add(1, Ordering::Relaxed);
                return false;
            };
            match &mut taken.permit {
                Some(permit) => permit.merge(more),
                None => taken.permit = Some(more),
            }
        } else if let Some(permit) = &mut taken.permit {
            drop(permit.split(had - wanted));
        }
        taken.bytes = bytes;
        true
    }

    /// Counting cannot panic half way.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_an_end_and_the_longest_has_all_of_it() {
        let rooms = Rooms::new(100, 10);
        let (one, other) = (rooms.room(), rooms.room());
        assert!(one.grow(11));
        assert_eq!(rooms.taken(), 11);
        assert!(!other.settle(usize::MAX), "another has some");
        assert!(other.settle(10), "what is short takes none");
        assert_eq!((rooms.taken(), rooms.refused()), (11, 1));
        drop(one);
        assert!(other.settle(usize::MAX));
        assert_eq!(rooms.taken(), 100);
        assert!(!rooms.room().grow(11));
        drop(other);
        assert_eq!(rooms.taken(), 0);
    }

    #[test]
    fn what_is_over_is_given_back() {
        let rooms = Rooms::new(100, 10);
        let room = rooms.room();
        assert!(room.grow(40) && room.grow(40));
        assert!(!room.grow(21) || rooms.taken() == 100);
        assert!(room.settle(30));
        assert_eq!(rooms.taken(), 30);
        assert!(room.settle(5));
        assert_eq!(rooms.taken(), 0);
        assert!(Room::default().grow(usize::MAX), "within the process there is no end");
    }
}
