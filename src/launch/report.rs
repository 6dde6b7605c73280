//! What failed, where, and the way out: as text, as JSON, and in the termination log. It is given
//! problems, which hold no value, and so it cannot show one.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::json;

use crate::launch::problem::{Place, Problem, exit};
use crate::settings::ReportFormat;

/// Where Kubernetes looks for a container's last words, and how much of them it keeps.
const TERMINATION_LOG: &str = "/dev/termination-log";
const TERMINATION_LOG_BYTES_MAX: usize = 4096;

/// Everything that kept one command from being started.
#[derive(Debug)]
pub struct Report {
    /// The program's name, never its arguments; none where nothing was to be started.
    pub command: Option<String>,
    /// Which store was or would have been asked, and of which organization.
    pub store: Option<String>,
    pub organization: Option<String>,
    pub problems: Vec<Problem>,
}

impl Report {
    /// What went wrong where no store was chosen and no program named yet.
    pub fn of(problems: Vec<Problem>) -> Self {
        Self { command: None, store: None, organization: None, problems }
    }

    /// The first of the codes that apply, in the contract's order.
    pub fn exit_code(&self) -> u8 {
        let applies = |code: &u8| self.problems.iter().any(|problem| problem.exit_code() == *code);
        exit::ORDER.into_iter().find(applies).unwrap_or(exit::INTERNAL)
    }

    pub fn show(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Text => self.text(),
            ReportFormat::Json => self.json(),
        }
    }

    fn summary(&self) -> String {
        match (&self.command, self.problems.as_slice()) {
            (Some(command), [_]) => format!("`{}` was not started", escape(command)),
            (Some(command), all) => {
                format!("`{}` was not started: {} problems", escape(command), all.len())
            }
            (None, [problem]) => escape(&problem.to_string()),
            (None, all) => format!("{} problems", all.len()),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("inject: {}\n", self.summary());
        for problem in &self.problems {
            // Alone, and with nothing that was to be started, it is the summary.
            if self.command.is_some() || self.problems.len() > 1 {
                let _ = writeln!(text, "  {}", escape(&problem.to_string()));
            }
            let whole = |place: &Place| matches!(place, Place::Whole { .. });
            for place in problem.places().into_iter().filter(|place| !whole(place)) {
                let _ = writeln!(text, "    in {}", escape(&shown_place(problem, &place)));
            }
            if let Some(nearest) = problem.nearest() {
                let _ = writeln!(text, "    nearest: `{nearest}`");
            }
            if let Some(hint) = problem.hint() {
                let _ = writeln!(text, "    {}", escape(&hint));
            }
        }
        if let Some(store) = &self.store {
            let _ = write!(text, "  store: {}", escape(store));
            if let Some(organization) = &self.organization {
                let _ = write!(text, ", organization `{organization}`");
            }
            text.push('\n');
        }
        text
    }

    fn json(&self) -> String {
        let problems: Vec<_> = self.problems.iter().map(problem_json).collect();
        let object = json!({
            "error": self.summary(),
            "exit": self.exit_code(),
            "store": self.store,
            "organization": self.organization,
            "command": self.command,
            "started": false,
            "problems": problems,
        });
        format!("{object}\n")
    }

    /// Writes the text to the termination log, where there is one: whole lines, as many as are
    /// kept.
    pub fn write_termination_log(&self) {
        let text = self.text();
        let mut kept = text.len();
        while kept > TERMINATION_LOG_BYTES_MAX {
            kept = text[..kept - 1].rfind('\n').map_or(0, |newline| newline + 1);
        }
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(TERMINATION_LOG);
        if let Ok(mut log) = opened {
            // The same words are on stderr: there is no better place to say that this one failed.
            let _ = log.set_len(0);
            let _ = log.write_all(&text.as_bytes()[..kept]);
        }
    }
}

fn problem_json(problem: &Problem) -> serde_json::Value {
    let places: Vec<_> = problem
        .places()
        .iter()
        .map(|place| match (problem, place) {
            (Problem::Malformed { .. }, Place::Variable { name, column }) => {
                json!({ "variable": name, "column": column })
            }
            _ => place_json(place),
        })
        .collect();
    json!({
        "kind": problem.kind(),
        "name": problem.name(),
        "places": places,
        "nearest": problem.nearest(),
        "hint": problem.hint(),
        "message": problem.to_string(),
    })
}

pub fn place_json(place: &Place) -> serde_json::Value {
    match place {
        Place::Variable { name, .. } => json!({ "variable": name }),
        Place::File { path, line, column } => {
            json!({ "file": path.to_string_lossy(), "line": line, "column": column })
        }
        Place::Whole { path } => json!({ "file": path.to_string_lossy() }),
    }
}

/// A malformed reference is looked for in a text, so its column is told in a variable too.
fn shown_place(problem: &Problem, place: &Place) -> String {
    match (problem, place) {
        (Problem::Malformed { .. }, Place::Variable { name, column }) => {
            format!("variable `{name}`, column {column}")
        }
        _ => place.to_string(),
    }
}

/// Control characters in names and paths must not reach a terminal or make a line, and what
/// changes the direction of writing must not hide what is there.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = ['\u{200e}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}']
            .iter()
            .any(|range| range.contains(&c));
        match c.is_control() || turns {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
