//! The command line of `inject secret …`: shapes alone, nothing is judged here.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Common;

#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Create or update a secret; the value is read from stdin, or asked for
    Set(SecretSet),
    /// List secrets: names, versions, times and people, never a value
    List(SecretList),
    /// Show what is known of one secret, never its value
    Show(SecretShow),
    /// Delete a secret for good
    Rm(SecretRm),
}

impl Secret {
    pub fn common(&self) -> &Common {
        match self {
            Self::Set(set) => &set.common,
            Self::List(list) => &list.common,
            Self::Show(show) => &show.common,
            Self::Rm(rm) => &rm.common,
        }
    }
}

#[derive(Args, Debug)]
pub struct SecretSet {
    /// The secret's name, such as DB_PASSWORD_PROD
    pub name: OsString,
    /// A value is never an argument: this is here to refuse it without repeating it
    #[arg(hide = true, allow_hyphen_values = true, num_args = 0..)]
    pub refused: Vec<OsString>,
    /// Allow an empty value
    #[arg(long)]
    pub allow_empty: bool,
    /// Create only: fail if the secret exists
    #[arg(long, conflicts_with = "if_version")]
    pub if_absent: bool,
    /// Update only what is still at this version
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<u64>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct SecretList {
    /// Only names that hold this text, in any case
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Only what was not updated for this long, such as 90d
    #[arg(long, value_name = "TIME")]
    pub stale: Option<String>,
    /// The order
    #[arg(long, value_name = "KEY", value_parser = ["name", "-name", "updated", "-updated"])]
    #[arg(allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct SecretShow {
    /// The secret's name
    pub name: OsString,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct SecretRm {
    /// The secret's name
    pub name: OsString,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Delete only what is still at this version
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<u64>,
    #[command(flatten)]
    pub common: Common,
}
