//! Options, `INJECT_*` and the manifest → settings, with all that is wrong reported at once. The
//! order is: the option, the variable, the manifest, the default; lists of names add up.

use std::ffi::{CStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{Common, Sources};
use crate::client::{Endpoint, TIMEOUT_DEFAULT, Token};
use crate::launch::document::Target;
use crate::launch::format::Format;
use crate::launch::problem::Problem;
use crate::launch::reference::Grammar;
use crate::manifest::Manifest;
use crate::name::{OrgName, SecretName, WorkloadName};
use crate::pattern::Pattern;
use crate::secret::Secret;
use crate::sys;

mod additions;
mod commands;
mod credentials;
mod data;
mod grammar;
mod login;
mod names;
pub mod saved;
pub mod serving;
pub mod staying;
mod templates;
mod value;
mod variables;

use commands::Resolving;
use credentials::Named;
use variables::Variables;

pub use commands::{resolve_alone, resolve_managing};
pub use data::{DataSettings, resolve_data};
pub use login::{LoginSettings, resolve_login};

/// Everything that a command is run with.
pub struct Settings {
    pub grammar: Grammar,
    pub require: Vec<SecretName>,
    pub scan_env: ScanEnv,
    pub additions: Additions,
    pub workload: Option<WorkloadName>,
    pub timeout: Duration,
    pub report: ReportFormat,
    pub store: Store,
    pub org: Option<OrgName>,
    pub token: Option<Token>,
    /// Why a token that is set is not sent, where that is so.
    pub token_withheld: Option<String>,
    /// Why what `inject login` keeps for the store is not used, where that is so.
    pub login_withheld: Option<String>,
    /// The addresses of the login whose token is used, where it is one's.
    pub login: Option<String>,
    /// The organizations of the store that the user is logged in to, where none was named.
    pub org_choices: Vec<OrgName>,
    /// What to put back before execve, where a setting had to be waited for.
    pub inherited: Option<sys::Inherited>,
}

/// Which store is asked.
pub enum Store {
    Endpoints(Vec<Endpoint>),
    /// `data` is none where neither `INJECT_DATA` nor a home says where it would be.
    Embedded {
        data: Option<PathBuf>,
        master_key: MasterKey,
    },
}

/// Where the embedded store's master key comes from.
pub enum MasterKey {
    /// Beside the data.
    Default,
    File(PathBuf),
    /// Given by systemd (systemd.exec(5), "Credentials").
    Credential(PathBuf),
    /// What a shell command prints.
    Command(String),
    /// In `INJECT_MASTER_KEY`, with a warning: an environment is easily read.
    Value(Secret),
}

/// What an option, a variable or the manifest adds to the application's environment.
#[derive(Debug, Default)]
pub struct Additions {
    pub env_files: Vec<PathBuf>,
    pub export_from: Vec<PathBuf>,
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub export: Vec<SecretName>,
    pub as_file: Vec<(Vec<u8>, SecretName)>,
    pub templates: Vec<Template>,
    /// The manifest that is in use.
    pub manifest: Option<PathBuf>,
    /// The format of every file that is left alone, instead of what its name says.
    pub format: Option<Format>,
}

/// A config file that is to be rendered.
#[derive(Clone, Debug)]
pub struct Template {
    pub path: PathBuf,
    pub target: Target,
    /// Instead of what the names say.
    pub format: Option<Format>,
    /// Names that are plain text in it.
    pub literal: Vec<SecretName>,
}

#[derive(Debug)]
pub enum ScanEnv {
    All,
    None,
    Matching(Vec<Pattern>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReportFormat {
    Text,
    Json,
}

/// Where a setting was made; faults name it.
#[derive(Clone, Debug, PartialEq)]
enum Origin {
    Option(&'static str),
    Variable(&'static str),
    Manifest { path: PathBuf, key: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(option) => write!(f, "`{option}`"),
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::Manifest { path, key } => write!(f, "`{key}` in `{}`", path.display()),
        }
    }
}

impl Origin {
    /// Where one thing is set twice, the higher one counts.
    fn rank(&self) -> u8 {
        match self {
            Self::Option(_) => 2,
            Self::Variable(_) => 1,
            Self::Manifest { .. } => 0,
        }
    }
}

impl Settings {
    /// Whether a file is to be read before anything can be planned.
    pub fn asks_files(&self) -> bool {
        let Additions { env_files, export_from, templates, .. } = &self.additions;
        !(env_files.is_empty() && export_from.is_empty() && templates.is_empty())
    }
}

/// How a failure is printed, as far as it can be known before the settings are: even a bad option
/// is then reported as was asked.
pub fn report_format(arguments: &[OsString], environment: &[&CStr]) -> ReportFormat {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    let mut format = None;
    while let Some(argument) = options.next() {
        if argument == "--report" {
            format = options.next().map(|value| value.as_bytes());
        } else if let Some(value) = argument.as_bytes().strip_prefix(b"--report=") {
            format = Some(value);
        }
    }
    let variable = || value_of(environment, b"INJECT_REPORT");
    match format.or_else(variable) {
        Some(b"json") => ReportFormat::Json,
        _ => ReportFormat::Text,
    }
}

/// How the settings' own failure is printed: as they say, wherever they say it.
pub fn failure_format(common: &Common, environment: &[&CStr]) -> ReportFormat {
    Resolver::new(common, environment).report(common)
}

/// The settings, or everything that is wrong with them.
pub fn resolve(
    sources: &Sources,
    common: &Common,
    environment: &[&CStr],
) -> Result<Settings, Vec<Problem>> {
    Resolver::new(common, environment).finish(sources, common, environment, Asks::Store)
}

/// The settings for what asks no store: a token is neither read nor judged.
pub fn resolve_offline(
    sources: &Sources,
    common: &Common,
    environment: &[&CStr],
) -> Result<Settings, Vec<Problem>> {
    Resolver::new(common, environment).finish(sources, common, environment, Asks::Nothing)
}

#[derive(Clone, Copy)]
enum Asks {
    Store,
    /// The same, for some files: what a launch as a whole requires is nothing to them.
    StoreForFiles,
    /// The store, of which something else than secrets is wanted: nothing is launched.
    StoreToManage,
    /// The same, with a token that no setting holds yet.
    StoreForLogin,
    Nothing,
}

/// Whether a manifest that is merely found has a say.
#[derive(Clone, Copy, PartialEq)]
enum Strangers {
    Heard,
    Ignored,
}

struct Resolver {
    variables: Variables,
    manifest: Option<Manifest>,
    faults: Vec<Problem>,
    inherited: Option<sys::Inherited>,
}

impl Resolver {
    fn new(common: &Common, environment: &[&CStr]) -> Self {
        Self::with(Strangers::Heard, common, environment)
    }

    fn with(strangers: Strangers, common: &Common, environment: &[&CStr]) -> Self {
        let mut faults = Vec::new();
        let variables = Variables::read(environment, &mut faults);
        let named = common.config.clone().or_else(|| variables.get("config").map(PathBuf::from));
        let (manifest, found) = match named {
            None if strangers == Strangers::Ignored => (None, Vec::new()),
            named => Manifest::load(named.as_deref()),
        };
        faults.extend(found.into_iter().map(|fault| setting(fault.to_string())));
        Self { variables, manifest, faults, inherited: None }
    }

    fn finish(
        mut self,
        sources: &Sources,
        common: &Common,
        environment: &[&CStr],
        asks: Asks,
    ) -> Result<Settings, Vec<Problem>> {
        let settings = self.settings(sources, common, environment, asks);
        if self.faults.is_empty() { Ok(settings) } else { Err(self.faults) }
    }

    fn settings(
        &mut self,
        sources: &Sources,
        common: &Common,
        environment: &[&CStr],
        asks: Asks,
    ) -> Settings {
        let Named { store, text, by_stranger } = self.store(common, environment, asks);
        let (token, token_withheld) = match asks {
            Asks::Store | Asks::StoreForFiles | Asks::StoreToManage => {
                self.token(common, by_stranger)
            }
            Asks::StoreForLogin | Asks::Nothing => (None, None),
        };
        let resolving = self.resolving(sources, asks);
        let Resolving { grammar, require, additions, scan_env, workload } = resolving;
        let mut settings = Settings {
            grammar,
            require,
            additions,
            scan_env,
            workload,
            timeout: self
                .parsed("--timeout", "timeout", common.timeout.as_ref(), value::timeout)
                .unwrap_or(TIMEOUT_DEFAULT),
            report: self.report(common),
            org: self.parsed("--org", "org", common.org.as_ref(), value::name(OrgName::parse)),
            store,
            token,
            token_withheld,
            login_withheld: None,
            login: None,
            org_choices: Vec::new(),
            inherited: self.inherited.take(),
        };
        if matches!(asks, Asks::Store | Asks::StoreForFiles | Asks::StoreToManage) {
            self.log_in(&mut settings, &text, common, environment);
        }
        settings
    }

    fn report(&mut self, common: &Common) -> ReportFormat {
        self.parsed("--report", "report", common.report.as_ref(), value::report)
            .unwrap_or(ReportFormat::Text)
    }

    /// One setting by the order, as text with where it was made.
    fn text(
        &mut self,
        option: &'static str,
        key: &'static str,
        given: Option<&OsString>,
    ) -> Option<(String, Origin)> {
        if let Some(given) = given {
            let Some(text) = given.to_str() else {
                self.fault(&Origin::Option(option), "it is not UTF-8");
                return None;
            };
            return Some((text.to_owned(), Origin::Option(option)));
        }
        if let Some(text) = self.variables.get(key) {
            return Some((text.to_owned(), Origin::Variable(Variables::variable(key))));
        }
        let manifest = self.manifest.as_ref()?;
        let origin = Origin::Manifest { path: manifest.path.clone(), key };
        Some((manifest.text(key)?.to_owned(), origin))
    }

    fn parsed<T>(
        &mut self,
        option: &'static str,
        key: &'static str,
        given: Option<&OsString>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = self.text(option, key, given)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(&origin, &fault);
                None
            }
        }
    }

    fn scan_env(&mut self, sources: &Sources) -> ScanEnv {
        let (option, key) = ("--scan-env", "scan-env");
        let Some((text, origin)) = self.text(option, key, sources.scan_env.as_ref()) else {
            return ScanEnv::All;
        };
        let text = match (&origin, &self.manifest) {
            (Origin::Manifest { .. }, Some(manifest)) => {
                manifest.list(key).collect::<Vec<_>>().join(",")
            }
            _ => text,
        };
        match text.trim() {
            "all" => ScanEnv::All,
            "none" => ScanEnv::None,
            "" => {
                self.fault(&origin, "write `all`, `none`, or names and globs such as `DB_*`");
                ScanEnv::All
            }
            list => ScanEnv::Matching(
                list.split(',').map(|part| Pattern::new(part.trim().as_bytes())).collect(),
            ),
        }
    }

    fn fault(&mut self, origin: &Origin, fault: &str) {
        self.faults.push(setting(format!("{origin}: {fault}")));
    }

    fn manifest_fault(&mut self, key: &'static str, fault: &str) {
        let path = self.manifest.as_ref().map(|manifest| manifest.path.clone());
        self.fault(&Origin::Manifest { path: path.unwrap_or_default(), key }, fault);
    }
}

fn setting(fault: String) -> Problem {
    Problem::Setting { fault, hint: None }
}

/// The value of a variable, as it stands.
pub fn value_of<'e>(environment: &[&'e CStr], name: &[u8]) -> Option<&'e [u8]> {
    environment.iter().find_map(|entry| entry.to_bytes().strip_prefix(name)?.strip_prefix(b"="))
}
