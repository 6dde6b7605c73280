//! The memory that answers take, from the rows that they are made of to their last byte on the way
//! to a client that may be slow to read. What there is no room for is not made. Nobody waits here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::name::OrgName;
use crate::store::serve::Source;
use crate::store::shares::{Share, Shares};

/// The room that all answers have together.
pub struct Rooms {
    shares: Arc<Shares<Whose>>,
    bytes_uncounted: usize,
    refused: AtomicU64,
}

/// Who has a share of it: so who does not read is in the way of nobody else.
#[derive(Clone, Eq, Hash, PartialEq)]
pub enum Whose {
    Organization(OrgName),
    Source(Source),
}

/// One answer's, until it is dropped.
#[derive(Default)]
pub struct Room {
    /// None where there is no end to it: within this process.
    of: Option<(Arc<Rooms>, Whose)>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    share: Option<Share<Whose>>,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoRoom {
    /// Others have it.
    Now,
    /// It is more than a share has where nobody else has any.
    Ever,
}

impl Rooms {
    /// Answers up to `bytes_uncounted` take none.
    pub fn new(shares: Arc<Shares<Whose>>, bytes_uncounted: usize) -> Arc<Self> {
        Arc::new(Self { shares, bytes_uncounted, refused: AtomicU64::new(0) })
    }

    pub fn room(self: &Arc<Self>, whose: Whose) -> Arc<Room> {
        Arc::new(Room { of: Some((Arc::clone(self), whose)), taken: Mutex::default() })
    }

    /// Bytes that are taken, by all together.
    pub fn taken(&self) -> usize {
        self.shares.taken()
    }

    /// How often there was none.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Makes the share one of so many bytes, or leaves it as it is.
    fn set(
        self: &Arc<Self>,
        share: &mut Option<Share<Whose>>,
        whose: &Whose,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        if bytes <= self.bytes_uncounted {
            *share = None;
            return Ok(());
        }
        if bytes > self.shares.alone() {
            return Err(NoRoom::Ever);
        }
        let done = match share {
            Some(share) if bytes <= share.places() => {
                share.shrink(bytes);
                Ok(())
            }
            Some(share) => share.grow(bytes - share.places()),
            None => self.shares.take(whose.clone(), bytes).map(|new| *share = Some(new)),
        };
        done.map_err(|_full| NoRoom::Now)
    }
}

impl Room {
    /// Takes so many bytes more, or keeps what it has and says why there is no room.
    pub fn grow(&self, more: usize) -> Result<(), NoRoom> {
        let mut taken = self.lock();
        let bytes = taken.bytes.saturating_add(more);
        self.set(&mut taken, bytes)
    }

    /// The same for so many in all; it gives back what it has over that.
    pub fn settle(&self, bytes: usize) -> Result<(), NoRoom> {
        self.set(&mut self.lock(), bytes)
    }

    fn set(&self, taken: &mut Taken, bytes: usize) -> Result<(), NoRoom> {
        let Some((of, whose)) = &self.of else { return Ok(()) };
        of.set(&mut taken.share, whose, bytes).inspect_err(|_| {
            of.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        taken.bytes = bytes;
        Ok(())
    }

    /// Counting cannot panic half way.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(organization: &str) -> Whose {
        Whose::Organization(OrgName::parse(organization).expect("a slug"))
    }

    #[test]
    fn who_does_not_read_leaves_room_to_others() {
        let rooms = Rooms::new(Shares::new(100, 1), 10);
        let (one, same, other) = (rooms.room(of("a")), rooms.room(of("a")), rooms.room(of("b")));
        assert_eq!(one.grow(11), Ok(()));
        assert_eq!(one.grow(39), Ok(()));
        assert_eq!(one.grow(1), Err(NoRoom::Ever), "alone, it has half of all");
        assert_eq!(same.grow(11), Err(NoRoom::Now));
        assert_eq!(same.settle(10), Ok(()), "what is short takes none");
        assert_eq!(other.settle(25), Ok(()));
        assert_eq!(other.grow(1), Err(NoRoom::Now), "and others half of what is left");
        assert_eq!(rooms.room(Whose::Source(Source::Unix)).grow(11), Ok(()));
        assert_eq!((rooms.taken(), rooms.refused()), (75, 3));
        drop(one);
        assert_eq!(same.settle(50), Ok(()));
        drop((same, other));
        assert_eq!(rooms.taken(), 0);
    }

    #[test]
    fn what_is_over_is_given_back() {
        let rooms = Rooms::new(Shares::new(200, 1), 10);
        let room = rooms.room(of("a"));
        assert_eq!((room.grow(40), room.grow(40)), (Ok(()), Ok(())));
        assert_eq!(room.grow(21), Err(NoRoom::Ever));
        assert_eq!(rooms.taken(), 80, "what is refused changes nothing");
        assert_eq!(room.settle(30), Ok(()));
        assert_eq!(rooms.taken(), 30);
        assert_eq!(room.settle(5), Ok(()));
        assert_eq!(rooms.taken(), 0);
        assert_eq!(Room::default().grow(usize::MAX), Ok(()), "within the process there is no end");
    }
}
