//! Command → the wing that does it, and the one error that is printed. The only place that knows
//! both the client's side and the embedded store.

use std::ffi::{CStr, OsStr, OsString};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use crate::admin::Look;
use crate::cli::{self, Launch, Line};
use crate::launch;
use crate::launch::exec::Command;
use crate::launch::problem::{Problem, exit};
use crate::launch::report::Report;
use crate::settings::{self, ReportFormat};
use crate::sys::{self, Process};

mod check;
mod command;
mod install;
mod join;
mod login;
mod man;
mod manage;
mod render;
mod secret;
mod sidecar;
mod store;
mod usage;

use command::Situation;
use join::Join;

/// Runs one command line, and says with which code the process ends.
pub fn run(process: Process) -> u8 {
    sys::occupy_standard_descriptors();
    std::panic::set_hook(Box::new(tell_panic));
    let arguments: Vec<OsString> = process
        .arguments
        .iter()
        .map(|argument| OsStr::from_bytes(argument.to_bytes()).to_owned())
        .collect();
    let line = match cli::parse(&arguments) {
        Ok(line) => line,
        Err(error) => return usage::tell_usage(error, &arguments, &process.environment),
    };
    let Line { launch, command } = line;
    match command {
        None if launch.command.is_empty() => {
            tell_no_command(settings::report_format(&arguments, &process.environment))
        }
        None => run_launch(launch, &process),
        Some(command) => run_command(command, &arguments, &process),
    }
}

/// Whatever is no launch. Apart, so that a launch does not set aside a stack for all of it.
#[inline(never)]
fn run_command(command: cli::Command, arguments: &[OsString], process: &Process) -> u8 {
    let environment = &process.environment;
    // A command that has settings asks them instead, once it has them.
    let format = || settings::report_format(arguments, environment);
    let situation = || Situation { environment, format: format(), look: look(environment) };
    match command {
        cli::Command::Check(check) => check::run(check, process),
        cli::Command::Render(render) => render::run(render, process),
        cli::Command::Sidecar(line) => sidecar::run(*line, process),
        cli::Command::Install(line) => install::run(&line, format()),
        cli::Command::Secret(secret) => secret::run(*secret, situation()),
        cli::Command::Store(store) => store::run(*store, environment, format()),
        cli::Command::Org(org) => manage::org(*org, situation()),
        cli::Command::Member(member) => manage::member(*member, situation()),
        cli::Command::Token(token) => manage::token(*token, situation()),
        cli::Command::Workload(workload) => manage::workload(*workload, situation()),
        cli::Command::Audit(audit) => manage::audit(*audit, situation()),
        cli::Command::Login(login) => login::run(*login, situation()),
        cli::Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut cli::definition(), "inject", &mut script);
            print(&script)
        }
        cli::Command::Man { command } => man::run(&command, format()),
    }
}

/// Only a launch that failed comes back.
fn run_launch(launch: Launch, process: &Process) -> u8 {
    let Launch { sources, common, command } = launch;
    let command = Command::last_of(process, command.len());
    let (report, format) = match settings::resolve(&sources, &common, &process.environment) {
        Ok(mut settings) => {
            let format = settings.report;
            let stores = Join::new(&mut settings);
            (launch::launch(&process.environment, settings, &command, stores), format)
        }
        Err(problems) => {
            let report = Report { command: Some(command.shown()), ..Report::of(problems) };
            (report, settings::failure_format(&common, &process.environment))
        }
    };
    report.write_termination_log();
    tell(&report, format)
}

/// Prints a failure, and returns its code.
fn tell(report: &Report, format: ReportFormat) -> u8 {
    // Where stderr cannot be written, the code still says it.
    let _ = sys::stderr().write_all(report.show(format).as_bytes());
    report.exit_code()
}

fn tell_problems(problems: Vec<Problem>, format: ReportFormat) -> u8 {
    tell(&Report::of(problems), format)
}

/// How tables and times look on standard output.
fn look(environment: &[&CStr]) -> Look {
    let variable = |name: &[u8]| settings::value_of(environment, name);
    let columns = variable(b"COLUMNS").and_then(|columns| std::str::from_utf8(columns).ok());
    let stdout = sys::stdout();
    let is_terminal = std::io::IsTerminal::is_terminal(&stdout.as_fd());
    Look::new(is_terminal, sys::terminal_columns(stdout), columns, variable(b"NO_COLOR"))
}

/// Prints what a command has to say. A closed pipe or a full disk is no success.
fn print(text: &[u8]) -> u8 {
    match sys::stdout().write_all(text) {
        Ok(()) => 0,
        // Whoever read has left, as in `inject secret list | head`: what SIGPIPE would say.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => exit::BROKEN_PIPE,
        Err(error) => {
            let problem =
                Problem::File { path: "standard output".into(), doing: "write to", error };
            tell_problems(vec![problem], ReportFormat::Text)
        }
    }
}

fn tell_no_command(format: ReportFormat) -> u8 {
    let fault = "no command is given".to_owned();
    let hint = Some("write `inject -- COMMAND [ARG]...`; `inject --help` shows more".to_owned());
    let problems = vec![Problem::Setting { fault, hint }];
    let report = Report::of(problems);
    report.write_termination_log();
    tell(&report, format)
}

/// A panic is a fault of this program. Its message may hold anything, so only its place is told.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    let text = format!("inject: internal error{place}; please report it\n");
    let _ = sys::stderr().write_all(text.as_bytes());
}
