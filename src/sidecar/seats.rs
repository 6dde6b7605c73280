//! The connections of one socket, so many at once. Where all seats are taken, whoever comes is let
//! in all the same, in place of the oldest that nobody works for: who says nothing, or does not
//! read its answer. It reads and writes nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::log::{Level, Log, Throttle};

const LINES_PER_SECOND_MAX: u32 = 1;

static CROWDED: Throttle = Throttle::new("connection_closed", LINES_PER_SECOND_MAX);

pub struct Seats {
    max: usize,
    /// The oldest first.
    taken: RefCell<Vec<Rc<Guest>>>,
    freed: Notify,
    log: Log,
}

struct Guest {
    is_served: Cell<bool>,
    leave: Notify,
}

/// A connection's, as long as this is kept.
pub struct Seat {
    seats: Rc<Seats>,
    guest: Rc<Guest>,
}

impl Seats {
    pub fn new(max: usize, log: Log) -> Rc<Self> {
        Rc::new(Self { max, taken: RefCell::default(), freed: Notify::new(), log })
    }

    /// Waits only where all of them are worked for.
    pub async fn take(self: &Rc<Self>) -> Seat {
        while self.is_full() && !self.make_room() {
            self.freed.notified().await;
        }
        let guest = Rc::new(Guest { is_served: Cell::new(false), leave: Notify::new() });
        self.taken.borrow_mut().push(Rc::clone(&guest));
        Seat { seats: Rc::clone(self), guest }
    }

    fn is_full(&self) -> bool {
        self.taken.borrow().len() >= self.max
    }

    /// Sends one away, if there is one that nobody works for.
    fn make_room(&self) -> bool {
        let mut taken = self.taken.borrow_mut();
        let Some(place) = taken.iter().position(|guest| !guest.is_served.get()) else {
            return false;
        };
        taken.remove(place).leave.notify_one();
        self.log.throttled(Level::Warn, &CROWDED, |line| {
            line.text("why", "too many are connected, and this one is not waiting for an answer");
        });
        true
    }
}

impl Seat {
    /// It is being worked for: until the answer is there, it stays.
    pub fn serve(&self) {
        self.guest.is_served.set(true);
    }

    /// All that is left is to write its answer.
    pub fn is_answered(&self) {
        self.guest.is_served.set(false);
    }

    /// It has a place elsewhere for a while, and leaves this one to others.
    pub fn step_aside(&self) {
        self.seats.taken.borrow_mut().retain(|guest| !Rc::ptr_eq(guest, &self.guest));
        self.seats.freed.notify_one();
    }

    /// It is back, in any case: what it got is still to be written.
    pub fn come_back(&self) {
        if self.seats.is_full() {
            self.seats.make_room();
        }
        self.seats.taken.borrow_mut().push(Rc::clone(&self.guest));
    }

    /// Until its seat is another's.
    pub async fn sent_away(&self) {
        self.guest.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.step_aside();
    }
}
