//! What is told of a line that is not understood, and the way out. What was typed may be a value,
//! which `cli` has left out; nothing here shows an argument that `cli` does not.

use std::ffi::{CStr, OsString};
use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{print, tell};
use crate::cli;
use crate::launch::problem::{Problem, exit};
use crate::launch::report::Report;
use crate::settings::{self, ReportFormat};
use crate::sys;

const BEFORE_DASHES: &str = "only options stand before `--`, each variable with its own `-e`, and \
                             the program behind it";

/// What clap says of a line that it does not understand, or help that was asked for.
pub fn tell_usage(error: clap::Error, arguments: &[OsString], environment: &[&CStr]) -> u8 {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return print(text.as_bytes());
    }
    let missing = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let format = settings::report_format(arguments, environment);
    if error.kind() == missing && format == ReportFormat::Text {
        // Where stderr cannot be written, the code still says it.
        let _ = sys::stderr().write_all(text.as_bytes());
        return exit::USAGE;
    }
    let words = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let fault = words(text.split("\n\n").next().unwrap_or_default());
    let fault = fault.strip_prefix("error: ").unwrap_or(&fault).to_owned();
    let has_dashes = arguments.iter().any(|argument| argument == "--");
    let meant = command_of(arguments);
    let word = unknown_word(&error).filter(|_| meant == "inject");
    let (hint, launches) = match word.and_then(|word| hint_of(word, arguments, has_dashes)) {
        Some(found) => found,
        None => (general_hint(&text, &meant, arguments, has_dashes), false),
    };
    let report = Report::of(vec![Problem::Setting { fault, hint: Some(hint) }]);
    if launches || has_dashes {
        report.write_termination_log();
    }
    tell(&report, format)
}

/// The way out where a word stands at the launcher's own options, and whether a launch was meant.
fn hint_of(word: &str, arguments: &[OsString], has_dashes: bool) -> Option<(String, bool)> {
    let is_first = arguments.get(1).is_some_and(|first| first == word);
    let is_pair = word.strip_suffix(cli::LEFT_OUT).is_some_and(|name| name.ends_with('='));
    let hint = match word {
        _ if word.starts_with('-') || word == "help" => return None,
        cli::LEFT_OUT if cli::sets_secret(arguments) => {
            return Some(("options stand behind `inject secret set`".to_owned(), false));
        }
        _ if is_pair => format!("give each variable its own `-e`: write `-e` before `{word}`"),
        _ if is_command(word) => {
            let hint = format!("options stand behind the command: `inject {word} … OPTIONS`");
            return Some((hint, false));
        }
        _ if has_dashes || word == cli::LEFT_OUT => BEFORE_DASHES.to_owned(),
        _ if is_first => format!("to launch a program, write `inject -- {word}` and its arguments"),
        _ => format!("to launch a program, write `--` before `{word}`"),
    };
    Some((hint, true))
}

fn general_hint(text: &str, meant: &str, arguments: &[OsString], has_dashes: bool) -> String {
    if arguments.iter().any(|argument| argument == "--exec") {
        return "the command of `--exec` stands last: `--exec -- nginx -s reload`".to_owned();
    }
    let mut tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    // Where `--` stands already, another one is no way out.
    let tip = tips.find(|tip| !(has_dashes && tip.contains("'-- ")));
    tip.map_or_else(|| format!("see `{meant} --help`"), str::to_owned)
}

/// What stands where nothing is expected.
fn unknown_word(error: &clap::Error) -> Option<&str> {
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

fn is_command(word: &str) -> bool {
    cli::definition().find_subcommand(word).is_some()
}
