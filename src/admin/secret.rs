//! `inject secret set`, `list`, `show` and `rm`. No value is ever shown: none is asked for.

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::client::{self, Client, Condition, ListQuery, Sort};
use crate::name::{SECRET_NAME_BYTES_MAX, SecretName};
use crate::secret::Secret;
use crate::wire::{Metadata, PAGE_ROWS_MAX, SecretList, UsedBy, VALUE_BYTES_MAX};

use super::table::escaped;
use super::{Asked, Console, Error, Look, Terminal, cell, pages, time};

/// The longest text to search for: a longer one is a part of no name.
pub const SEARCH_BYTES_MAX: usize = SECRET_NAME_BYTES_MAX;
/// What is to be done about a damaged one.
const DAMAGED_WAY_OUT: &str = "delete what is damaged and set it again";

/// Creates a secret, or gives it a new value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Set {
    pub name: SecretName,
    pub allow_empty: bool,
    pub condition: Condition,
}

/// A secret that is to be set, and its new value.
pub struct SetValue {
    set: Set,
    value: Secret,
    is_typed: bool,
}

/// Shows what there is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct List {
    /// A part of the name, in any case.
    pub search: Option<String>,
    /// Only what was not updated for so long.
    pub stale: Option<Duration>,
    pub sort: Option<Sort>,
    pub json: bool,
}

/// Shows what is known of one secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Show {
    pub name: SecretName,
    pub json: bool,
}

/// Deletes a secret, for good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remove {
    pub name: SecretName,
    /// Does not ask.
    pub yes: bool,
    pub condition: Condition,
}

impl Set {
    /// Reads the value, or asks for it, and judges it: all that needs no store.
    pub fn read(self, console: &mut Console<'_>) -> Result<SetValue, Error> {
        let is_typed = console.input_is_terminal;
        let value = if is_typed {
            let question = format!("Value for {}: ", self.name);
            (console.terminal)()?.ask_hidden(&question, VALUE_BYTES_MAX)?
        } else {
            read_value(console.input)?
        };
        if value.is_empty() && !self.allow_empty {
            return Err(Error::Empty);
        }
        Ok(SetValue { set: self, value, is_typed })
    }
}

impl SetValue {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let Set { name, allow_empty, condition } = &self.set;
        let put = client.put(name, &self.value, *condition, *allow_empty);
        let put = put.map_err(|error| match error {
            client::Error::PreconditionFailed { perhaps_ours: false }
                if *condition == Condition::Absent =>
            {
                Error::Exists(name.clone())
            }
            error => Error::of_change(
                error,
                format!("`inject secret show {name}` says when it was changed last, and by whom"),
            ),
        })?;
        let done = if put.created { "created" } else { "updated" };
        let version = put.metadata.version.map(|v| format!(" (version {v})")).unwrap_or_default();
        console.done(&format!("{done} {name}{version}")).map_err(|error| Error::Untold {
            done: format!("`{name}` is {done}{version}"),
            error,
        })?;
        if let Some(hint) = put.metadata.hint.or_else(|| name.hint()) {
            console.note(&format!("hint: {}", escaped(&hint)));
        }
        if self.value.expose_secret().ends_with(b"\r") && !self.is_typed {
            let hint = "hint: the value ends in a carriage return, perhaps from a Windows line end";
            console.note(&format!("{hint}; it was kept"));
        }
        Ok(())
    }
}

/// All of the input but one final newline. A carriage return before it is kept: values are taken
/// as they are, and a hint says so.
fn read_value(input: &mut dyn Read) -> Result<Secret, Error> {
    // One byte for the newline, and one that shows that there is more.
    let mut buffer = Zeroizing::new(vec![0; VALUE_BYTES_MAX + 2]);
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Input(error)),
        }
    }
    let read = &buffer[..length];
    let value = read.strip_suffix(b"\n").unwrap_or(read);
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    Ok(Secret::new(value.to_vec()))
}

impl List {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let rows = self.fetch(client, &console.look)?;
        let damaged = rows.iter().filter(|row| row.damaged).count();
        if self.json {
            console.json(&SecretList { secrets: rows, next: None })?;
        } else {
            let header = ["NAME", "VERSION", "LAST UPDATED", "CREATED BY"];
            let cells: Vec<_> = rows.iter().map(|row| cells(row, &console.look)).collect();
            console.table(header, &cells, self.nothing())?;
        }
        Error::if_damaged(damaged, DAMAGED_WAY_OUT)
    }

    /// All pages, less what is not stale. A damaged row has no date and is always shown.
    fn fetch(&self, client: &Client, look: &Look) -> Result<Vec<Metadata>, Error> {
        let mut query = ListQuery {
            search: self.search.clone(),
            cursor: None,
            limit: Some(PAGE_ROWS_MAX),
            // What is oldest comes first where age is what was asked for.
            sort: self.sort.or(self.stale.map(|_| Sort::Updated)),
        };
        let shown = |row: &Metadata| match (self.stale, row.updated_at) {
            (Some(span), Some(updated)) => time::is_past(updated, span, look.now),
            _ => true,
        };
        pages::all(|cursor| {
            query.cursor = cursor;
            let page = client.list(&query)?;
            Ok((page.secrets.into_iter().filter(shown).collect(), page.next))
        })
    }

    fn nothing(&self) -> &'static str {
        if self.search.is_some() || self.stale.is_some() {
            "no secret is like that; `inject secret list` shows all"
        } else {
            "there is no secret yet; `inject secret set NAME` makes one"
        }
    }
}

