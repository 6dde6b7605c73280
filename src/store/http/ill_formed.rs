//! Requests that are refused for their form. Of somebody known, what would have left a record
//! leaves one; nobody else is told what was wrong, nor who may not do it however it is asked.

use crate::name::SecretName;
use crate::store::Store;
use crate::store::audit::Action;
use crate::store::http::door;
use crate::store::http::problem::Fault;
use crate::store::http::route::{Match, To};
use crate::store::serve::BodyFault;
use crate::store::service::{Knock, Refusal};

/// What is answered instead, where there is no record or nobody to tell.
pub async fn refused(store: &Store, knock: &Knock, found: &Match, fault: Fault) -> Fault {
    let action = action(found.route.to).filter(|_| is_of_form(&fault));
    let recorded = match action {
        Some(action) => record(store, knock, found, action).await,
        None => None,
    };
    match recorded {
        Some(Ok(())) => fault,
        // One of another organization is told what one of none would be.
        Some(Err(Refusal::NoOrganization(_))) => fault,
        Some(Err(refusal)) => Fault::Refusal(refusal),
        None => door::judge(store, knock).await.err().unwrap_or(fault),
    }
}

/// None where the path says no organization that could be one.
async fn record(
    store: &Store,
    knock: &Knock,
    found: &Match,
    action: Action,
) -> Option<Result<(), Refusal>> {
    let org = match action {
        Action::OrgCreate => None,
        _ => Some(found.org().ok()?),
    };
    let is_secret = matches!(action, Action::Create | Action::Delete);
    let name: Option<SecretName> = found.secret().ok().filter(|_| is_secret);
    let knock = knock.clone();
    let noted = store.write(move |desk, tx| match &org {
        Some(org) => desk.note_ill_formed(tx, &knock, org, action, name.as_ref()),
        None => desk.note_ill_formed_maker(tx, &knock),
    });
    Some(noted.await)
}

/// What the route would have put on record. What a body would have said is not known.
fn action(to: To) -> Option<Action> {
    match to {
        To::Resolve => Some(Action::Resolve),
        To::Watch => Some(Action::Watch),
        To::PutSecret => Some(Action::Create),
        To::DeleteSecret => Some(Action::Delete),
        To::MakeOrg => Some(Action::OrgCreate),
        To::AddMember => Some(Action::MemberAdd),
        To::ChangeMember => Some(Action::MemberUpdate),
        To::RemoveMember => Some(Action::MemberRemove),
        To::MakeToken => Some(Action::TokenCreate),
        To::RevokeToken => Some(Action::TokenRevoke),
        To::ListSecrets
        | To::ShowSecret
        | To::ListOrgs
        | To::ListMembers
        | To::ListTokens
        | To::ListAudit
        | To::Checkpoint
        | To::Verify
        | To::ListWorkloads
        | To::Probe(_)
        | To::OpenApi
        | To::SignIn
        | To::SignOut => None,
    }
}

/// Whether it is the request that is wrong: not that it did not come, nor that there was no room.
fn is_of_form(fault: &Fault) -> bool {
    match fault {
        Fault::Name(_)
        | Fault::NoNames
        | Fault::ManyNames { .. }
        | Fault::Body { .. }
        | Fault::Value { .. }
        | Fault::Request { .. }
        | Fault::NoBody { fault: BodyFault::TooLong, .. } => true,
        Fault::NoBody { .. }
        | Fault::NoPath
        | Fault::Method { .. }
        | Fault::Unauthorized
        | Fault::OtherOrigin
        | Fault::NoOrganization
        | Fault::Closed(_)
        | Fault::Crowded
        | Fault::Refusal(_) => false,
    }
}
