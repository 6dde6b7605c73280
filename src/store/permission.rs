//! Who may do what: the only decision, for the API, the page and the command line alike. It reads
//! nothing and changes nothing.

use std::sync::Arc;

use crate::grant::Grant;
use crate::name::{EmailAddress, OrgName, SecretName, TokenId, WorkloadName};
use crate::store::audit::Action;
use crate::wire::Role;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Whoever can read the data directory and the key, on the machine itself: owner of every
    /// organization. The name is the operating system's.
    Operator { name: String },
    /// Whoever holds a token.
    Bearer(Arc<Bearer>),
}

/// What a token is worth: something in its organization, nothing in any other.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub organization: OrgName,
    pub subject: Subject,
    /// The names whose values it may have.
    pub names: Grant,
    /// It came from an address outside of its network.
    pub astray: bool,
}

/// Whose token it is.
#[derive(Clone, Debug)]
pub enum Subject {
    Member { email: EmailAddress, role: Role },
    Workload { name: WorkloadName, token: TokenId },
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// See names and metadata of secrets, and who uses them.
    List,
    /// See members and tokens.
    ListPeople,
    /// Read and verify the audit trail.
    ReadAudit,
    /// See one's own organizations.
    ListOrganizations,
    /// What leaves an audit record.
    Audited(Action),
}

impl Principal {
    /// How records and rows name the principal.
    pub fn actor(&self) -> String {
        match self {
            Self::Operator { name } => format!("os:{name}"),
            Self::Bearer(bearer) => match &bearer.subject {
                Subject::Member { email, .. } => email.to_string(),
                Subject::Workload { token, .. } => ["token:", token.as_str()].concat(),
            },
        }
    }

    /// The workload whose token it is: that name wins over one that a request says.
    pub fn workload(&self) -> Option<&WorkloadName> {
        match self.subject()? {
            Subject::Workload { name, .. } => Some(name),
            Subject::Member { .. } => None,
        }
    }

    pub fn member(&self) -> Option<&EmailAddress> {
        match self.subject()? {
            Subject::Member { email, .. } => Some(email),
            Subject::Workload { .. } => None,
        }
    }

    fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Operator { .. } => None,
            Self::Bearer(bearer) => Some(&bearer.subject),
        }
    }
}

/// Whether the principal may do this in this organization, to this secret where there is one.
pub fn authorize(
    principal: &Principal,
    operation: Operation,
    organization: &OrgName,
    name: Option<&SecretName>,
) -> bool {
    let bearer = match principal {
        Principal::Operator { .. } => return true,
        Principal::Bearer(bearer) => bearer,
    };
    if bearer.organization != *organization || bearer.astray {
        return false;
    }
    match (needed(operation), &bearer.subject) {
        (Needed::Grant, _) => name.is_some_and(|name| bearer.names.covers(name)),
        (Needed::Role(least), Subject::Member { role, .. }) => *role >= least,
        (Needed::Role(_), Subject::Workload { .. }) | (Needed::Nobody, _) => false,
    }
}

/// What an operation takes.
enum Needed {
    /// The name on the bearer's list, whatever its role.
    Grant,
    /// A member with this role or a higher one.
    Role(Role),
    /// No token is enough.
    Nobody,
}

