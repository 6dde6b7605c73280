//! What waits for a transaction, and the transaction that many share: one wait for the disk serves
//! all of them, and none is answered before it. It knows no HTTP.

use std::time::{Duration, Instant};

use crate::name::SecretName;
use crate::store::service::desk::Desk;
use crate::store::service::{Judged, Refusal};
use crate::store::storage::Unpurged;
use crate::store::storage::sqlite::{Identity, Sqlite};
use crate::store::storage::transaction::Transaction;

/// How long the jobs behind a purge are kept waiting for it at a time.
const PURGE_SLICE: Duration = Duration::from_millis(5);
/// Where readers come one upon the other, and writes in between, no such moment is free of them:
/// each has another place in the journal as its end. Whoever waited for so long is given a longer
/// moment, in which nothing is written: those who read then end, and those who come meanwhile need
/// nothing of the journal. Where one keeps it for long, that is tried less often, up to a limit:
/// writes wait for a tenth of the time at most.
const PURGE_PATIENCE: Duration = Duration::from_millis(500);
const PURGE_SLICE_LONG: Duration = Duration::from_millis(250);
const PURGE_WAIT_MAX: Duration = Duration::from_millis(2500);
/// How long a purge rests while nothing else is asked for.
const PURGE_PAUSE: Duration = Duration::from_millis(5);
/// How long the marks of a purge that was made wait for a write that takes them along.
const REST_PAUSE: Duration = Duration::from_millis(20);

/// What a transaction answers: what it did, or a refusal that is on record.
pub type Decided<T> = Judged<Result<Done<T>, Refusal>>;

/// What was done, and what it leaves to do once it is durable.
pub struct Done<T> {
    pub answer: T,
    /// An old value of this name stands in the journal until it is purged.
    pub retired: Option<SecretName>,
}

impl<T> Done<T> {
    pub fn with(answer: T) -> Self {
        Self { answer, retired: None }
    }
}

