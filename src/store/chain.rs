//! Walks an audit chain from its first record, some at a time, and compares it with what
//! checkpoints saw. It reads no database: whoever does hands the records over.

use crate::store::audit::{Broken, Chained, Verifier};
use crate::store::seal::MacKey;
use crate::wire::Checkpoint;

/// Records that are read in one transaction: a longer one keeps old values in the journal, and
/// others from their turn.
pub const STEP_RECORDS_MAX: u32 = 1000;

/// What is wrong with a chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// The walk ends here: what lies behind it is not known.
    Broken(Broken),
    /// A checkpoint saw another record with this sequence.
    Other { sequence: i64 },
    /// A checkpoint saw a record behind the last.
    Cut { seen: i64, last: i64 },
}

/// A walk under way.
pub struct ChainWalk {
    verifier: Verifier,
    checkpoints: Vec<Checkpoint>,
    last: Option<Last>,
    flaws: Vec<Flaw>,
}

/// The last record that was found whole.
pub struct Last {
    pub sequence: i64,
    pub at: i64,
    pub code: Vec<u8>,
}

impl ChainWalk {
    pub fn new(checkpoints: Vec<Checkpoint>) -> Self {
        Self { verifier: Verifier::default(), checkpoints, last: None, flaws: Vec::new() }
    }

    /// Behind which record the next ones are to be read. One that is planted before the first is
    /// read too.
    pub fn after(&self) -> i64 {
        self.last.as_ref().map_or(i64::MIN, |last| last.sequence)
    }

    /// Takes the next records, and whether there may be more; says whether to go on with those.
    pub fn take(&mut self, key: &MacKey, (records, more): (Vec<Chained>, bool)) -> bool {
        for chained in records {
            if let Err(broken) = self.verifier.step(key, &chained) {
                self.flaws.push(Flaw::Broken(broken));
                return false;
            }
            let differs = |one: &Checkpoint| {
                one.sequence == chained.record.sequence && !chained.is_seen_by(one)
            };
            let differs = self.checkpoints.iter().any(differs);
            let Chained { record, code } = chained;
            if differs {
                self.flaws.push(Flaw::Other { sequence: record.sequence });
            }
            self.last = Some(Last { sequence: record.sequence, at: record.at, code });
        }
        more
    }

    pub fn has_flaws(&self) -> bool {
        !self.flaws.is_empty()
    }

    /// The last record that was found whole, and all that is wrong, in the order of the records.
    pub fn end(mut self) -> (Option<Last>, Vec<Flaw>) {
        let last = self.last.as_ref().map_or(0, |last| last.sequence);
        if !self.flaws.iter().any(|flaw| matches!(flaw, Flaw::Broken(_))) {
            let behind = self.checkpoints.iter().filter(|one| one.sequence > last);
            self.flaws.extend(behind.map(|one| Flaw::Cut { seen: one.sequence, last }));
        }
        (self.last, self.flaws)
    }
}
