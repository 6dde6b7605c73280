//! `inject check`: its table, or JSON, on stdout; what a launch would fail with, on stderr.

use std::io::Write;

use serde_json::json;

use crate::admin::{Look, table, time};
use crate::cli::Check;
use crate::launch::check::{Checked, Found, Row, Subject, check};
use crate::launch::exec::Command;
use crate::launch::fetch::Stores;
use crate::launch::problem::Problem;
use crate::launch::report::{Report, escape, place_json};
use crate::run::join::Join;
use crate::run::{look, print, tell, tell_problems};
use crate::settings::{self, ReportFormat};
use crate::sys::{self, Process};

pub fn run(line: Check, process: &Process) -> u8 {
    let Check { sources, common, offline, files, command } = line;
    let environment = &process.environment;
    let resolve = if offline { settings::resolve_offline } else { settings::resolve };
    let mut settings = match resolve(&sources, &common, environment) {
        Ok(settings) => settings,
        Err(problems) => {
            return tell_problems(problems, settings::failure_format(&common, environment));
        }
    };
    let format = settings.report;
    let join = Join::new(&mut settings);
    let (store, organization) = (join.label(), join.organization());
    let command = (!command.is_empty()).then(|| Command::last_of(process, command.len()));
    let subject = Subject { files: &files, command };
    let checked = check(environment, settings, &subject, (!offline).then_some(join));
    let Checked { rows, skipped, problems } = checked;
    let printed = match format {
        ReportFormat::Json => print(json_of(&rows, &skipped, &problems).as_bytes()),
        ReportFormat::Text => print(text_of(&rows, &look(environment)).as_bytes()),
    };
    if format == ReportFormat::Text {
        tell_skipped(&skipped);
    }
    if problems.is_empty() || printed != 0 {
        return printed;
    }
    let store = (!offline).then_some(store);
    let organization = store.as_ref().and(organization);
    tell(&Report { command: None, store, organization, problems }, format)
}

fn text_of(rows: &[Row], look: &Look) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let (found, version, updated) = match &row.found {
            Found::Yes { version, updated_at } => {
                let updated = updated_at.map(|updated| time::short(updated, &look.zone));
                ("yes", version.to_string(), updated.unwrap_or_default())
            }
            Found::Missing => ("missing", String::new(), String::new()),
            Found::Forbidden => ("forbidden", String::new(), String::new()),
            Found::Unknown => ("not asked", String::new(), String::new()),
        };
        let mut places = row.places.iter().map(|place| escape(&place.to_string()));
        let first = places.next().unwrap_or_default();
        lines.push([row.name.to_string(), first, found.to_owned(), version, updated]);
        lines.extend(
            places.map(|place| [String::new(), place, String::new(), String::new(), String::new()]),
        );
    }
    let header = ["REFERENCE", "PLACE", "FOUND", "VERSION", "LAST UPDATED"];
    table::table(header, &lines, look.columns, look.bold)
}

fn json_of(rows: &[Row], skipped: &[String], problems: &[Problem]) -> String {
    let references: Vec<_> = rows
        .iter()
        .map(|row| {
            let places: Vec<_> = row.places.iter().map(place_json).collect();
            let (found, version, updated_at) = match &row.found {
                Found::Yes { version, updated_at } => (json!(true), Some(version), *updated_at),
                Found::Missing | Found::Forbidden => (json!(false), None, None),
                Found::Unknown => (json!(null), None, None),
            };
            let forbidden = matches!(row.found, Found::Forbidden);
            json!({
                "name": row.name, "places": places, "found": found, "forbidden": forbidden,
                "version": version, "updated_at": updated_at,
            })
        })
        .collect();
    let object = json!({
        "references": references, "skipped": skipped, "ok": problems.is_empty(),
    });
    format!("{object}\n")
}

/// What looks like a reference in a variable that is not scanned is told, for it stays as it is.
fn tell_skipped(skipped: &[String]) {
    for name in skipped {
        // Where stderr cannot be written, nobody is there to read it.
        let _ = writeln!(
            sys::stderr(),
            "inject: note: variable `{}` is not scanned; `--scan-env` can name it",
            escape(name)
        );
    }
}