/// One request's work, in a transaction that others may share.
pub trait Job: Send {
    /// May be called again, after a rollback.
    fn run(&mut self, desk: &mut Desk, tx: &Transaction<'_>) -> Judged<()>;
    /// The name of which an old value is to be purged before this can be answered.
    fn retired(&self) -> Option<&SecretName>;
    /// It is durable, and is not run again: what it worked with is not kept for its answer.
    fn rest(&mut self);
    /// Answers: what was done is durable, and purged where it had to be.
    fn settle(self: Box<Self>, end: Result<(), Refusal>);
}

/// A job made of its work and of who waits for its outcome.
pub struct Request<T, W, S> {
    work: Option<W>,
    outcome: Option<Result<Done<T>, Refusal>>,
    answer: S,
}

impl<T, W, S> Request<T, W, S>
where
    T: Send,
    W: FnMut(&mut Desk, &Transaction<'_>) -> Decided<T> + Send,
    S: FnOnce(Result<T, Refusal>) + Send,
{
    pub fn new(work: W, answer: S) -> Self {
        Self { work: Some(work), outcome: None, answer }
    }
}

impl<T, W, S> Job for Request<T, W, S>
where
    T: Send,
    W: FnMut(&mut Desk, &Transaction<'_>) -> Decided<T> + Send,
    S: FnOnce(Result<T, Refusal>) + Send,
{
    fn run(&mut self, desk: &mut Desk, tx: &Transaction<'_>) -> Judged<()> {
        let work = self.work.as_mut().expect("what is durable is not run again");
        self.outcome = Some(work(desk, tx)?);
        Ok(())
    }

    fn retired(&self) -> Option<&SecretName> {
        self.outcome.as_ref()?.as_ref().ok()?.retired.as_ref()
    }

    fn rest(&mut self) {
        self.work = None;
    }

    fn settle(self: Box<Self>, end: Result<(), Refusal>) {
        let Self { outcome, answer, .. } = *self;
        let done = || outcome.expect("what is durable was run").map(|done| done.answer);
        answer(end.and_then(|()| done()));
    }
}

/// When a purge that waits is given its next long moment, and how long it waits for the one behind.
struct Patience {
    ends: Instant,
    next: Duration,
}

impl Patience {
    fn new() -> Self {
        Self::at(Instant::now())
    }

    fn at(now: Instant) -> Self {
        Self { ends: now + PURGE_PATIENCE, next: 2 * PURGE_PATIENCE }
    }

    /// How long the purge may take now.
    fn slice(&mut self, now: Instant) -> Duration {
        if now < self.ends {
            return PURGE_SLICE;
        }
        let next = (2 * self.next).min(PURGE_WAIT_MAX);
        *self = Self { ends: now + PURGE_SLICE_LONG + self.next, next };
        PURGE_SLICE_LONG
    }
}

/// The operations, over one database.
pub struct Service {
    pub(super) database: Sqlite,
    pub(super) desk: Desk,
    /// What is durable and waits for a purge, each until its time.
    unpurged: Vec<(Instant, Box<dyn Job>)>,
    patience: Patience,
    /// Marks of purges that were made: the next transaction forgets them with what it does.
    purged: Vec<Unpurged>,
    records_written: u64,
}

impl Service {
    pub fn new(database: Sqlite, desk: Desk) -> Self {
        let (unpurged, patience, purged) = (Vec::new(), Patience::new(), Vec::new());
        Self { database, desk, unpurged, patience, purged, records_written: 0 }
    }

    /// Before the first job: finishes the changes that a crash cut off. A mark that it left of one
    /// that was finished would have the next deletion of that name taken for the same again.
    pub fn finish_left(&mut self) {
        let left = self.database.read(|tx| tx.any_unpurged());
        // What is wrong with the database shows in the first job.
        if left.is_ok_and(|left| left) && self.database.write(|_| Ok(())).is_ok() {
            self.database.purge_at_once();
        }
    }

    /// Does all of these in one transaction, and answers each. If one of them meets something that
    /// ends the transaction, each is done again by itself.
    pub fn run(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let desk = &mut self.desk;
        let purged = &self.purged;
        let mut stopped_by_job = false;
        let ran = self.database.write(|tx| {
            desk.begin(tx)?;
            tx.forget_all_unpurged(purged)?;
            for job in &mut jobs {
                job.run(desk, tx).inspect_err(|_| stopped_by_job = true)?;
            }
            tx.any_unpurged()
        });
        match ran {
            Ok(unpurged) => {
                self.purged.clear();
                self.records_written += self.desk.take_count();
                self.finish(jobs, unpurged);
            }
            Err(error) => {
                self.desk.forget();
                if stopped_by_job && jobs.len() > 1 {
                    jobs.into_iter().for_each(|job| self.run(vec![job]));
                } else {
                    for job in jobs {
                        job.settle(Err(Refusal::Storage(error.clone())));
                    }
                }
            }
        }
    }

    /// Does one, and waits for its purge.
    pub fn run_one(&mut self, job: Box<dyn Job>) {
        self.run(vec![job]);
        while self.is_purging() {
            self.purge();
        }
        self.rest();
    }

    /// When nothing more is asked for a while: forgets the marks that no write took along. Where
    /// it fails they ask for another purge.
    pub fn rest(&mut self) {
        let purged = std::mem::take(&mut self.purged);
        if !purged.is_empty() {
            let _later = self.database.write(|tx| tx.forget_all_unpurged(&purged));
        }
    }

    /// How long others may ask for something before [`Service::tidy`] is due; none if nothing is
    /// left to do.
    pub fn pause(&self) -> Option<Duration> {
        match (self.is_purging(), self.purged.is_empty()) {
            (true, _) => Some(PURGE_PAUSE),
            (false, false) => Some(REST_PAUSE),
            (false, true) => None,
        }
    }

    /// Does what was left while others asked.
    pub fn tidy(&mut self) {
        if self.is_purging() { self.purge() } else { self.rest() }
    }

    /// Reads on one unchanging view of the database.
    pub fn read<T>(
        &mut self,
        work: impl FnOnce(&mut Desk, &Transaction<'_>) -> Judged<Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let desk = &mut self.desk;
        self.database.read(|tx| {
            desk.begin(tx)?;
            work(desk, tx)
        })?
    }

    /// The file that it works on.
    pub fn place(&self) -> Option<Identity> {
        self.database.place()
    }

    /// Audit records that became durable.
    pub fn records_written(&self) -> u64 {
        self.records_written
    }

    /// Whether somebody waits for [`Service::purge`].
    pub fn is_purging(&self) -> bool {
        !self.unpurged.is_empty()
    }

    /// Tries to purge what is retired, for a moment, and answers those who wait for it if it is
    /// done, or if their time is over.
    pub fn purge(&mut self) {
        match self.database.purge_marked_within(self.patience.slice(Instant::now())) {
            Ok(Some(marks)) => {
                self.purged = marks;
                self.settle_unpurged(|| Ok(()));
            }
            Ok(None) => self.give_up_late(),
            Err(error) => self.settle_unpurged(|| Err(Refusal::Storage(error.clone()))),
        }
    }

    fn settle_unpurged(&mut self, end: impl Fn() -> Result<(), Refusal>) {
        for (_, job) in std::mem::take(&mut self.unpurged) {
            job.settle(end());
        }
    }

    fn finish(&mut self, jobs: Vec<Box<dyn Job>>, unpurged: bool) {
        let deadline = Instant::now() + self.database.wait_max();
        if !self.is_purging() {
            self.patience = Patience::new();
        }
        for mut job in jobs {
            if job.retired().is_some() {
                job.rest();
                self.unpurged.push((deadline, job));
            } else {
                job.settle(Ok(()));
            }
        }
        if self.is_purging() {
            self.purge();
        } else if unpurged {
            // A change that a crash cut off: there may be no other write to finish it.
            self.database.purge_at_once();
        }
    }

    /// Tells those whose time is over that a reader keeps the old value.
    fn give_up_late(&mut self) {
        let now = Instant::now();
        let (late, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unpurged).into_iter().partition(|(end, _)| *end <= now);
        self.unpurged = waiting;
        for (_, job) in late {
            let name = job.retired().expect("only such jobs wait for a purge").clone();
            job.settle(Err(Refusal::Unpurged(name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_tried_at_length_again_and_again() {
        let begun = Instant::now();
        let (mut patience, mut now) = (Patience::at(begun), begun);
        let mut long = vec![begun];
        while now < begun + Duration::from_secs(30) {
            let slice = patience.slice(now);
            if slice == PURGE_SLICE_LONG {
                long.push(now);
            }
            now += slice + PURGE_PAUSE;
        }
        let gaps: Vec<Duration> = long.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(gaps[0] < Duration::from_millis(520), "{gaps:?}");
        assert!(gaps.iter().all(|gap| *gap < Duration::from_secs(3)), "{gaps:?}");
        assert!(
            PURGE_SLICE_LONG * u32::try_from(gaps.len()).expect("few") < now - begun,
            "{gaps:?}"
        );
        assert!(gaps.len() < 16, "others write in between: {gaps:?}");
    }
}
