//! Who knocks, and what that is worth: read in the transaction that the request is done in, so a
//! token that was revoked, or a role that was changed, counts from the next request on.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::grant::Grant;
use crate::name::{EmailAddress, OrgName, WorkloadName};
use crate::store::permission::{Bearer, Operation, Principal, Subject};
use crate::store::service::desk::{Desk, KnownToken};
use crate::store::service::{Caller, Judged, Refusal, or_refuse};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{MemberRow, TokenRow};
use crate::store::token::{Kind, Proof};
use crate::wire::Role;

/// A request's claim to be somebody, and where it came from.
#[derive(Clone, Debug)]
pub struct Knock {
    pub credential: Credential,
    pub client: Option<IpAddr>,
    /// What is counted for it as long as anything is done for it.
    pub counted: Counted,
}

/// Something of a request that takes a place until all that was begun for it is over, which may be
/// after its client has left.
#[derive(Clone, Default)]
pub struct Counted(Option<Arc<dyn Any + Send + Sync>>);

impl Counted {
    pub fn new(what: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(what)))
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counted").field(&self.0.is_some()).finish()
    }
}

impl Knock {
    /// The same, for which nothing is counted here.
    pub fn uncounted(&self) -> Self {
        Self { counted: Counted::default(), ..self.clone() }
    }

    /// The client's address, as records have it.
    pub fn address(&self) -> Option<String> {
        self.client.map(|client| client.to_canonical().to_string())
    }
}

#[derive(Clone, Debug)]
pub enum Credential {
    /// On the machine itself; the name is the operating system's.
    Operator(Arc<str>),
    /// A token, or those of a session.
    Tokens(Arc<[Proof]>),
}

/// What is wrong with a token: not known, or not as it was written.
enum Unfit {
    Unknown,
    Damaged,
}

impl Desk {
    /// Who knocks at this organization. One that is there and one that is not look the same from
    /// outside of it.
    pub fn admit(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
    ) -> Judged<Result<Caller, Refusal>> {
        let principal = match &knock.credential {
            Credential::Operator(name) => Principal::Operator { name: name.to_string() },
            Credential::Tokens(proofs) => {
                let bearers = or_refuse!(self.bearers(tx, proofs, knock.client)?);
                let own = |one: &Arc<Bearer>| one.organization == *organization;
                // Of several in a session, one that may be used from there goes first.
                match bearers.into_iter().filter(own).min_by_key(|one| one.astray) {
                    Some(bearer) => Principal::Bearer(bearer),
                    None => return Ok(Err(Refusal::NoOrganization(organization.clone()))),
                }
            }
        };
        or_refuse!(self.organization(tx, organization)?);
        let client = knock.address();
        Ok(Ok(Caller { principal, organization: organization.clone(), client }))
    }

