//! Records of requests that were refused for their form, before anything of them was done.

use crate::name::{OrgName, SecretName};
use crate::store::audit::{Action, NamedList, Outcome};
use crate::store::permission::Operation;
use crate::store::service::desk::{Said, State};
use crate::store::service::{Caller, Decided, Desk, Done, Knock, or_refuse};
use crate::store::storage::transaction::Transaction;

impl Desk {
    /// A request of somebody here; a creation of what is there is an update.
    pub fn note_ill_formed(
        &mut self,
        tx: &Transaction<'_>,
        knock: &Knock,
        organization: &OrgName,
        action: Action,
        name: Option<&SecretName>,
    ) -> Decided<()> {
        let caller = or_refuse!(self.admit(tx, knock, organization)?);
        let current = match name {
            Some(name) => match self.state(tx, organization, name)? {
                State::Present { row, .. } => Some(row.columns.version),
                State::Absent { .. } | State::Damaged { .. } => None,
            },
            None => None,
        };
        let action = match action {
            Action::Create if current.is_some() => Action::Update,
            action => action,
        };
        // What may not be changed is not looked at either.
        let version = current.filter(|_| caller.may(Operation::Audited(action), name));
        let mut secrets = NamedList::new();
        name.into_iter().for_each(|name| secrets.push(name, version));
        self.note_invalid(tx, &caller, Said { secrets, ..Said::new(action, Outcome::Invalid) })
    }

    /// The same of who would have made an organization: on record in the maker's own. Who makes
    /// one on the machine itself has none.
    pub fn note_ill_formed_maker(&mut self, tx: &Transaction<'_>, knock: &Knock) -> Decided<()> {
        if let Some(caller) = or_refuse!(self.maker(tx, knock)?) {
            return self.note_invalid(tx, &caller, Said::new(Action::OrgCreate, Outcome::Invalid));
        }
        Ok(Ok(Done::with(())))
    }

    /// Whoever may not do it at all is told that, and nothing of the form.
    fn note_invalid(&mut self, tx: &Transaction<'_>, caller: &Caller, said: Said) -> Decided<()> {
        let is_judged_by_name = matches!(said.action, Action::Resolve | Action::Watch);
        let may = is_judged_by_name || caller.may(Operation::Audited(said.action), None);
        let forbidden = (caller.is_astray() || !may).then(|| caller.forbidden());
        let outcome = forbidden.as_ref().map_or(said.outcome, |(outcome, _)| *outcome);
        let workload = caller.principal.workload().map(ToString::to_string);
        let workload = workload.filter(|_| is_judged_by_name);
        self.record(tx, caller, Said { workload, outcome, ..said })?;
        Ok(match forbidden {
            Some((_, refusal)) => Err(refusal),
            None => Ok(Done::with(())),
        })
    }
}
