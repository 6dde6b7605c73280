//! The command line of `inject store …`: shapes alone, nothing is judged here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

const SERVE: &str = "\
It prints a line `INJECT_STORE=…` for each address once it listens: what a launcher is given.
SIGTERM ends it when what is under way is done; SIGHUP reads the certificate files again.
Each option is a variable too: INJECT_LISTEN (several with commas), INJECT_TLS_CERT, …";

/// What is done on the machine that has the data, by whoever can read it and the master key.
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Serve the store over TLS, or on a unix socket
    Serve(StoreServe),
    /// Prepare a new store with one organization, and print its owner's first token
    Init(StoreInit),
    /// Copy the store to a file, sealed as it is, while it is in use
    Backup(StoreBackup),
    /// Put a backup where there is no store
    Restore(StoreRestore),
    /// Seal everything under a new master key, while the store is in use
    Rekey(StoreRekey),
    /// Check every row and every audit chain
    Verify(StoreVerify),
}

/// Where the data is, and what opens it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct DataOptions {
    /// The folder that holds the store, instead of INJECT_DATA
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// A file that holds the master key
    #[arg(long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// A shell command that prints the master key
    #[arg(long, value_name = "COMMAND", conflicts_with = "master_key_file")]
    pub master_key_command: Option<OsString>,
    /// How a failure is printed: `text` or `json`
    #[arg(long, value_name = "text|json")]
    pub report: Option<OsString>,
}

#[derive(Args, Debug)]
#[command(after_help = SERVE)]
pub struct StoreServe {
    /// `IP:PORT` or `unix:PATH`, any number [default: 127.0.0.1:7410]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<OsString>,
    /// The mode of unix sockets, such as 0660 for a group [default: 0600]
    #[arg(long, value_name = "MODE")]
    pub listen_mode: Option<OsString>,
    /// The certificate chain to show, in PEM, instead of the store's own
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Speak plain http, on loopback alone
    #[arg(long, conflicts_with = "tls_cert")]
    pub plaintext: bool,
    /// How log lines look [default: text]
    #[arg(long, value_name = "text|json")]
    pub log_format: Option<OsString>,
    /// `error`, `warn`, `info` or `debug` [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<OsString>,
    #[command(flatten)]
    pub data: DataOptions,
}

#[derive(Args, Debug)]
pub struct StoreInit {
    /// The first organization
    #[arg(long, value_name = "NAME")]
    pub org: OsString,
    /// The e-mail address of its owner
    #[arg(long, value_name = "ADDRESS")]
    pub owner: OsString,
    #[command(flatten)]
    pub data: DataOptions,
}

#[derive(Args, Debug)]
pub struct StoreBackup {
    /// The file to make; `-` is standard output
    pub file: PathBuf,
    #[command(flatten)]
    pub data: DataOptions,
}

#[derive(Args, Debug)]
pub struct StoreRestore {
    /// A backup; `-` is standard input
    pub file: PathBuf,
    #[command(flatten)]
    pub data: DataOptions,
}

#[derive(Args, Debug)]
pub struct StoreRekey {
    #[command(flatten)]
    pub data: DataOptions,
}

#[derive(Args, Debug)]
pub struct StoreVerify {
    /// A saved audit checkpoint; may be given several times
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
    #[command(flatten)]
    pub data: DataOptions,
}
