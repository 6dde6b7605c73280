//! Who may do what, said once more and apart from the program: what the matrix is compared with.

/// What a caller is, as far as the answer goes by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// No token, or one that is worth nothing, whyever.
    Nobody,
    /// A session that was signed in, all of whose tokens are worth nothing by now.
    Spent,
    Operator,
    Of(Standing),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    pub org: &'static str,
    /// None is a workload's.
    pub role: Option<Role>,
    /// Whether the names of the matrix are on its list.
    pub covers: bool,
    /// It asks from outside of its network.
    pub astray: bool,
    pub session: Session,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Session {
    None,
    OwnPage,
    OtherPage,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    Reader,
    Editor,
    Owner,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Object {
    Existing,
    Missing,
    /// There is one of this name, but in the other organization alone.
    Foreign,
    /// A name that would fit many.
    Wildcard,
}

/// One request of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// As the API's description calls it.
    pub operation: &'a str,
    pub method: &'a str,
    /// The path as it is described, with its braces.
    pub path: &'a str,
    pub who: Who,
    pub org: &'a str,
    pub object: Object,
}

/// A status, and the type of the problem where it is one.
pub type Expected = (u16, &'static str);

const BLANK: &str = "about:blank";
const NOBODY: Expected = (401, BLANK);
const NO_PATH: Expected = (404, BLANK);
const FORBIDDEN: Expected = (403, BLANK);
const INVALID: Expected = (422, "invalid");
const NO_ORGANIZATION: Expected = (404, "no-organization");

/// Organizations that there are.
pub const ORGS: [&str; 2] = ["acme", "globex"];

impl Cell<'_> {
    pub fn expected(&self) -> Expected {
        let raw = self.path.contains("{name}") || self.path.contains("{id}");
        if self.org == "*" || raw && self.object == Object::Wildcard {
            return NO_PATH;
        }
        match self.operation {
            "openApi" | "health" | "ready" | "metrics" => return (200, ""),
            "signIn" if self.who.asks_from_elsewhere() => return FORBIDDEN,
            "signIn" => return (200, ""),
            "signOut" => return self.sign_out(),
            _ => {}
        }
        match self.who {
            Who::Nobody | Who::Spent => NOBODY,
            who if who.asks_from_elsewhere() && self.method != "GET" => FORBIDDEN,
            // Who may not do it at all is not told what is wrong with the form.
            who if self.object == Object::Wildcard && self.is_inside() => {
                let by_name = ["resolve", "watch"].contains(&self.operation);
                if who.is_astray() || !(by_name || who.may(self.operation)) {
                    FORBIDDEN
                } else {
                    INVALID
                }
            }
            _ if self.object == Object::Wildcard => INVALID,
            _ if !self.is_inside() => NO_ORGANIZATION,
            who if !who.may(self.operation) => self.refused(),
            _ => self.done(),
        }
    }

    /// Whether the audit trail of some organization is to have it.
    pub fn is_recorded(&self) -> bool {
        let (status, _) = self.expected();
        match (self.operation, self.who) {
            ("signIn", _) => status == 200,
            ("signOut", _) | (_, Who::Nobody | Who::Spent) => false,
            // There is nowhere to put a refusal: the operator is of no organization.
            ("makeOrg", Who::Operator) => status == 201,
            _ if [NO_PATH, NO_ORGANIZATION].contains(&self.expected()) => false,
            // What is wrong with its form is on record where the caller is somebody.
            _ if self.expected() == INVALID && !self.is_inside() => false,
            (_, who) if who.asks_from_elsewhere() => false,
            ("verify", _) => false,
            _ => self.method != "GET",
        }
    }

    fn sign_out(&self) -> Expected {
        match self.who {
            Who::Spent => (204, ""),
            Who::Of(Standing { session: Session::OwnPage, .. }) => (204, ""),
            Who::Of(Standing { session: Session::OtherPage, .. }) => FORBIDDEN,
            _ => NOBODY,
        }
    }

    /// Whether the caller sees the organization at all.
    fn is_inside(&self) -> bool {
        match self.who {
            _ if !self.path.contains("{org}") => true,
            Who::Of(standing) => standing.org == self.org,
            _ => ORGS.contains(&self.org),
        }
    }

    fn refused(&self) -> Expected {
        match (self.operation, self.who) {
            (_, Who::Of(Standing { astray: true, .. })) => FORBIDDEN,
            ("resolve" | "watch", _) => (404, "unresolved"),
            _ => FORBIDDEN,
        }
    }

    fn done(&self) -> Expected {
        let is_there = self.object == Object::Existing;
        let one = |there: Expected, not_there: Expected| if is_there { there } else { not_there };
        match self.operation {
            "resolve" => one((200, ""), (404, "unresolved")),
            "showSecret" => one((200, ""), (404, "no-secret")),
            "deleteSecret" => one((204, ""), (404, "no-secret")),
            "putSecret" => one((200, ""), (201, "")),
            "makeOrg" if self.object == Object::Foreign => (409, "exists"),
            "makeOrg" | "addMember" => one((409, "exists"), (201, "")),
            "changeMember" => one((200, ""), (404, "not-found")),
            "removeMember" | "revokeToken" => one((204, ""), (404, "not-found")),
            "makeToken" => one((201, ""), (404, "not-found")),
            _ => (200, ""),
        }
    }
}

impl Who {
    pub fn asks_from_elsewhere(self) -> bool {
        matches!(self, Self::Of(Standing { session: Session::OtherPage, .. }))
    }

    fn is_astray(self) -> bool {
        matches!(self, Self::Of(Standing { astray: true, .. }))
    }

    /// Whether the names of the matrix are on this one's list.
    pub fn covers(self) -> bool {
        match self {
            Self::Operator => true,
            Self::Of(standing) => standing.covers && !standing.astray,
            Self::Nobody | Self::Spent => false,
        }
    }

    fn may(self, operation: &str) -> bool {
        let standing = match self {
            Self::Operator => return true,
            Self::Of(standing) if !standing.astray => standing,
            _ => return false,
        };
        let least = match operation {
            "resolve" | "watch" => return standing.covers,
            "listSecrets" | "showSecret" | "listWorkloads" | "listOrgs" => Role::Reader,
            "listAudit" | "checkpoint" | "verify" => Role::Reader,
            "putSecret" | "deleteSecret" => Role::Editor,
            "listMembers" | "addMember" | "changeMember" | "removeMember" => Role::Owner,
            "listTokens" | "makeToken" | "revokeToken" | "makeOrg" => Role::Owner,
            unknown => panic!("who may do `{unknown}`? say so here"),
        };
        standing.role.is_some_and(|role| role >= least)
    }
}
