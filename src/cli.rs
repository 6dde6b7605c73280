//! The command line, its help, its completions and its man page, from one definition. It has no
//! effects, and judges nothing but the shape: `settings` parses what the options hold, so that all
//! that is wrong with them is reported together.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Error, Parser, Subcommand};

mod manage;
mod secret;
mod sidecar;
mod store;

pub use manage::*;
pub use secret::{Secret, SecretList, SecretRm, SecretSet, SecretShow};
pub use sidecar::{Install, Sidecar};
pub use store::*;

/// Gets an organization's secrets into the programs that need them, at deploy time.
///
/// Finds the `$NAME` references in the environment and in config files, fetches exactly those
/// secrets, substitutes them, and becomes the command. If even one is missing, the command is not
/// started.
#[derive(Debug, Parser)]
#[command(name = "inject", version, args_conflicts_with_subcommands = true)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "inject [OPTIONS] -- COMMAND [ARG]...\n       inject COMMAND")]
#[command(after_help = "Settings come from, in order: the option, `INJECT_*` (such as \
INJECT_STORE), `inject.toml`, the default.\nWith no store set, the embedded store in INJECT_DATA \
(default $XDG_DATA_HOME/inject) is used.\n\nExit codes, besides the command's own: 64 usage or \
settings, 65 malformed reference or template, 69 store\nunreachable, 74 input or output, 77 \
refused, 78 secret missing, 126 not executable, 127 not found, 128+n\nended by signal n while it \
waited. The manual: `inject man`.")]
pub struct Line {
    #[command(flatten)]
    pub launch: Launch,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The launcher alone: what a container's entrypoint parses.
#[derive(Debug, Parser)]
#[command(name = "inject", disable_help_flag = true, no_binary_name = false)]
struct LaunchLine {
    #[command(flatten)]
    launch: Launch,
}

#[derive(Args, Debug, Default)]
pub struct Launch {
    #[command(flatten)]
    pub sources: Sources,
    /// The command to start, and its arguments, which are never read for references
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    #[command(flatten)]
    pub common: Common,
}

/// Where references are looked for, and what is added.
#[derive(Args, Clone, Debug, Default)]
pub struct Sources {
    /// Add a variable; its value may hold references
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<OsString>,
    /// Add the variables of a file; their values may hold references
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Set the variable NAME to the secret NAME
    #[arg(long, value_name = "NAME[,NAME]")]
    pub export: Vec<OsString>,
    /// Set, as variables, the secrets that FILE references, and leave FILE alone
    #[arg(long, value_name = "FILE")]
    pub export_from: Vec<PathBuf>,
    /// Deliver one secret as a sealed memory file whose path is in VAR
    #[arg(long, value_name = "VAR=NAME")]
    pub as_file: Vec<OsString>,
    /// Render a config file to a path: atomic, mode 0600 unless given
    #[arg(long, value_name = "TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]")]
    pub render: Vec<OsString>,
    /// Render a config file to a sealed memory file at the path in VAR, or at descriptor VAR
    #[arg(long, value_name = "VAR=TEMPLATE")]
    pub memfd: Vec<OsString>,
    /// The format of every config file, instead of what their names say
    #[arg(long, value_name = "json|yaml|toml|env|ini|properties|xml|text")]
    pub format: Option<OsString>,
    /// Which inherited variables are scanned: `all`, `none`, or names and globs
    #[arg(long, value_name = "all|none|NAME,GLOB*")]
    pub scan_env: Option<OsString>,
    #[command(flatten)]
    pub names: Names,
}

/// What a reference is, and on whose behalf it is resolved.
#[derive(Args, Clone, Debug, Default)]
pub struct Names {
    /// Leave these names alone: they are plain text
    #[arg(long, value_name = "NAME[,NAME]")]
    pub literal: Vec<OsString>,
    /// Fail unless these names are referenced
    #[arg(long, value_name = "NAME[,NAME]")]
    pub require: Vec<OsString>,
    /// The environment: `@` in `${KEY_@}` stands for it
    #[arg(long, value_name = "NAME")]
    pub environment: Option<OsString>,
    /// The name under which members and the embedded store launch the program
    #[arg(long, value_name = "NAME")]
    pub workload: Option<OsString>,
}

/// Settings that every command understands. They stand last in a command's options: the heading
/// holds for all that follows it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct Common {
    /// The store: `https://HOST:PORT#PIN` or `unix:PATH`, or several
    #[arg(long, value_name = "ADDRESS")]
    pub store: Option<OsString>,
    /// The organization that owns the secrets
    #[arg(long, value_name = "NAME")]
    pub org: Option<OsString>,
    /// A file that holds the token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A PEM file of who vouches for the store, not the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// A file that holds the embedded store's master key
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// A shell command that prints the embedded store's master key
    #[arg(long, value_name = "COMMAND", conflicts_with = "master_key_file")]
    pub master_key_command: Option<OsString>,
    /// How long to try to reach the store: `3`, `500ms`, `2m`
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<OsString>,
    /// The manifest, not the `inject.toml` found from here upward
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How a failure is printed: `text` or `json`
    #[arg(long, value_name = "text|json")]
    pub report: Option<OsString>,
}