fn needed(operation: Operation) -> Needed {
    match operation {
        Operation::List | Operation::ReadAudit | Operation::ListOrganizations => {
            Needed::Role(Role::Reader)
        }
        Operation::ListPeople => Needed::Role(Role::Owner),
        Operation::Audited(action) => match action {
            Action::Resolve | Action::Check | Action::Watch => Needed::Grant,
            Action::SignIn => Needed::Role(Role::Reader),
            Action::Create | Action::Update | Action::Delete => Needed::Role(Role::Editor),
            Action::OrgCreate
            | Action::MemberAdd
            | Action::MemberUpdate
            | Action::MemberRemove
            | Action::TokenCreate
            | Action::TokenRevoke => Needed::Role(Role::Owner),
            // Only on the machine itself.
            Action::Rekey => Needed::Nobody,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(subject: Subject) -> Bearer {
        let organization = OrgName::parse("acme").expect("a slug");
        let names = Grant::parse(&["DB_*"]).expect("a list");
        Bearer { organization, subject, names, astray: false }
    }

    fn member(role: Role) -> Bearer {
        bearer(Subject::Member { email: EmailAddress::parse("a@b").expect("an address"), role })
    }

    fn workload() -> Bearer {
        let name = WorkloadName::parse("billing").expect("a name");
        bearer(Subject::Workload { name, token: TokenId::parse("0123456789ab").expect("an id") })
    }

    const ALL: [Operation; 18] = [
        Operation::List,
        Operation::ListPeople,
        Operation::ReadAudit,
        Operation::ListOrganizations,
        Operation::Audited(Action::Resolve),
        Operation::Audited(Action::Check),
        Operation::Audited(Action::Watch),
        Operation::Audited(Action::SignIn),
        Operation::Audited(Action::Create),
        Operation::Audited(Action::Update),
        Operation::Audited(Action::Delete),
        Operation::Audited(Action::OrgCreate),
        Operation::Audited(Action::MemberAdd),
        Operation::Audited(Action::MemberUpdate),
        Operation::Audited(Action::MemberRemove),
        Operation::Audited(Action::TokenCreate),
        Operation::Audited(Action::TokenRevoke),
        Operation::Audited(Action::Rekey),
    ];

    /// How many of all operations are allowed, for a name on the list.
    fn allowed(bearer: Bearer, organization: &str) -> usize {
        let organization = OrgName::parse(organization).expect("a slug");
        let name = SecretName::parse("DB_PASSWORD").expect("a name");
        let principal = Principal::Bearer(Arc::new(bearer));
        let may =
            |operation: &&Operation| authorize(&principal, **operation, &organization, Some(&name));
        ALL.iter().filter(may).count()
    }

    #[test]
    fn roles_grow() {
        assert_eq!(allowed(workload(), "acme"), 3);
        assert_eq!(allowed(member(Role::Reader), "acme"), 7);
        assert_eq!(allowed(member(Role::Editor), "acme"), 10);
        assert_eq!(allowed(member(Role::Owner), "acme"), ALL.len() - 1);
    }

    #[test]
    fn nothing_crosses_to_another_organization() {
        for bearer in [workload(), member(Role::Owner)] {
            assert_eq!(allowed(bearer, "globex"), 0);
        }
    }

    #[test]
    fn a_token_that_is_astray_does_nothing() {
        for bearer in [workload(), member(Role::Owner)] {
            assert_eq!(allowed(Bearer { astray: true, ..bearer }, "acme"), 0);
        }
    }

    #[test]
    fn a_value_is_had_by_its_name_alone() {
        let organization = OrgName::parse("acme").expect("a slug");
        let name = SecretName::parse("STRIPE_KEY").expect("a name");
        let resolve = Operation::Audited(Action::Resolve);
        for bearer in [workload(), member(Role::Owner)] {
            let principal = Principal::Bearer(Arc::new(bearer));
            assert!(!authorize(&principal, resolve, &organization, Some(&name)));
            assert!(!authorize(&principal, resolve, &organization, None));
        }
    }

    #[test]
    fn each_has_a_name_for_the_records() {
        let operator = Principal::Operator { name: "root".to_owned() };
        let member = Principal::Bearer(Arc::new(member(Role::Reader)));
        let workload = Principal::Bearer(Arc::new(workload()));
        let all = [&operator, &member, &workload];
        assert_eq!(all.map(Principal::actor), ["os:root", "a@b", "token:0123456789ab"]);
        let names = all.map(|one| one.workload().map(WorkloadName::as_str));
        assert_eq!(names, [None, None, Some("billing")]);
        let members = all.map(|one| one.member().map(EmailAddress::as_str));
        assert_eq!(members, [None, Some("a@b"), None]);
    }

    #[test]
    fn the_operator_may_do_everything() {
        let operator = Principal::Operator { name: "root".to_owned() };
        let organization = OrgName::parse("acme").expect("a slug");
        assert!(ALL.iter().all(|one| authorize(&operator, *one, &organization, None)));
    }
}
