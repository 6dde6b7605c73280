//! `inject secret …`: settings and names are parsed here, the rest is for `admin`.

use std::ffi::{CStr, OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use crate::admin::secret::{List, Remove, Set, Show};
use crate::admin::{self, Console, Terminal, time};
use crate::cli::{Secret, SecretList, SecretSet, Sources};
use crate::client::{Client, Condition, Sort};
use crate::launch::fetch::Stores;
use crate::launch::problem::{Problem, exit};
use crate::launch::report::Report;
use crate::name::SecretName;
use crate::run::join::{Join, Opened};
use crate::run::{look, tell, tell_problems};
use crate::settings::{self, ReportFormat};
use crate::sys;

enum Action {
    Set(Set),
    List(List),
    Show(Show),
    Remove(Remove),
}

pub fn run(secret: Secret, environment: &[&'static CStr], format: ReportFormat) -> u8 {
    let common = secret.common().clone();
    let mut problems = Vec::new();
    let action = Action::parse(secret).map_err(|problem| problems.push(problem)).ok();
    let settings = settings::resolve(&Sources::default(), &common, environment)
        .map_err(|faults| problems.extend(faults))
        .ok();
    let (Some(action), Some(mut settings)) = (action, settings) else {
        return tell_problems(problems, format);
    };
    let join = Join::new(&mut settings);
    let join = if matches!(action, Action::Set(_)) { join.may_make() } else { join };
    let missing = join.missing_settings();
    if !missing.is_empty() {
        return tell_problems(missing, format);
    }
    let (store, organization) = (Some(join.label()), join.organization());
    let failed = |problem| {
        let problems = vec![problem];
        tell(&Report { command: None, store, organization, problems }, format)
    };
    sys::end_at_signals();
    sys::hold_values();
    match join.open_store() {
        Ok(Opened { client, made }) => match action.run(&client, made.as_deref(), environment) {
            Ok(()) => 0,
            // Whoever read has left, as in `inject secret list | head`.
            Err(admin::Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                exit::BROKEN_PIPE
            }
            Err(error) => {
                failed(Problem::Command { exit: error.exit_code(), what: error.to_string() })
            }
        },
        Err(problem) => failed(problem),
    }
}

impl Action {
    fn parse(secret: Secret) -> Result<Self, Problem> {
        match secret {
            Secret::Set(set) => set_of(set).map(Self::Set),
            Secret::List(list) => list_of(list).map(Self::List),
            Secret::Show(show) => {
                Ok(Self::Show(Show { name: name_of(&show.name)?, json: show.json }))
            }
            Secret::Rm(rm) => {
                let condition = rm.if_version.map_or(Condition::Always, Condition::Version);
                Ok(Self::Remove(Remove { name: name_of(&rm.name)?, yes: rm.yes, condition }))
            }
        }
    }

    fn run(
        &self,
        client: &Client,
        made: Option<&Path>,
        environment: &[&'static CStr],
    ) -> Result<(), admin::Error> {
        let (mut output, mut errors) = (io::BufWriter::new(sys::stdout()), sys::stderr());
        if let Some(made) = made {
            let _ = writeln!(
                errors,
                "a new store is in `{0}`; keep a copy of `{0}/{1}`, without which no value can be \
                 read",
                made.display(),
                crate::store::MASTER_KEY_NAME
            );
        }
        let mut input = io::stdin().lock();
        let input_is_terminal = io::IsTerminal::is_terminal(&input);
        let mut console = Console {
            input: &mut input,
            input_is_terminal,
            output: &mut output,
            errors: &mut errors,
            terminal: &Terminal::open,
            look: look(environment),
        };
        match self {
            Self::Set(set) => set.run(client, &mut console),
            Self::List(list) => list.run(client, &mut console),
            Self::Show(show) => show.run(client, &mut console),
            Self::Remove(remove) => remove.run(client, &mut console),
        }?;
        output.flush().map_err(admin::Error::Output)
    }
}

fn set_of(set: SecretSet) -> Result<Set, Problem> {
    let is_pair = set.name.as_encoded_bytes().contains(&b'=');
    if is_pair || !set.refused.is_empty() {
        return Err(Problem::Setting {
            fault: "a value is never an argument, where other users and the shell's history would \
                    see it"
                .to_owned(),
            hint: Some(
                "write `inject secret set NAME` and type it, or `inject secret set NAME < FILE`; \
                 and take what was typed here for known"
                    .to_owned(),
            ),
        });
    }
    let condition = match (set.if_absent, set.if_version) {
        (true, _) => Condition::Absent,
        (false, Some(version)) => Condition::Version(version),
        (false, None) => Condition::Always,
    };
    Ok(Set { name: name_of(&set.name)?, allow_empty: set.allow_empty, condition })
}

fn list_of(list: SecretList) -> Result<List, Problem> {
    let setting = |fault: String| Problem::Setting { fault, hint: None };
    let stale = list.stale.as_deref().map(time::parse_span).transpose();
    let stale = stale.map_err(|error| setting(format!("`--stale`: {error}")))?;
    let sort = list.sort.as_deref().and_then(Sort::parse);
    Ok(List { search: list.search, stale, sort, json: list.json })
}

fn name_of(name: &OsString) -> Result<SecretName, Problem> {
    let name: &OsStr = name;
    SecretName::parse(&name.to_string_lossy())
        .map_err(|error| Problem::Setting { fault: error.to_string(), hint: None })
}
