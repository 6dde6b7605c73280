//! The routes of what happened: audit records, checkpoints, verification, and workloads.

use hyper::StatusCode;
use hyper::body::Incoming;

use crate::store::chain::ChainWalk;
use crate::store::http::problem::Fault;
use crate::store::http::{Answer, Asked, answer, body, query};
use crate::store::service::verified;
use crate::wire::{AuditList, Checkpoint, VerifyRequest, WorkloadList};

impl Asked<'_> {
    pub async fn list_audit(self) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let ask = query::trail(self.query())?;
        let (store, knock) = (self.store, self.knock);
        let page = store.read(move |desk, tx| desk.trail(tx, &knock, &org, &ask)).await;
        let page = page.map_err(Fault::Refusal)?;
        let next = page.next.map(|before| query::simple_cursor("audit", &before.to_string()));
        Ok(answer::as_json(StatusCode::OK, &AuditList { records: page.records, next }))
    }

    pub async fn checkpoint(self) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (store, knock) = (self.store, self.knock);
        let seen = store.read(move |desk, tx| desk.checkpoint(tx, &knock, &org)).await;
        Ok(answer::as_json(StatusCode::OK, &seen.map_err(Fault::Refusal)?))
    }

    pub async fn verify(mut self, body: Incoming) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let shape = r#"{} or {"checkpoint":{…}}"#;
        let ask: VerifyRequest = body::parse(&self.read(body).await?, shape)?;
        if ask.checkpoint.as_ref().is_some_and(|seen| seen.organization != org) {
            return Err(Fault::Value { what: "the checkpoint is another organization's" });
        }
        if ask.checkpoint.as_ref().is_some_and(|seen| !is_checkpoint(seen)) {
            return Err(Fault::Value { what: "the checkpoint is none that a store gives" });
        }
        let (store, knock) = (self.store, self.knock);
        let mut walk = ChainWalk::new(ask.checkpoint.into_iter().collect());
        // Between two steps others have their turn, and whoever asks is judged again.
        loop {
            let (knock, org) = (knock.clone(), org.clone());
            let step = store.read(move |desk, tx| desk.verify(tx, &knock, &org, walk)).await;
            let (walked, goes_on) = step.map_err(Fault::Refusal)?;
            walk = walked;
            if !goes_on || walk.has_flaws() {
                return Ok(answer::as_json(StatusCode::OK, &verified(walk)));
            }
        }
    }

    pub async fn list_workloads(self) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (after, rows) = query::page(self.query(), "workloads")?;
        let (store, knock) = (self.store, self.knock);
        let page = store.read(move |desk, tx| desk.workloads(tx, &knock, &org, &after, rows)).await;
        let page = page.map_err(Fault::Refusal)?;
        let next = page.next.map(|after| query::simple_cursor("workloads", &after));
        Ok(answer::as_json(StatusCode::OK, &WorkloadList { workloads: page.workloads, next }))
    }
}

/// Whether a chain can have had this end: 32 bytes in hex, all of them 0 before its first record.
fn is_checkpoint(seen: &Checkpoint) -> bool {
    let is_code = seen.code.len() == 64 && seen.code.bytes().all(|b| b.is_ascii_hexdigit());
    let is_genesis = seen.code.bytes().all(|b| b == b'0');
    is_code && (seen.sequence > 0 || seen.sequence == 0 && is_genesis)
}
