//! `inject login`: the token is read, the store says what it is for, and it is kept.

use crate::admin::login::{organization, read_token};
use crate::admin::table::escaped;
use crate::admin::{Console, Error};
use crate::cli::Login;
use crate::launch::fetch::Stores;
use crate::launch::problem::Problem;
use crate::run::command::{Failed, Situation};
use crate::run::join::Join;
use crate::run::tell_problems;
use crate::secret::Secret;
use crate::settings::saved::{self, Entry, Repinned};
use crate::settings::{self, LoginSettings};
use crate::wire::Role;

pub fn run(login: Login, situation: Situation<'_>) -> u8 {
    let resolved = settings::resolve_login(&login.url, &login.common, situation.environment);
    let settings = match resolved {
        Ok(settings) => settings,
        Err(problems) => return tell_problems(problems, situation.format),
    };
    let store = shown(&settings);
    situation.act((Some(store), None), |console| act(settings, console))
}

fn shown(settings: &LoginSettings) -> String {
    let texts: Vec<_> = settings.addresses.iter().map(|address| address.text.as_str()).collect();
    texts.join(", ")
}

fn act(login: LoginSettings, console: &mut Console<'_>) -> Result<(), Failed> {
    let store = shown(&login);
    let LoginSettings { mut settings, addresses, path } = login;
    let token = match settings.token.take() {
        Some(token) => token,
        None => read_token(&store, console)?,
    };
    let kept = || Secret::new(token.expose_secret().to_vec());
    let kept: Vec<_> = addresses.iter().map(|_| kept()).collect();
    let wanted = settings.org.take();
    settings.token = Some(token);
    let client = Join::new(&mut settings).about_no_org().open()?;
    let org = organization(&client, wanted.as_ref())?;
    let entry = |(address, token)| Entry { address, org: org.name.clone(), token };
    let entries = addresses.into_iter().zip(kept).map(entry).collect();
    let repinned = saved::save(&path, entries)
        .map_err(|error| Problem::Command { exit: 74, what: error.to_string() })?;
    let role = org.role.map(Role::as_str).map(|role| format!(" ({role})")).unwrap_or_default();
    let done = format!("logged in to {}, organization {}{role}", escaped(&store), org.name);
    let kept = format!("the token is kept in `{}`", escaped(&path.to_string_lossy()));
    console.done(&done).map_err(|error| Error::Untold { done: kept.clone(), error })?;
    console.note(&kept);
    for Repinned { address, orgs } in repinned {
        let orgs: Vec<_> = orgs.iter().map(|org| format!("`{org}`")).collect();
        console.note(&format!(
            "the pin of `{}` is another than before, and counts for your login to {} there too",
            escaped(&address),
            orgs.join(", ")
        ));
    }
    Ok(())
}
