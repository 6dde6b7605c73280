//! `inject org`, `member`, `token`, `workload` and `audit`: what was typed is parsed here, all that
//! is wrong with it at once; the rest is for `admin`.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::admin::time::{Direction, parse_moment};
use crate::admin::{self, Console, Look, audit, member, org, token, workload};
use crate::cli;
use crate::client::{AuditQuery, Client, PageQuery};
use crate::grant::Grant;
use crate::launch::fetch::Stores;
use crate::launch::problem::Problem;
use crate::name::{EMAIL_BYTES_MAX, EmailAddress, OrgName, SecretName, TokenId, WorkloadName};
use crate::private_file;
use crate::run::command::{Failed, Situation};
use crate::run::join::Join;
use crate::sys;
use crate::wire::{Checkpoint, Role, TokenRequest};

/// The largest file or input that is read as a checkpoint, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// The longest cursor that is sent: a name and a time are in it at most.
const CURSOR_BYTES_MAX: usize = 1024;

/// A parsed command, which needs nothing more but the store.
type Act = Box<dyn FnOnce(&Client, &mut Console<'_>) -> Result<(), admin::Error>>;

type Parsed = Result<Act, Vec<Problem>>;

pub fn org(org: cli::Org, situation: Situation<'_>) -> u8 {
    let common = org.common().clone();
    let parsed = match org {
        cli::Org::List(list) => {
            let list = org::List { json: list.json };
            Ok(act(move |client, console| list.run(client, console)))
        }
        cli::Org::Create(create) => create_org(&create),
    };
    situation.run(&common, parsed, |_, join: Join| join.about_no_org(), open_and_act)
}

fn create_org(create: &cli::OrgCreate) -> Parsed {
    let mut faults = Faults::default();
    let name = faults.keep("", OrgName::parse(&lossy(&create.name)));
    let owner = faults.address("`--owner`: ", create.owner.as_ref());
    let create = org::Create { name: faults.all(name)?, owner, json: create.json };
    Ok(act(move |client, console| create.run(client, console)))
}

pub fn member(member: cli::Member, situation: Situation<'_>) -> u8 {
    let common = member.common().clone();
    let parsed = match member {
        cli::Member::List(list) => {
            let list = member::List { json: list.json };
            Ok(act(move |client, console| list.run(client, console)))
        }
        cli::Member::Add(add) => add_member(&add),
        cli::Member::Set(set) => set_member(&set),
        cli::Member::Rm(rm) => remove_member(&rm),
    };
    situation.run(&common, parsed, about_an_org, open_and_act)
}

fn add_member(add: &cli::MemberAdd) -> Parsed {
    let mut faults = Faults::default();
    let email = faults.keep("", EmailAddress::parse(&lossy(&add.email)));
    let role = faults.role(Some(&add.role));
    let names = faults.grant(&add.names).unwrap_or_default();
    let (email, role) = faults.all(email.zip(role))?;
    let add = member::Add { email, role, names, json: add.json };
    Ok(act(move |client, console| add.run(client, console)))
}

fn set_member(set: &cli::MemberSet) -> Parsed {
    let mut faults = Faults::default();
    let email = faults.keep("", EmailAddress::parse(&lossy(&set.email)));
    let role = faults.role(set.role.as_ref());
    let names = match set.no_names {
        true => Some(Grant::default()),
        false => faults.grant(&set.names),
    };
    let set = member::Set { email: faults.all(email)?, role, names };
    Ok(act(move |client, console| set.run(client, console)))
}

fn remove_member(rm: &cli::MemberRm) -> Parsed {
    let mut faults = Faults::default();
    let email = faults.keep("", EmailAddress::parse(&lossy(&rm.email)));
    let remove = member::Remove { email: faults.all(email)?, yes: rm.yes };
    Ok(act(move |client, console| remove.run(client, console)))
}

pub fn token(token: cli::TokenCommand, situation: Situation<'_>) -> u8 {
    let common = token.common().clone();
    let parsed = match token {
        cli::TokenCommand::List(list) => {
            let list = token::List { json: list.json };
            Ok(act(move |client, console| list.run(client, console)))
        }
        cli::TokenCommand::Create(create) => create_token(&create, &situation.look),
        cli::TokenCommand::Revoke(revoke) => revoke_token(&revoke.id),
    };
    situation.run(&common, parsed, about_an_org, open_and_act)
}

fn create_token(create: &cli::TokenCreate, look: &Look) -> Parsed {
    let mut faults = Faults::default();
    let workload = create.workload.as_ref().map(|name| WorkloadName::parse(&lossy(name)));
    let workload = workload.and_then(|parsed| faults.keep("`--workload`: ", parsed));
    let member = faults.address("`--member`: ", create.member.as_ref());
    let names = faults.grant(&create.names);
    let is_members = create.member.is_some();
    let expires_at = match create.expires.as_deref().map(OsStr::to_string_lossy).as_deref() {
        Some("never") if is_members => None,
        Some("never") => {
            let words = "a workload's token ends some time; write such as `365d`";
            faults.add(format!("`--expires`: {words}"));
            None
        }
        Some(text) => {
            let moment = parse_moment(text, Direction::FromNow, look);
            faults.keep("`--expires`: ", moment).filter(|moment| {
                let is_past = *moment <= look.now;
                if is_past {
                    faults.add("`--expires`: this is past already".to_owned());
                }
                !is_past
            })
        }
        None => None,
    };
    let network = create.network.as_ref().map(lossy);
    let request = TokenRequest { workload, member, names, expires_at, network };
    let create = token::Create { request: faults.all(Some(request))?, json: create.json };
    Ok(act(move |client, console| create.run(client, console)))
}

fn revoke_token(id: &OsString) -> Parsed {
    let mut faults = Faults::default();
    let id = faults.keep("", TokenId::parse(&lossy(id)));
    let revoke = token::Revoke { id: faults.all(id)? };
    Ok(act(move |client, console| revoke.run(client, console)))
}

pub fn workload(workload: cli::Workload, situation: Situation<'_>) -> u8 {
    let common = workload.common().clone();
    let cli::Workload::List(list) = workload;
    let list = workload::List { json: list.json };
    let parsed = Ok(act(move |client, console| list.run(client, console)));
    situation.run(&common, parsed, about_an_org, open_and_act)
}

pub fn audit(audit: cli::Audit, situation: Situation<'_>) -> u8 {
    let common = audit.common().clone();
    match audit {
        cli::Audit::List(list) => {
            let parsed = list_records(&list, &situation.look);
            situation.run(&common, parsed, about_an_org, open_and_act)
        }
        cli::Audit::Verify(verify) => {
            let parsed = verify_records(verify.checkpoint.as_deref());
            situation.run(&common, parsed, about_an_org, open_and_act)
        }
        cli::Audit::Checkpoint(checkpoint) => {
            let output = checkpoint.output.filter(|path| path != Path::new("-"));
            situation.run(&common, Ok(output), |_, join: Join| join, mark)
        }
    }
}

fn list_records(list: &cli::AuditList, look: &Look) -> Parsed {
    let mut faults = Faults::default();
    let name = list.name.as_ref().map(|name| SecretName::parse(&lossy(name)));
    let name = name.and_then(|parsed| faults.keep("`--name`: ", parsed));
    let query = AuditQuery {
        name: name.map(|name| name.to_string()),
        actor: faults.text("`--actor`: ", list.actor.as_ref()),
        workload: faults.text("`--workload`: ", list.workload.as_ref()),
        since: faults.moment("`--since`: ", list.since.as_ref(), look),
        until: faults.moment("`--until`: ", list.until.as_ref(), look),
        page: PageQuery { cursor: faults.cursor(list.cursor.as_ref()), limit: None },
    };
    let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let query = faults.all(Some(query))?;
    let list = audit::List { query, limit, json: list.json };
    Ok(act(move |client, console| list.run(client, console)))
}

fn verify_records(checkpoint: Option<&Path>) -> Parsed {
    let checkpoint = checkpoint.map(read_checkpoint).transpose().map_err(|fault| vec![fault])?;
    let verify = audit::Verify { checkpoint };
    Ok(act(move |client, console| verify.run(client, console)))
}

fn read_checkpoint(path: &Path) -> Result<Checkpoint, Problem> {
    let mut text = Vec::new();
    // Perhaps nobody writes it: a wait, which a signal must be able to end.
    sys::end_at_signals();
    let is_stdin = path == Path::new("-");
    let file = if is_stdin { sys::stdin() } else { std::fs::File::open(path) };
    let read = file.and_then(|file| file.take(CHECKPOINT_BYTES_MAX).read_to_end(&mut text));
    read.map_err(|error| match is_stdin {
        true => {
            let error = admin::Error::Input(error);
            Problem::Command { exit: error.exit_code(), what: error.to_string() }
        }
        false => Problem::File { path: path.to_owned(), doing: "read", error },
    })?;
    serde_json::from_slice(&text).map_err(|_| Problem::Setting {
        fault: format!("`--checkpoint`: `{}` holds no checkpoint", path.display()),
        hint: Some("`inject audit checkpoint -o FILE` writes one".to_owned()),
    })
}

/// A checkpoint goes to the output, or to a file, which then is there whole or not at all.
fn mark(output: Option<PathBuf>, join: Join, console: &mut Console<'_>) -> Result<(), Failed> {
    let client = join.open()?;
    let Some(path) = output else { return Ok(audit::Mark.run(&client, console)?) };
    let mut line = Vec::new();
    let mut file = Console {
        input: &mut *console.input,
        input_is_terminal: console.input_is_terminal,
        output: &mut line,
        errors: &mut *console.errors,
        terminal: console.terminal,
        look: console.look.clone(),
    };
    audit::Mark.run(&client, &mut file)?;
    private_file::replace(&path, &line)
        .map_err(|error| Problem::File { path, doing: "write", error }.into())
}

fn about_an_org(_: &Act, join: Join) -> Join {
    join
}

fn open_and_act(act: Act, join: Join, console: &mut Console<'_>) -> Result<(), Failed> {
    let client = join.open()?;
    Ok(act(&client, console)?)
}

fn act(act: impl FnOnce(&Client, &mut Console<'_>) -> Result<(), admin::Error> + 'static) -> Act {
    Box::new(act)
}

fn lossy(text: &OsString) -> String {
    text.to_string_lossy().into_owned()
}

/// What is wrong with the words of one command.
#[derive(Default)]
struct Faults(Vec<Problem>);

impl Faults {
    fn add(&mut self, fault: String) {
        self.0.push(Problem::Setting { fault, hint: None });
    }

    /// What was parsed, or nothing where its fault is kept; `whose` it is stands before the fault.
    fn keep<T>(&mut self, whose: &str, parsed: Result<T, impl Display>) -> Option<T> {
        parsed.map_err(|fault| self.add(format!("{whose}{fault}"))).ok()
    }

    fn address(&mut self, whose: &str, text: Option<&OsString>) -> Option<EmailAddress> {
        self.keep(whose, EmailAddress::parse(&lossy(text?)))
    }

    fn role(&mut self, text: Option<&OsString>) -> Option<Role> {
        let role = Role::parse(&text?.to_string_lossy());
        self.keep("`--role`: ", role.ok_or("write `owner`, `editor` or `reader`"))
    }

    /// Every list that was given, together; none where none was.
    fn grant(&mut self, lists: &[OsString]) -> Option<Grant> {
        if lists.is_empty() {
            return None;
        }
        let texts: Vec<String> = lists.iter().map(lossy).collect();
        let names: Vec<&str> =
            texts.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
        self.keep("`--names`: ", Grant::parse(&names))
    }

    fn text(&mut self, whose: &str, text: Option<&OsString>) -> Option<String> {
        let text = lossy(text?);
        let fits = !text.is_empty() && text.len() <= EMAIL_BYTES_MAX;
        let fault = format!("write a name of 1 to {EMAIL_BYTES_MAX} bytes");
        self.keep(whose, if fits { Ok(text) } else { Err(fault) })
    }

    fn cursor(&mut self, text: Option<&OsString>) -> Option<String> {
        let text = lossy(text?);
        let fits = !text.is_empty() && text.len() <= CURSOR_BYTES_MAX;
        self.keep("`--cursor`: ", if fits { Ok(text) } else { Err("write the `next` of a list") })
    }

    fn moment(
        &mut self,
        whose: &str,
        text: Option<&OsString>,
        look: &Look,
    ) -> Option<jiff::Timestamp> {
        self.keep(whose, parse_moment(&lossy(text?), Direction::Ago, look))
    }

    /// The whole, unless anything of it was wrong.
    fn all<T>(self, whole: Option<T>) -> Result<T, Vec<Problem>> {
        match whole {
            Some(whole) if self.0.is_empty() => Ok(whole),
            _ => Err(self.0),
        }
    }
}
