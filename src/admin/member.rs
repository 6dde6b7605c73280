//! `inject member list`, `add`, `set` and `rm`.

use crate::client::{self, Client, PEOPLE_ROWS_MAX, PageQuery};
use crate::grant::Grant;
use crate::name::EmailAddress;
use crate::wire::{Member, MemberChange, MemberList, MemberRequest, Role, Token};

use super::issued::Issued;
use super::table::escaped;
use super::{Asked, Console, Error, Look, cell, pages, token};

/// Shows the members and what they may do.
pub struct List {
    pub json: bool,
}

/// Adds a member.
pub struct Add {
    pub email: EmailAddress,
    pub role: Role,
    /// What the member may resolve.
    pub names: Grant,
    pub json: bool,
}

/// Changes a member; what is none stays.
pub struct Set {
    pub email: EmailAddress,
    pub role: Option<Role>,
    pub names: Option<Grant>,
}

/// Removes a member, with every token that the member has or made.
pub struct Remove {
    pub email: EmailAddress,
    /// Does not ask.
    pub yes: bool,
}

impl List {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let members = pages::all(|cursor| {
            let limit = Some(PEOPLE_ROWS_MAX);
            client.members(&PageQuery { cursor, limit }).map(|page| (page.members, page.next))
        })?;
        let damaged = members.iter().filter(|member| member.damaged).count();
        if self.json {
            console.json(&MemberList { members, next: None })?;
        } else {
            let rows: Vec<_> = members.iter().map(|member| cells(member, &console.look)).collect();
            let header = ["MEMBER", "ROLE", "RESOLVES", "CREATED", "CREATED BY"];
            console.table(header, &rows, "there is no member; `inject member add` adds one")?;
        }
        Error::if_damaged(damaged, "remove such a member and add it again")
    }
}

fn cells(member: &Member, look: &Look) -> [String; 5] {
    let email = escaped(&member.email);
    if member.damaged {
        return [email, cell::DAMAGED.to_owned(), cell::none(), cell::none(), cell::none()];
    }
    let role = member.role.map_or(cell::NONE, Role::as_str).to_owned();
    let created = cell::when(member.created_at, look);
    [email, role, cell::grant(&member.names), created, cell::person(&member.created_by)]
}

impl Add {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let Self { email, role, names, json } = self;
        let request = MemberRequest { email: email.clone(), role: *role, names: names.clone() };
        let issued = client.add_member(&request).map_err(|error| match error {
            client::Error::Exists => Error::MemberExists(email.clone()),
            error => Error::of_change(
                error,
                "if `inject member list` shows the member, `inject token create --member` makes \
                 another token",
            ),
        })?;
        let made = format!("{email} is {} of {}", as_what(*role), client.org());
        Issued { of: &issued.of, id: issued.id.as_str(), token: &issued.token }
            .show(&made, *json, console)
    }
}

fn as_what(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Editor => "an editor",
        Role::Reader => "a reader",
    }
}

impl Set {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let change = MemberChange { role: self.role, names: self.names.clone() };
        let member = client
            .change_member(&self.email, &change)
            .map_err(|error| of_member(error, &self.email, "says what the member is now"))?;
        let role = member.role.map(as_what).unwrap_or("a member");
        let what = format!("is {role} and resolves {}", cell::grant(&member.names));
        let done = format!("{} {what}", self.email);
        console
            .done(&done)
            .map_err(|error| Error::Untold { done: format!("`{}` {what}", self.email), error })
    }
}

impl Remove {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let email = &self.email;
        if !self.yes {
            self.ask(client, console)?;
        }
        let look = "shows whether the member is still there; if so, remove it once more";
        client.remove_member(email).map_err(|error| of_member(error, email, look))?;
        console
            .done(&format!("removed {email}"))
            .map_err(|error| Error::Untold { done: format!("`{email}` is removed"), error })
    }

    fn ask(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let email = &self.email;
        let asked = || Asked::Member(email.clone());
        let terminal = (console.terminal)().map_err(|_| Error::CannotAsk(asked()))?;
        let tokens = token::fetch(client)?;
        let question = format!(
            "This removes {email} from {}.\n{}Type the address to remove it: ",
            client.org(),
            revoked(&tokens, email)
        );
        if terminal.ask(&question)?.to_lowercase() != email.as_str() {
            return Err(Error::NotConfirmed(asked()));
        }
        Ok(())
    }
}

/// Which tokens go with a member: its own, and those that it made.
fn revoked(tokens: &[Token], email: &EmailAddress) -> String {
    let is = |text: &Option<String>| text.as_deref() == Some(email.as_str());
    let own = tokens.iter().filter(|token| is(&token.member)).count();
    let others: Vec<_> =
        tokens.iter().filter(|token| !is(&token.member) && is(&token.created_by)).collect();
    let mut parts = Vec::new();
    if own > 0 {
        parts.push(format!("{own} of the member's own"));
    }
    if !others.is_empty() {
        let whose: Vec<_> = others.iter().map(|token| token::whose(token)).collect();
        let (count, whose) = (others.len(), whose.join(", "));
        parts.push(format!("{count} that the member made, for {whose}"));
    }
    match own + others.len() {
        0 => String::new(),
        all => format!("It revokes {}: {}.\n", cell::count(all, "token"), parts.join(", and ")),
    }
}

/// `list` is what the list of members tells of a change whose answer was lost.
fn of_member(error: client::Error, email: &EmailAddress, list: &str) -> Error {
    match error {
        client::Error::NotFound => Error::NoMember(email.clone()),
        error => Error::of_change(error, format!("`inject member list` {list}")),
    }
}
