//! The routes of secrets: resolved, listed, shown, put and deleted.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;

use crate::name::{OrgName, SecretName};
use crate::store::Store;
use crate::store::http::problem::Fault;
use crate::store::http::{Answer, Asked, answer, body, query};
use crate::store::service::{Fresh, Knock, Refusal, ResolvedSecret};
use crate::wire::{Reason, SecretList, Unresolved};

impl Asked<'_> {
    pub async fn resolve(mut self, body: Incoming) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let body = self.read(body).await?;
        let room = self.context.room();
        let ask = body::resolve(&body, Arc::clone(&room))?;
        self.context.about(ask.names.iter().map(SecretName::as_str));
        let Self { store, knock, found, head, .. } = self;
        // While the request waits, its connection's buffer is its connection's again.
        drop(head);
        let (asker, values) = (knock.clone(), ask.values);
        let resolved = store.write(move |desk, tx| desk.resolve(tx, &knock, &org, &ask)).await;
        let resolved = match resolved {
            Err(Refusal::Unresolved(all)) => {
                return Err(with_nearest(store, (asker, found.org()?), all).await);
            }
            resolved => resolved.map_err(Fault::Refusal)?,
        };
        let open = |secret: &ResolvedSecret| store.shared.keys.open_judged(&secret.row);
        let answer = body::resolved(resolved, open, (values, &room))?;
        Ok(answer::json(StatusCode::OK, answer))
    }

    pub async fn list_secrets(self) -> Result<Answer, Fault> {
        let org = self.found.org()?;
        let (ask, order) = query::list(self.query())?;
        let (store, knock) = (self.store, self.knock);
        let (mirrors, asked) = (Arc::clone(&store.shared.mirrors), org.clone());
        let page = store.read(move |desk, tx| desk.list(tx, &knock, &org, &ask, &mirrors)).await;
        let page = page.map_err(Fault::Refusal)?;
        if store.shared.mirrors.is_old(&asked) {
            tokio::spawn(renew(store.clone(), asked));
        }
        let next = page.next.map(|after| query::cursor(order, &after));
        Ok(answer::as_json(StatusCode::OK, &SecretList { secrets: page.secrets, next }))
    }

    pub async fn show_secret(self) -> Result<Answer, Fault> {
        let (org, name) = (self.found.org()?, self.found.secret()?);
        self.context.about([name.as_str()].into_iter());
        let (store, knock) = (self.store, self.knock);
        let shown = store.read(move |desk, tx| desk.show(tx, &knock, &org, &name)).await;
        Ok(answer::described(StatusCode::OK, &shown.map_err(Fault::Refusal)?))
    }

    pub async fn put_secret(mut self, body: Incoming) -> Result<Answer, Fault> {
        let (org, name) = (self.found.org()?, self.found.secret()?);
        self.context.about([name.as_str()].into_iter());
        let condition = query::condition(&self.head.headers)?;
        let put = body::put(&self.read(body).await?, condition)?;
        let fresh = Fresh::take().map_err(|error| Fault::Refusal(Refusal::NoRandom(error)))?;
        let (store, knock) = (self.store, self.knock);
        let changed = (org.clone(), name.clone());
        let written =
            store.write(move |desk, tx| desk.put(tx, &knock, &org, &name, (&put, fresh))).await;
        store.tell(changed, &written);
        let written = written.map_err(Fault::Refusal)?;
        let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(answer::described(status, &written.metadata))
    }

    pub async fn delete_secret(self) -> Result<Answer, Fault> {
        let (org, name) = (self.found.org()?, self.found.secret()?);
        self.context.about([name.as_str()].into_iter());
        let condition = query::condition(&self.head.headers)?;
        let (store, knock) = (self.store, self.knock);
        let changed = (org.clone(), name.clone());
        let deleted =
            store.write(move |desk, tx| desk.delete(tx, &knock, &org, &name, condition)).await;
        store.tell(changed, &deleted);
        deleted.map_err(Fault::Refusal)?;
        Ok(answer::nothing())
    }
}

/// The refusal of a resolve, with what is nearest to each missing name, if that can be had.
async fn with_nearest(
    store: &Store,
    (knock, org): (Knock, OrgName),
    unresolved: Vec<Unresolved>,
) -> Fault {
    if unresolved.iter().all(|one| one.reason == Reason::Forbidden) {
        return Fault::Refusal(Refusal::Unresolved(unresolved));
    }
    let (mirrors, asked) = (Arc::clone(&store.shared.mirrors), unresolved.clone());
    let near = store.read(move |desk, tx| desk.nearest(tx, &knock, &org, asked, &mirrors)).await;
    Fault::Refusal(Refusal::Unresolved(near.unwrap_or(unresolved)))
}

/// Reads the names of an organization anew, for the next one who lists them.
async fn renew(store: Store, org: OrgName) {
    let mirrors = Arc::clone(&store.shared.mirrors);
    // Where it fails, the image of before serves on.
    let _old = store.read(move |_, tx| Ok(Ok(mirrors.renew(tx, &org)?))).await;
}
