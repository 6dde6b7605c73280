//! Joins the client's side with the store that the settings name: over the network, or in this
//! process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::{Client, Connector, Endpoint, Options, Token};
use crate::launch::fetch::Stores;
use crate::launch::problem::Problem;
use crate::name::OrgName;
use crate::settings::{MasterKey, ReportFormat, Settings, Store};
use crate::store::{self, MasterKeySource, OpenError, OpenErrorKind, OpenMode};
use crate::sys;

/// The one organization that an embedded store begins with.
const EMBEDDED_ORG: &str = "default";

/// The store of the settings, not opened yet.
pub struct Join {
    target: Store,
    org: Option<OrgName>,
    token: Option<Token>,
    token_withheld: Option<String>,
    login_withheld: Option<String>,
    login: Option<String>,
    /// The organizations of this store that the user is logged in to, where none was named.
    org_choices: Vec<OrgName>,
    /// Whether what is asked is about one organization.
    is_about_org: bool,
    timeout: Duration,
    mode: OpenMode,
    /// Warnings are text; where a failure is to be one JSON object, there are none.
    warns: bool,
}

/// A client, and what it took to open its store.
pub struct Opened {
    pub client: Client,
    /// The folder of an embedded store that was made just now.
    pub made: Option<PathBuf>,
}

impl Join {
    /// Takes the store and the token out of the settings.
    pub fn new(settings: &mut Settings) -> Self {
        let nowhere = Store::Endpoints(Vec::new());
        let target = std::mem::replace(&mut settings.store, nowhere);
        let org = settings.org.take().or_else(|| match &target {
            Store::Embedded { .. } => Some(OrgName::parse(EMBEDDED_ORG).expect("a slug")),
            Store::Endpoints(_) => None,
        });
        Self {
            target,
            org,
            token: settings.token.take(),
            token_withheld: settings.token_withheld.take(),
            login_withheld: settings.login_withheld.take(),
            login: settings.login.take(),
            org_choices: std::mem::take(&mut settings.org_choices),
            is_about_org: true,
            timeout: settings.timeout,
            mode: OpenMode::Existing,
            warns: settings.report == ReportFormat::Text,
        }
    }

    /// Lets an embedded store be made where there is none.
    pub fn may_make(mut self) -> Self {
        self.mode = OpenMode::CreateIfMissing;
        self
    }

    /// What is asked is about no organization, so that none needs to be set.
    pub fn about_no_org(mut self) -> Self {
        self.is_about_org = false;
        self
    }

    pub fn open_store(self) -> Result<Opened, Problem> {
        let Self { target, org, token, timeout, mode, warns, .. } = self;
        let options = Options { org, token, timeout };
        match target {
            Store::Endpoints(endpoints) => {
                let client = Client::new(Connector::Endpoints(endpoints), options);
                Ok(Opened { client, made: None })
            }
            Store::Embedded { data, master_key } => {
                let data = data.expect("missing settings were reported before");
                let source = key_source(master_key, &data, warns);
                let opened = store::Store::open(&data, &source, mode, &operator(), timeout)
                    .map_err(not_opened)?;
                let store = opened.store;
                let connect = Box::new(move || store.connect());
                let label = data.display().to_string();
                let connector = Connector::InProcess { label, connect };
                let client = Client::new(connector, options);
                Ok(Opened { client, made: opened.made.then_some(data) })
            }
        }
    }
}

impl Stores for Join {
    fn label(&self) -> String {
        match &self.target {
            Store::Endpoints(endpoints) => {
                endpoints.iter().map(Endpoint::as_str).collect::<Vec<_>>().join(", ")
            }
            Store::Embedded { data: Some(data), .. } => {
                format!("the embedded store in {}", data.display())
            }
            Store::Embedded { data: None, .. } => "the embedded store".to_owned(),
        }
    }

    fn organization(&self) -> Option<String> {
        self.org.as_ref().filter(|_| self.is_about_org).map(ToString::to_string)
    }

    fn login(&self) -> Option<String> {
        self.login.clone()
    }