fn cells(row: &Metadata, look: &Look) -> [String; 4] {
    let name = escaped(&row.name);
    if row.damaged {
        return [name, cell::none(), cell::DAMAGED.to_owned(), cell::none()];
    }
    let updated = row.updated_at.map(|at| time::short(at, &look.zone));
    let updated = cell::when_and_who(updated, &row.updated_by);
    [name, cell::version(row.version), updated, cell::person(&row.created_by)]
}

impl Show {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let metadata = client.metadata(&self.name)?;
        if self.json {
            console.json(&metadata)?;
        } else {
            let text = details(&metadata, &self.name, &console.look);
            console.print(&text)?;
        }
        Error::if_damaged(usize::from(metadata.damaged), DAMAGED_WAY_OUT)
    }
}

fn details(metadata: &Metadata, name: &SecretName, look: &Look) -> String {
    let long = |at| time::long(at, &look.zone);
    let mut lines = vec![("name", name.to_string())];
    if metadata.damaged {
        lines.push(("state", cell::DAMAGED.to_owned()));
    } else {
        let version = cell::version(metadata.version);
        let updated = cell::when_and_who(metadata.updated_at.map(long), &metadata.updated_by);
        let created = cell::when_and_who(metadata.created_at.map(long), &metadata.created_by);
        lines.extend([("version", version), ("last updated", updated), ("created", created)]);
    }
    lines.push(("reference", format!("${name} or ${{{name}}}")));
    match metadata.workloads.as_deref() {
        None => {}
        Some([]) => lines.push(("resolved by", "no workload in the last 30 days".to_owned())),
        Some(workloads) => {
            let labels = std::iter::once("resolved by").chain(std::iter::repeat(""));
            let uses = workloads.iter().map(|used| use_of(used, metadata.version, look));
            lines.extend(labels.zip(uses));
        }
    }
    lines.iter().map(|(label, text)| format!("{label:12}  {text}\n")).collect()
}

/// Which version a workload has, when it got it, and whether there is a newer one.
fn use_of(used: &UsedBy, current: Option<u64>, look: &Look) -> String {
    let is_behind = current.is_some_and(|current| i64::try_from(current) != Ok(used.version));
    format!(
        "{}: version {}{}, {}",
        escaped(&used.workload),
        used.version,
        if is_behind { " (behind)" } else { "" },
        time::long(used.resolved_at, &look.zone)
    )
}

impl Remove {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let name = &self.name;
        let terminal = match self.yes {
            true => None,
            false => {
                let asked = Asked::Secret(name.clone());
                Some((console.terminal)().map_err(|_| Error::CannotAsk(asked))?)
            }
        };
        let now = Now::of(name, client)?;
        let condition = match terminal {
            None => self.condition,
            Some(terminal) => self.ask(&now, &terminal)?,
        };
        client.delete(name, condition).map_err(|error| {
            let look = format!("`inject secret show {name}` says whether it is still there");
            Error::of_change(error, look + "; if so, delete it once more")
        })?;
        console
            .done(&format!("deleted {name}"))
            .map_err(|error| Error::Untold { done: format!("`{name}` is deleted"), error })?;
        if self.yes {
            console.note(&format!("a launch that references it fails from now on{}", now.users()));
        }
        Ok(())
    }

    /// Asks for the name. What is then deleted is the version that there was when it was asked.
    fn ask(&self, now: &Now, terminal: &Terminal) -> Result<Condition, Error> {
        let name = &self.name;
        let what = if now.is_there {
            format!(
                "This deletes {name} for good, in all versions: it cannot be undone, and a launch \
                 that references it will fail{}.",
                now.users()
            )
        } else {
            format!("There is no {name} now; what is left of it is deleted for good.")
        };
        let question = format!("{what}\nType the name to delete it: ");
        if terminal.ask(&question)? != name.as_str() {
            return Err(Error::NotConfirmed(Asked::Secret(name.clone())));
        }
        Ok(match (self.condition, now.version) {
            (Condition::Always, Some(version)) => Condition::Version(version),
            (condition, _) => condition,
        })
    }
}

/// What is known of a secret before it is deleted.
struct Now {
    is_there: bool,
    version: Option<u64>,
    workloads: Option<Vec<UsedBy>>,
}

impl Now {
    fn of(name: &SecretName, client: &Client) -> Result<Self, Error> {
        match client.metadata(name) {
            Ok(Metadata { version, workloads, .. }) => {
                Ok(Self { is_there: true, version, workloads })
            }
            // What is damaged may be deleted all the same.
            Err(client::Error::Damaged { .. }) => {
                Ok(Self { is_there: true, version: None, workloads: None })
            }
            // A deletion that was interrupted has yet to be finished; the store knows.
            Err(client::Error::NoSecret(_)) => {
                Ok(Self { is_there: false, version: None, workloads: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The workloads that will fail, as far as the store knows them.
    fn users(&self) -> String {
        match self.workloads.as_deref() {
            None => String::new(),
            Some([]) => "; no workload resolved it in the last 30 days".to_owned(),
            Some(workloads) => {
                let names: Vec<_> = workloads.iter().map(|used| escaped(&used.workload)).collect();
                format!("; resolved in the last 30 days by: {}", names.join(", "))
            }
        }
    }
}
