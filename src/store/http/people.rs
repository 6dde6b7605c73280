//! The routes of organizations, members and tokens.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;

use crate::store::http::problem::Fault;
use crate::store::http::{Answer, Asked, answer, body, query};
use crate::store::service::{NewMember, Refusal};
use crate::store::token::{self, Kind, Made};
use crate::wire::{MemberChange, MemberList, MemberRequest, OrgList, OrgRequest, TokenList};

impl Asked<'_> {
    pub async fn list_orgs(self) -> Result<Answer, Fault> {
        let (after, rows) = query::page(self.query(), "orgs")?;
        let (store, knock) = (self.store, self.knock);
        let page = store.read(move |desk, tx| desk.organizations(tx, &knock, &after, rows)).await;
        let page = page.map_err(Fault::Refusal)?;
        let next = page.next.map(|after| query::simple_cursor("orgs", &after));
        Ok(answer::as_json(StatusCode::OK, &OrgList { orgs: page.orgs, next }))
    }

    pub async fn make_org(mut self, body: Incoming) -> Result<Answer, Fault> {
        let shape = r#"{"name":"acme"}"#;
        let ask: OrgRequest = body::parse(&self.read(body).await?, shape)?;
        let made = self.mint(Kind::Member)?;
        let (store, knock) = (self.store, self.knock);
        let org = store.write(move |desk, tx| {
            let wanted = (&ask.name, ask.owner.as_ref());
            desk.make_organization(tx, &knock, wanted, &made)
        });
        Ok(answer::issued(&org.await.map_err(Fault::Refusal)?, false))
    }

    pub async fn list_members(self) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (after, rows) = query::page(self.query(), "members")?;
        let (store, knock) = (self.store, self.knock);
        let page = store.read(move |desk, tx| desk.members(tx, &knock, &org, &after, rows)).await;
        let page = page.map_err(Fault::Refusal)?;
        let next = page.next.map(|after| query::simple_cursor("members", &after));
        Ok(answer::as_json(StatusCode::OK, &MemberList { members: page.members, next }))
    }

    pub async fn add_member(mut self, body: Incoming) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let shape = r#"{"email":"alice@acme.com","role":"reader","names":["DEV_*"]}"#;
        let ask: MemberRequest = body::parse(&self.read(body).await?, shape)?;
        let new = NewMember { email: ask.email, role: ask.role, names: ask.names };
        let made = self.mint(Kind::Member)?;
        let (store, knock) = (self.store, self.knock);
        let member =
            store.write(move |desk, tx| desk.add_member(tx, &knock, &org, &new, &made)).await;
        Ok(answer::issued(&member.map_err(Fault::Refusal)?, false))
    }

    pub async fn change_member(mut self, body: Incoming) -> Result<Answer, Fault> {
        let (org, email) = (self.found.org()?, self.found.email()?);
        let shape = r#"{"role":"editor","names":["DEV_*"]}"#;
        let change: MemberChange = body::parse(&self.read(body).await?, shape)?;
        if change.role.is_none() && change.names.is_none() {
            return Err(Fault::Value { what: "neither `role` nor `names` is given" });
        }
        let (store, knock) = (self.store, self.knock);
        let member = store
            .write(move |desk, tx| desk.change_member(tx, &knock, &org, &email, &change))
            .await;
        store.tell_of_people();
        Ok(answer::as_json(StatusCode::OK, &member.map_err(Fault::Refusal)?))
    }

    pub async fn remove_member(self) -> Result<Answer, Fault> {
        let (org, email) = (self.found.org()?, self.found.email()?);
        let (store, knock) = (self.store, self.knock);
        let removed =
            store.write(move |desk, tx| desk.remove_member(tx, &knock, &org, &email)).await;
        store.tell_of_people();
        removed.map_err(Fault::Refusal)?;
        Ok(answer::nothing())
    }

    pub async fn list_tokens(self) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (after, rows) = query::page(self.query(), "tokens")?;
        let (at, id) = query::timed(&after)?;
        let (store, knock) = (self.store, self.knock);
        let page = store
            .read(move |desk, tx| desk.tokens(tx, &knock, &org, (at, &id), rows))
            .await
            .map_err(Fault::Refusal)?;
        let next = page.next.map(|(at, id)| query::simple_cursor("tokens", &format!("{at} {id}")));
        Ok(answer::as_json(StatusCode::OK, &TokenList { tokens: page.tokens, next }))
    }

    pub async fn make_token(mut self, body: Incoming) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (new, kind) = body::token(&self.read(body).await?)?;
        let made = self.mint(kind)?;
        let (store, knock) = (self.store, self.knock);
        let token =
            store.write(move |desk, tx| desk.make_token(tx, &knock, &org, &new, &made)).await;
        Ok(answer::issued(&token.map_err(Fault::Refusal)?, true))
    }

    pub async fn revoke_token(self) -> Result<Answer, Fault> {
        let (org, id) = (self.found.org()?, self.found.id()?);
        let (store, knock) = (self.store, self.knock);
        let revoked = store.write(move |desk, tx| desk.revoke_token(tx, &knock, &org, &id)).await;
        store.tell_of_people();
        revoked.map_err(Fault::Refusal)?;
        Ok(answer::nothing())
    }

    fn mint(&self, kind: Kind) -> Result<Arc<Made>, Fault> {
        let made = token::make(kind, &self.store.shared.keys.ring.token);
        made.map(Arc::new).map_err(|error| Fault::Refusal(Refusal::NoRandom(error)))
    }
}