// There is one of these in a process, and it is taken apart at once.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every reference, where it stands, and whether the store has it
    Check(Check),
    /// Render one config file, to standard output or to a file
    Render(Render),
    /// Render config files, stay, and render again what a changed secret changes
    Sidecar(Box<Sidecar>),
    /// Copy this program to a path: from an init container into a shared volume
    Install(Install),
    /// Manage secrets
    #[command(subcommand, arg_required_else_help = true)]
    Secret(Box<Secret>),
    /// Manage organizations
    #[command(subcommand, arg_required_else_help = true)]
    Org(Box<Org>),
    /// Manage the members of an organization
    #[command(subcommand, arg_required_else_help = true)]
    Member(Box<Member>),
    /// Manage the tokens of members and workloads
    #[command(subcommand, arg_required_else_help = true)]
    Token(Box<TokenCommand>),
    /// Show what each workload resolved
    #[command(subcommand, arg_required_else_help = true)]
    Workload(Box<Workload>),
    /// Read and verify the audit trail
    #[command(subcommand, arg_required_else_help = true)]
    Audit(Box<Audit>),
    /// Keep a token for a store, after asking for it
    Login(Box<Login>),
    /// Run a store for others, and look after its data
    #[command(subcommand, arg_required_else_help = true)]
    Store(Box<Store>),
    /// Print a completion script for a shell
    Completions {
        /// The shell that reads it
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of all or of one command
    Man {
        /// The command, such as `token create`
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    pub sources: Sources,
    /// Check the syntax alone: ask no store
    #[arg(long)]
    pub offline: bool,
    /// Files that hold references
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The command that a launch would start: it is looked up, and not started
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct Render {
    /// The config file that holds references; `-` is standard input
    #[arg(value_name = "TEMPLATE")]
    pub template: PathBuf,
    /// Write to this file, whole or not at all, with mode 0600; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The file's format, instead of what its name says
    #[arg(long, value_name = "json|yaml|toml|env|ini|properties|xml|text")]
    pub format: Option<OsString>,
    #[command(flatten)]
    pub names: Names,
    #[command(flatten)]
    pub common: Common,
}

/// Parses the arguments, program name first. A launch does not pay for definitions that it does not
/// need: none where it has no options, as in an entrypoint, else the launcher's own. Whatever is
/// not a launch is judged by the whole definition.
pub fn parse(arguments: &[OsString]) -> Result<Line, Error> {
    if let [_, dashes, command @ ..] = arguments
        && dashes == "--"
        && !command.is_empty()
    {
        let launch = Launch { command: command.to_vec(), ..Launch::default() };
        return Ok(Line { launch, command: None });
    }
    if arguments.iter().any(|argument| argument == "--")
        && let Ok(line) = LaunchLine::try_parse_from(arguments)
        && !line.launch.command.is_empty()
    {
        return Ok(Line { launch: line.launch, command: None });
    }
    Line::try_parse_from(arguments).map_err(|error| match sets_secret(arguments) {
        true => without_values(error),
        false => without_misplaced(error, arguments),
    })
}

/// Stands for what was typed and may be a value.
pub const LEFT_OUT: &str = "…";

/// Whether this is `inject secret set`, as far as a line that is no good tells.
pub fn sets_secret(arguments: &[OsString]) -> bool {
    arguments.windows(2).any(|two| two[0] == "secret" && two[1] == "set")
}

/// The error less what was typed: a secret's value may be in the wrong place. What clap quotes of
/// its own, such as the name of an option that it knows, stays.
fn without_values(mut error: Error) -> Error {
    let left_out = || ContextValue::String(LEFT_OUT.to_owned());
    error.remove(ContextKind::Suggested);
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        // One that is empty is a value that was not given at all.
        if error.get(kind).is_some_and(|given| !given.to_string().is_empty()) {
            error.insert(kind, left_out());
        }
    }
    if error.kind() == ErrorKind::UnknownArgument {
        error.insert(ContextKind::InvalidArg, left_out());
    }
    error
}

/// The error less what may be a value in the wrong place, such as the second variable of one `-e`:
/// of `NAME=VALUE` the name is left.
fn without_misplaced(mut error: Error, arguments: &[OsString]) -> Error {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::TooManyValues => ContextKind::InvalidValue,
        _ => return error,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return error };
    let is_option = word.starts_with('-');
    // Where `--` stands, what is before it is no program, unless it is all that is there.
    let is_stray = error.kind() == ErrorKind::UnknownArgument
        && !is_option
        && arguments.iter().any(|argument| argument == "--")
        && arguments.get(1).is_none_or(|first| first != word.as_str())
        && definition().find_subcommand(word).is_none();
    let shown = match word.split_once('=') {
        Some((name, value)) if is_pair(name, value) => format!("{name}={LEFT_OUT}"),
        None if !is_stray && error.kind() != ErrorKind::TooManyValues => return error,
        _ => LEFT_OUT.to_owned(),
    };
    error.remove(ContextKind::Suggested);
    error.insert(kind, ContextValue::String(shown));
    error
}

/// Whether it is a variable with its value; base64 may end with `=`, and then all of it is a value.
fn is_pair(name: &str, value: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let is_padding = value.bytes().all(|b| b == b'=');
    !name.is_empty() && name.bytes().all(is_name) && !is_padding
}

/// The whole definition, for completions, the man page and help.
pub fn definition() -> clap::Command {
    Line::command()
}
