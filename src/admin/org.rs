//! `inject org list` and `create`.

use crate::client::{self, Client, PEOPLE_ROWS_MAX, PageQuery};
use crate::name::{EmailAddress, OrgName};
use crate::wire::{OrgList, OrgRequest, Organization, Role};

use super::issued::Issued;
use super::{Console, Error, Look, cell, pages};

/// Shows the organizations that the token reaches.
pub struct List {
    pub json: bool,
}

/// Makes an organization.
pub struct Create {
    pub name: OrgName,
    /// The caller, where nobody is named.
    pub owner: Option<EmailAddress>,
    pub json: bool,
}

impl List {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let orgs = fetch(client)?;
        if self.json {
            return console.json(&OrgList { orgs, next: None });
        }
        let rows: Vec<_> = orgs.iter().map(|org| cells(org, &console.look)).collect();
        let header = ["ORGANIZATION", "ROLE", "CREATED", "CREATED BY"];
        console.table(header, &rows, "the token reaches no organization")
    }
}

/// All organizations that the token reaches.
pub(super) fn fetch(client: &Client) -> Result<Vec<Organization>, Error> {
    pages::all(|cursor| {
        let limit = Some(PEOPLE_ROWS_MAX);
        client.orgs(&PageQuery { cursor, limit }).map(|page| (page.orgs, page.next))
    })
}

fn cells(org: &Organization, look: &Look) -> [String; 4] {
    let role = org.role.map_or(cell::NONE, Role::as_str).to_owned();
    let created = cell::when(Some(org.created_at), look);
    [org.name.to_string(), role, created, cell::person(&Some(org.created_by.clone()))]
}

impl Create {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let request = OrgRequest { name: self.name.clone(), owner: self.owner.clone() };
        let issued = client.create_org(&request).map_err(|error| match error {
            client::Error::Exists => Error::OrgExists(self.name.clone()),
            error => Error::of_change(
                error,
                "do it again: if there is such an organization then, it was made",
            ),
        })?;
        let owner = match &self.owner {
            Some(owner) => format!(", owned by {owner}"),
            None => String::new(),
        };
        let made = format!("organization {} is made{owner}", self.name);
        Issued { of: &issued.of, id: issued.id.as_str(), token: &issued.token }
            .show(&made, self.json, console)
            .map_err(|error| match error {
                Error::TokenUnseen { made, error, .. } => {
                    Error::OrgUnseen { made, org: self.name.clone(), error }
                }
                error => error,
            })
    }
}
