//! `inject secret set`, `list`, `show` and `rm`. No value is ever shown: none is asked for.

#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::client::{self, Client, Condition, ListQuery, Sort};
use crate::name::{SECRET_NAME_BYTES_MAX, SecretName};
use crate::secret::Secret;
use crate::wire::{Metadata, PAGE_ROWS_MAX, SecretList, VALUE_BYTES_MAX};

use super::table::{escaped, table};
use super::{Console, Error, Look, time};

/// The longest text to search for: a longer one is a part of no name.
pub const SEARCH_BYTES_MAX: usize = SECRET_NAME_BYTES_MAX;
/// The most rows that a list holds in memory.
const ROWS_MAX: usize = 1_000_000;

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
            error => Error::Client(error),
        })?;
        let done = if put.created { "created" } else { "updated" };
        let version = put.metadata.version.map(|v| format!(" (version {v})")).unwrap_or_default();
        tell_done(console, &format!("{done} {name}{version}")).map_err(|error| Error::Untold {
            done: format!("`{name}` is {done}{version}"),
            error,
        })?;
        if let Some(hint) = put.metadata.hint.or_else(|| name.hint()) {
            note(console, &format!("hint: {}", escaped(&hint)));
        }
        if self.value.expose_secret().ends_with(b"\r") && !self.is_typed {
            let hint = "hint: the value ends in a carriage return, perhaps from a Windows line end";
            note(console, &format!("{hint}; it was kept"));
        }
        Ok(())
    }
}

/// Says what was changed, before anything else can go wrong.
fn tell_done(console: &mut Console<'_>, done: &str) -> io::Result<()> {
    writeln!(console.output, "{done}")?;
    console.output.flush()
}

/// Says what is good to know. Where nobody hears it, nothing else is the worse for it.
fn note(console: &mut Console<'_>, text: &str) {
    let _ = writeln!(console.errors, "{text}");
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
            let list = SecretList { secrets: rows, next: None };
            write_json(console.output, &list)?;
        } else if rows.is_empty() {
            note(console, self.nothing());
        } else {
            let header = ["NAME", "VERSION", "LAST UPDATED", "CREATED BY"];
            let cells: Vec<_> = rows.iter().map(|row| cells(row, &console.look)).collect();
            let text = table(header, &cells, console.look.columns, console.look.bold);
            console.output.write_all(text.as_bytes()).map_err(Error::Output)?;
        }
        console.output.flush().map_err(Error::Output)?;
        if damaged > 0 { Err(Error::Damaged { rows: damaged }) } else { Ok(()) }
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
        let mut rows = Vec::new();
        for _ in 0..=ROWS_MAX / PAGE_ROWS_MAX {
            let page = client.list(&query)?;
            rows.extend(page.secrets.into_iter().filter(shown));
            match page.next {
                None => return Ok(rows),
                next => query.cursor = next,
            }
        }
        Err(Error::TooManyRows { rows_max: ROWS_MAX })
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
        return [name, "-".to_owned(), "damaged".to_owned(), "-".to_owned()];
    }
    let updated = row.updated_at.map(|at| time::short(at, &look.zone));
    let version = row.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
    [name, version, when_and_who(updated, &row.updated_by), who(&row.created_by)]
}

fn when_and_who(when: Option<String>, person: &Option<String>) -> String {
    match (when, person) {
        (Some(when), Some(_)) => format!("{when} by {}", who(person)),
        (Some(when), None) => when,
        (None, _) => who(person),
    }
}

fn who(person: &Option<String>) -> String {
    person.as_deref().map_or_else(|| "-".to_owned(), escaped)
}

impl Show {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let metadata = client.metadata(&self.name)?;
        if self.json {
            write_json(console.output, &metadata)?;
        } else {
            let text = details(&metadata, &self.name, &console.look);
            console.output.write_all(text.as_bytes()).map_err(Error::Output)?;
        }
        console.output.flush().map_err(Error::Output)?;
        if metadata.damaged { Err(Error::Damaged { rows: 1 }) } else { Ok(()) }
    }
}

fn details(metadata: &Metadata, name: &SecretName, look: &Look) -> String {
    let long = |at| time::long(at, &look.zone);
    let mut lines = vec![("name", name.to_string())];
    if metadata.damaged {
        lines.push(("state", "damaged".to_owned()));
    } else {
        let version = metadata.version.map_or_else(|| "-".to_owned(), |v| v.to_string());
        let updated = when_and_who(metadata.updated_at.map(long), &metadata.updated_by);
        let created = when_and_who(metadata.created_at.map(long), &metadata.created_by);
        lines.extend([("version", version), ("last updated", updated), ("created", created)]);
    }
    lines.push(("reference", format!("${name} or ${{{name}}}")));
    lines.iter().map(|(label, text)| format!("{label:12}  {text}\n")).collect()
}

impl Remove {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let condition = if self.yes { self.condition } else { self.ask(client, console)? };
        let name = &self.name;
        client.delete(name, condition)?;
        tell_done(console, &format!("deleted {name}"))
            .map_err(|error| Error::Untold { done: format!("`{name}` is deleted"), error })?;
        if self.yes {
            note(console, "a launch that references it fails from now on");
        }
        Ok(())
    }

    /// Asks for the name. What is then deleted is the version that there was when it was asked.
    fn ask(&self, client: &Client, console: &mut Console<'_>) -> Result<Condition, Error> {
        let name = &self.name;
        let terminal = (console.terminal)().map_err(|_| Error::CannotAsk(name.clone()))?;
        let deletes = format!(
            "This deletes {name} for good, in all versions: it cannot be undone, and a launch that \
             references it will fail."
        );
        let (version, what) = match client.metadata(name) {
            Ok(metadata) => (metadata.version, deletes),
            // What is damaged may be deleted all the same.
            Err(client::Error::Damaged { .. }) => (None, deletes),
            // A deletion that was interrupted has yet to be finished; the store knows.
            Err(client::Error::NoSecret(_)) => {
                (None, format!("There is no {name} now; what is left of it is deleted for good."))
            }
            Err(error) => return Err(error.into()),
        };
        let question = format!("{what}\nType the name to delete it: ");
        if terminal.ask(&question)? != name.as_str() {
            return Err(Error::NotConfirmed(name.clone()));
        }
        Ok(match (self.condition, version) {
            (Condition::Always, Some(version)) => Condition::Version(version),
            (condition, _) => condition,
        })
    }
}

fn write_json(output: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(value).expect("names, numbers and times are JSON");
    text.push(b'\n');
    output.write_all(&text).map_err(Error::Output)
}
