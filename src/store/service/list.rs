//! Lists names and what is known of them, never a value. Each row is judged as for a resolve, so a
//! damaged one shows as that, with its name and nothing else.

use std::collections::HashSet;

use crate::name::{OrgName, SecretName, is_secret_name};
use crate::store::mirror::{Mirror, Mirrors, Want};
use crate::store::permission::Operation;
use crate::store::service::desk::State;
use crate::store::service::{Damage, Desk, Judged, Keys, Knock, Refusal, metadata, or_refuse};
use crate::store::storage::changes::UNTIMED;
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{After, Entry, Listed, PageAsk, Sort, StorageErrorKind};
use crate::wire::Metadata;

/// Which secrets are asked for.
pub struct ListAsk {
    /// A part of the name, in upper case.
    pub part: Option<String>,
    pub sort: Sort,
    pub after: Option<After>,
    pub rows_max: u32,
}

/// One page of a list, and where the next one begins.
pub struct Page {
    pub secrets: Vec<Metadata>,
    pub next: Option<After>,
}

/// One row of a page, with its place in the order.
struct Placed {
    metadata: Metadata,
    place: After,
}

impl Desk {
    pub fn list(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        ask: &ListAsk,
        mirrors: &Mirrors,
    ) -> Judged<Result<Page, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::List)?);
        let mirror = mirrors.of(tx, organization)?;
        let rows_max = ask.rows_max as usize;
        let filling = Filling {
            keys: &self.keys,
            tx,
            organization: organization.as_str(),
            ask,
            mirror: &mirror,
            rows_max: rows_max + 1,
        };
        let placed = match &ask.part {
            Some(part) => filling.search(part)?,
            None => filling.whole()?,
        };
        Ok(Ok(cut(placed, rows_max)))
    }

    /// What is known of one secret, and who resolved it lately.
    pub fn show(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        name: &SecretName,
    ) -> Judged<Result<Metadata, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::List)?);
        Ok(match self.state(tx, organization, name)? {
            State::Present { row, .. } => {
                let workloads = Some(self.used_by(tx, organization, name)?);
                Ok(Metadata { workloads, ..metadata(&row) })
            }
            State::Absent { .. } => Err(Refusal::NoSecret(name.clone())),
            State::Damaged { last_version } => {
                let damage = Damage { name: name.clone(), deletable: last_version.is_some() };
                Err(Refusal::Damaged(vec![damage]))
            }
        })
    }
}

/// A page that is being filled.
struct Filling<'a, 't> {
    keys: &'a Keys,
    tx: &'a Transaction<'t>,
    organization: &'a str,
    ask: &'a ListAsk,
    mirror: &'a Mirror,
    /// One more than is shown says whether there is a next page.
    rows_max: usize,
}

impl Filling<'_, '_> {
    /// Rows as they stand in the database, and names that should have one among them.
    fn whole(&self) -> Judged<Vec<Placed>> {
        let ask = PageAsk {
            organization: self.organization,
            sort: self.ask.sort,
            after: self.ask.after.as_ref(),
            rows_max: u32::try_from(self.rows_max).expect("a page's rows are few"),
        };
        let mut placed = self.tx.page(&ask, |row| self.judged(row))?;
        let lost = self.lost(&placed)?;
        placed.extend(lost.into_iter().map(Placed::lost));
        placed.sort_by(|one, other| ask.sort.compare(&one.place, &other.place));
        Ok(placed)
    }

    /// Names that hold a part, each with its row.
    fn search(&self, part: &str) -> Judged<Vec<Placed>> {
        let mut placed = Vec::new();
        let mut after = self.ask.after.clone();
        loop {
            let want = Want { part, sort: self.ask.sort, after: after.as_ref() };
            let wanted = self.rows_max - placed.len();
            let found = self.mirror.find(want, wanted);
            let is_last = found.len() < wanted;
            after = found.last().cloned();
            for place in found {
                placed.extend(self.look_up(place)?);
            }
            if is_last || placed.len() == self.rows_max {
                return Ok(placed);
            }
        }
    }

