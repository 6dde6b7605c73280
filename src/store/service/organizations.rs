//! Organizations: those that a caller reaches, and new ones.

use crate::name::{EmailAddress, OrgName};
use crate::store::audit::{Action, Outcome};
use crate::store::permission::{Operation, Principal, Subject, authorize};
use crate::store::seal;
use crate::store::service::desk::Said;
use crate::store::service::members::{Minted, NewMember};
use crate::store::service::{
    Caller, Credential, Decided, Desk, Done, Judged, Knock, Refusal, now, or_refuse, time,
};
use crate::store::storage::OrgRow;
use crate::store::storage::transaction::Transaction;
use crate::store::token::Made;
use crate::wire::{Organization, Role};

/// One page of organizations.
pub struct OrgPage {
    pub orgs: Vec<Organization>,
    pub next: Option<String>,
}

impl Desk {
    /// Those that the caller's tokens belong to; on the machine itself, all.
    pub fn organizations(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        after: &str,
        rows_max: usize,
    ) -> Judged<Result<OrgPage, Refusal>> {
        let mut orgs = match &knock.credential {
            Credential::Operator(_) => self.all_organizations(tx, after, rows_max)?,
            Credential::Tokens(proofs) => {
                let mut orgs = Vec::new();
                let (mut is_allowed, mut all_astray) = (false, true);
                for bearer in or_refuse!(self.bearers(tx, proofs, knock.client)?) {
                    let organization = bearer.organization.clone();
                    let member = match &bearer.subject {
                        Subject::Member { email, role } => Some((email.clone(), *role)),
                        Subject::Workload { .. } => None,
                    };
                    all_astray &= bearer.astray;
                    let principal = Principal::Bearer(bearer);
                    let may =
                        authorize(&principal, Operation::ListOrganizations, &organization, None);
                    if may {
                        is_allowed = true;
                        orgs.extend(self.described(tx, &organization, member)?);
                    }
                }
                if !is_allowed {
                    let astray = Refusal::Network { client: knock.address() };
                    return Ok(Err(if all_astray { astray } else { Refusal::Forbidden }));
                }
                orgs.retain(|org| org.name.as_str() > after);
                orgs.sort_by(|one, other| one.name.cmp(&other.name));
                orgs.dedup_by(|one, other| one.name == other.name);
                orgs
            }
        };
        let more = orgs.len() > rows_max;
        orgs.truncate(rows_max);
        let next = orgs.last().filter(|_| more).map(|last| last.name.to_string());
        Ok(Ok(OrgPage { orgs, next }))
    }

    /// A new one, with its first owner and the owner's first token. An owner of another makes it
    /// for himself; it is on record in both.
    pub fn make_organization(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        (name, named): (&OrgName, Option<&EmailAddress>),
        made: &Made,
    ) -> Decided<Minted<Organization>> {
        let caller = or_refuse!(self.maker(tx, knock)?);
        let taken = tx.organization(name.as_str())?.is_some() || tx.head(name.as_str())?.is_some();
        if let Some(caller) = &caller {
            or_refuse!(self.judge_maker(tx, caller, (name, named), taken)?);
        }
        let own = caller.as_ref().and_then(|caller| caller.principal.member());
        let Some(owner) = own.or(named).cloned() else { return Ok(Err(Refusal::NoOwner)) };
        if taken {
            return Ok(Err(Refusal::OrganizationExists(name.clone())));
        }
        let principal = match caller {
            Some(caller) => caller.principal,
            None => operator(knock),
        };
        let organization = self.put_organization(tx, name, &principal)?;
        let client = knock.address();
        let caller = Caller { principal, organization: name.clone(), client };
        self.record(tx, &caller, Said::new(Action::OrgCreate, Outcome::Ok))?;
        let member = NewMember { email: owner, role: Role::Owner, names: Default::default() };
        self.insert_member(tx, &caller, &member, made)?;
        let (role, owner) = (Some(Role::Owner), member.email.clone());
        let organization = Organization { role, member: Some(owner), ..organization };
        Ok(Ok(Done::with(Minted::new(organization, made))))
    }

