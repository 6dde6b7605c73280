//! `inject token list`, `create` and `revoke`. A token is shown when it is made, and never again.

use jiff::Timestamp;

use crate::client::{self, Client, PEOPLE_ROWS_MAX, PageQuery};
use crate::name::TokenId;
use crate::wire::{Token, TokenList, TokenRequest};

use super::issued::Issued;
use super::table::escaped;
use super::{Console, Error, Look, cell, pages, time};

/// Shows whose tokens there are and what they reach.
pub struct List {
    pub json: bool,
}

/// Makes a token.
pub struct Create {
    pub request: TokenRequest,
    pub json: bool,
}

/// Revokes a token.
pub struct Revoke {
    pub id: TokenId,
}

impl List {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let tokens = fetch(client)?;
        let damaged = tokens.iter().filter(|token| token.damaged).count();
        if self.json {
            console.json(&TokenList { tokens, next: None })?;
        } else {
            let rows: Vec<_> = tokens.iter().map(|token| cells(token, &console.look)).collect();
            let header = ["ID", "FOR", "RESOLVES", "ENDS", "NETWORK", "CREATED", "CREATED BY"];
            console.table(header, &rows, "there is no token; `inject token create` makes one")?;
        }
        Error::if_damaged(damaged, "revoke such a token and make another one")
    }
}

/// All tokens of the organization.
pub(super) fn fetch(client: &Client) -> Result<Vec<Token>, Error> {
    pages::all(|cursor| {
        let limit = Some(PEOPLE_ROWS_MAX);
        client.tokens(&PageQuery { cursor, limit }).map(|page| (page.tokens, page.next))
    })
}

fn cells(token: &Token, look: &Look) -> [String; 7] {
    let id = escaped(&token.id);
    if token.damaged {
        let none = cell::none;
        return [id, cell::DAMAGED.to_owned(), none(), none(), none(), none(), none()];
    }
    // A member's token goes by the member's list, which `member list` shows.
    let names = token.names.as_ref().map_or_else(cell::none, cell::grant);
    let network = token.network.as_deref().map_or_else(|| "any".to_owned(), escaped);
    let (created, by) = (cell::when(token.created_at, look), cell::person(&token.created_by));
    [id, whose(token), names, ends(token.expires_at, look), network, created, by]
}

/// The workload or the member that a token is for; no name of one is a name of the other.
pub(super) fn whose(token: &Token) -> String {
    match &token.workload {
        Some(workload) => workload.to_string(),
        None => cell::person(&token.member),
    }
}

fn ends(at: Option<Timestamp>, look: &Look) -> String {
    match at {
        None => "never".to_owned(),
        Some(at) if at <= look.now => format!("{} (over)", time::short(at, &look.zone)),
        Some(at) => time::short(at, &look.zone),
    }
}

impl Create {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let issued = client.create_token(&self.request).map_err(|error| match error {
            client::Error::NotFound => match &self.request.member {
                Some(member) => Error::NoMember(member.clone()),
                None => Error::Client(error),
            },
            error => Error::of_change(
                error,
                "`inject token list` shows what there is; revoke a token that nobody has",
            ),
        })?;
        let token = &issued.of;
        let ends = match token.expires_at {
            None => "never ends".to_owned(),
            Some(at) => format!("ends {}", time::short(at, &console.look.zone)),
        };
        let resolves = match &token.names {
            Some(names) => format!(", resolves {}", cell::grant(names)),
            None => String::new(),
        };
        let made =
            format!("token {} is made for {}{resolves}, {ends}", escaped(&token.id), whose(token));
        Issued { of: token, id: &token.id, token: &issued.token }.show(&made, self.json, console)
    }
}

impl Revoke {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let id = &self.id;
        client.revoke_token(id).map_err(|error| match error {
            client::Error::NotFound => Error::NoToken(id.clone()),
            error => Error::of_change(
                error,
                "`inject token list` shows whether it is still there; if so, revoke it once more",
            ),
        })?;
        console
            .done(&format!("revoked {id}"))
            .map_err(|error| Error::Untold { done: format!("`{id}` is revoked"), error })
    }
}
