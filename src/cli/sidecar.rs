//! The command line of `inject sidecar` and `inject install`: shapes alone, nothing is judged here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{Common, Names};

const SIDECAR: &str = "\
It renders all files, or ends as a launch does. Then it stays, renders again what a changed secret
or template changes, and tells the application, if it had read an older file.
SIGTERM ends it at once; SIGHUP lets it render again.";

#[derive(Args, Debug)]
#[command(after_help = SIDECAR)]
pub struct Sidecar {
    /// Render a config file to a path: atomic, mode 0600 unless given
    #[arg(long, value_name = "TEMPLATE:OUTPUT[:MODE[:UID[:GID]]]")]
    pub render: Vec<OsString>,
    /// Put all outputs into this folder, where they change at once; OUTPUT is a name in it
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
    /// The format of every config file, instead of what their names say
    #[arg(long, value_name = "json|yaml|toml|env|ini|properties|xml|text")]
    pub format: Option<OsString>,
    /// Send this signal, such as `HUP`, to the processes that `--process` names
    #[arg(long, value_name = "SIGNAL", requires = "process")]
    pub signal: Option<OsString>,
    /// The application's name, as `ps` shows it, in a process namespace that is shared
    #[arg(long, value_name = "NAME", requires = "signal")]
    pub process: Option<OsString>,
    /// Run the command that stands behind `--`, without a shell
    #[arg(long, requires = "command")]
    pub exec: bool,
    /// End after the first rendering, as an init container does
    #[arg(long, conflicts_with_all = ["listen", "proxy"])]
    pub once: bool,
    /// Answer `/healthz`, `/readyz` and `/metrics` at `IP:PORT` or `unix:PATH`
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<OsString>,
    /// Resolve for launchers at `unix:PATH`, which then hold no token
    #[arg(long, value_name = "ADDRESS")]
    pub proxy: Option<OsString>,
    /// The mode of that socket; other users are let in by more than 0600 [default: 0600]
    #[arg(long, value_name = "MODE", requires = "proxy")]
    pub proxy_mode: Option<OsString>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "text|json")]
    pub log_format: Option<OsString>,
    /// `error`, `warn`, `info` or `debug` [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<OsString>,
    /// The command for `--exec`, and its arguments
    #[arg(last = true, value_name = "COMMAND", requires = "exec")]
    pub command: Vec<OsString>,
    #[command(flatten)]
    pub names: Names,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct Install {
    /// The file to make, or a folder, in which it is called `inject`
    pub path: PathBuf,
    /// How a failure is printed: `text` or `json`
    #[arg(long, value_name = "text|json")]
    pub report: Option<OsString>,
}
