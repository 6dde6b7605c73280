//! The command line of what manages an organization: `inject org`, `member`, `token`, `workload`,
//! `audit`, `login`. Shapes alone, nothing is judged here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::Common;

#[derive(Debug, Subcommand)]
pub enum Org {
    /// List the organizations that the token reaches
    List(Listing),
    /// Make a new organization, and print its owner's first token
    Create(OrgCreate),
}

impl Org {
    pub fn common(&self) -> &Common {
        match self {
            Self::List(list) => &list.common,
            Self::Create(create) => &create.common,
        }
    }
}

#[derive(Args, Debug)]
pub struct OrgCreate {
    /// The organization's name, such as acme
    pub name: OsString,
    /// The owner's e-mail address, which only the operator of the machine has to say
    #[arg(long, value_name = "ADDRESS")]
    pub owner: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub enum Member {
    /// List the members and their roles
    List(Listing),
    /// Add a member, and print the first token
    Add(MemberAdd),
    /// Change a member's role, or which secrets may be resolved
    Set(MemberSet),
    /// Remove a member, and revoke every token that the member has or made
    Rm(MemberRm),
}

impl Member {
    pub fn common(&self) -> &Common {
        match self {
            Self::List(list) => &list.common,
            Self::Add(add) => &add.common,
            Self::Set(set) => &set.common,
            Self::Rm(rm) => &rm.common,
        }
    }
}

#[derive(Args, Debug)]
pub struct MemberAdd {
    /// The e-mail address
    #[arg(value_name = "ADDRESS")]
    pub email: OsString,
    /// `owner`, `editor` or `reader`
    #[arg(long, value_name = "ROLE", default_value = "reader")]
    pub role: OsString,
    /// What the member may resolve, such as `DEV_*` [default: nothing]
    #[arg(long, value_name = "NAME,GLOB*")]
    pub names: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("change").multiple(true).required(true))]
pub struct MemberSet {
    /// The e-mail address
    #[arg(value_name = "ADDRESS")]
    pub email: OsString,
    /// `owner`, `editor` or `reader`
    #[arg(long, value_name = "ROLE", group = "change")]
    pub role: Option<OsString>,
    /// What the member may resolve from now on, such as `DEV_*`
    #[arg(long, value_name = "NAME,GLOB*", group = "change", conflicts_with = "no_names")]
    pub names: Vec<OsString>,
    /// Let the member resolve nothing
    #[arg(long, group = "change")]
    pub no_names: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct MemberRm {
    /// The e-mail address
    #[arg(value_name = "ADDRESS")]
    pub email: OsString,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List tokens: whose they are and what they reach, never the tokens themselves
    List(Listing),
    /// Make a token for a workload or a member, and print it once
    Create(TokenCreate),
    /// Revoke a token: the next request with it is refused
    Revoke(TokenRevoke),
}

impl TokenCommand {
    pub fn common(&self) -> &Common {
        match self {
            Self::List(list) => &list.common,
            Self::Create(create) => &create.common,
            Self::Revoke(revoke) => &revoke.common,
        }
    }
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("whose").required(true))]
pub struct TokenCreate {
    /// The workload that the token is for
    #[arg(long, value_name = "NAME", group = "whose")]
    pub workload: Option<OsString>,
    /// The member that the token is for
    #[arg(long, value_name = "ADDRESS", group = "whose")]
    pub member: Option<OsString>,
    /// What the workload may resolve, such as `STRIPE_*` [default: `*`]
    #[arg(long, value_name = "NAME,GLOB*", conflicts_with = "member")]
    pub names: Vec<OsString>,
    /// When it ends: 30d, a date or a time [default: 90d; a member's: never]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<OsString>,
    /// The only network that it is accepted from, such as 10.0.0.0/8
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct TokenRevoke {
    /// The token's id, as `inject token list` shows it
    pub id: OsString,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub enum Workload {
    /// List workloads: when each last resolved, and which secrets are newer by now
    List(Listing),
}

impl Workload {
    pub fn common(&self) -> &Common {
        let Self::List(list) = self;
        &list.common
    }
}

/// A list that has no options of its own.
#[derive(Args, Debug)]
pub struct Listing {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// List records, newest first
    List(AuditList),
    /// Verify the chain of records, and name the first that is wrong
    Verify(AuditVerify),
    /// Print a checkpoint: with it, `verify` also sees a cut tail
    Checkpoint(AuditCheckpoint),
}

impl Audit {
    pub fn common(&self) -> &Common {
        match self {
            Self::List(list) => &list.common,
            Self::Verify(verify) => &verify.common,
            Self::Checkpoint(checkpoint) => &checkpoint.common,
        }
    }
}

#[derive(Args, Debug)]
pub struct AuditList {
    /// Only records about this secret
    #[arg(long, value_name = "NAME")]
    pub name: Option<OsString>,
    /// Only what this one did, written as in the list
    #[arg(long, value_name = "ACTOR")]
    pub actor: Option<OsString>,
    /// Only what this workload did, or its token
    #[arg(long, value_name = "NAME")]
    pub workload: Option<OsString>,
    /// Only from then on: a date, a time, or how long ago, such as 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<OsString>,
    /// Only before then, written in the same way
    #[arg(long, value_name = "TIME")]
    pub until: Option<OsString>,
    /// At most so many records
    #[arg(long, value_name = "NUMBER", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Go on from there: the `next` of a list that was printed as JSON
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct AuditVerify {
    /// A checkpoint that was saved before; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Debug)]
pub struct AuditCheckpoint {
    /// The file to write, whole or not at all, with mode 0600; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

// The address is its argument, and no store is opened by a key.
#[derive(Args, Debug)]
#[command(mut_arg("store", |store| store.hide(true)))]
#[command(mut_arg("master_key_file", |file| file.hide(true)))]
#[command(mut_arg("master_key_command", |command| command.hide(true)))]
pub struct Login {
    /// The store's address as it prints it, `https://HOST:PORT#sha256-…`
    #[arg(value_name = "URL")]
    pub url: OsString,
    #[command(flatten)]
    pub common: Common,
}