    /// Lets in whoever may read this, which leaves no record.
    pub fn admit_to(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        operation: Operation,
    ) -> Judged<Result<Caller, Refusal>> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        Ok(if caller.may(operation, None) { Ok(caller) } else { Err(caller.forbidden().1) })
    }

    /// Everyone that these tokens are; at least one, or the request is nobody's.
    pub fn bearers(
        &mut self,
        tx: &Transaction<'_>,
        proofs: &[Proof],
        client: Option<IpAddr>,
    ) -> Judged<Result<Vec<Arc<Bearer>>, Refusal>> {
        let mut bearers = Vec::with_capacity(proofs.len());
        let mut damaged = false;
        for proof in proofs {
            match self.token(tx, proof)? {
                Ok(token) => bearers.push(token.bearer_from(client)),
                Err(Unfit::Unknown) => {}
                Err(Unfit::Damaged) => damaged = true,
            }
        }
        Ok(match (bearers.is_empty(), damaged) {
            (false, _) => Ok(bearers),
            (true, true) => Err(Refusal::TokenDamaged),
            (true, false) => Err(Refusal::Unauthorized),
        })
    }

    fn token(
        &mut self,
        tx: &Transaction<'_>,
        proof: &Proof,
    ) -> Judged<Result<Arc<KnownToken>, Unfit>> {
        let token = match self.known_token(&proof.id) {
            Some(token) => token,
            None => {
                let Some(row) = tx.token(proof.id.as_str())? else {
                    return Ok(Err(Unfit::Unknown));
                };
                // Who does not hold the token learns nothing of its row.
                if !bool::from(row.hash.as_slice().ct_eq(&proof.hash)) {
                    return Ok(Err(Unfit::Unknown));
                }
                match self.judge_token(tx, row, proof.kind)? {
                    Ok(token) => {
                        self.learn_token(&proof.id, &token);
                        token
                    }
                    Err(unfit) => return Ok(Err(unfit)),
                }
            }
        };
        let same = bool::from(token.hash.as_slice().ct_eq(&proof.hash));
        let fresh = token.expires_at.is_none_or(|end| self.at < end);
        Ok(if same && fresh { Ok(token) } else { Err(Unfit::Unknown) })
    }

    fn judge_token(
        &self,
        tx: &Transaction<'_>,
        row: TokenRow,
        kind: Kind,
    ) -> Judged<Result<Arc<KnownToken>, Unfit>> {
        let keys = &self.keys;
        if !keys.token_stands(tx, &row)? {
            return Ok(Err(Unfit::Damaged));
        }
        let (subject, names) = match (&row.member, &row.workload, kind) {
            (Some(email), None, Kind::Member) => {
                let Some(member) = tx.member(&row.organization, email)? else {
                    return Ok(Err(Unfit::Damaged));
                };
                match self.judge_member(tx, &member)? {
                    Some((email, role, names)) => (Subject::Member { email, role }, names),
                    None => return Ok(Err(Unfit::Damaged)),
                }
            }
            (None, Some(workload), Kind::Workload) => match workload_of(workload, &row) {
                Some(both) => both,
                None => return Ok(Err(Unfit::Damaged)),
            },
            _ => return Ok(Err(Unfit::Damaged)),
        };
        let network = row.network.as_deref().map(str::parse).transpose();
        let (Ok(organization), Ok(network)) = (OrgName::parse(&row.organization), network) else {
            return Ok(Err(Unfit::Damaged));
        };
        let bearer = Arc::new(Bearer { organization, subject, names, astray: false });
        let (hash, expires_at) = (row.hash, row.expires_at);
        Ok(Ok(Arc::new(KnownToken { hash, expires_at, network, bearer })))
    }

    /// What a member's row says, if it is the one that was written last.
    pub fn judge_member(
        &self,
        tx: &Transaction<'_>,
        row: &MemberRow,
    ) -> Judged<Option<(EmailAddress, Role, Grant)>> {
        let stands = self.keys.member_stands(tx, row)?;
        let parsed = || {
            let email = EmailAddress::parse(&row.email).ok()?;
            let names = serde_json::from_str(&row.names).ok()?;
            Some((email, Role::parse(&row.role)?, names))
        };
        Ok(if stands { parsed() } else { None })
    }
}

fn workload_of(name: &str, row: &TokenRow) -> Option<(Subject, Grant)> {
    let names = serde_json::from_str(row.names.as_deref()?).ok()?;
    let token = crate::name::TokenId::parse(&row.id).ok()?;
    Some((Subject::Workload { name: WorkloadName::parse(name).ok()?, token }, names))
}

impl KnownToken {
    /// The bearer, astray where the token may not be used from there. What has no address is on
    /// this machine.
    fn bearer_from(&self, client: Option<IpAddr>) -> Arc<Bearer> {
        let inside = match (&self.network, client) {
            (Some(network), Some(client)) => network.contains(&client.to_canonical()),
            (Some(_), None) => false,
            (None, _) => true,
        };
        match inside {
            true => Arc::clone(&self.bearer),
            false => Arc::new(Bearer { astray: true, ..Bearer::clone(&self.bearer) }),
        }
    }
}
