//! `inject workload list`: what each workload resolved, and which of it has a newer version since.

use crate::client::{Client, PageQuery, TRAIL_ROWS_MAX};
use crate::wire::{SecretUse, WorkloadList, WorkloadUse};

use super::table::escaped;
use super::{Console, Error, Look, cell, pages};

/// Shows the workloads of an organization.
pub struct List {
    pub json: bool,
}

impl List {
    pub fn run(&self, client: &Client, console: &mut Console<'_>) -> Result<(), Error> {
        let workloads = pages::all(|cursor| {
            let limit = Some(TRAIL_ROWS_MAX);
            client.workloads(&PageQuery { cursor, limit }).map(|page| (page.workloads, page.next))
        })?;
        if self.json {
            return console.json(&WorkloadList { workloads, next: None });
        }
        let rows: Vec<_> =
            workloads.iter().flat_map(|workload| lines(workload, &console.look)).collect();
        let header = ["WORKLOAD", "LAST RESOLVED", "SECRETS", "BEHIND"];
        console.table(header, &rows, "no workload has resolved a secret yet")
    }
}

/// One line, and one more for each further secret that is behind.
fn lines(workload: &WorkloadUse, look: &Look) -> Vec<[String; 4]> {
    let mut behind = workload.secrets.iter().filter_map(drift);
    let first = behind.next().unwrap_or_else(cell::none);
    let count = workload.secrets.len().to_string();
    let at = cell::when(Some(workload.last_resolved_at), look);
    let mut lines = vec![[escaped(&workload.workload), at, count, first]];
    lines.extend(behind.map(|behind| [String::new(), String::new(), String::new(), behind]));
    lines
}

/// What a workload has of a secret that is another version now, or is gone.
fn drift(used: &SecretUse) -> Option<String> {
    let name = escaped(&used.name);
    match used.current {
        Some(current) if current == used.version => None,
        Some(current) => Some(format!("{name}: version {}, now {current}", used.version)),
        None => Some(format!("{name}: version {}, now deleted", used.version)),
    }
}