    /// What stands under a name; nothing if it is gone meanwhile.
    fn look_up(&self, place: After) -> Judged<Option<Placed>> {
        let name = place.name.clone();
        let entry = match self.tx.entry(self.organization, &name) {
            // What is no name at all stands there under no key that could be asked for.
            Ok(_) if !is_secret_name(name.as_bytes()) => None,
            Ok(entry) => Some(entry),
            Err(error) if error.kind == StorageErrorKind::Damaged => None,
            Err(error) => return Err(error),
        };
        let judge = |entry| self.keys.judge(self.tx, entry, self.organization, &name);
        let state = entry.map(judge).transpose()?;
        Ok(match state {
            Some(State::Absent { .. }) => None,
            Some(State::Present { row, .. }) => Some(Placed { metadata: metadata(&row), place }),
            Some(State::Damaged { .. }) | None => Some(Placed { metadata: damaged(name), place }),
        })
    }

    fn judged(&self, listed: Listed) -> Judged<Placed> {
        let name = listed.name().to_owned();
        let Listed::Row(row) = listed else {
            return Ok(Placed::lost(name));
        };
        let place = After { updated_at: row.columns.updated_at, name: name.clone() };
        let anchor = self.tx.anchor(self.organization, &name)?;
        let entry = Entry { row: Some(*row), anchor };
        let metadata = match self.keys.judge(self.tx, entry, self.organization, &name)? {
            State::Present { row, .. } => metadata(&row),
            State::Absent { .. } | State::Damaged { .. } => damaged(name),
        };
        Ok(Placed { metadata, place })
    }

    /// Names that should have a row and have none, as far as they stand on this page. They have no
    /// time; in the orders by time they stand at the old end.
    fn lost(&self, rows: &[Placed]) -> Judged<Vec<String>> {
        let (sort, after) = (self.ask.sort, self.ask.after.as_ref());
        let more = rows.len() == self.rows_max;
        let newest_untimed = After { updated_at: UNTIMED, name: "~".to_owned() };
        let from = match sort {
            Sort::UpdatedDescending if more => return Ok(Vec::new()),
            Sort::UpdatedDescending => {
                Some(after.filter(|after| after.updated_at == UNTIMED).unwrap_or(&newest_untimed))
            }
            _ => after,
        };
        // As many as there are rows, and as many again that have none.
        let found = self.mirror.find(Want { part: "", sort, after: from }, 2 * self.rows_max);
        let last = rows.last().filter(|_| more && !sort.is_by_time());
        let is_here = |one: &After| match last {
            Some(last) => sort.compare(one, &last.place).is_le(),
            None => !sort.is_by_time() || one.updated_at == UNTIMED,
        };
        let there: HashSet<&str> = rows.iter().map(|row| row.place.name.as_str()).collect();
        let mut lost = Vec::new();
        for one in found.into_iter().filter(is_here) {
            if !there.contains(one.name.as_str()) && self.look_up(one.clone())?.is_some() {
                lost.push(one.name);
            }
        }
        Ok(lost)
    }
}

impl Placed {
    /// A row that is not there, or cannot be read, has no time: it stands at the oldest.
    fn lost(name: String) -> Self {
        let place = After { updated_at: UNTIMED, name: name.clone() };
        Self { metadata: damaged(name), place }
    }
}

fn cut(mut placed: Vec<Placed>, rows_max: usize) -> Page {
    let more = placed.len() > rows_max;
    placed.truncate(rows_max);
    let next = if more { placed.last().map(|last| last.place.clone()) } else { None };
    Page { secrets: placed.into_iter().map(|placed| placed.metadata).collect(), next }
}

fn damaged(name: String) -> Metadata {
    Metadata {
        name,
        version: None,
        created_at: None,
        created_by: None,
        updated_at: None,
        updated_by: None,
        damaged: true,
        hint: None,
        workloads: None,
    }
}
