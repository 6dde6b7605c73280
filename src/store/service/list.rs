//! Lists names and what is known of them, never a value. Each row is judged as for a resolve, so a
//! damaged one shows as that, with its name and nothing else.

use crate::name::{OrgName, SecretName};
use crate::store::permission::Operation;
use crate::store::service::desk::State;
use crate::store::service::{Damage, Desk, Judged, Keys, Knock, Refusal, metadata, or_refuse};
use crate::store::storage::transaction::Transaction;
use crate::store::storage::{After, Entry, Listed, PageAsk, Sort};
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
    ) -> Judged<Result<Page, Refusal>> {
        or_refuse!(self.admit_to(tx, knock, organization, Operation::List)?);
        self.keys.list(tx, organization, ask).map(Ok)
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

impl Keys {
    fn list(&self, tx: &Transaction<'_>, organization: &OrgName, ask: &ListAsk) -> Judged<Page> {
        let page_ask = PageAsk {
            organization: organization.as_str(),
            part: ask.part.as_deref(),
            sort: ask.sort,
            after: ask.after.as_ref(),
            // One more than is shown says whether there is a next page.
            rows_max: ask.rows_max + 1,
        };
        let organization = page_ask.organization;
        let mut placed = tx.page(&page_ask, |row| self.placed(tx, organization, row))?;
        let lost = lost(tx, &page_ask, &placed)?;
        placed.extend(lost.into_iter().map(Placed::lost));
        ask.sort.order(&mut placed);
        Ok(cut(placed, ask.rows_max as usize))
    }

    fn placed(&self, tx: &Transaction<'_>, organization: &str, listed: Listed) -> Judged<Placed> {
        let name = listed.name().to_owned();
        let Listed::Row(row) = listed else {
            return Ok(Placed::lost(name));
        };
        let place = After { updated_at: row.columns.updated_at, name: name.clone() };
        let anchor = tx.anchor(organization, &name)?;
        let entry = Entry { row: Some(*row), anchor };
        let metadata = match self.judge(tx, entry, organization, &name)? {
            State::Present { row, .. } => metadata(&row),
            State::Absent { .. } | State::Damaged { .. } => damaged(name),
        };
        Ok(Placed { metadata, place })
    }
}

impl Placed {
    /// A row that is not there, or cannot be read, has no time: it stands at the oldest.
    fn lost(name: String) -> Self {
        let place = After { updated_at: i64::MIN, name: name.clone() };
        Self { metadata: damaged(name), place }
    }
}

impl Sort {
    fn order(self, placed: &mut [Placed]) {
        placed.sort_by(|one, other| {
            let (one, other) = (&one.place, &other.place);
            let by_time = || (one.updated_at, &one.name).cmp(&(other.updated_at, &other.name));
            match self {
                Self::Name => one.name.cmp(&other.name),
                Self::NameDescending => other.name.cmp(&one.name),
                Self::Updated => by_time(),
                Self::UpdatedDescending => by_time().reverse(),
            }
        });
    }
}

/// Names that should have a row and have none, as far as they stand on this page. They have no
/// time; in the orders by time they stand on the page at the old end.
fn lost(tx: &Transaction<'_>, ask: &PageAsk<'_>, rows: &[Placed]) -> Judged<Vec<String>> {
    let after = ask.after.map(|after| after.name.as_str());
    let more = rows.len() == ask.rows_max as usize;
    let last = rows.last().filter(|_| more).map(|row| row.place.name.as_str());
    let untimed = ask.after.filter(|after| after.updated_at == i64::MIN);
    let mut lost = match ask.sort {
        Sort::Name => tx.lost(ask, after.unwrap_or(""), last)?,
        Sort::NameDescending => tx.lost(ask, last.unwrap_or(""), after)?,
        Sort::Updated if after.is_none() || untimed.is_some() => {
            tx.lost(ask, after.unwrap_or(""), None)?
        }
        Sort::UpdatedDescending if !more => tx.lost(ask, "", untimed.and(after))?,
        Sort::Updated | Sort::UpdatedDescending => Vec::new(),
    };
    // Where it counts down, the range ends with the name behind which the page begins.
    lost.retain(|name| Some(name.as_str()) != after);
    Ok(lost)
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
