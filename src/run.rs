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
        Err(error) => return tell_usage(error, &arguments, &process.environment),
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

/// What clap says of a line that it does not understand, or help that was asked for.
fn tell_usage(error: clap::Error, arguments: &[OsString], environment: &[&CStr]) -> u8 {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return print(text.as_bytes());
    }
    let missing = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let format = settings::report_format(arguments, environment);
    if error.kind() == missing && format == ReportFormat::Text {
        // Where stderr cannot be written, the code still says it.
        let _ = sys::stderr().write_all(text.as_bytes());
        return exit::USAGE;
    }
    let words = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let fault = words(text.split("\n\n").next().unwrap_or_default());
    let fault = fault.strip_prefix("error: ").unwrap_or(&fault).to_owned();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let first = arguments.get(1).and_then(|first| first.to_str());
    let unknown = unknown_word(&error);
    let meant = command_of(arguments);
    // A word that is not shown, for it may be a value, is no program either.
    let unknown = unknown.filter(|word| meant == "inject" && *word != cli::LEFT_OUT);
    let launches = meant == "inject" && [first, unknown].into_iter().flatten().any(is_program);
    let hint = match (first, unknown, tip) {
        (Some(first), ..) if launches && is_program(first) => {
            format!("to launch a program, write `inject -- {first}` and its arguments")
        }
        (_, Some(program), _) if launches => {
            format!("to launch a program, write `--` before `{program}`")
        }
        (_, Some(command), _) if !command.starts_with('-') => {
            format!("options stand behind the command: `inject {command} … OPTIONS`")
        }
        _ if arguments.iter().any(|argument| argument == "--exec") => {
            "the command of `--exec` stands last: `--exec -- nginx -s reload`".to_owned()
        }
        (_, _, Some(tip)) => tip.to_owned(),
        _ => format!("see `{meant} --help`"),
    };
    let problems = vec![Problem::Setting { fault, hint: Some(hint) }];
    let report = Report::of(problems);
    if launches || arguments.iter().any(|argument| argument == "--") {
        report.write_termination_log();
    }
    tell(&report, format)
}

/// What stands where nothing is expected.
fn unknown_word(error: &clap::Error) -> Option<&str> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if error.kind() == ErrorKind::UnknownArgument => {
            Some(word)
        }
        _ => None,
    }
}

/// The command that was meant, as far as its words are known.
fn command_of(arguments: &[OsString]) -> String {
    let definition = cli::definition();
    let (mut command, mut words) = (&definition, "inject".to_owned());
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        let Some(found) = command.find_subcommand(word) else { break };
        command = found;
        words = format!("{words} {word}");
    }
    words
}

/// Whether it is a program's name, which wants `--` before it.
fn is_program(word: &str) -> bool {
    let known = |command: &clap::Command| command.get_name() == word;
    !word.starts_with('-') && word != "help" && !cli::definition().get_subcommands().any(known)
}

/// A panic is a fault of this program. Its message may hold anything, so only its place is told.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    let text = format!("inject: internal error{place}; please report it\n");
    let _ = sys::stderr().write_all(text.as_bytes());
}
