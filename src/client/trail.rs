//! Calls about what happened: records, checkpoints, and what workloads resolved.

use hyper::Method;

use crate::wire;

use super::answer;
use super::call::Call;
use super::{AuditQuery, Client, Error, FRAME_BYTES_MAX, PageQuery, ROW_BYTES_MAX};

/// The most rows of a page that is asked for: each may hold thousands of names.
pub const TRAIL_ROWS_MAX: usize = 100;
/// The most bytes of such a row: its own, and each name of a resolve with its version.
const RECORD_BYTES_MAX: usize = ROW_BYTES_MAX + wire::RESOLVE_NAMES_MAX * NAMED_BYTES_MAX;
/// A name of 128 bytes, versions, a time, and what JSON puts around them.
const NAMED_BYTES_MAX: usize = 320;
const PAGE_BYTES_MAX: usize = FRAME_BYTES_MAX + TRAIL_ROWS_MAX * RECORD_BYTES_MAX;

impl Client {
    pub fn audit(&self, query: &AuditQuery) -> Result<wire::AuditList, Error> {
        self.rows(wire::audit_path(self.org()) + &query.to_query())
    }

    pub fn workloads(&self, page: &PageQuery) -> Result<wire::WorkloadList, Error> {
        self.rows(wire::workloads_path(self.org()) + &page.to_query())
    }

    /// What the chain's end is now.
    pub fn checkpoint(&self) -> Result<wire::Checkpoint, Error> {
        let call = Call::new(Method::GET, wire::checkpoint_path(self.org()));
        self.call(&call, |answer| answer::parse(&answer.body))
    }

    /// Has the store walk the whole chain, which may take as long as the deadline lets it.
    pub fn verify(&self, request: &wire::VerifyRequest) -> Result<wire::VerifyAnswer, Error> {
        let body = serde_json::to_vec(request).expect("a checkpoint is JSON");
        let call = Call {
            body: Some(body.into()),
            patient: true,
            ..Call::new(Method::POST, wire::verify_path(self.org()))
        };
        self.call(&call, |answer| answer::parse(&answer.body))
    }

    fn rows<T>(&self, path: String) -> Result<T, Error>
    where
        T: for<'de> serde::Deserialize<'de>,
    {
        let call = Call { answer_max: PAGE_BYTES_MAX, ..Call::new(Method::GET, path) };
        self.call(&call, |answer| answer::parse(&answer.body))
    }
}
