//! `inject sidecar`: settings into what it works with, and the one report if it cannot begin.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, PoisonError};

use crate::byte;
use crate::cli;
use crate::client::Client;
use crate::launch::fetch::Stores;
use crate::launch::problem::{Problem, exit};
use crate::launch::report::Report;
use crate::launch::set::Set;
use crate::log::Log;
use crate::notify::Notifier;
use crate::run::join::Join;
use crate::run::tell;
use crate::settings::staying::{StayingSettings, resolve_staying, sources};
use crate::settings::{self, ReportFormat, Settings};
use crate::sidecar::{
    Application, BindError, CommandLine, Folder, Open, Place, Proxy, Rendering, Server, Sidecar,
    Source, State, Way,
};
use crate::sys::serving::watch_signals;
use crate::sys::{self, Process};

/// What every application of a launch is kept from, a sidecar's command is too; and a supervisor
/// hears of this process from nobody else.
const OWN_PREFIX: &[u8] = b"INJECT_";
const NOTIFY: &[u8] = b"NOTIFY_SOCKET=";

pub fn run(line: cli::Sidecar, process: &Process) -> u8 {
    let environment = &process.environment;
    let staying = match resolve_staying(&line, environment) {
        Ok(staying) => staying,
        Err(problems) => {
            return end(Report::of(problems), settings::failure_format(&line.common, environment));
        }
    };
    let format = staying.settings.report;
    match start(line, staying, environment) {
        Ok(()) => 0,
        Err(report) => end(report, format),
    }
}

/// A pod shows what a container could not begin for.
fn end(report: Report, format: ReportFormat) -> u8 {
    report.write_termination_log();
    tell(&report, format)
}

fn start(
    line: cli::Sidecar,
    mut staying: StayingSettings,
    environment: &[&'static CStr],
) -> Result<(), Report> {
    sys::end_at_signals();
    sys::hold_values();
    let is_pipe = staying.settings.inherited.take().is_some();
    let first = Join::new(&mut staying.settings);
    let (store, organization) = (Some(first.label()), first.organization());
    let report = |problems| Report { store, organization, ..Report::of(problems) };
    begin(line, staying, environment, first, is_pipe).map_err(report)
}

fn begin(
    line: cli::Sidecar,
    staying: StayingSettings,
    environment: &[&'static CStr],
    first: Join,
    is_pipe: bool,
) -> Result<(), Vec<Problem>> {
    let StayingSettings { settings, into, signal, once, listen, proxy, .. } = staying;
    let cannot = |what: &str, error| vec![failed(format!("{what}: {error}"))];
    let (log, log_end) = Log::start(staying.log_level, staying.log_format, sys::stderr())
        .map_err(|error| cannot("cannot start the log's thread", error))?;
    let notifier = Notifier::connect(staying.notify_socket.as_deref().filter(|_| !once));
    let notifier = notifier
        .map_err(|error| cannot("cannot reach the supervisor at `NOTIFY_SOCKET`", error))?;
    let place = match &into {
        None => Place::Paths,
        Some(path) => Place::Folder(Folder::open(path).map_err(|problem| vec![problem])?),
    };
    let command = (!line.command.is_empty()).then(|| command(line.command.clone(), environment));
    let way = Way::default();
    let state = Arc::new(State::default());
    let mut source = source(line, environment.to_vec(), first, is_pipe, &way);
    let server = match (&listen, &proxy) {
        (None, None) => None,
        _ => Some(Server::new().map_err(|error| cannot("cannot start the server", error))?),
    };
    let mut server = server;
    if let Some(server) = &mut server {
        if let Some(address) = &listen {
            server.listen(address, &log).map_err(not_bound)?;
        }
        if let Some((path, mode)) = &proxy {
            source.client()?;
            let proxy = Proxy::new(way, *mode, Arc::clone(&state), log.clone());
            server.proxy(path, *mode, proxy, &log).map_err(not_bound)?;
        }
    }
    let rendering = Rendering { set: set(settings, into.is_none()), place };
    let application = Application { signal, command };
    let notifier = Arc::new(notifier);
    let sidecar = Sidecar { rendering, source, application, state, notifier, log };
    if once {
        let done = sidecar.once();
        log_end.flush();
        return done;
    }
    let signals = watch_signals().map_err(|error| cannot("cannot wait for signals", error))?;
    sidecar.stay(signals, server, log_end)
}

fn set(settings: Settings, has_places: bool) -> Set {
    let Settings { additions, grammar, require, workload, .. } = settings;
    Set { additions, grammar, require, workload, has_places }
}

/// The first client is of the settings that were read; a later one of those that there are then.
fn source(
    line: cli::Sidecar,
    environment: Vec<&'static CStr>,
    first: Join,
    is_pipe: bool,
    way: &Way,
) -> Source {
    let mut first = Some(first);
    let open: Open = Box::new(move || match first.take() {
        Some(join) => opened(join),
        // What came through a pipe is gone.
        None if is_pipe => Err(vec![failed("the token came through a pipe".to_owned())]),
        None => {
            let sources = sources(&line);
            let mut settings = settings::resolve(&sources, &line.common, &environment)?;
            opened(Join::new(&mut settings))
        }
    });
    let way = Arc::clone(way);
    let hear = move |client: &Client| {
        let relay = client.relay().map(Arc::new);
        *way.lock().unwrap_or_else(PoisonError::into_inner) = relay;
    };
    Source::new(open, Box::new(hear))
}

fn opened(join: Join) -> Result<Client, Vec<Problem>> {
    let missing = join.missing_settings();
    match missing.is_empty() {
        true => join.open().map_err(|problem| vec![problem]),
        false => Err(missing),
    }
}

fn command(words: Vec<OsString>, environment: &[&'static CStr]) -> CommandLine {
    let pair = |entry: &&CStr| {
        let entry = Some(entry.to_bytes()).filter(|entry| !entry.starts_with(NOTIFY))?;
        let equals = byte::find(b'=', entry).filter(|_| !entry.starts_with(OWN_PREFIX))?;
        let text = |bytes| OsStr::from_bytes(bytes).to_owned();
        Some((text(&entry[..equals]), text(&entry[equals + 1..])))
    };
    CommandLine { words, environment: environment.iter().filter_map(pair).collect() }
}

fn not_bound(failure: BindError) -> Vec<Problem> {
    let BindError { address, error } = failure;
    vec![failed(format!("cannot listen on `{address}`: {error}"))]
}

fn failed(what: String) -> Problem {
    Problem::Command { exit: exit::INPUT_OUTPUT, what }
}