    fn missing_settings(&self) -> Vec<Problem> {
        let setting = |fault: &str, hint: &str| Problem::Setting {
            fault: fault.to_owned(),
            hint: Some(hint.to_owned()),
        };
        let mut missing = Vec::new();
        match &self.target {
            Store::Endpoints(endpoints) => {
                missing.extend(self.missing_for(endpoints));
            }
            Store::Embedded { data: None, .. } => missing.push(setting(
                "no store is set, and there is no home for an embedded one",
                "set `INJECT_STORE` to a store's address, or `INJECT_DATA` to a folder",
            )),
            Store::Embedded { data: Some(data), .. } => match store::exists(data) {
                Err(error) => {
                    let path = data.clone();
                    missing.push(Problem::File { path, doing: "look for a store in", error });
                }
                Ok(false) if self.mode == OpenMode::Existing => {
                    missing.push(Problem::Setting {
                        fault: format!("no store is set, and none is at `{}`", data.display()),
                        hint: Some(
                            "set `INJECT_STORE`, or make an embedded store with `inject secret set \
                             NAME`"
                                .to_owned(),
                        ),
                    });
                }
                Ok(_) => {}
            },
        }
        missing
    }

    fn open(self) -> Result<Client, Problem> {
        self.open_store().map(|opened| opened.client)
    }
}

impl Join {
    /// What a request over the network needs and is not set.
    fn missing_for(&self, endpoints: &[Endpoint]) -> Vec<Problem> {
        let setting = |fault: &str, hint: String| Problem::Setting {
            fault: fault.to_owned(),
            hint: Some(hint),
        };
        const NO_ORG: &str = "no organization is set for the store";
        if let [first, others @ ..] = self.org_choices.as_slice() {
            let others = others.iter().map(|org| format!(" and `{org}`"));
            let all = format!("`{first}`{}", others.collect::<String>());
            return vec![setting(NO_ORG, format!("you are logged in to {all}: say `--org`"))];
        }
        let mut missing = Vec::new();
        let tcp = endpoints.iter().any(|endpoint| endpoint.unix_path().is_none());
        // With it there might have been both, the token and the organization.
        if let Some(why) = self.login_withheld.as_ref().filter(|_| tcp) {
            return vec![Problem::Setting { fault: why.clone(), hint: None }];
        }
        if self.token.is_none() && tcp {
            missing.push(match &self.token_withheld {
                Some(why) => Problem::Setting { fault: why.clone(), hint: None },
                None => setting(
                    "no token is set for the store",
                    "set `INJECT_TOKEN`, `INJECT_TOKEN_FILE` or `--token-file`, or keep one with \
                     `inject login`"
                        .to_owned(),
                ),
            });
        }
        if self.org.is_none() && self.is_about_org {
            missing.push(setting(NO_ORG, "set `--org` or `INJECT_ORG`, such as `acme`".to_owned()));
        }
        missing
    }
}

/// Why a store is not open, as it is told.
pub(super) fn not_opened(error: OpenError) -> Problem {
    match error.kind() {
        OpenErrorKind::NoStore => Problem::Setting { fault: error.to_string(), hint: None },
        OpenErrorKind::Key | OpenErrorKind::Io => Problem::StoreFailed { what: error.to_string() },
    }
}

const KEY_WARNING: &[u8] =
    b"inject: warning: the master key is in the environment, which other programs of this user can \
      read; a file is safer: `INJECT_MASTER_KEY_FILE`\n";

/// Where the store reads its master key; `warns` of one that the environment holds.
pub(super) fn key_source(master_key: MasterKey, data: &Path, warns: bool) -> MasterKeySource {
    match master_key {
        MasterKey::Default => MasterKeySource::File(data.join(store::MASTER_KEY_NAME)),
        MasterKey::File(path) => MasterKeySource::File(path),
        MasterKey::Credential(path) => MasterKeySource::Credential(path),
        MasterKey::Command(command) => MasterKeySource::Command(command),
        MasterKey::Value(value) => {
            if warns {
                // Where stderr cannot be written, nobody is there to be warned.
                let _ = sys::stderr().write_all(KEY_WARNING);
            }
            MasterKeySource::Value(value)
        }
    }
}

/// The user's name as the system has it (passwd(5)); the environment could say anything. Read by
/// hand, for the C library would load shared libraries into this static program.
pub(super) fn operator() -> String {
    let uid = nix::unistd::geteuid().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid-{uid}"))
}
