//! What the fuzz targets (`contrib/fuzz`) reach of the store: rows, chains, tokens, bodies and
//! queries, as the store itself takes them. It is compiled for them alone.

use tokio::io::DuplexStream;

use crate::store::Store;
use crate::store::http::Peer;

pub use crate::store::audit::{Anchor, Chained, GENESIS, Record, code, code_text};
pub use crate::store::canonical::Canonical;
pub use crate::store::chain::ChainWalk;
pub use crate::store::http::fuzzing::{Body, Place, accepted, place};
pub use crate::store::seal::{
    Columns, Damaged, FORMAT, Key, MacKey, MasterKey, SALT_BYTES, SealedRow, open, row_code,
    row_code_holds, seal,
};
pub use crate::store::storage::{MemberRow, OrgRow, TokenRow, UsageRow};
pub use crate::store::token::{Kind, Made, Proof, make, read};

impl Store {
    /// One connection as from the network: who asks has to show a token.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect_as_stranger(&self) -> DuplexStream {
        self.connect_as(Peer::Stranger { address: None })
    }
}
