//! Signing in to the page: on record in the token's organization.

use crate::store::audit::{Action, Outcome};
use crate::store::permission::{Operation, Principal, Subject};
use crate::store::service::desk::Said;
use crate::store::service::{Caller, Credential, Decided, Desk, Done, Knock, Refusal, or_refuse};
use crate::store::storage::transaction::Transaction;
use crate::wire::Session;

impl Desk {
    /// Who a member's token is. A workload has nothing to do on the page.
    pub fn sign_in(&mut self, tx: &Transaction<'_>, knock: &Knock) -> Decided<Session> {
        let Credential::Tokens(proofs) = &knock.credential else {
            return Ok(Err(Refusal::Unauthorized));
        };
        let mut bearers = or_refuse!(self.bearers(tx, proofs, knock.client)?);
        let bearer = bearers.pop().expect("one token has one bearer");
        let organization = bearer.organization.clone();
        let subject = bearer.subject.clone();
        or_refuse!(self.organization(tx, &organization)?);
        let client = knock.address();
        let caller = Caller { principal: Principal::Bearer(bearer), organization, client };
        let may = caller.may(Operation::Audited(Action::SignIn), None);
        let (refused, refusal) = caller.forbidden();
        let outcome = if may { Outcome::Ok } else { refused };
        self.record(tx, &caller, Said::new(Action::SignIn, outcome))?;
        Ok(match subject {
            Subject::Member { email, role } if may => {
                Ok(Done::with(Session { organization: caller.organization, member: email, role }))
            }
            _ => Err(refusal),
        })
    }
}