    /// Whether a token's bearer may make this one: on record in the bearer's own organization.
    fn judge_maker(
        &mut self,
        tx: &Transaction<'_>,
        caller: &Caller,
        (name, named): (&OrgName, Option<&EmailAddress>),
        taken: bool,
    ) -> Judged<Result<(), Refusal>> {
        let may = caller.may(Operation::Audited(Action::OrgCreate), None);
        let is_own = named.is_none_or(|named| caller.principal.member() == Some(named));
        let (outcome, judged) = match (may, is_own, taken) {
            (false, ..) => {
                let (outcome, refusal) = caller.forbidden();
                (outcome, Err(refusal))
            }
            (true, false, _) => (Outcome::Invalid, Err(Refusal::OtherOwner)),
            (true, true, true) => (Outcome::Exists, Err(Refusal::OrganizationExists(name.clone()))),
            (true, true, false) => (Outcome::Ok, Ok(())),
        };
        let detail = serde_json::json!({ "organization": name.as_str() }).to_string();
        let said = Said { detail: Some(detail), ..Said::new(Action::OrgCreate, outcome) };
        self.record(tx, caller, said)?;
        Ok(judged)
    }

    /// Who makes an organization; none is on the machine itself. Of several tokens it is one whose
    /// bearer may, if there is one.
    pub fn maker(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
    ) -> Judged<Result<Option<Caller>, Refusal>> {
        let Credential::Tokens(proofs) = &knock.credential else { return Ok(Ok(None)) };
        let bearers = or_refuse!(self.bearers(tx, proofs, knock.client)?);
        let client = knock.address();
        let mut callers: Vec<Caller> = bearers
            .into_iter()
            .map(|bearer| Caller {
                organization: bearer.organization.clone(),
                principal: Principal::Bearer(bearer),
                client: client.clone(),
            })
            .collect();
        let operation = Operation::Audited(Action::OrgCreate);
        let owner = callers.iter().position(|caller| caller.may(operation, None)).unwrap_or(0);
        let caller = callers.swap_remove(owner);
        or_refuse!(self.organization(tx, &caller.organization)?);
        Ok(Ok(Some(caller)))
    }

    fn put_organization(
        &mut self,
        tx: &Transaction<'_>,
        name: &OrgName,
        principal: &Principal,
    ) -> Judged<Organization> {
        let mut row = OrgRow {
            name: name.to_string(),
            created_at: now(),
            created_by: principal.actor(),
            code: Vec::new(),
        };
        row.code = seal::row_code(&self.keys.ring.row, &row.bound()).to_vec();
        tx.put_organization(&row)?;
        Ok(Organization {
            name: name.clone(),
            created_at: time(row.created_at),
            created_by: row.created_by,
            role: None,
            member: None,
        })
    }

    fn all_organizations(
        &mut self,
        tx: &Transaction<'_>,
        after: &str,
        rows_max: usize,
    ) -> Judged<Vec<Organization>> {
        let rows_max = u32::try_from(rows_max + 1).unwrap_or(u32::MAX);
        let rows = tx.organizations(after, rows_max)?;
        Ok(rows.into_iter().filter_map(|row| self.organization_of(row, None)).collect())
    }

    fn described(
        &mut self,
        tx: &Transaction<'_>,
        name: &OrgName,
        member: Option<(EmailAddress, Role)>,
    ) -> Judged<Option<Organization>> {
        let row = tx.organization(name.as_str())?;
        Ok(row.and_then(|row| self.organization_of(row, member)))
    }

    /// A row that is not as it was written is left out: its name too may be anything.
    fn organization_of(
        &self,
        row: OrgRow,
        member: Option<(EmailAddress, Role)>,
    ) -> Option<Organization> {
        let sound = seal::row_code_holds(&self.keys.ring.row, &row.bound(), &row.code);
        let name = OrgName::parse(&row.name).ok().filter(|_| sound)?;
        let (created_at, created_by) = (time(row.created_at), row.created_by);
        let (member, role) = member.unzip();
        Some(Organization { name, created_at, created_by, role, member })
    }
}

fn operator(knock: &Knock) -> Principal {
    match &knock.credential {
        Credential::Operator(name) => Principal::Operator { name: name.to_string() },
        Credential::Tokens(_) => unreachable!("a token's bearer is its caller"),
    }
}
