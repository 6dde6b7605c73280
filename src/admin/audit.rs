//! `inject audit list`, `verify` and `checkpoint`.

use serde_json::Value;

use crate::client::{AuditQuery, Client, PageQuery, TRAIL_ROWS_MAX};
use crate::wire::{AuditList, AuditRecord, Checkpoint, NamedVersion, VerifyRequest};

use super::table::escaped;
use super::{Console, Error, Look, cell, pages, time};

/// Shows records, newest first.
pub struct List {
    /// Which records, from its page's cursor on; how many a page has is chosen here.
    pub query: AuditQuery,
    /// The most records that are shown.
    pub limit: usize,
    pub json: bool,
}

/// Verifies the chain, and that it still holds what a checkpoint saw.
pub struct Verify {
    pub checkpoint: Option<Checkpoint>,
}

/// Prints what the chain's end is.
pub struct Mark;

impl List {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let (records, next) = self.fetch(client)?;
        if self.json {
            return console.json(&AuditList { records, next });
        }
        let rows: Vec<_> = records.iter().map(|record| cells(record, &console.look)).collect();
        let header = ["TIME", "ACTOR", "ACTION", "ABOUT", "OUTCOME", "WORKLOAD", "CLIENT"];
        console.table(header, &rows, "there is no such record")?;
        if let Some(next) = next {
            console.note(&format!(
                "there are older ones; `--limit` shows more at once, `--cursor {}` goes on there",
                escaped(&next)
            ));
        }
        Ok(())
    }

    /// As many records as are wanted, and where the next one is.
    fn fetch(&self, client: &Client) -> Result<(Vec<AuditRecord>, Option<String>), Error> {
        pages::up_to(self.limit, self.query.page.cursor.clone(), |cursor, left| {
            let page = PageQuery { cursor, limit: Some(left.min(TRAIL_ROWS_MAX)) };
            let answer = client.audit(&AuditQuery { page, ..self.query.clone() })?;
            Ok((answer.records, answer.next))
        })
    }
}

fn cells(record: &AuditRecord, look: &Look) -> [String; 7] {
    let text = |text: &Option<String>| text.as_deref().map_or_else(cell::none, escaped);
    [
        time::seconds(record.at, &look.zone),
        escaped(&record.actor),
        escaped(&record.action),
        about(record),
        escaped(&record.outcome),
        text(&record.workload),
        text(&record.client),
    ]
}

/// The secrets with their versions, or the member, token or organization and what was set on it.
fn about(record: &AuditRecord) -> String {
    let version = |version: Option<i64>| version.map(|v| format!(":{v}")).unwrap_or_default();
    let secret = |one: &NamedVersion| format!("{}{}", escaped(&one.name), version(one.version));
    let secrets = cell::some_of(record.secrets.iter().map(secret));
    let subject = record.subject.as_deref().map(escaped);
    let detail = record.detail.as_ref().map(detail).filter(|detail| !detail.is_empty());
    let secrets = (!record.secrets.is_empty()).then_some(secrets);
    let parts: Vec<String> = [subject, secrets, detail].into_iter().flatten().collect();
    if parts.is_empty() { cell::none() } else { parts.join(" ") }
}

/// `role=owner, names=A_*`.
fn detail(value: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => escaped(text),
        Value::Array(values) => cell::some_of(values.iter().map(|value| match value {
            Value::String(text) => escaped(text),
            value => escaped(&value.to_string()),
        })),
        value => escaped(&value.to_string()),
    };
    match value {
        Value::Object(object) => {
            // What is null was left out of the request.
            let set = object.iter().filter(|(_, value)| !value.is_null());
            let pairs = set.map(|(key, value)| format!("{}={}", escaped(key), plain(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        Value::Null => String::new(),
        value => plain(value),
    }
}

impl Verify {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        if let Some(checkpoint) = &self.checkpoint
            && checkpoint.organization != *client.org()
        {
            return Err(Error::OtherCheckpoint(checkpoint.organization.clone()));
        }
        let answer = client.verify(&VerifyRequest { checkpoint: self.checkpoint.clone() })?;
        if let Some(broken) = answer.broken {
            return Err(Error::Broken(broken));
        }
        let since = match &self.checkpoint {
            Some(checkpoint) => format!(
                ", also what the checkpoint of {} saw",
                time::short(checkpoint.at, &console.look.zone)
            ),
            None => String::new(),
        };
        let records = usize::try_from(answer.records).unwrap_or_default();
        console.print(&format!("{}, as written{since}\n", cell::count(records, "record")))
    }
}

impl Mark {
    /// One line, so that it can be kept in a log as well as in a file.
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let checkpoint = client.checkpoint()?;
        if checkpoint.organization != *client.org() {
            return Err(Error::OtherCheckpoint(checkpoint.organization));
        }
        let line = serde_json::to_string(&checkpoint).expect("names, numbers and times are JSON");
        console.print(&(line + "\n"))
    }
}
