//! Versions of names, for those who wait for others: what the audit trail says is there, which is
//! judged, but no value and no row. The first look of a connection is on record.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::name::{OrgName, SecretName};
use crate::store::audit::{Action, NamedList, Outcome, subject};
use crate::store::permission::Operation;
use crate::store::service::desk::Said;
use crate::store::service::{
    Caller, Credential, Damage, Decided, Desk, Done, Judged, Knock, Refusal, now, or_refuse,
};
use crate::store::storage::transaction::Transaction;
use crate::store::watches::Versions;
use crate::wire::{Reason, Unresolved};

/// Somebody who wants to know what versions there are of these names.
pub struct Look {
    pub knock: Knock,
    pub organization: OrgName,
    pub versions: Arc<Versions>,
}

/// What versions there are, in the order of the names; none of what is gone.
#[derive(Debug)]
pub struct Looked {
    pub versions: Vec<Option<i64>>,
    /// The organization's last record.
    pub sequence: i64,
    /// By what it was let in, as the subjects of records call it.
    pub people: Vec<String>,
    /// How long that lasts, unless it changes.
    pub lasts: Option<Duration>,
}

/// What is so of one name; nothing where its record is not as it was written.
type Seen = Option<Option<i64>>;

/// What was looked at already in this transaction.
#[derive(Default)]
struct SeenBefore {
    names: HashMap<(OrgName, SecretName), Seen>,
    sequences: HashMap<OrgName, i64>,
}

impl Desk {
    /// The first look of a connection.
    pub fn begin_watch(&mut self, tx: &Transaction<'_>, look: &Look) -> Decided<Looked> {
        let caller = or_refuse!(self.admit(tx, &look.knock, &look.organization)?);
        let seen = self.seen(tx, &caller, &look.versions, &mut SeenBefore::default())?;
        let outcome = match &seen {
            Ok(_) => Outcome::Ok,
            Err(Refusal::Damaged(_)) => Outcome::Damaged,
            Err(Refusal::Network { .. }) => Outcome::Network,
            Err(_) => Outcome::Forbidden,
        };
        let versions = seen.as_ref().ok();
        let mut secrets = NamedList::new();
        for (place, name) in look.versions.keys().enumerate() {
            secrets.push(name, versions.and_then(|versions| versions[place]));
        }
        let workload = caller.principal.workload().map(ToString::to_string);
        let said = Said { secrets, workload, ..Said::new(Action::Watch, outcome) };
        let sequence = self.record(tx, &caller, said)?;
        Ok(seen.map(|versions| Done::with(self.looked(look, &caller, versions, sequence))))
    }

    /// Later looks, of many at a time. What one of them fails at is that one's.
    pub fn look_all(&self, tx: &Transaction<'_>, looks: &[Look]) -> Vec<Result<Looked, Refusal>> {
        // In one transaction nothing changes: a token, too, is judged once.
        let mut desk = Self::remembering(Arc::clone(&self.keys));
        let mut before = SeenBefore::default();
        let each = looks.iter().map(|look| desk.look(tx, look, &mut before));
        each.map(|looked| looked.unwrap_or_else(|error| Err(error.into()))).collect()
    }

    fn look(
        &mut self,
        tx: &Transaction<'_>,
        look: &Look,
        before: &mut SeenBefore,
    ) -> Judged<Result<Looked, Refusal>> {
        let caller = or_refuse!(self.admit(tx, &look.knock, &look.organization)?);
        let versions = or_refuse!(self.seen(tx, &caller, &look.versions, before)?);
        let sequence = match before.sequences.get(&look.organization) {
            Some(sequence) => *sequence,
            None => {
                let head = tx.head(look.organization.as_str())?;
                let sequence = head.map_or(0, |(sequence, _)| sequence);
                before.sequences.insert(look.organization.clone(), sequence);
                sequence
            }
        };
        Ok(Ok(self.looked(look, &caller, versions, sequence)))
    }

    fn looked(
        &self,
        look: &Look,
        caller: &Caller,
        versions: Vec<Option<i64>>,
        sequence: i64,
    ) -> Looked {
        let member = caller.principal.member().map(|email| subject::member(email.as_str()));
        let mut people: Vec<String> = member.into_iter().collect();
        let mut lasts = None;
        if let Credential::Tokens(proofs) = &look.knock.credential {
            people.extend(proofs.iter().map(|proof| subject::token(proof.id.as_str())));
            let ends = proofs.iter().filter_map(|proof| self.known_token(&proof.id)?.expires_at);
            let left = ends.filter_map(|end| u64::try_from(end - now()).ok());
            lasts = left.filter(|left| *left > 0).min().map(Duration::from_millis);
        }
        Looked { versions, sequence, people, lasts }
    }

    fn seen(
        &self,
        tx: &Transaction<'_>,
        caller: &Caller,
        versions: &Versions,
        before: &mut SeenBefore,
    ) -> Judged<Result<Vec<Option<i64>>, Refusal>> {
        if caller.is_astray() {
            return Ok(Err(caller.forbidden().1));
        }
        let may = |name: &&SecretName| caller.may(Operation::Audited(Action::Watch), Some(name));
        let forbidden: Vec<_> = versions.keys().filter(|name| !may(name)).collect();
        if !forbidden.is_empty() {
            let reason = Reason::Forbidden;
            let unresolved =
                |name: &SecretName| Unresolved { name: name.clone(), reason, nearest: None };
            return Ok(Err(Refusal::Unresolved(forbidden.into_iter().map(unresolved).collect())));
        }
        let mut damaged = Vec::new();
        let mut all = Vec::with_capacity(versions.len());
        for name in versions.keys() {
            let key = (caller.organization.clone(), name.clone());
            let seen = match before.names.get(&key) {
                Some(seen) => *seen,
                None => {
                    let seen = self.seen_version(tx, &caller.organization, name)?;
                    before.names.insert(key, seen);
                    seen
                }
            };
            match seen {
                Some(version) => all.push(version),
                None => damaged.push(Damage { name: name.clone(), deletable: false }),
            }
        }
        Ok(if damaged.is_empty() { Ok(all) } else { Err(Refusal::Damaged(damaged)) })
    }

    fn seen_version(
        &self,
        tx: &Transaction<'_>,
        organization: &OrgName,
        name: &SecretName,
    ) -> Judged<Seen> {
        let Some(anchor) = tx.anchor(organization.as_str(), name.as_str())? else {
            return Ok(Some(None));
        };
        let stands = anchor.holds(&self.keys.ring.audit, organization.as_str(), name.as_str());
        let live = (!anchor.is_delete()).then(|| anchor.version());
        Ok(stands.then_some(live))
    }
}
